"""Content security: a text at once, a picture later and by an event to the mini program. Both want a visit within two hours."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Blueprint

from simulator import callbacks
from simulator.people import Person
from simulator.product import fetch
from simulator.random_text import letters
from simulator.wire import ApiError, body, done, mine, mini_only, product, text_of, world

bp = Blueprint("checks", __name__)
VISIT = timedelta(hours=2)
MOST_CHARS, MOST_MEDIA_BYTES = 2500, 10 * 1024 * 1024
NORMAL = 100
# Words of no language, so that no real name stumbles over them.
WORDS = {"违规样例词": ("risky", 20006), "可疑样例词": ("review", 20001)}
LOOPBACK = ("127.0.0.1", "localhost")


def visitor(appid: str, openid: Any) -> Person:
    """Somebody who used the mini program within two hours: 61010 else."""
    person = mine(appid, openid)
    seen = person.visits.get(appid)
    if seen is None or product().now() - seen > VISIT:
        raise ApiError(61010)
    return person


def _common(data: dict[str, Any]) -> None:
    """v1's body has no version; Tencent froze it."""
    if data.get("version") != 2:
        raise ApiError(40097)
    if data.get("scene") not in (1, 2, 3, 4):
        raise ApiError(40129)


@bp.route("/wxa/msg_sec_check", methods=["POST"])
def text_check() -> Any:
    appid, data = mini_only(), body(escapes_allowed=False)
    _common(data)
    content = text_of(data, "content")
    if not content:
        raise ApiError(44002)
    if len(content) > MOST_CHARS:
        raise ApiError(45002)
    visitor(appid, data.get("openid"))
    whole = " ".join(str(data.get(name, "")) for name in ("content", "title", "nickname", "signature"))
    suggest, label = _verdict(whole)
    number = world().number
    detail = [{"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": number(label), "prob": 90},
              {"strategy": "keyword", "errcode": 0, "suggest": suggest, "label": number(label)}]
    return done(result={"suggest": suggest, "label": number(label)}, detail=detail, trace_id=_trace())


def _verdict(text: str) -> tuple[str, int]:
    """By the words control added, then by our own; else it passes."""
    for rule in world().verdicts:
        if str(rule["contains"]) in text:
            return str(rule["suggest"]), int(rule.get("label", NORMAL))
    return next((verdict for word, verdict in WORDS.items() if word in text), ("pass", NORMAL))


def _trace() -> str:
    return f"{int(time.time()):08x}-{letters(8)}-{letters(8)}"


@bp.route("/wxa/media_check_async", methods=["POST"])
def media_check() -> Any:
    """The answer is a trace_id. The picture is downloaded afterwards; what could not be fetched tends to pass."""
    appid, data = mini_only(), body()
    _common(data)
    url = text_of(data, "media_url")
    if data.get("media_type") not in (1, 2) or urlsplit(url).scheme not in ("http", "https"):
        raise ApiError(40097)
    person, trace = visitor(appid, data.get("openid")), _trace()
    state, there, at = world(), product(), product().now()

    def look() -> None:
        kept = download(url)
        wanted = state.media_verdicts.popleft() if state.media_verdicts else {}
        suggest, label = ("pass", NORMAL) if kept is None else (str(wanted.get("suggest", "pass")), int(wanted.get("label", NORMAL)))
        state.checked.append({"url": url, "trace_id": trace, "fetched": kept is not None, "bytes": len(kept or b""),
                              "sha256": hashlib.sha256(kept or b"").hexdigest(), "suggest": suggest})
        found = {"suggest": suggest, "label": state.number(label)}
        fields = {"appid": appid, "trace_id": trace, "version": 2, "errcode": 0, "errmsg": "ok",
                  "detail": [{"strategy": "content_model", "errcode": 0, "prob": 90} | found], "result": found}
        callbacks.push(state, there, person, "miniprogram", "wxa_media_check", fields, max(at, there.now()))

    state.later.do(look, state.config.report_delay_seconds)
    return done(trace_id=trace)


def download(url: str) -> bytes | None:
    """The media from this machine; None when it cannot be had, is not there or is larger than 10 MB. No other host is asked."""
    if urlsplit(url).hostname not in LOOPBACK:
        return None
    try:
        answer = fetch("GET", url, timeout=(2, 10))
    except requests.RequestException:
        return None
    return answer.content if answer.status_code == 200 and len(answer.content) <= MOST_MEDIA_BYTES else None
