"""What the worker counts for results."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from wxbackend import jobs
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.results import turnout

EVERY, EVERY_AFTERWARDS = timedelta(minutes=10), timedelta(hours=1)
LAST_VOTES = timedelta(minutes=1)   # what was admitted in the last second is in the box by then


@jobs.handler("results.turnout", lease=timedelta(minutes=10))
def count_people(payload: dict[str, Any], at: datetime) -> None:
    """{"campaign": id}: put in line at publishing for the opening; again and again until the list is frozen."""
    campaign = db.session.get_one(Campaign, payload["campaign"])
    following = next_count(campaign.closes_at, campaign.freeze_at, at)
    turnout.keep(campaign.id, turnout.people(campaign), at)
    if following:
        jobs.enqueue("results.turnout", payload, at, run_at=following)


def next_count(closes_at: datetime, freeze_at: datetime, at: datetime) -> datetime | None:
    """Every ten minutes while votes come, once when the last are in, every hour while decisions and merges may still change it."""
    if at < closes_at + LAST_VOTES:
        return min(at + EVERY, closes_at + LAST_VOTES)
    return at + EVERY_AFTERWARDS if at < freeze_at else None
