"""What the server holds of the caller, and her right to take it along, set it right or take it back."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_smorest import Blueprint
from sqlalchemy import select

from wxbackend import clock
from wxbackend.accounts import service as accounts
from wxbackend.ballots import receipts
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Entrant, Submission
from wxbackend.submissions.schemas import CorrectionSchema, MeSchema, MyReceiptSchema, SubmissionSchema, TicketSchema, WithdrawalSchema
from wxbackend.tickets import service as tickets
from wxbackend.web import access

bp = Blueprint("me", __name__, url_prefix="/api/v1/me", description="我的")


def my_campaigns() -> list[Campaign]:
    """Campaigns the caller has voted, entered or sent something in."""
    ids: set[int] = set()
    hers = accounts.all_ids(g.voter.person_id)
    for model in (Ballot, Entrant, Submission):
        ids.update(db.session.scalars(select(model.campaign_id).where(model.person_id.in_(hers)).distinct()))
    return list(db.session.scalars(select(Campaign).where(Campaign.id.in_(ids)).order_by(Campaign.id)))


@bp.route("")
@access("voter")
@bp.response(200, MeSchema)
def me() -> dict[str, Any]:
    """The caller as the server knows her."""
    return {"door": g.voter.door, "campaigns": [c.slug for c in my_campaigns()]}


@bp.route("/receipts")
@access("voter")
@bp.response(200, MyReceiptSchema(many=True))
def my_receipts() -> list[receipts.Receipt]:
    """The caller's receipts, newest first."""
    return [r for c in my_campaigns() for r in receipts.receipts_of(c, g.voter.person_id)]


@bp.route("/tickets")
@access("voter")
@bp.response(200, TicketSchema(many=True))
def my_tickets() -> list[dict[str, Any]]:
    """The caller's tickets."""
    return [{"campaign": c.slug, "ticket": t.ticket_id, "day": t.day} for c in my_campaigns() for t in tickets.of(c, g.voter.person_id)]


@bp.route("/data")
@access("voter")
@bp.response(200)
def my_data() -> dict[str, Any]:
    """Everything kept about the caller, to see and to take along. Name and phone are her own, in clear."""
    return {"campaigns": [_data_of(c) for c in my_campaigns()]}


@bp.route("/data", methods=["PATCH"])
@access("voter")
@bp.arguments(CorrectionSchema)
@bp.response(200)
def correct(form: dict[str, Any]) -> dict[str, Any]:
    """Set name and phone right."""
    campaign = campaigns.published(form["campaign"])
    submissions.correct(campaign, g.voter.person_id, form["name"], form["phone"], clock.now())
    db.session.commit()
    return _data_of(campaign)


@bp.route("/data", methods=["DELETE"])
@access("voter")
@bp.arguments(WithdrawalSchema)
@bp.response(204)
def withdraw(form: dict[str, Any]) -> None:
    """Leave a draw: name and phone are deleted, tickets revoked; the ballots stay counted."""
    submissions.withdraw(campaigns.published(form["campaign"]), g.voter.person_id, clock.now())
    db.session.commit()


def _data_of(campaign: Campaign) -> dict[str, Any]:
    person_id = g.voter.person_id
    entrant = submissions.entrant(campaign, person_id)
    entry = None
    if entrant:
        known = submissions.named(entrant)
        # Masked for their owner, too: who holds a device is not always who typed (a shared phone, a link that was passed on).
        entry = {"name": known.masked_name, "phone": known.masked_phone, "age_band": entrant.age_band, "consents": entrant.consents,
                 "consented_at": entrant.consented_at.isoformat(), "rules_sha256": entrant.consent_version}
    return {
        "campaign": campaign.slug, "entry": entry,
        "receipts": MyReceiptSchema(many=True).dump(receipts.receipts_of(campaign, person_id)),
        "submissions": SubmissionSchema(many=True).dump(submissions.of(campaign, person_id)),
        "tickets": [{"ticket": t.ticket_id, "day": t.day.isoformat()} for t in tickets.of(campaign, person_id)],
    }
