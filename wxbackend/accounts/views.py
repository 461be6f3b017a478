"""The doors: mini program by code, public account by web login, staff by password."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict
from typing import Any

from flask import Blueprint as PageBlueprint
from flask import redirect, request, session, url_for
from flask_smorest import Blueprint
from werkzeug import Response

from wxbackend import clock, store, wechat
from wxbackend.accounts import service as accounts
from wxbackend.accounts.finders import VOTER_COOKIE
from wxbackend.accounts.rules import STATE_LIFE, VOTER_TOKEN_LIFE, safe_next
from wxbackend.accounts.schemas import CodeSchema, PasswordSchema, TokenSchema
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem
from wxbackend.web import access

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
    """Exchange a mini program's login code for a bearer token."""
    if not store.ping():
        raise LoginAway(retry_after=60)
    user = wechat.login_code(form["code"])
    at = clock.now()
    token, ends = accounts.issue_token(accounts.login(user, at), at)
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


@bp.get("/login/h5")
@access("public")
def login_h5() -> Response:
    """Off to WeChat, silently; `state` comes back with the code and must fit this browser's cookie."""
    state = secrets.token_hex(16)
    session["login"] = {"state": state, "next": safe_next(request.args.get("next")), "at": clock.now().timestamp()}
    return redirect(wechat.oauth_url(settings.public_url + url_for("door.login_h5_callback"), state))


@bp.get("/login/h5/callback")
@access("public", writes=True)
def login_h5_callback() -> Response:
    """Back from WeChat: the code becomes a cookie, the address becomes clean."""
    at, started = clock.now(), session.get("login") or {}
    code, state = request.args.get("code", ""), request.args.get("state", "")
    fits = bool(started) and secrets.compare_digest(state.encode(), started["state"].encode())   # no cookie: nothing to fit
    if not code or not fits or at.timestamp() - started["at"] > STATE_LIFE.total_seconds():
        raise StateMismatch()
    identity = accounts.login(_user_of(code, state), at)
    token, _ends = accounts.issue_token(identity, at)
    db.session.commit()
    return with_voter_cookie(redirect(started["next"]), token)


def _user_of(code: str, state: str) -> wechat.WxUser:
    """WeChat's answer for a code, remembered five minutes: phones ask for the callback twice. Raises LoginAway.

    Remembered for that login alone: with the state of another, a code seen over somebody's shoulder is used up as WeChat means it.
    """
    name = "oauth:" + hashlib.sha256(f"{state}|{code}".encode()).hexdigest()
    user = None
    try:
        with store.lock(name + ":lock", 10, 8):
            known = store.get(name)
            user = wechat.WxUser(**json.loads(known)) if known else wechat.oauth_code(code)
            store.put(name, json.dumps(asdict(user)), 300)
    except (store.StoreAway, store.StillLocked) as e:
        if user is None:   # else the code is spent, and its answer good
            raise LoginAway(retry_after=60) from e
    return user


def with_voter_cookie(response: Response, token: str) -> Response:
    response.set_cookie(VOTER_COOKIE, token, max_age=int(VOTER_TOKEN_LIFE.total_seconds()), httponly=True, samesite="Lax",
                        secure=settings.public_url.startswith("https://"))
    return response
