"""The ballot and its receipt. `entry.py` leads on to the draw, `public.py` has the pages that need nobody's name."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import g, redirect, request
from flask.typing import ResponseReturnValue

from wxbackend import captcha, clock
from wxbackend.accounts.finders import VOTER_COOKIE, sent_token
from wxbackend.ballots import committer, receipts
from wxbackend.ballots import service as ballots
from wxbackend.ballots.views import new_captcha
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.campaigns.rules import Phase
from wxbackend.extensions import db
from wxbackend.pages import door, entry, join, log, public, rules  # noqa: F401  their routes hang on the same blueprint
from wxbackend.pages.entry import day_of
from wxbackend.pages.frame import bp as bp
from wxbackend.pages.frame import show, visitor
from wxbackend.pages.way import state_page
from wxbackend.problems import Problem
from wxbackend.submissions import service as submissions
from wxbackend.submissions import standing
from wxbackend.web import access


class NoReceipt(Problem):
    status, type, title = 404, "no-receipt", "这一天没有您的投票凭证。"
    hint = "到“我的”里看看是哪几天投的。"


@bp.get("/c/<slug>")
@access("public")
def campaign_page(slug: str) -> ResponseReturnValue:
    """The campaign as it stands now: to come, the ballot, voted already, over."""
    campaign, at = campaigns.live(slug), clock.now()
    phase = campaign.phase(at)
    if phase is not Phase.OPEN and not (phase is Phase.EVIDENCE and not campaign.is_hosted):
        return state_page(campaign, at)
    voter = visitor(campaign, at)
    campaigns.check_door(campaign, voter.appid)
    if campaigns.is_unjoined(campaign, voter):
        return redirect(f"/c/{slug}/join?" + urlencode({"next": request.full_path.rstrip("?")}))
    if not campaign.is_hosted:
        return external_page(campaign, at)
    if len(campaign.subjects) > 1 and not request.args.get("p"):
        return subjects_page(campaign, at)
    subject = campaigns.subject_of(campaign, request.args.get("p"))
    receipt = next((r for r in receipts.voted_on(campaign, voter.person_id, campaign.day(at)) if _spends_it(r, subject)), None)
    return already_page(campaign, receipt, at, 200) if receipt else ballot_page(campaign, subject, at, source=request.args.get("s", ""))


@bp.post("/c/<slug>")
@access("voter")
def cast(slug: str) -> ResponseReturnValue:
    """Cast today's ballot by form, or swap the captcha where there is no script."""
    campaign, at, form = campaigns.live(slug), clock.now(), request.form
    subject = campaigns.subject_of(campaign, form.get("subject"))
    again: dict[str, Any] = {"chosen": form.get("grade", ""), "source": form.get("s", ""),
                             "family": _family(form.get("family"), "other" in form)}
    swaps, is_graded = "again" in form or "other" in form, subject_offers(subject, again["chosen"])
    try:
        if swaps or not is_graded:
            ballots.check_open(campaign, at)
        if swaps:
            return ballot_page(campaign, subject, at, **again)
        if not is_graded:
            return ballot_page(campaign, subject, at, status=422, grade_fault="请先选一个等级，再提交。", **again)
        outcome = committer.cast(ballots.Ask(campaign, subject, again["chosen"], form.get("captcha_id", "")[:64],
                                             form.get("captcha_answer", "")[:16], at, again["source"][:20]), sent_token(VOTER_COOKIE))
    except Problem as problem:
        db.session.rollback()
        return refused(problem, campaign, subject, at, again)
    return redirect(receipt_url(outcome.receipt), 303)


def refused(problem: Problem, campaign: Campaign, subject: Subject, at: datetime, again: dict[str, Any]) -> ResponseReturnValue:
    """The page on which the voter goes on after a refusal; what she chose is still chosen."""
    if isinstance(problem, ballots.AlreadyVoted):
        return already_page(campaign, problem.receipt, at, 409)
    if isinstance(problem, (ballots.CampaignNotOpen, ballots.CampaignClosed)):
        return state_page(campaign, at, 409)
    if isinstance(problem, (captcha.CaptchaWrong, captcha.CaptchaExpired)):
        fault = {"captcha_fault": problem.said}
    elif isinstance(problem, (captcha.TooOften, ballots.DatabaseLost)):
        fault = {"form_fault": problem.as_reply() + "您的选择还在。"}
    else:
        raise problem
    page, status = ballot_page(campaign, subject, at, status=problem.status, **fault, **again)
    return page, status, problem.headers


