"""What the worker does for draws."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from wxbackend import audit, jobs
from wxbackend.accounts import service as accounts
from wxbackend.campaigns import service as campaigns
from wxbackend.draws import service as draws
from wxbackend.draws import words
from wxbackend.draws.freeze import freeze, of
from wxbackend.draws.models import Award, Draw
from wxbackend.extensions import db
from wxbackend.notices import service as notices
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Entrant

FORGET_AFTER = timedelta(days=29)   # the notice says within 30
TOLD_AT_ONCE = 50                   # notices written in one transaction, which keeps everybody from voting on SQLite


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


@jobs.handler("draws.tell")
def tell_when_public(payload: dict[str, Any], at: datetime) -> None:
    """Tell winners and alternates, some at a time and in order of rank; each notice is a job of its own.

    Whoever did not agree to be told finds it in 我的 alone, which needs no notice.
    """
    draw = draws.by_public_id(payload["draw"])
    query = select(Award).where(Award.draw_id == draw.id, Award.rank > payload["after"])
    awards = list(db.session.scalars(query.order_by(Award.rank).limit(TOLD_AT_ONCE)))
    agreed = agreed_to_be_told(draw, [award.person_id for award in awards])
    for award in awards:
        if award.person_id in agreed:   # once a person, by her better place: two who are one by now may both have won
            notices.tell(award.person_id, "result", words.told(award), at, data=words.facts(award), url=words.link(draw),
                         campaign=draw.campaign, about=f"draw:{draw.id}:person:{accounts.surviving(award.person_id)}")
    if len(awards) == TOLD_AT_ONCE:
        last = awards[-1].rank
        jobs.enqueue("draws.tell", {"draw": draw.public_id, "after": last}, at, dedupe=f"tell:{draw.public_id}:{last}")


def agreed_to_be_told(draw: Draw, person_ids: list[int]) -> set[int]:
    """Who ticked it at the entry, or allowed the subscribe message in the mini program; whoever left the draw since is told nothing."""
    active = select(Entrant).where(Entrant.campaign_id == draw.campaign_id, Entrant.withdrawn_at.is_(None))
    entrants = db.session.scalars(active.where(Entrant.person_id.in_(person_ids)))
    return {e.person_id for e in entrants if "notify" in e.consents or notices.subscribed(draw.campaign, accounts.all_ids(e.person_id))}
