"""The staff's pages as an API: the same verbs, the same refusals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, g, request
from flask_smorest import Blueprint

from wxbackend import clock
from wxbackend.admin import alarms, kit, review
from wxbackend.admin import service as figures
from wxbackend.admin.campaigns import qr_download
from wxbackend.admin.draw import winners_download
from wxbackend.admin.rules import MANAGE, REVIEW, WINNERS, needs
from wxbackend.admin.site import actor
from wxbackend.alarms.rules import KINDS
from wxbackend.ballots import service as ballots
from wxbackend.ballots.log import kit as kits
from wxbackend.ballots.log.models import LogKit
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.draws.models import Draw
from wxbackend.draws.schemas import DrawSchema, ExcludedSchema, ExclusionsSchema
from wxbackend.extensions import db
from wxbackend.shapes import Schema, fields, validate
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import STATES, Submission
from wxbackend.web import access

api_bp = Blueprint("staff", __name__, url_prefix="/api/v1/staff", description="工作人员")


def _file(mime: str) -> dict[str, Any]:
    """A success that is a file, for the specification."""
    return {"200": {"description": "The file", "content": {mime: {"schema": {"type": "string", "format": "binary"}}}}}


class StandingOut(Schema):
    """A campaign as the staff see it."""

    slug = fields.String()
    title = fields.String()
    mode = fields.String()
    state = fields.String(metadata={"description": "draft, coming, open, evidence, review, due, frozen"})
    opens_at = fields.AwareDateTime()
    closes_at = fields.AwareDateTime()
    evidence_until = fields.AwareDateTime()
    freeze_at = fields.AwareDateTime()
    published_at = fields.AwareDateTime(allow_none=True)
    rules_sha256 = fields.String(allow_none=True)
    people = fields.Integer()
    ballots = fields.Integer()
    tickets = fields.Integer()
    pending = fields.Integer()


class StateQuery(Schema):
    state = fields.String(load_default="pending", validate=validate.OneOf(STATES, error="可以填：" + "、".join(STATES) + "。"))


class SubmissionOut(Schema):
    """Evidence without a grade, a full phone or an openid."""

    id = fields.Integer()
    channel = fields.String()
    state = fields.String()
    reading = fields.String()
    day = fields.Date(allow_none=True)
    evidence_at = fields.AwareDateTime()
    has_image = fields.Boolean()
    name = fields.String(allow_none=True, metadata={"description": "masked: 张*"})
    phone = fields.String(allow_none=True, metadata={"description": "masked: 138****0000"})
    reason = fields.String(allow_none=True)


class DifferenceOut(Schema):
    """A counter that disagrees with the ballots by `off_by`; the grade is told after the vote has closed only."""

    subject = fields.String()
    day = fields.Date()
    grade = fields.String(allow_none=True)
    off_by = fields.Integer()


class RecountOut(Schema):
    equal = fields.Boolean()
    differences = fields.List(fields.Nested(DifferenceOut))


class AlarmOut(Schema):
    """Something that is wrong and waits for somebody, in words."""

    id = fields.Integer()
    kind = fields.String(metadata={"description": "one of: " + ", ".join(KINDS)})
    what = fields.String()
    todo = fields.String()
    first_at = fields.AwareDateTime()
    last_at = fields.AwareDateTime()
    count = fields.Integer()


@api_bp.route("/alarms", methods=["GET"])
@access("staff")
@api_bp.response(200, AlarmOut(many=True))
def list_alarms() -> list[alarms.Shown]:
    """What is wrong now, the latest first."""
    return alarms.shown()


@api_bp.route("/alarms/<int:number>/settled", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.response(200, AlarmOut)
def settle_alarm(number: int) -> alarms.Shown:
    """Say that one has been dealt with; should it come again, it opens anew."""
    told = alarms.settle(number, clock.now())
    db.session.commit()
    return told


@api_bp.route("/campaigns", methods=["GET"])
@access("staff")
@api_bp.response(200, StandingOut(many=True))
def list_campaigns() -> list[dict[str, Any]]:
    """Every campaign, drafts among them, with what it has gathered so far."""
    at = clock.now()
    return [_standing(campaign, at) for campaign in campaigns.all_campaigns()]


@api_bp.route("/campaigns", methods=["POST"])
@access("staff", max_bytes=1_000_000)
@needs(*MANAGE)
@api_bp.doc(requestBody={"content": {"application/json": {"schema": {"type": "object"}}}})
@api_bp.response(201, StandingOut)
def create_campaign() -> dict[str, Any]:
    """Create a draft, or replace the draft of that slug."""
    at = clock.now()
    campaign = campaigns.load_document(request.get_json(), actor(), at)
    db.session.commit()
    return _standing(campaign, at)


@api_bp.route("/campaigns/<slug>/publish", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.response(200, StandingOut)
def publish(slug: str) -> dict[str, Any]:
    """Fix the rules; once only."""
    campaign, at = campaigns.by_slug(slug), clock.now()
    campaigns.publish(campaign, actor(), at)
    db.session.commit()
    return _standing(campaign, at)


@api_bp.route("/campaigns/<slug>/submissions", methods=["GET"])
@access("staff")
@api_bp.arguments(StateQuery, location="query")
@api_bp.response(200, SubmissionOut(many=True))
def list_submissions(query: dict[str, Any], slug: str) -> list[dict[str, Any]]:
    """Evidence in one state, oldest first."""
    campaign = campaigns.by_slug(slug)
    known = submissions.entrants(campaign)
    return [_submission(s, known.get(s.person_id)) for s in submissions.queue(campaign, query["state"])]


@api_bp.route("/submissions/<int:number>/image", methods=["GET"])
@access("staff")
@api_bp.doc(responses=_file("image/jpeg"))
def image(number: int) -> Response:
    """The screenshot itself."""
    return review.send_image(submissions.by_id(number))


@api_bp.route("/submissions/<int:number>/decision", methods=["POST"])
@access("staff")
@needs(*REVIEW)
@api_bp.arguments(review.DecisionSchema)
@api_bp.response(200, SubmissionOut)
def decide(form: dict[str, Any], number: int) -> dict[str, Any]:
    """Approve a screenshot, or reject it with a reason the sender is told."""
    submission = submissions.by_id(number)
    review.decide(submission, form, clock.now())
    db.session.commit()
    return _submission(submission, submissions.entrant(submission.campaign, submission.person_id))


@api_bp.route("/campaigns/<slug>/recount", methods=["GET"])
@access("staff")
@api_bp.response(200, RecountOut)
def recount(slug: str) -> dict[str, Any]:
    """Count every ballot again and compare with the shown tally."""
    campaign = campaigns.by_slug(slug)
    is_over = clock.now() >= campaign.closes_at
    found = [{"subject": d.subject, "day": d.day, "grade": d.grade if is_over else None, "off_by": d.shown - d.counted}
             for d in ballots.recount(campaign)]
    return {"equal": not found, "differences": found}


@api_bp.route("/campaigns/<slug>/exclusions", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(ExclusionsSchema)
@api_bp.response(201, ExcludedSchema)
def exclude(form: dict[str, Any], slug: str) -> dict[str, int]:
    """Leave phones out of the draw, before the freeze only; they are kept as keyed hashes."""
    new = draws.exclude(campaigns.by_slug(slug), form["phones"], form["reason"], g.staff.staff, clock.now())
    db.session.commit()
    return {"new": new}


@api_bp.route("/campaigns/<slug>/freeze", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.response(201, DrawSchema)
def freeze(slug: str) -> Draw:
    """Seal the list, which the worker does by itself at `freeze_at`; the same draw when asked again."""
    draw = draws.freeze(campaigns.by_slug(slug), clock.now(), actor())
    db.session.commit()
    return draw


@api_bp.route("/draws/<public_id>/winners.xlsx", methods=["GET"])
@access("staff", writes=True)
@needs(*WINNERS)
@api_bp.doc(responses=_file("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))
def winners(public_id: str) -> Response:
    """The unmasked list for handing out; each download is one line of the log."""
    return winners_download(public_id, g.staff.staff)


@api_bp.route("/campaigns/<slug>/kits", methods=["GET"])
@access("staff")
@api_bp.response(200, kit.KitOut(many=True))
def list_kits(slug: str) -> list[LogKit]:
    """Audit kits of a campaign, the newest first."""
    return kits.of(campaigns.by_slug(slug))


@api_bp.route("/campaigns/<slug>/kits", methods=["POST"])
@access("staff")
@api_bp.arguments(kit.AskSchema)
@api_bp.response(201, kit.KitOut)
def ask_for_kit(form: dict[str, Any], slug: str) -> LogKit:
    """Ask for an audit kit, after the close; another member of staff approves it."""
    return kit.asked(campaigns.by_slug(slug), form, g.staff.staff)


@api_bp.route("/kits/<int:number>/approval", methods=["POST"])
@access("staff")
@api_bp.response(200, kit.ApprovedOut)
def approve_kit(number: int) -> dict[str, Any]:
    """Approve what somebody else asked for. The passphrase is told here and kept nowhere."""
    found, passphrase = kit.approved(number, g.staff.staff)
    return {"kit": found, "passphrase": passphrase}


@api_bp.route("/kits/<int:number>/file", methods=["GET"])
@access("staff", writes=True)
@api_bp.doc(responses=_file("application/octet-stream"))
def kit_file(number: int) -> Response:
    """The sealed file, opened by `flask log kit-open` and `kit-check`; each download is one line of the log."""
    return kit.download(number, g.staff.staff)


@api_bp.route("/campaigns/<slug>/sources/<code>.png", methods=["GET"])
@access("staff")
@api_bp.doc(responses=_file("image/png"))
def source_qr(slug: str, code: str) -> Response:
    """A channel's QR code for print."""
    return qr_download(campaigns.by_slug(slug), code)


def _standing(campaign: Campaign, at: datetime) -> dict[str, Any]:
    counts = figures.counts(campaign)
    return {"slug": campaign.slug, "title": campaign.title, "mode": campaign.mode,
            "state": campaign.phase(at).value if campaign.is_published else "draft", "opens_at": campaign.opens_at,
            "closes_at": campaign.closes_at, "evidence_until": campaign.evidence_until, "freeze_at": campaign.freeze_at,
            "published_at": campaign.published_at, "rules_sha256": campaign.rules.sha256 if campaign.rules else None,
            "people": counts.people, "ballots": counts.ballots, "tickets": counts.tickets, "pending": counts.pending}


def _submission(submission: Submission, entrant: submissions.Entrant | None) -> dict[str, Any]:
    named = submissions.named(entrant) if entrant else None
    return {"id": submission.id, "channel": submission.channel, "state": submission.state, "reading": submission.reading,
            "day": submission.day, "evidence_at": submission.evidence_at, "has_image": bool(submission.image_name),
            "name": named.masked_name if named else None, "phone": named.masked_phone if named else None, "reason": submission.reason}
