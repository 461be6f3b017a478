"""What a page of ours needs to call WeChat's JS-SDK: a ticket shared by all processes, and its signature over the page's address."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flask import current_app

from wxbackend import store
from wxbackend.extensions import settings
from wxbackend.problems import Problem
from wxbackend.wechat import endpoints
from wxbackend.wechat.calls import ask, whole, word
from wxbackend.wechat.tokens import EARLY_SECONDS, UNSHARED, Tokens, unix_now

TICKET_SECONDS = 70 * 60   # WeChat repeats a ticket and says again that it lives 7200 seconds
AGAIN_SECONDS = 60
LONGEST_URL = 2048
PORTS = {"http": 80, "https": 443}


class NotOurPage(Problem):
    """Only pages of settings.public_url are signed: a signature lends the account's rights to whoever shows it."""

    status, type, title = 422, "not-our-page", "这个地址不是本站的页面。"


def jssdk(url: str, *, was_refused: bool = False) -> dict[str, Any]:
    """What wx.config wants for the page at `url`, as the page itself sees its address; what follows # is cut.

    {"appId", "timestamp", "nonceStr", "signature"}. `was_refused`: the page heard "invalid signature"; the ticket is asked for anew, at
    most once a minute. Raises NotOurPage, NotGranted, WeChatRefused, WeChatAway.
    """
    page = _our_page(url)
    tickets = _tickets()
    ticket = tickets.current()
    if was_refused and _may_ask_again():
        ticket = tickets.renew(ticket)
    nonce, timestamp = secrets.token_hex(8), unix_now()
    return {"appId": settings.account_appid, "timestamp": timestamp, "nonceStr": nonce,
            "signature": page_signature(ticket, nonce, timestamp, page)}


def page_signature(ticket: str, nonce: str, timestamp: int | str, url: str) -> str:
    """sha1 over the raw values in WeChat's order, 40 hex characters."""
    return hashlib.sha1(f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}".encode()).hexdigest()


def _our_page(url: str) -> str:
    page = url.partition("#")[0]
    if 0 < len(page) <= LONGEST_URL and page.isprintable() and not set(page) & set(" \\") and _is_ours(page):
        return page
    raise NotOurPage


def _is_ours(url: str) -> bool:
    try:
        return _place(url) == _place(settings.public_url)
    except ValueError:
        return False


def _place(url: str) -> tuple[str, str, int | None]:
    parts: SplitResult = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("a name before the host")
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme.lower())


def _tickets() -> Tokens:
    known: dict[str, Tokens] = current_app.extensions.setdefault("wechat_tickets", {})
    return known.setdefault(settings.account_appid, Tokens(f"wechat:ticket:{settings.account_appid}", _fetch))


def _fetch(_force: bool) -> tuple[str, int]:
    answer = ask(endpoints.PAGE_TICKET, params={"type": "jsapi"})
    return word(answer, "ticket"), min(whole(answer, "expires_in", 7200), TICKET_SECONDS + EARLY_SECONDS)


def _may_ask_again() -> bool:
    try:
        return store.put_once(f"wechat:ticket:{settings.account_appid}:again", "1", AGAIN_SECONDS)
    except UNSHARED:
        return False
