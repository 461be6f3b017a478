"""The doors: mini program by code, public account by web login, staff by password."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Blueprint as PageBlueprint
from flask import current_app, redirect, request, session, url_for
from flask_smorest import Blueprint
from werkzeug import Response

from wxbackend import clock, store, wechat
from wxbackend.accounts import service as accounts
from wxbackend.accounts.finders import VOTER_COOKIE, optional_voter, sent_token
from wxbackend.accounts.rules import STATE_LIFE, TAP_LIFE, VOTER_TOKEN_LIFE, safe_next
from wxbackend.accounts.schemas import CodeSchema, PasswordSchema, TokenSchema
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem
from wxbackend.web import access

MARKS = ("login", "door")                                # what this browser's session remembers of a way in
WAIT_SECONDS = 0.5
TRIES_OF_A_NAME, TRIES_OF_AN_ADDRESS = 10, 60   # within ten minutes
api_bp = Blueprint("login", __name__, url_prefix="/api/v1", description="登录")
bp = PageBlueprint("door", __name__)


class StateMismatch(Problem):
    status, type, title = 400, "state-mismatch", "这次登录没接上。"
    hint = "请退回公众号，从文章或菜单重新进入。"


class TooManyTries(Problem):
    status, type, title = 429, "too-often", "试的次数有点多，歇一会儿再来。"


class LoginAway(Problem):
    """Redis is away: whoever is logged in stays so, nobody new comes in (codes cannot be remembered, nor tries counted)."""

    status, type, title = 503, "login-away", "现在登录不了，请稍等一下。"
    hint = "过一分钟再试就好。"


@api_bp.route("/login/miniprogram", methods=["POST"])
@access("public")
@api_bp.arguments(CodeSchema)
@api_bp.response(200, TokenSchema)
def login_miniprogram(form: dict[str, Any]) -> dict[str, Any]:
    """Exchange a mini program's login code for a bearer token; one of hers that is sent along ends with it."""
    if not store.ping():
        raise LoginAway(retry_after=60)
    with waiting_for_wechat():
        user = wechat.login_code(form["code"])
    at = clock.now()
    token, ends = accounts.issue_token(accounts.login(user, at), at, "miniprogram", replaces=sent_token(VOTER_COOKIE))
    db.session.commit()
    return {"token": token, "expires_at": ends}


@api_bp.route("/staff/login", methods=["POST"])
@access("public")
@api_bp.arguments(PasswordSchema)
@api_bp.response(200, TokenSchema)
def login_staff(form: dict[str, Any]) -> dict[str, Any]:
    """Exchange a staff password for a bearer token of ten hours."""
    token, ends = staff_login(form["username"], form["password"])
    return {"token": token, "expires_at": ends}


def staff_login(username: str, password: str) -> tuple[str, Any]:
    """Check, count the tries, open a session and commit. Raises WrongPassword, TooManyTries, LoginAway."""
    _count_try("staff-login-from", request.remote_addr or "", TRIES_OF_AN_ADDRESS)   # made-up names would cost us a hash each
    _count_try("staff-login", username, TRIES_OF_A_NAME)
    at = clock.now()
    token, ends = accounts.open_session(accounts.check_password(username, password, at), at)
    db.session.commit()
    return token, ends


def _count_try(what: str, whose: str, most: int) -> None:
    try:
        tries = store.take([store.Limit(f"{what}:{{{hashlib.sha256(whose.encode()).hexdigest()[:16]}}}", most, 600)])
    except store.StoreAway as e:
        raise LoginAway(retry_after=60) from e   # without the counter a password could be guessed at leisure
    if not tries.allowed:
        raise TooManyTries(retry_after=tries.retry_after_seconds)


@api_bp.route("/logout", methods=["POST"])
@access("voter")
@api_bp.response(204)
def logout() -> Response:
    """This device is logged out: its token is refused from now on."""
    accounts.revoke_token(sent_token(VOTER_COOKIE), clock.now())
    for mark in (*MARKS, "tap"):   # nor may an old callback or link of this browser let her in again
        session.pop(mark, None)
    db.session.commit()
    response = Response(status=204)
    response.delete_cookie(VOTER_COOKIE)
    return response


def tap_url(next_url: str) -> str:
    """Where a button leads that asks WeChat for more than the openid (nickname is not kept; the unionid is what we want).

    A page that lands on snsapi_userinfo is shown by WeChat as a preview, with virtual identities. So it is asked only by somebody who
    was here already and pressed something: the button's address carries a mark that this browser's session was given when the button
    was drawn. A landing (an article's link, a QR, a forwarded address) has no such mark and is let in silently, as ever. The mark
    serves once, for ten minutes.
    """
    mark = secrets.token_hex(8)
    session["tap"] = {"mark": mark, "at": clock.now().timestamp()}
    return url_for("door.login_h5", scope="userinfo", tap=mark, next=safe_next(next_url))


