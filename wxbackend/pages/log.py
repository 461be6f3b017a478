"""The ballot log for people: what it shows and does not show, its heads, its files; a voter's own line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Response, request, stream_with_context
from flask.typing import ResponseReturnValue

from wxbackend import clock
from wxbackend.ballots import receipts
from wxbackend.ballots.log import blinds, rules
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.models import LogHead
from wxbackend.ballots.log.views import limit
from wxbackend.ballots.receipts import Receipt
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.pages.frame import bp, show, visitor
from wxbackend.web import access

HEADS_SHOWN = 48
FILES_A_MINUTE = 10
HASH_LINE = 65       # bytes: 64 hex characters and LF
FILES = {"hashes.txt": "hash", "lines.txt": "data"}
KINDS = {"hour": "整点", "close": "投票截止", "last": "名单封存"}


@bp.get("/campaigns/<slug>/log")
@access("public")
def log_page(slug: str) -> ResponseReturnValue:
    """The log of a campaign, open to everybody."""
    campaign = campaigns.live(slug)
    heads = log.newest_heads(campaign, HEADS_SHOWN)
    said = json.loads(heads[0].body) if heads else {}
    return show("log", campaign, heads=heads, said=said, kinds=KINDS, least=rules.LEAST, key=blinds.public_key())


@bp.get("/campaigns/<slug>/log/mine")
@access("public")
def own_lines(slug: str) -> ResponseReturnValue:
    """The lines of whoever is looking, and the codes that she alone may give to an auditor."""
    campaign, at = campaigns.live(slug), clock.now()
    found = receipts.receipts_of(campaign, visitor(campaign, at).person_id)
    return show("log-mine", campaign, receipts=found)


@bp.get("/campaigns/<slug>/log/<any('hashes.txt', 'lines.txt'):name>")
@access("public")
def log_file(slug: str, name: str) -> Response:
    """The whole log up to the latest head, or to the head of ?head=: its hashes, or its lines. Raises NoSuchHead, TooManyAsks."""
    campaign = campaigns.live(slug)
    number = request.args.get("head", type=int)
    head = log.head_of(campaign, number)
    response = _file(campaign, head, name, "text/plain", [])
    response.headers["Cache-Control"] = f"public, max-age={86_400 if number else 300}"
    if response.status_code == 200:
        limit("file", FILES_A_MINUTE)
        response.response = stream_with_context(log.streamed(campaign.id, head.size, FILES[name]))
        del response.headers["Content-Length"]   # of the empty body, which stood for the stream so far
        if name == "hashes.txt":
            response.content_length = HASH_LINE * head.size
    return response


@bp.get("/campaigns/<slug>/log/heads.json")
@access("public")
def heads_file(slug: str) -> Response:
    """Every head with its signature: [{"body": "…", "sha256": "…", "signature": "…"}]."""
    campaign = campaigns.live(slug)
    head = log.head_of(campaign)
    limit("file", FILES_A_MINUTE)
    rows = [{"body": h.body, "sha256": h.sha256, "signature": h.signature} for h in log.heads_of(campaign)]
    response = _file(campaign, head, "heads.json", "application/json", [json.dumps(rows, ensure_ascii=False)])
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@bp.app_context_processor
def own_line() -> dict[str, Any]:
    """For the receipt's page: `ledger(receipt)`."""
    return {"ledger": ledger}


def ledger(receipt: Receipt) -> dict[str, Any]:
    """What the page says of a receipt's line: `own`, and the head's mark."""
    own = log.own(receipt)
    return {"own": own, "by": say_by(own.by, clock.now(), receipt.campaign), "mark": log.head_mark(receipt.campaign)}


def say_by(by: datetime, at: datetime, campaign: Campaign) -> str:
    """"明天0:05"; "" once it is over, when it can only be a matter of minutes."""
    if at >= by:
        return ""
    local, days = by.astimezone(clock.ZoneInfo(campaign.zone)), (campaign.day(by) - campaign.day(at)).days
    hour = f"{local.hour}:{local.minute:02d}"
    return {0: "今天", 1: "明天"}.get(days, clock.say_day(campaign.day(by))) + hour


def _file(campaign: Campaign, head: LogHead, name: str, mime: str, body: Iterable[str]) -> Response:
    """To be kept under a name; the same again for who has it already."""
    response = Response(body, mimetype=mime)
    response.headers["Content-Disposition"] = f'attachment; filename="{campaign.slug}-{head.number}-{name}"'
    response.set_etag(f"{campaign.slug}-{head.sha256[:16]}-{name}", weak=True)   # the same, compressed or not
    response.make_conditional(request)
    return response
