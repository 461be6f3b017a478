"""Subscribing to the draw's result, for the mini program."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_smorest import Blueprint

from wxbackend import clock
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.notices import service as notices
from wxbackend.notices.schemas import CreditOut, CreditSchema
from wxbackend.web import access

bp = Blueprint("notices", __name__, url_prefix="/api/v1/me", description="提醒")


@bp.route("/notice-credits", methods=["POST"])
@access("voter")
@bp.arguments(CreditSchema)
@bp.response(201, CreditOut)
@bp.alt_response(200, schema=CreditOut)
def add_credit(form: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Say whether one message about the result may come: 201 the first time, 200 afterwards. The last answer counts."""
    campaign = campaigns.published(form["campaign"])
    credit, is_new = notices.add_credit(g.voter.identity, campaign, form["template_id"], form["accepted"], clock.now())
    db.session.commit()
    return {"campaign": campaign.slug, "template_id": credit.template_id, "state": credit.state}, 201 if is_new else 200
