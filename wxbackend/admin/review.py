"""The queue of screenshots that need a person's eye: oldest first, one at a time, decided by keyboard or by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Response, flash, g, redirect, request, send_file
from werkzeug import Response as Redirect

from wxbackend import clock
from wxbackend.admin import service as figures
from wxbackend.admin import words
from wxbackend.admin.rules import REVIEW, needs
from wxbackend.admin.site import bp, page
from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.shapes import Schema, fields, validate
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Submission
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket
from wxbackend.web import access, load


class NoReason(Problem):
    status, type, title = 422, "reason-missing", "不通过要选一个原因。"
    hint = "原因会原样回给市民，请选最贴近的一个。"


class DecisionSchema(Schema):
    """A decision: approve (with the day it counts for, where no receipt says it) or reject (with a reason the sender is told)."""

    decision = fields.String(required=True, validate=validate.OneOf(("approve", "reject"), error="可以填：approve、reject。"))
    day = fields.Date(load_default=None, allow_none=True)
    reason = fields.String(load_default="", validate=validate.Length(max=20))
    note = fields.String(load_default="", validate=validate.Length(max=200, error="最多写200个字。"))


@dataclass(frozen=True)
class Card:
    """What a reviewer needs about one submission. No grade, no full phone, no openid."""

    submission: Submission
    named: submissions.Named | None
    reading: words.Said
    tickets: list[Ticket]
    days: list[date]                    # it may count for these
    day: date | None                    # and this one is proposed
    typed: str                          # the short code the reviewer copied from the picture
    receipt: ballots.Receipt | None     # the sender's own receipt with that code
    past: list[Submission]              # what she sent before, newest first
    twins: list[Submission]             # the same file, sent by others

    @property
    def taken(self) -> set[date]:
        return {ticket.day for ticket in self.tickets}


@bp.get("/campaigns/<slug>/review")
@access("staff")
def review(slug: str) -> Any:
    """One submission of the queue: that of ?id=, else the oldest. ?code= looks among the sender's own receipts."""
    campaign, at = campaigns.by_slug(slug), clock.now()
    queue = submissions.queue(campaign)
    wanted = request.args.get("id", type=int)
    place = next((n for n, s in enumerate(queue) if s.id == wanted), 0)
    if not queue:
        return page("review-empty.html", "review", campaign, at)
    card = card_of(campaign, queue[place], request.args.get("code", "").strip()[:12])
    before, after = (queue[n].id if 0 <= n < len(queue) else None for n in (place - 1, place + 1))
    return page("review.html", "review", campaign, at, card=card, s=queue[place], place=place + 1, total=len(queue), before=before,
                after=after, reasons=submissions.REASONS, words=words)


@bp.get("/submissions/<int:number>/image")
@access("staff")
def image(number: int) -> Response:
    return send_image(submissions.by_id(number))


@bp.post("/submissions/<int:number>/decision")
@access("staff")
@needs(*REVIEW)
def decision(number: int) -> Redirect:
    """Decide, then on to the next oldest."""
    submission, at = submissions.by_id(number), clock.now()
    form = load(DecisionSchema(), {name: text for name, text in request.form.items() if text and name != "csrf_token"})
    campaign = submission.campaign
    queue = [s.id for s in submissions.queue(campaign)]
    following = next_in(queue, submission.id)
    said = decide(submission, form, at)
    db.session.commit()
    flash(said)
    return redirect(f"/admin/campaigns/{campaign.slug}/review" + (f"?id={following}" if following else ""))


def decide(submission: Submission, form: dict[str, Any], at: datetime) -> str:
    """Approve or reject, for page and API alike; returns what was done in a sentence. Raises NoReason, DayUnknown, AlreadyDecided."""
    staff = g.staff.staff
    if form["decision"] == "reject":
        if form["reason"] not in submissions.REASONS:
            raise NoReason()
        submissions.reject(submission, staff, form["reason"], form["note"], at)
        return "没有通过，原因已经回给市民。"
    submissions.approve(submission, staff, form["day"], at)
    if submission.state != "approved" or submission.day is None:
        return "已通过。这位市民留下姓名和手机号，签号就会发。"
    return f"已通过，{clock.say_day(submission.day)}的签号发了。"


def next_in(queue: list[int], number: int) -> int | None:
    """The one behind `number`, else the first of the others: [3, 5, 8], 5 → 8; [3, 5, 8], 8 → 3; [3], 3 → None."""
    if number not in queue:
        return queue[0] if queue else None
    rest = queue[queue.index(number) + 1:] + queue[:queue.index(number)]
    return rest[0] if rest else None


def send_image(submission: Submission) -> Response:
    """The private picture, never kept by a browser or a proxy. Raises NoSuchSubmission."""
    response = send_file(submissions.image_path(submission), conditional=False, etag=False)
    response.headers["Cache-Control"] = "no-store"
    return response


def card_of(campaign: Campaign, submission: Submission, typed: str = "") -> Card:
    entrant = submissions.entrant(campaign, submission.person_id)
    held = tickets.of(campaign, submission.person_id)
    receipt = ballots.by_code(campaign, submission.person_id, typed) if typed and campaign.is_hosted else None
    days = _days(campaign, submission)
    free = [day for day in days if day not in {ticket.day for ticket in held}]
    proposed = (receipt.day if receipt else submission.day) if campaign.is_hosted else _instant_day(campaign, submission)
    return Card(submission, submissions.named(entrant) if entrant else None, words.reading(campaign, submission.reading), held, free,
                proposed if proposed in free else None, typed, receipt,
                [s for s in submissions.of(campaign, submission.person_id) if s.id != submission.id][:6], figures.twins(submission))


def _days(campaign: Campaign, submission: Submission) -> list[date]:
    """Of the window's days up to the evidence's instant (DESIGN §12); hosted: those the sender has a receipt for."""
    if campaign.is_hosted:
        sent = campaign.day(submission.evidence_at)
        return sorted({receipt.day for receipt in ballots.receipts_of(campaign, submission.person_id) if receipt.day <= sent})
    first, last = campaign.first_day, _instant_day(campaign, submission)
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def _instant_day(campaign: Campaign, submission: Submission) -> date:
    return min(campaign.day(submission.evidence_at), campaign.last_day)
