"""How `web` finds the caller of a request: a bearer token for programs, a cookie for browsers."""

from __future__ import annotations

from datetime import datetime

from flask import redirect, request, url_for
from werkzeug.exceptions import HTTPException

from wxbackend import clock, store, web
from wxbackend.accounts import service as accounts
from wxbackend.problems import Problem

VOTER_COOKIE = "wxv"
STAFF_COOKIE = "wxs"


class StaffLoggedOut(accounts.NotLoggedIn):
    title = "请先登录。"
    hint = "登录后会回到刚才的页面。"


class StaffActsWait(Problem):
    """Reading goes on while Redis is away; what staff decide waits, since nothing counts their tries."""

    status, type, title = 503, "staff-acts-wait", "现在只能看，暂时不能办理。"
    hint = "过一分钟再试；一直这样，请找管服务器的同事。"


def sent_token(cookie: str) -> str:
    """The token of this request, empty where there is none."""
    if "Authorization" in request.headers:   # even an empty one: such a request is not asked for a form's token
        scheme, _, bearer = request.headers["Authorization"].partition(" ")
        return bearer.strip() if scheme.lower() == "bearer" else ""
    return request.cookies.get(cookie, "")


def optional_voter(at: datetime) -> accounts.Voter | None:
    """The voter where somebody is logged in; for public pages that show her more."""
    token = sent_token(VOTER_COOKIE)
    return accounts.voter_of(token, at) if token else None


@web.finder("voter")
def find_voter() -> accounts.Voter:
    voter = optional_voter(clock.now())
    if voter is None:
        raise accounts.NotLoggedIn()
    return voter


@web.finder("staff")
def find_staff() -> accounts.StaffSeat:
    token = sent_token(STAFF_COOKIE)
    seat = accounts.seat_of(token, clock.now()) if token else None
    if seat is None and request.path.startswith("/admin") and request.method == "GET":
        raise HTTPException(response=redirect(url_for("admin.login", next=request.full_path.rstrip("?"))))
    if seat is None:
        raise StaffLoggedOut()
    if request.method not in web.SAFE_METHODS and not store.ping():
        raise StaffActsWait(retry_after=60)
    return seat
