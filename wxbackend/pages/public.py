"""Pages that need nobody's name: what is going on, results, rules, privacy, a scanned receipt, 公示."""

from __future__ import annotations

import hashlib

from flask import Response, request
from flask.typing import ResponseReturnValue

from wxbackend import clock, store
from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.rules import Grade
from wxbackend.draws import service as draws
from wxbackend.extensions import settings
from wxbackend.pages.frame import bp, show
from wxbackend.pages.way import draw_of, entropy_words, is_public, steps
from wxbackend.problems import NotThere, Problem
from wxbackend.results import service as results
from wxbackend.web import access

SCANS_A_MINUTE = 60


class TooManyScans(Problem):
    status, type, title = 429, "too-often", "扫得有点快。"
    hint = "歇1分钟再扫。"


@bp.get("/")
@access("public")
def home() -> ResponseReturnValue:
    """What is going on now."""
    at = clock.now()
    return show("home", campaigns=campaigns.running(at), at=at)


@bp.get("/c/<slug>/results")
@access("public")
def results_page(slug: str) -> ResponseReturnValue:
    """The figures, once the campaign's rule lets them be seen."""
    campaign, at = campaigns.live(slug), clock.now()
    return show("results", campaign, figures=results.figures(campaign, at), at=at, EXCELLENT=Grade.EXCELLENT, draw=draw_of(campaign))


@bp.get("/c/<slug>/rules")
@access("public")
def rules_page(slug: str) -> ResponseReturnValue:
    """The rules as published, in words and with their hash."""
    campaign = campaigns.live(slug)
    version = campaign.rules
    return show("rules", campaign, version=version, entropy=entropy_words(campaign), prize_count=sum(p.count for p in campaign.prizes))


@bp.get("/c/<slug>/rules.json")
@access("public")
def rules_file(slug: str) -> Response:
    """The very bytes that were hashed into the draw."""
    version = campaigns.live(slug).rules
    if version is None:
        raise NotThere()
    return Response(version.canonical, mimetype="application/json")


@bp.get("/c/<slug>/privacy")
@access("public")
def privacy_page(slug: str) -> ResponseReturnValue:
    """What is kept, why, until when, and how to take it back."""
    return show("privacy", campaigns.live(slug))


@bp.get("/r/<token>", endpoint="proof")
@bp.get("/R/<token>", endpoint="proof_upper")
@access("public")
def proof(token: str) -> ResponseReturnValue:
    """What a stranger sees who scans a receipt: good, and of which day."""
    _count_scan()
    receipt = ballots.read_token(token)
    return show("proof", receipt.campaign, receipt=receipt)


@bp.get("/w/<draw_id>")
@access("public")
def winners_page(draw_id: str) -> ResponseReturnValue:
    """公示: the winners, masked; before the draw, when it will be."""
    draw, at = draws.by_public_id(draw_id), clock.now()
    campaign = draw.campaign
    winners = results.winners(draw) if is_public(draw) else []
    return show("winners", campaign, draw=draw, is_drawn=is_public(draw), winners=winners, steps=steps(campaign, draw, at),
                entropy=entropy_words(campaign))


@bp.get("/MP_verify_<code>.txt")
@access("public")
def domain_proof(code: str) -> Response:
    """WeChat's check that the domain is ours; names and contents stand in the setting."""
    known = dict(pair.split(":", 1) for pair in settings.verify_files.split(",") if ":" in pair)
    content = known.get(f"MP_verify_{code}.txt")
    if content is None:
        raise NotThere()
    return Response(content, mimetype="text/plain")


def _count_scan() -> None:
    """So that nobody tries tokens by the thousand. Redis away: the MAC alone holds them off."""
    who = hashlib.sha256((request.remote_addr or "").encode()).hexdigest()[:16]
    try:
        verdict = store.take([store.Limit(f"scan:{{{who}}}", SCANS_A_MINUTE, 60)])
    except store.StoreAway:
        return
    if not verdict.allowed:
        raise TooManyScans(retry_after=verdict.retry_after_seconds)
