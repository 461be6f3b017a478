"""What the worker does for the ballot log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from wxbackend import jobs
from wxbackend.ballots import box
from wxbackend.ballots.log import heads
from wxbackend.ballots.log import kit as kits
from wxbackend.ballots.log.waiting import Book
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db

EVERY = timedelta(minutes=1)
QUIET = timedelta(hours=1)    # once the tickets are frozen: only a late merge of persons still adds a line
BATCHES_KEPT = timedelta(days=1)
FOR_EVER = 10**6              # tries: nobody else would begin it again


@jobs.handler("ballots.log", lease=timedelta(minutes=30), tries=FOR_EVER)
def keep_log(payload: dict[str, Any], at: datetime) -> None:
    """{"campaign": slug}: put in line at publishing, then by itself every minute. The next look is promised first, so that a crash ends
    this one and not the row of them."""
    campaign = campaigns.by_slug(payload["campaign"])
    book = Book.of(campaign)
    next_at = at.replace(second=0, microsecond=0) + (QUIET if book.is_frozen else EVERY)
    jobs.enqueue("ballots.log", payload, at, run_at=next_at, dedupe=f"{book.slug}:{next_at:%Y%m%d%H%M}")
    if next_at.minute == 0:
        box.forget_batches(at - BATCHES_KEPT)
    db.session.commit()
    heads.keep_up(book, at)


@jobs.handler("ballots.log-kit", lease=timedelta(hours=1))
def make_kit(payload: dict[str, Any], at: datetime) -> None:
    """{"kit": id}: put in line when the second person approves."""
    kits.make(payload["kit"], at)
