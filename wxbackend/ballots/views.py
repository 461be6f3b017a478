"""Captcha and vote for programs; the page for people is in `pages`."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from flask_smorest import Blueprint
from sqlalchemy.exc import SQLAlchemyError

from wxbackend import captcha, clock
from wxbackend.accounts import service as accounts
from wxbackend.accounts.finders import VOTER_COOKIE, sent_token
from wxbackend.ballots import lane
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
    if db.session.registry.has():
        db.session.commit()
    return challenge


@bp.route("/captchas", methods=["POST"])
@access("voter")
@bp.arguments(CaptchaRequest())
@bp.response(201, CaptchaSchema)
def make_captcha(form: dict[str, Any], slug: str) -> captcha.Challenge:
    """A fresh captcha for this voter and campaign."""
    campaign = campaigns.live(slug)
    ballots.check_open(campaign, clock.now())
    return new_captcha(campaign, form["family"])


@bp.route("/ballots", methods=["POST"])
@access("voter", in_batch=True)
@bp.arguments(CastSchema())
@bp.response(201, ReceiptSchema)
@bp.alt_response(200, schema=ReceiptSchema, description="the same request again")
def cast(form: dict[str, Any], slug: str) -> Response:
    """Cast today's ballot."""
    campaign, token = campaigns.live(slug), sent_token(VOTER_COOKIE)
    subject = campaigns.subject_of(campaign, form["subject"])
    ask = ballots.Ask(campaign, subject, form["grade"], form["captcha_id"], form["captcha_answer"], clock.now(), form["source"])
    try:
        outcome = lane.go_on(ask, token)
    except lane.TAKES_LONGER as problem:
        with_fresh_captcha(problem, campaign, token)
        raise
    return Response(lane.body_of(outcome), lane.status_of(outcome), mimetype="application/json")


def with_fresh_captcha(problem: Problem, campaign: Campaign, token: str) -> None:
    """Add a new challenge to a refusal, where one can be had: a spent captcha is never the voter's loss."""
    db.session.rollback()
    try:
        g.voter = accounts.voter_of(token, clock.now())
        if g.voter is not None:
            problem.facts["captcha"] = CaptchaSchema().dump(new_captcha(campaign))
    except (Problem, SQLAlchemyError):   # too often, or the database is away: the refusal itself still has to arrive
        db.session.rollback()
