"""The short lane: a plain vote on a server's event loop, from bytes to bytes, past Flask.

It takes what nearly every vote of a program is, a small JSON of known fields with a bearer token, and nothing else. Whatever differs by a
hair (cookies, a query, odd fields, a campaign not at hand) goes through Flask, which decides everything by the same verbs. So does a vote
whose refusal carries a fresh captcha: what the lane has learned by then goes along.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from flask import request

from wxbackend import clock
from wxbackend.accounts import service as accounts
from wxbackend.ballots import admission, committer
from wxbackend.ballots.schemas import told
from wxbackend.ballots.votes import Ask, DatabaseLost, Outcome
from wxbackend.campaigns import service as campaigns
from wxbackend.captcha import CaptchaExpired, CaptchaWrong
from wxbackend.web import NOT_TEXT, is_claim

PATH = re.compile(r"/api/v1/campaigns/([a-z0-9-]{1,40})/ballots")
FIELDS = {"subject", "grade", "captcha_id", "captcha_answer", "source"}
NEEDED = {"grade", "captcha_id", "captcha_answer"}
LONGEST = {"subject": 40, "captcha_answer": 16, "source": 20}
LARGEST_BODY = 2_048
SAID, NOT_ASKED = "wxbackend.said", object()   # in the environment: what the committer has said of this vote, and when it came
TAKES_LONGER = (CaptchaWrong, CaptchaExpired, DatabaseLost)   # these bring a fresh captcha along

Headers = list[tuple[str, str]]


def read(slug: str, headers: Headers, body: bytes) -> tuple[Ask, str] | None:
    """The ask and its session's name, if this is a plain vote; else None. Nothing is spent, and nobody is asked."""
    token, fields = _token(headers), _fields(body)
    campaign = campaigns.at_hand(slug) if token and fields is not None else None
    if campaign is None or fields is None:
        return None
    subject = next((s for s in campaign.subjects if fields.get("subject") in (None, "", s.key)), None)
    if subject is None:
        return None
    ask = Ask(campaign, subject, fields["grade"], fields["captcha_id"], fields["captcha_answer"], clock.now(), fields.get("source", ""))
    return (ask, accounts.session_name_of(token)) if admission.is_plain(ask) else None


def _token(headers: Headers) -> str:
    """The bearer token; empty where the request is not a plain one of a program."""
    found = dict(headers)
    if len(found) != len(headers):   # sent twice: Flask joins them, and refuses most
        return ""
    is_json = found.get("content-type", "").partition(";")[0] == "application/json"
    scheme, _, token = found.get("authorization", "").partition(" ")
    if not is_json or "cookie" in found or scheme.lower() != "bearer" or not token.isascii() or any(_says_who(name) for name in found):
        return ""
    return token.strip()


_harmless: set[str] = set()


def _says_who(name: str) -> bool:
    """Whether a header would say who somebody is: Flask counts those and refuses them."""
    if name in _harmless:
        return False
    if is_claim(name):
        return True
    if len(_harmless) < 200:   # browsers and proxies have fewer
        _harmless.add(name)
    return False


def _fields(body: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(body.decode()) if len(body) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not NEEDED <= fields.keys() <= FIELDS or not all(isinstance(v, str) for v in fields.values()):
        return None
    is_short = len(fields["captcha_answer"]) > 0 and all(len(fields.get(name, "")) <= most for name, most in LONGEST.items())
    return fields if is_short and not any(NOT_TEXT.search(value) for value in fields.values()) else None


def go_on(ask: Ask, token: str) -> Outcome:
    """Cast in Flask what has come to it: from the beginning, or from where the lane left it. Raises as `committer.cast`."""
    said, came_at = request.environ.pop(SAID, (NOT_ASKED, ask.at))
    if said is NOT_ASKED:
        return committer.cast(ask, token)
    if isinstance(said, Exception):
        raise said
    return committer.cast_alone(replace(ask, at=came_at), token)   # the hour of its coming counts, not of this


def status_of(outcome: Outcome) -> int:
    return 201 if outcome.is_new else 200


def body_of(outcome: Outcome) -> bytes:
    return json.dumps(told(outcome.receipt), ensure_ascii=False, separators=(",", ":")).encode()
