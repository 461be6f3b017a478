"""From a ballot to a chance: entering the draw, the daily tap, screenshots, 我的."""

from __future__ import annotations

import json
from datetime import date, datetime

from flask import g, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from wxbackend import clock, keys
from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.draws.models import Award, Draw
from wxbackend.extensions import db
from wxbackend.pages import rules
from wxbackend.pages.frame import bp, show, visitor
from wxbackend.pages.schemas import AGES, CONSENTS, Filled, read_correction, read_entry
from wxbackend.pages.way import draw_of, is_public
from wxbackend.problems import Problem
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets
from wxbackend.web import access


class PictureMissing(Problem):
    status, type, title = 422, "picture-missing", "还没有选截图。"
    hint = "请退回上一页，选一张投票成功的截图再发。"


@bp.get("/c/<slug>/enter")
@access("public")
def enter_page(slug: str) -> ResponseReturnValue:
    """The entry form, empty. Whoever has entered already goes on to 我的."""
    campaign, at = campaigns.live(slug), clock.now()
    voter = visitor(campaign, at)
    if submissions.entrant(campaign, voter.person_id):
        return redirect(f"/c/{slug}/mine")
    return _form(campaign, Filled(), request.args.get("day", ""), at)


@bp.post("/c/<slug>/enter")
@access("voter")
def enter(slug: str) -> ResponseReturnValue:
    """Enter the draw; the day one came from gets its ticket at once."""
    campaign, at = campaigns.published(slug), clock.now()
    campaigns.check_voter(campaign, g.voter)
    filled, form = read_entry(request.form)
    if filled.errors:
        return _form(campaign, filled, request.form.get("day", ""), at, 422)
    submissions.enter(campaign, g.voter.person_id, form, at)
    submissions.promote(campaign, g.voter.person_id, at)
    if campaign.is_hosted:
        _tap_what_was_voted(campaign, day_of(request.form.get("day")), at)
    db.session.commit()
    return redirect(f"/c/{slug}/mine" if campaign.is_hosted else f"/c/{slug}", 303)


def _tap_what_was_voted(campaign: Campaign, day: date | None, at: datetime) -> None:
    try:
        submissions.tap(campaign, g.voter.person_id, day, at)
    except submissions.NoBallotThatDay:
        pass   # she entered before voting; the tap comes after the vote


def _form(campaign: Campaign, filled: Filled, day: str, at: datetime, status: int = 200) -> ResponseReturnValue:
    return show("enter", campaign, status, form=filled, day=day[:10], ages=AGES, consents=CONSENTS, is_late=at >= campaign.evidence_until)


@bp.post("/c/<slug>/tap")
@access("voter")
def tap(slug: str) -> ResponseReturnValue:
    """One tap for one day's vote; `day` in the form, today without it."""
    campaign, at = campaigns.published(slug), clock.now()
    campaigns.check_voter(campaign, g.voter)
    day = day_of(request.form.get("day"))
    if submissions.entrant(campaign, g.voter.person_id) is None:
        return redirect(f"/c/{slug}/enter" + (f"?day={day}" if day else ""), 303)
    submissions.tap(campaign, g.voter.person_id, day, at)
    db.session.commit()
    return redirect(f"/c/{slug}/mine", 303)


@bp.post("/c/<slug>/submissions")
@access("voter", takes_image=True)
def upload(slug: str) -> ResponseReturnValue:
    """A screenshot from the page; name and phone are the entrant's."""
    campaign, at = campaigns.published(slug), clock.now()
    entrant = submissions.entrant(campaign, g.voter.person_id)
    if entrant is None:
        return redirect(f"/c/{slug}/enter", 303)
    picture = request.files.get("image")
    if picture is None or not picture.filename:
        raise PictureMissing()
    sent = submissions.receive_upload(campaign, g.voter, picture.read(), _as_given(entrant), at)
    db.session.commit()
    return redirect(f"/c/{sent.campaign.slug}/mine", 303)   # a receipt in the picture may have made it another campaign's


def _as_given(entrant: submissions.Entrant) -> submissions.EntryForm:
    """What the entrant once filled in, so that a later screenshot changes none of it."""
    who = submissions.named(entrant)
    guardian = tuple(json.loads(keys.unseal("guardian", entrant.guardian_sealed))) if entrant.guardian_sealed else None
    return submissions.EntryForm(who.name, who.phone, entrant.age_band, guardian, tuple(entrant.consents))


@bp.get("/c/<slug>/mine")
@access("public")
def mine(slug: str) -> ResponseReturnValue:
    """The days, tickets, receipts and data of whoever is looking."""
    campaign, at = campaigns.live(slug), clock.now()
    return _mine(campaign, visitor(campaign, at).person_id, at)


@bp.post("/c/<slug>/correct")
@access("voter")
def correct(slug: str) -> ResponseReturnValue:
    """Set name and phone right."""
    campaign, at = campaigns.published(slug), clock.now()
    filled = read_correction(request.form)
    if filled.errors:
        return _mine(campaign, g.voter.person_id, at, filled, 422)
    submissions.correct(campaign, g.voter.person_id, filled.get("name"), filled.get("phone"), at)
    db.session.commit()
    return redirect(f"/c/{slug}/mine", 303)


@bp.post("/c/<slug>/withdraw")
@access("voter")
def withdraw(slug: str) -> ResponseReturnValue:
    """Leave the draw; name and phone are deleted."""
    campaign, at = campaigns.published(slug), clock.now()
    submissions.withdraw(campaign, g.voter.person_id, at)
    db.session.commit()
    return redirect(f"/c/{slug}/mine?left=1", 303)


def _mine(campaign: Campaign, person_id: int, at: datetime, filled: Filled | None = None, status: int = 200) -> ResponseReturnValue:
    receipts, owned = ballots.receipts_of(campaign, person_id), tickets.of(campaign, person_id)
    sent, entrant = submissions.of(campaign, person_id), submissions.entrant(campaign, person_id)
    ticketed, voted = {t.day for t in owned}, {r.day for r in receipts}
    waiting = {s.day for s in sent if s.day and s.state in ("pending", "arriving", "waiting")}
    days = rules.strip(campaign.first_day, campaign.last_day, campaign.day(at),
                       voted, ticketed, waiting)
    draw = draw_of(campaign)
    return show("mine", campaign, status, days=days, tickets=owned, receipts=receipts, entrant=entrant, at=at,
                who=submissions.named(entrant) if entrant else None, missing=sorted(voted - ticketed), voted=len(voted),
                may_enter=at < campaign.evidence_until, left=request.args.get("left") == "1" and entrant is None,
                is_open=campaign.is_open(at), reasons=submissions.REASONS,
                pending=[s for s in sent if s.state in ("arriving", "waiting", "pending")],
                rejected=[s for s in sent if s.state == "rejected"],
                draw=draw, is_drawn=is_public(draw), award=_award_of(draw, person_id), prizes={p.tier: p.name for p in campaign.prizes},
                prize_count=sum(p.count for p in campaign.prizes),
                form=filled or Filled(MultiDict()))


def _award_of(draw: Draw | None, person_id: int) -> Award | None:
    """Where this person came, once the winners are public."""
    if draw is None or not is_public(draw):
        return None
    return draws.award_of(draw, person_id)


def day_of(text: str | None) -> date | None:
    """2022-01-06; None for anything else."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
