"""Who somebody is: the mini program's login and phone button, the account's web login."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from flask import Blueprint, Response, request

from simulator import crypto
from simulator.people import RISKY, Person
from simulator.random_text import virtual_id
from simulator.rights import may
from simulator.wire import ApiError, body, check_app, done, mine, mini_only, product, world

bp = Blueprint("login", __name__)


@bp.route("/sns/jscode2session", methods=["GET"])
def jscode2session() -> Any:
    """Success has no errcode and comes as text/plain. A new login replaces the session_key and counts as a visit."""
    appid = check_app(request.args, world().config.miniprogram_appid)
    if request.args.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    person, at = _redeem(request.args.get("js_code", ""), "login", appid).person, product().now()
    if person.risk >= RISKY:
        raise ApiError(40226)
    openid = person.openids[appid]
    if not world().meter.spend_login(openid, at):
        raise ApiError(45011)
    person.visits[appid] = at
    session = {"session_key": _new_session_key(person, appid), "openid": openid} | world().unionid(person)
    return Response(json.dumps(session), mimetype="text/plain")


def _redeem(code: str, kind: str, appid: str) -> Any:
    found = world().codes.redeem(code, kind, appid, product().now())
    if isinstance(found, int):
        raise ApiError(found)
    return found


def _new_session_key(person: Person, appid: str) -> str:
    person.session_keys[appid] = base64.b64encode(secrets.token_bytes(16)).decode()
    return person.session_keys[appid]


@bp.route("/wxa/business/getuserphonenumber", methods=["POST"])
def phone_number() -> Any:
    """The code is the phone button's, not wx.login's; an openid that comes along must be its owner's."""
    appid, data = mini_only(), body()
    owner = mine(appid, data["openid"]) if "openid" in data else None
    person = _redeem(str(data.get("code", "")), "phone", appid).person
    if owner not in (None, person):
        raise ApiError(40029)
    watermark = {"timestamp": int(product().now().timestamp()), "appid": appid}
    return done(phone_info={"phoneNumber": person.phone, "purePhoneNumber": person.phone,
                            "countryCode": world().number(86), "watermark": watermark})


@bp.route("/wxa/checksession", methods=["GET"])
def checksession() -> Any:
    _session_of(mini_only())
    return done()


@bp.route("/wxa/resetusersessionkey", methods=["GET"])
def reset_session_key() -> Any:
    appid = mini_only()
    person = _session_of(appid)
    return done(openid=person.openids[appid], session_key=_new_session_key(person, appid))


def _session_of(appid: str) -> Person:
    """Whose session that is: signature = hmac_sha256(session_key, "")."""
    person = mine(appid, request.args.get("openid"))
    if request.args.get("sig_method") != "hmac_sha256":
        raise ApiError(87008)
    key = person.session_keys.get(appid, secrets.token_hex(16))
    if crypto.session_signature(key) != request.args.get("signature"):
        raise ApiError(87009)
    return person


@bp.route("/sns/oauth2/access_token", methods=["GET"])
def oauth_token() -> Any:
    """A silent login (snsapi_base) never gives the unionid; a snapshot page gives ids that are nobody's."""
    appid = check_app(request.args, world().config.account_appid)
    if not may(world().config, "oauth"):
        raise ApiError(48001)
    if request.args.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    if not request.args.get("code"):
        raise ApiError(41008)
    found = _redeem(request.args["code"], "oauth", appid)
    person, is_snapshot = found.person, found.person.sees_snapshot
    openid = virtual_id("o-snap-") if is_snapshot else person.openids[appid]
    union = {"unionid": virtual_id("u-snap-")} if is_snapshot and person.unionid else world().unionid(person)
    unionid = union.get("unionid") if found.scope == "snsapi_userinfo" else None
    text, token = world().codes.user_token(person, openid, unionid, found.scope, product().now())
    flag = {"is_snapshotuser": 1} if is_snapshot and person.snapshot_flag else {}
    return _told(text, token) | flag | ({"unionid": unionid} if unionid else {})


def _told(text: str, token: Any) -> dict[str, Any]:
    return {"access_token": text, "expires_in": 7200, "refresh_token": token.refresh, "openid": token.openid, "scope": token.scope}


@bp.route("/sns/oauth2/refresh_token", methods=["GET"])
def oauth_refresh() -> Any:
    """No secret is asked here, only the appid."""
    if request.args.get("appid") != world().config.account_appid:
        raise ApiError(40013)
    if request.args.get("grant_type") != "refresh_token":
        raise ApiError(40002)
    found = world().codes.refresh(request.args.get("refresh_token", ""), product().now())
    if isinstance(found, int):
        raise ApiError(found)
    return _told(*found)


@bp.route("/sns/userinfo", methods=["GET"])
def userinfo() -> Any:
    token = _user()
    if token.scope != "snsapi_userinfo" or token.is_snapshot:
        raise ApiError(48001)
    told = {"openid": token.openid, "nickname": token.person.name, "headimgurl": "", "privilege": [], "sex": 0, "language": ""}
    return told | ({"unionid": token.unionid} if token.unionid else {})


@bp.route("/sns/auth", methods=["GET"])
def auth() -> Any:
    _user()
    return done()


def _user() -> Any:
    token = world().codes.user(request.args.get("access_token", ""), product().now())
    if isinstance(token, int):
        raise ApiError(token)
    if token.openid != request.args.get("openid"):
        raise ApiError(40003)
    return token