def ballot_page(campaign: Campaign, subject: Subject, at: datetime, *, status: int = 200, chosen: str = "", source: str = "",
                family: str | None = None, **faults: str) -> tuple[str, int]:
    challenge = new_captcha(campaign, family)
    return show("vote", campaign, status, subject=subject, challenge=challenge, chosen=chosen, source=source[:20], at=at,
                left=rules.countdown(campaign.closes_at, at), **faults)


def subjects_page(campaign: Campaign, at: datetime) -> ResponseReturnValue:
    groups: dict[str, list[dict[str, Any]]] = {}
    cast_today = receipts.voted_on(campaign, g.voter.person_id, campaign.day(at))
    for subject in campaign.subjects:
        receipt = next((r for r in cast_today if _spends_it(r, subject)), None)
        groups.setdefault(subject.category, []).append({"subject": subject, "receipt": receipt})
    return show("subjects", campaign, groups=groups, at=at, left=rules.countdown(campaign.closes_at, at),
                source=request.args.get("s", "")[:20])


def already_page(campaign: Campaign, receipt: ballots.Receipt, at: datetime, status: int) -> ResponseReturnValue:
    return show("already", campaign, status, receipt=receipt, comes_again=comes_again(campaign, at))


def external_page(campaign: Campaign, at: datetime, fault: str = "", status: int = 200) -> ResponseReturnValue:
    """The vote is held elsewhere; screenshots come to us."""
    person_id, today = g.voter.person_id, campaign.day(at)
    sent = next((s for s in submissions.of(campaign, person_id) if s.day == today and s.state in ("pending", "approved")), None)
    return show("external", campaign, status, entrant=submissions.entrant(campaign, person_id), sent=sent, at=at, fault=fault,
                is_open=campaign.is_open(at), left=rules.countdown(campaign.closes_at, at))


@bp.get("/c/<slug>/receipts/<which>")
@access("public")
def receipt_page(slug: str, which: str) -> ResponseReturnValue:
    """A day's receipt, `which` being ``2022-01-06`` or ``latest``."""
    campaign, at = campaigns.live(slug), clock.now()
    person_id = visitor(campaign, at).person_id
    receipt = _receipt(campaign, person_id, which)
    return show("receipt", campaign, receipt=receipt, qr=receipt.qr_png(), is_today=receipt.day == campaign.day(at),
                stands=standing.of_day(campaign, person_id, receipt.day), may_enter=at < campaign.evidence_until,
                comes_again=comes_again(campaign, at))


def receipt_url(receipt: ballots.Receipt) -> str:
    """Where a receipt is seen; a campaign with several subjects has several a day."""
    which = f"?p={receipt.subject.key}" if len(receipt.campaign.subjects) > 1 else ""
    return f"/c/{receipt.campaign.slug}/receipts/{receipt.day.isoformat()}{which}"


def _receipt(campaign: Campaign, person_id: int, which: str) -> ballots.Receipt:
    if which == "latest":
        found = next(iter(ballots.receipts_of(campaign, person_id)), None)
    else:
        subject = campaigns.subject_of(campaign, request.args["p"]) if request.args.get("p") else None
        day = day_of(which)
        found = ballots.receipt_on(campaign, person_id, day, subject) if day else None
    if found is None:
        raise NoReceipt()
    return found


def _spends_it(receipt: ballots.Receipt, subject: Subject) -> bool:
    """Whether that day's vote for a subject is spent by this one, as the campaign's quota has it."""
    return receipt.campaign.quota == "campaign" or receipt.subject.id == subject.id


def comes_again(campaign: Campaign, at: datetime) -> bool:
    """Whether a vote is still possible after today."""
    return campaign.day(at) < campaign.last_day


def subject_offers(subject: Subject, grade: str) -> bool:
    return any(one["grade"] == grade for one in subject.grades)


def _family(now: str | None, other: bool) -> str | None:
    if now not in captcha.FAMILIES:
        return None
    return captcha.FAMILIES[1 - captcha.FAMILIES.index(now)] if other else now
