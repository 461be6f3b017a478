"""Results for anybody."""

from __future__ import annotations

from flask_smorest import Blueprint

from wxbackend import clock
from wxbackend.campaigns import service as campaigns
from wxbackend.results import service as results
from wxbackend.results.schemas import ResultsSchema
from wxbackend.web import access

bp = Blueprint("results", __name__, url_prefix="/api/v1/campaigns/<slug>", description="结果")


@bp.route("/results")
@access("public")
@bp.response(200, ResultsSchema)
def show(slug: str) -> results.Figures:
    """The count, once the campaign's rules make it public."""
    campaign, at = campaigns.published(slug), clock.now()
    found = results.figures(campaign, at)
    if found is None:
        raise results.ResultsHidden(hint=f"{campaign.say(campaign.closes_at)}截止后再来看。" if campaign.results == "after-close" else "")
    return found
