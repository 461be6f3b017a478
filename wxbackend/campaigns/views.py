"""A campaign as anybody may read it."""

from __future__ import annotations

import json
from typing import Any

from flask_smorest import Blueprint

from wxbackend import clock
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.schemas import CampaignOut
from wxbackend.extensions import settings
from wxbackend.web import access

bp = Blueprint("campaigns", __name__, url_prefix="/api/v1/campaigns", description="活动")


@bp.route("/<slug>")
@access("public")
@bp.response(200, CampaignOut)
def show(slug: str) -> dict[str, Any]:
    """A campaign: window, subjects, prizes, rules and their hash."""
    campaign, at = campaigns.live(slug), clock.now()
    names = ("slug", "title", "mode", "zone", "opens_at", "closes_at", "evidence_until", "freeze_at",
             "quota", "captcha", "subjects", "prizes", "content")
    rules = campaign.rules
    return {name: getattr(campaign, name) for name in names} | {
        "doors": campaigns.open_doors(campaign),
        "state": campaign.phase(at).value, "now": at, "day": campaign.day(at),
        "notice_template": settings.notice_template.partition("|")[0].strip() or None if settings.has_miniprogram else None,
        "rules": json.loads(rules.canonical) if rules else None, "rules_sha256": rules.sha256 if rules else None}
