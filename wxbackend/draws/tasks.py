"""What the worker does for draws."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from wxbackend import audit, jobs
from wxbackend.campaigns import service as campaigns
from wxbackend.draws.freeze import freeze, of
from wxbackend.draws.models import Award
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions

FORGET_AFTER = timedelta(days=29)   # the notice says within 30


@jobs.handler("draws.freeze", lease=timedelta(minutes=10))
def freeze_when_due(payload: dict[str, Any], at: datetime) -> None:
    """{"campaign": slug}: put in line at publishing for the instant `freeze_at`."""
    campaign = campaigns.by_slug(payload["campaign"])
    freeze(campaign, at)
    keep_until = at + timedelta(days=2 * campaign.publicity_days) + FORGET_AFTER   # working days are at most twice as many
    jobs.enqueue("draws.forget", {"campaign": campaign.slug}, at, run_at=keep_until, dedupe=f"forget:{campaign.slug}")


@jobs.handler("draws.forget", lease=timedelta(minutes=10))
def forget_when_over(payload: dict[str, Any], at: datetime) -> None:
    """Delete names, phones and screenshots of those who did not win, as the privacy notice promises; winners and alternates stay."""
    campaign = campaigns.by_slug(payload["campaign"])
    draw = of(campaign)
    if not draw.is_drawn:
        raise jobs.Retry("the draw is not made yet", timedelta(days=1))
    kept = set(db.session.scalars(select(Award.person_id).where(Award.draw_id == draw.id)))
    gone = submissions.forget(campaign, kept, at)
    audit.record("worker", "entrants.forgotten", f"campaign:{campaign.slug}", at, why="活动结束后30天内删除", facts={"people": gone})
