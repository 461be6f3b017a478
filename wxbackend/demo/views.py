"""The demo's clock, moved from the simulated phone."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, request

from wxbackend import clock, jobs
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.demo import REFERENCE
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.web import access

bp = Blueprint("demo", __name__)
AFTER_FREEZE = timedelta(hours=3, minutes=30)   # the public drawing is at 21:15, three hours after the freeze
BEFORE_CLOSE = timedelta(minutes=1)


class OnlyForward(Problem):
    status, type, title = 409, "only-forward", "时间只能往前走，那一刻已经过了。"
    hint = "想从头来，停下演示，运行 make clean-demo。"


@bp.get("/demo/clock")
@access("loopback")
def show() -> dict[str, Any]:
    """What time the demo has, and its campaigns."""
    at = clock.now()
    shown = [_campaign(c) for c in campaigns.all_campaigns() if c.is_published]
    return {"now": at.isoformat(), "said": clock.say_time(at), "campaigns": shown}


@bp.post("/demo/clock")
@access("loopback")
def move() -> dict[str, Any]:
    """{"to": "tomorrow" | "before-close" | "draw"}; forward only. Raises OnlyForward."""
    at, wanted = clock.now(), (request.get_json(silent=True) or {}).get("to")
    target, freeze_at = _target(str(wanted), at)
    if target <= at:
        raise OnlyForward()
    for stop in sorted({min(freeze_at, target), target}):   # the list is sealed at its hour, before the public drawing is held
        if stop > at:
            clock.move_to(stop)
            db.session.commit()
            _do_what_is_due(stop)
    return show()


def _do_what_is_due(at: datetime) -> None:
    while jobs.run_due(at):
        pass


def _target(wanted: str, at: datetime) -> tuple[datetime, datetime]:
    """Where to, and when the reference campaign's list is sealed, whatever campaigns a newcomer made beside it."""
    leading = campaigns.published(REFERENCE)
    zone = ZoneInfo(leading.zone)
    tomorrow = datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time(), zone)
    targets = {"tomorrow": tomorrow, "before-close": leading.closes_at - BEFORE_CLOSE, "draw": leading.freeze_at + AFTER_FREEZE}
    if wanted not in targets:
        raise Problem("可以到：tomorrow、before-close、draw。")
    return targets[wanted], leading.freeze_at


def _campaign(campaign: Campaign) -> dict[str, Any]:
    sources = [{"code": s.code, "name": s.name, "url": campaigns.entry_url(campaign, s.code)} for s in campaign.sources]
    return {"slug": campaign.slug, "title": campaign.title, "mode": campaign.mode, "entry_url": sources[0]["url"], "sources": sources,
            "keyword": campaign.content.get("keyword", ""), "subject": campaign.subjects[0].title,
            "draw_url": f"/d/{campaign.slug}-1", "opens_at": campaign.opens_at.isoformat(),
            "closes_at": campaign.closes_at.isoformat(), "closes_said": campaign.say(campaign.closes_at),
            "freeze_at": campaign.freeze_at.isoformat()}