@bp.get("/login/h5")
@access("public")
def login_h5() -> Response:
    """Off to WeChat, silently unless a fresh tap asked for more (see `tap_url`); `state` comes back with the code and must fit this
    browser's cookie."""
    state, at = secrets.token_hex(16), clock.now().timestamp()
    scope = "snsapi_userinfo" if request.args.get("scope") == "userinfo" and _was_tapped(at) else "snsapi_base"
    session["login"] = {"state": state, "next": safe_next(request.args.get("next")), "at": at}
    return redirect(wechat.oauth_url(settings.public_url + url_for("door.login_h5_callback"), state, scope))


def _was_tapped(at: float) -> bool:
    given = session.pop("tap", None) or {"mark": "", "at": 0}
    sent = request.args.get("tap", "")
    fits = bool(sent) and secrets.compare_digest(sent.encode(), given["mark"].encode())
    return fits and at - given["at"] <= TAP_LIFE.total_seconds()


@bp.get("/login/h5/callback")
@access("public", writes=True)
def login_h5_callback() -> Response:
    """Back from WeChat: the code becomes a cookie, the address becomes clean.

    Whoever asks for this address again later (a refresh, a page kept in the history) has her cookie already: she is led on, too.
    """
    at, started = clock.now(), session.get("login") or {}
    try:
        return _logged_in(started, at)
    except (StateMismatch, wechat.CodeRefused):
        if optional_voter(at) is None:
            raise
        return redirect(started.get("next", "/"))


def _logged_in(started: dict[str, Any], at: datetime) -> Response:
    code, state = request.args.get("code", ""), request.args.get("state", "")
    fits = bool(started) and secrets.compare_digest(state.encode(), started["state"].encode())   # no cookie: nothing to fit
    if not code or not fits or at.timestamp() - started["at"] > STATE_LIFE.total_seconds():
        raise StateMismatch()
    user, is_repeated = _user_of(code, state)
    if user.is_snapshot and is_repeated:   # 使用完整服务 loads this very address again: from the beginning, with a code of her own
        return redirect(started["next"])
    if user.is_snapshot:
        raise accounts.VirtualIdentity(next=started["next"])
    identity = accounts.login(user, at)
    token, _ends = accounts.issue_token(identity, at, "h5", replaces=sent_token(VOTER_COOKIE))
    accounts.wonder(identity, at)
    db.session.commit()
    return with_voter_cookie(redirect(started["next"]), token)


def _user_of(code: str, state: str) -> tuple[wechat.WxUser, bool]:
    """WeChat's answer for a code, remembered five minutes: phones ask for the callback twice; and whether it was. Raises LoginAway.

    Remembered for that login alone: with the state of another, a code seen over somebody's shoulder is used up as WeChat means it.
    """
    name = "oauth:" + hashlib.sha256(f"{state}|{code}".encode()).hexdigest()
    user = known = None
    try:
        with store.lock(name + ":lock", 10, 8):
            known = store.get(name)
            user = wechat.WxUser(**json.loads(known)) if known else _exchanged(code)
            store.put(name, json.dumps(asdict(user)), 300)
    except (store.StoreAway, store.StillLocked) as e:
        if user is None:   # else the code is spent, and its answer good
            raise LoginAway(retry_after=60) from e
    return user, known is not None


def _exchanged(code: str) -> wechat.WxUser:
    with waiting_for_wechat():
        return wechat.oauth_code(code)


@contextmanager
def waiting_for_wechat() -> Iterator[None]:
    """At most three quarters of the threads wait for WeChat in requests: while it is slow, the others serve whoever is logged in.

    Raises LoginAway.
    """
    most = max(1, settings.threads * 3 // 4)
    lines: threading.BoundedSemaphore = current_app.extensions.setdefault("waiting_for_wechat", threading.BoundedSemaphore(most))
    if not lines.acquire(timeout=WAIT_SECONDS):
        raise LoginAway(retry_after=10)
    try:
        yield
    finally:
        lines.release()


def with_voter_cookie(response: Response, token: str) -> Response:
    response.set_cookie(VOTER_COOKIE, token, max_age=int(VOTER_TOKEN_LIFE.total_seconds()), httponly=True, samesite="Lax",
                        secure=settings.public_url.startswith("https://"))
    return response
