"""Captcha and vote for programs; the page for people is in `pages`."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_smorest import Blueprint

from wxbackend import captcha, clock
from wxbackend.ballots import service as ballots
from wxbackend.ballots.schemas import CaptchaRequest, CaptchaSchema, CastSchema, ReceiptSchema
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.web import access

bp = Blueprint("ballots", __name__, url_prefix="/api/v1/campaigns/<slug>", description="投票")


def new_captcha(campaign: Campaign, family: str | None = None) -> captcha.Challenge:
    """A challenge for the voter of this request; commits, for where Redis is away it is a row."""
    challenge = captcha.make(g.voter.person_key, campaign.slug, "vote", clock.now(), family=family or campaign.captcha)
    db.session.commit()
    return challenge


@bp.route("/captchas", methods=["POST"])
@access("voter")
@bp.arguments(CaptchaRequest)
@bp.response(201, CaptchaSchema)
def make_captcha(form: dict[str, Any], slug: str) -> captcha.Challenge:
    """A fresh captcha for this voter and campaign."""
    campaign = campaigns.published(slug)
    ballots.check_open(campaign, clock.now())
    return new_captcha(campaign, form["family"])


@bp.route("/ballots", methods=["POST"])
@access("voter")
@bp.arguments(CastSchema)
@bp.response(201, ReceiptSchema)
@bp.alt_response(200, schema=ReceiptSchema, description="the same request again")
def cast(form: dict[str, Any], slug: str) -> tuple[Any, int]:
    """Cast today's ballot."""
    campaign, at = campaigns.published(slug), clock.now()
    subject = campaigns.subject_of(campaign, form["subject"])
    try:
        outcome = ballots.cast(campaign, subject, g.voter, form["grade"], form["captcha_id"], form["captcha_answer"], at, form["source"])
    except (captcha.CaptchaExpired, captcha.CaptchaWrong, ballots.DatabaseLost) as problem:
        raise with_fresh_captcha(problem, campaign) from problem
    return outcome.receipt, 201 if outcome.is_new else 200


def with_fresh_captcha(problem: Problem, campaign: Campaign) -> Problem:
    """The same refusal carrying a new challenge, where one can be had: a spent captcha is never the voter's loss."""
    db.session.rollback()
    try:
        problem.facts["captcha"] = CaptchaSchema().dump(new_captcha(campaign))
    except Exception:   # too often, or the database is away: the refusal itself still has to arrive
        db.session.rollback()
    return problem
