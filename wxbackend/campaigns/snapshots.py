"""Published campaigns as this process last saw them: what a voter's page looks at costs no query.

A snapshot is asked after once a second, by whoever comes first then; all others go on with the one there is, and nobody waits for
anybody. What this process itself commits is looked at anew at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from flask import Flask, current_app, has_app_context
from sqlalchemy import event, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from wxbackend.campaigns.models import CHANGED, PARTS, Campaign
from wxbackend.extensions import db, reading

LOOK_AGAIN_SECONDS = 1.0
LONGEST_UNCONFIRMED_SECONDS, LONGEST_AT_HAND_SECONDS = 600.0, 3.0
AWAY = (OperationalError, InterfaceError, PoolEmpty)
LOADED = (Campaign.subjects, Campaign.sources, Campaign.prizes, Campaign.rules_versions)
SHARED = "is_shared_snapshot"


class Kept:
    """One campaign and when it was last found to be true, in seconds of the monotonic clock."""

    def __init__(self, campaign: Campaign, now: float):
        self.campaign = campaign
        self.confirmed, self.look_at = now, now + LOOK_AGAIN_SECONDS
        self.looking = threading.Lock()   # tried, never waited for


def of(slug: str) -> Campaign | None:
    """The published campaign of that address; None where there is none."""
    kept, now = _all().get(slug), time.monotonic()
    if kept is None or now - kept.confirmed > LONGEST_UNCONFIRMED_SECONDS:
        return _remember(slug, now)
    if now >= kept.look_at and kept.looking.acquire(blocking=False):
        try:
            return _look(slug, kept, now)
        finally:
            kept.looking.release()
    return kept.campaign


def slug_of(campaign_id: int) -> str | None:
    """The address of a campaign, from what is kept if it is there."""
    for slug, kept in list(_all().items()):
        if kept.campaign.id == campaign_id:
            return slug
    with _session() as session:
        return session.scalar(select(Campaign.slug).where(Campaign.id == campaign_id))


def at_hand(slug: str) -> Campaign | None:
    """`of` for who must not wait: the database is asked by a thread of its own, and what it last said serves for three seconds. None where
    there is none so fresh."""
    kept, now = _all().get(slug), time.monotonic()
    if kept is None:
        return None
    if now >= kept.look_at and kept.looking.acquire(blocking=False):
        _aside().submit(_look_aside, current_app._get_current_object(), slug, kept)   # type: ignore[attr-defined]
    return kept.campaign if now - kept.confirmed <= LONGEST_AT_HAND_SECONDS else None


def _aside() -> ThreadPoolExecutor:
    threads: ThreadPoolExecutor = current_app.extensions.setdefault("live_campaigns_aside", ThreadPoolExecutor(1, "snapshots"))
    return threads


def _look_aside(app: Flask, slug: str, kept: Kept) -> None:
    try:
        with app.app_context():
            _look(slug, kept, time.monotonic())
    finally:
        kept.looking.release()


def is_shared(part: Any) -> bool:
    """Whether this is (of) a snapshot, which never changes: what is worked out from it may be kept as long as it lives."""
    return SHARED in part.__dict__


def _look(slug: str, kept: Kept, now: float) -> Campaign | None:
    """Ask whether it still stands. With the database away it does, and is asked after again in a second."""
    kept.look_at = now + LOOK_AGAIN_SECONDS
    try:
        with _session() as session:
            revision = session.scalar(select(Campaign.revision).where(Campaign.slug == slug, Campaign.published_at.is_not(None)))
        if revision != kept.campaign.revision:
            return _remember(slug, now)
    except AWAY:
        return kept.campaign
    kept.confirmed = now
    return kept.campaign


def _remember(slug: str, now: float) -> Campaign | None:
    """Read it whole. Addresses that are none are not kept: anybody can think of a million."""
    campaign = _read(slug)
    if campaign is None:
        _all().pop(slug, None)
    else:
        _all()[slug] = Kept(campaign, now)
    return campaign


def _read(slug: str) -> Campaign | None:
    """Detached, with all that voters' pages look at. Its revision comes with the first of the queries: what changes between them is read
    again at the next look."""
    query = select(Campaign).where(Campaign.slug == slug, Campaign.published_at.is_not(None))
    with _session() as session:
        campaign = session.scalar(query.options(*(selectinload(part) for part in LOADED)))
        if campaign is None or campaign.slug != slug:   # MariaDB finds it behind blanks, too: each spelling would be kept
            return None
        for part in (*campaign.subjects, *campaign.sources, *campaign.prizes, *campaign.rules_versions):
            set_committed_value(part, "campaign", campaign)   # the way back costs no query and needs no session
        for one in session:
            one.__dict__[SHARED] = True
        session.expunge_all()
    return campaign


@contextmanager
def _session() -> Iterator[Session]:
    """A session of its own that only reads: the caller's sees no transaction opened, and on SQLite no lock taken."""
    with reading(), Session(db.engine) as session:
        yield session


def _all() -> dict[str, Kept]:
    known: dict[str, Kept] = current_app.extensions.setdefault("live_campaigns", {})
    return known


@event.listens_for(Session, "after_commit")
def _look_at_once(session: Session) -> None:
    """What this process changed itself is looked at again by the very next request."""
    for slug in session.info.pop(CHANGED, ()):
        kept = _all().get(slug) if has_app_context() else None
        if kept is not None:
            kept.look_at = 0.0


@event.listens_for(Session, "before_attach")
def _refuse_to_write(_session: Session, instance: Any) -> None:
    """A snapshot that slipped into a session would be many threads' at once. Raises RuntimeError."""
    if isinstance(instance, (Campaign, *PARTS)) and SHARED in instance.__dict__:
        raise RuntimeError("campaigns.live() is for reading; take campaigns.published() to write")
