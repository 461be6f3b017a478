"""Taking part, and sending a screenshot, for programs."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_smorest import Blueprint

from wxbackend import clock
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Submission
from wxbackend.submissions.schemas import EntrySchema, SubmissionSchema, UploadFile, UploadForm
from wxbackend.web import access

bp = Blueprint("submissions", __name__, url_prefix="/api/v1/campaigns/<slug>", description="参加抽奖")


@bp.route("/entries", methods=["POST"])
@access("voter")
@bp.arguments(EntrySchema)
@bp.response(201, SubmissionSchema)
def enter(form: dict[str, Any], slug: str) -> Submission:
    """Take part with that day's ballot: with name and phone the first time, one tap afterwards."""
    campaign, at, person_id = campaigns.published(slug), clock.now(), g.voter.person_id
    campaigns.check_voter(campaign, g.voter)
    if form["name"] is not None or form["phone"] is not None or form["consents"]:
        guardian = form["guardian"]
        submissions.enter(campaign, person_id, submissions.EntryForm(
            form["name"] or "", form["phone"] or "", form["age_band"] or submissions.UNSAID,
            (guardian["name"], guardian["phone"]) if guardian else None, tuple(form["consents"])), at)
        submissions.promote(campaign, person_id, at)
    submission = submissions.tap(campaign, person_id, form["day"], at)
    db.session.commit()
    return submission


@bp.route("/submissions", methods=["POST"])
@access("voter", takes_image=True)
@bp.arguments(UploadForm, location="form")
@bp.arguments(UploadFile, location="files")
@bp.response(201, SubmissionSchema)
def upload(form: dict[str, Any], files: dict[str, Any], slug: str) -> Submission:
    """Send a screenshot with name and phone."""
    campaign, at = campaigns.published(slug), clock.now()
    consents = tuple(filter(None, form["consents"].split(",")))
    entry = submissions.EntryForm(form["name"], form["phone"], consents=consents)
    submission = submissions.receive_upload(campaign, g.voter, files["image"].read(), entry, at)
    db.session.commit()
    return submission
