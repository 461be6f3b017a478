"""The ballot log for programs; the page for people is in `pages`."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import g, request
from flask_smorest import Blueprint

from wxbackend import store
from wxbackend.ballots import receipts
from wxbackend.ballots.log import blinds, rules
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.schemas import (
    GrowthOut,
    GrowthQuery,
    HeadOut,
    HeadsQuery,
    LinesQuery,
    LogLineOut,
    LogOut,
    OwnOut,
    ProofOut,
    ProofQuery,
)
from wxbackend.campaigns import service as campaigns
from wxbackend.problems import Problem
from wxbackend.web import access

bp = Blueprint("log", __name__, url_prefix="/api/v1/campaigns/<slug>/log", description="账本")

ASKS_A_MINUTE = 60
FRESH = {"Cache-Control": "public, max-age=60"}       # a head comes once an hour
FOR_GOOD = {"Cache-Control": "public, max-age=86400"}   # what a head vouches for never changes


class TooManyAsks(Problem):
    status, type, title = 429, "too-often", "查得有点快。"
    hint = "歇1分钟再查，或者把整本账本下载下来查。"


def limit(what: str, a_minute: int = ASKS_A_MINUTE) -> None:
    """So that nobody keeps the database busy with proofs. Redis away: the bounds of each answer hold alone. Raises TooManyAsks."""
    who = hashlib.sha256((request.remote_addr or "").encode()).hexdigest()[:16]
    try:
        verdict = store.take([store.Limit(f"log-{what}:{{{who}}}", a_minute, 60)])
    except store.StoreAway:
        return
    if not verdict.allowed:
        raise TooManyAsks(retry_after=verdict.retry_after_seconds)


@bp.route("")
@access("public")
@bp.response(200, LogOut)
def show(slug: str) -> Any:
    """Where the log stands: its latest head, and the key that signs."""
    campaign = campaigns.live(slug)
    head = log.latest(campaign)
    return {"campaign": slug, "protocol": rules.PROTOCOL, "public_key": blinds.public_key(), "size": head.size if head else 0,
            "head": head}, 200, FRESH


@bp.route("/heads")
@access("public")
@bp.arguments(HeadsQuery, location="query")
@bp.response(200, HeadOut(many=True))
def heads(query: dict[str, int], slug: str) -> Any:
    """Signed heads in their order, from a number on."""
    return log.heads_of(campaigns.live(slug), query["first"], query["most"]), 200, FRESH


@bp.route("/leaves")
@access("public")
@bp.arguments(LinesQuery, location="query")
@bp.response(200, LogLineOut(many=True))
def leaves(query: dict[str, int], slug: str) -> Any:
    """Lines with their hashes. The whole log is a file, `/campaigns/<slug>/log/lines.txt`."""
    limit("lines")
    return log.lines(campaigns.live(slug), query["first"], query["last"]), 200, FRESH


@bp.route("/proof")
@access("public")
@bp.arguments(ProofQuery, location="query")
@bp.response(200, ProofOut)
def proof(query: dict[str, Any], slug: str) -> Any:
    """That a line stands in the log of a head."""
    limit("proof")
    found = log.proof(campaigns.live(slug), query["seq"], query["receipt_hash"], query["head"])
    return found, 200, FOR_GOOD if query["head"] else FRESH


@bp.route("/consistency")
@access("public")
@bp.arguments(GrowthQuery, location="query")
@bp.response(200, GrowthOut)
def consistency(query: dict[str, Any], slug: str) -> Any:
    """That between two heads lines were added and nothing else."""
    limit("proof")
    return log.growth(campaigns.live(slug), query["first"], query["second"]), 200, FOR_GOOD if query["second"] else FRESH


@bp.route("/mine")
@access("voter")
@bp.response(200, OwnOut(many=True))
def mine(slug: str) -> list[dict[str, Any]]:
    """The caller's receipts and their lines, with what only she may know."""
    campaign = campaigns.live(slug)
    return [{"receipt_code": r.code, "receipt_id": r.receipt_id, "day": r.day, **vars(log.own(r))}
            for r in receipts.receipts_of(campaign, g.voter.person_id)]
