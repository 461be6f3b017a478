"""What a voter's phone asks for, as talks for the load generator."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from bench.crowd import GRADES, Guest, vote_request
from bench.known import ANSWER
from bench.wire import Ask, Response, Talk, request
from wxbackend import captcha

IN_WECHAT = {"User-Agent": "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50", "Accept-Encoding": "gzip"}
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
CAPTCHA_ID = re.compile(rb'"captcha_id": ?"(\w+)"')
Noted = Callable[[str], None]


def whole_vote(guest: Guest, acknowledged: Noted) -> Talk:
    """Two requests: a captcha is issued; it is redeemed and the vote stored. `acknowledged` is told the captcha's hash."""
    issued = yield Ask("captcha", request("POST", f"/api/v1/campaigns/{guest.slug}/captchas", guest.citizen.headers, data={}))
    captcha_id = _captcha_id(issued)
    if captcha_id:
        vote = yield Ask("vote", vote_request(guest, GRADES[guest.citizen.person_id % 4], captcha_id, ANSWER))
        if vote.status == 201:
            acknowledged(captcha.mac_of(captcha_id))


def page_vote(guest: Guest, acknowledged: Noted, swaps: bool = False, read_seconds: float = 0.0) -> Talk:
    """The page with its captcha, another picture where she `swaps`, the form sent after `read_seconds`, the success page."""
    headers = IN_WECHAT | {"Cookie": f"wxv={guest.citizen.token}"}
    page = yield Ask("page", request("GET", f"/c/{guest.slug}?s=article", headers))
    if page.status != 200:
        return
    form, headers = _form(page), headers | {"Cookie": f"wxv={guest.citizen.token}; {_session(page)}"}
    if swaps or "captcha_id" not in form:
        swapped = yield Ask("captcha", request("POST", f"/api/v1/campaigns/{guest.slug}/captchas",
                                               headers | {"X-CSRFToken": form["csrf_token"]}, data={"family": "colour"}), read_seconds / 2)
        form["captcha_id"] = _captcha_id(swapped) or form.get("captcha_id", "")
    form |= {"grade": GRADES[guest.citizen.person_id % 4], "captcha_answer": ANSWER}
    vote = yield Ask("vote", request("POST", f"/c/{guest.slug}", headers, form=form), read_seconds)
    if vote.status == 303:
        acknowledged(captcha.mac_of(form["captcha_id"]))
        yield Ask("receipt", request("GET", vote.header("Location"), headers))


def look_at_page(guest: Guest) -> Talk:
    """The voter's page alone."""
    yield Ask("page", request("GET", f"/c/{guest.slug}?s=article", IN_WECHAT | {"Cookie": f"wxv={guest.citizen.token}"}))


def _form(page: Response) -> dict[str, str]:
    return {name: unescape(value) for name, value in HIDDEN.findall(page.text)}


def _session(page: Response) -> str:
    return page.header("Set-Cookie").partition(";")[0]


def _captcha_id(answer: Response) -> str:
    """"" where none was given: the talk ends, and the status tells why."""
    found = CAPTCHA_ID.search(answer.body) if answer.status == 201 else None
    return found[1].decode() if found else ""
