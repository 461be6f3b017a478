"""api.weixin.qq.com and mp.weixin.qq.com: the calls of a mini program and of a public account."""

from __future__ import annotations

import base64
import io
import json
import secrets
from functools import lru_cache
from typing import Any

import qrcode
from flask import Blueprint, Response, request

from simulator.state import Line, Person
from simulator.wire import ApiError, account_only, body, caller, check_app, product, refusal, world

bp = Blueprint("api", __name__)


@bp.errorhandler(ApiError)
def _refuse(error: ApiError) -> dict[str, Any]:
    return refusal(error.errcode)


@bp.route("/cgi-bin/token", methods=["GET", "POST"])
def token() -> Any:
    appid = _credential(request.args)
    text, left = world().plain_token(appid, product().now())
    return {"access_token": text, "expires_in": left}


@bp.route("/cgi-bin/stable_token", methods=["POST"])
def stable_token() -> Any:
    data = body()
    text, left = world().stable_token(_credential(data), product().now(), data.get("force_refresh") is True)
    return {"access_token": text, "expires_in": left}


def _credential(args: Any) -> str:
    if args.get("grant_type") != "client_credential":
        raise ApiError(40002)
    return check_app(args, *world().config.secrets)


@bp.route("/sns/jscode2session", methods=["GET"])
def jscode2session() -> Any:
    """Success has no errcode and comes as text/plain."""
    appid = check_app(request.args, world().config.miniprogram_appid)
    if request.args.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    found = world().redeem(request.args.get("js_code", ""), "login", appid, product().now())
    if isinstance(found, int):
        raise ApiError(found)
    session = {"session_key": base64.b64encode(secrets.token_bytes(16)).decode(), "openid": found.person.openids[appid]}
    if found.person.unionid:
        session["unionid"] = found.person.unionid
    return Response(json.dumps(session), mimetype="text/plain")


@bp.route("/sns/oauth2/access_token", methods=["GET"])
def oauth_token() -> Any:
    """A silent login (snsapi_base) never gives the unionid; a snapshot page gives ids that are nobody's."""
    appid = check_app(request.args, world().config.account_appid)
    if request.args.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    found = world().redeem(request.args.get("code", ""), "oauth", appid, product().now())
    if isinstance(found, int):
        raise ApiError(found)
    person, text = found.person, "USER_" + secrets.token_urlsafe(48)
    openid = "o-snap-" + secrets.token_urlsafe(16)[:21] if person.snapshot else person.openids[appid]
    world().user_tokens[text] = (openid, found.scope, person)
    answer: dict[str, Any] = {"access_token": text, "expires_in": 7200, "refresh_token": "R_" + secrets.token_urlsafe(48),
                              "openid": openid, "scope": found.scope}
    if person.snapshot:
        answer["is_snapshotuser"] = 1
    if found.scope == "snsapi_userinfo" and person.unionid:
        answer["unionid"] = "u-snap-" + secrets.token_urlsafe(16)[:21] if person.snapshot else person.unionid
    return answer


@bp.route("/sns/userinfo", methods=["GET"])
def userinfo() -> Any:
    openid, scope, person = world().user_tokens.get(request.args.get("access_token", ""), ("", "", None))
    if person is None:
        raise ApiError(40001)
    if openid != request.args.get("openid"):
        raise ApiError(40003)
    if scope != "snsapi_userinfo" or person.snapshot:
        raise ApiError(48001)
    return {"openid": openid, "nickname": person.name, "headimgurl": "", "privilege": []} | _unionid(person)


@bp.route("/cgi-bin/user/info", methods=["GET"])
def user_info() -> Any:
    """Of somebody who does not follow the account, nothing but that."""
    person = world().holder(account_only(), request.args.get("openid", ""))
    if person is None:
        raise ApiError(40003)
    openid = request.args["openid"]
    if not person.follows:
        return {"subscribe": 0, "openid": openid}
    return {"subscribe": 1, "openid": openid, "language": "zh_CN", "subscribe_time": 1640966400, "remark": "", "groupid": 0,
            "tagid_list": [], "subscribe_scene": "ADD_SCENE_QR_CODE"} | _unionid(person)


def _unionid(person: Person) -> dict[str, str]:
    return {"unionid": person.unionid} if person.unionid else {}


@bp.route("/cgi-bin/media/get", methods=["GET"])
def media_get() -> Any:
    caller()
    media_id = request.args.get("media_id", "")
    found = world().media_of(media_id, product().now())
    if found is None:
        raise ApiError(40007)
    name = f"{media_id}.{found.mimetype.removeprefix('image/').replace('jpeg', 'jpg')}"
    return Response(found.data, mimetype=found.mimetype, headers={"Content-disposition": f'attachment; filename="{name}"'})


@bp.route("/cgi-bin/media/upload", methods=["POST"])
def media_upload() -> Any:
    caller()
    data = request.files["media"].read() if "media" in request.files else b""
    if not data:
        raise ApiError(41005)
    at = product().now()
    return {"type": request.args.get("type", "image"), "media_id": world().keep_media(data, at), "created_at": int(at.timestamp())}


@bp.route("/cgi-bin/message/custom/send", methods=["POST"])
def custom_send() -> Any:
    """Text and images; they land in the person's chat at once."""
    appid, data = caller(), body(escapes_allowed=False)
    person = world().holder(appid, str(data.get("touser", "")))
    if person is None:
        raise ApiError(40003)
    world().say(person, _custom_line(data))
    return {"errcode": 0, "errmsg": "ok"}


def _custom_line(data: dict[str, Any]) -> Line:
    kind, at = data.get("msgtype"), product().now()
    content = data.get(str(kind))
    if kind not in ("text", "image"):
        raise ApiError(40008)
    if not isinstance(content, dict):
        raise ApiError(40097)
    if kind == "image":
        if world().media_of(str(content.get("media_id", "")), at) is None:
            raise ApiError(40007)
        return Line("it", "image", at, media_id=content["media_id"], via="customer")
    text = str(content.get("content", ""))
    if not 0 < len(text.encode()) <= 2048:
        raise ApiError(45002 if text else 44002)
    return Line("it", "text", at, text, via="customer")


@bp.route("/cgi-bin/menu/create", methods=["POST"])
def menu_create() -> Any:
    account_only()
    data = body(escapes_allowed=False)
    buttons = data.get("button")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise ApiError(40016)
    for button in buttons:
        if not isinstance(button, dict) or not button.get("name") or not (button.get("sub_button") or _leaf(button)):
            raise ApiError(40015)
    world().menu = {"button": buttons}
    return {"errcode": 0, "errmsg": "ok"}


def _leaf(button: dict[str, Any]) -> bool:
    return bool(button.get({"click": "key", "view": "url", "miniprogram": "url"}.get(button.get("type", ""), "")))


@bp.route("/cgi-bin/menu/get", methods=["GET"])
def menu_get() -> Any:
    account_only()
    if world().menu is None:
        raise ApiError(46003)
    return {"menu": world().menu}


@bp.route("/cgi-bin/qrcode/create", methods=["POST"])
def qrcode_create() -> Any:
    account_only()
    data = body()
    scene = data.get("action_info", {}).get("scene", {}) if isinstance(data.get("action_info"), dict) else {}
    text = str(scene.get("scene_str") or scene.get("scene_id") or "")
    if not 1 <= len(text) <= 64:
        raise ApiError(40097)
    ticket = secrets.token_urlsafe(60)
    url = "http://weixin.qq.com/q/" + secrets.token_urlsafe(12)
    world().scenes[ticket] = url
    return {"ticket": ticket, "expire_seconds": int(data.get("expire_seconds", 60)), "url": url}


@bp.route("/cgi-bin/showqrcode", methods=["GET"])
def showqrcode() -> Any:
    url = world().scenes.get(request.args.get("ticket", ""))
    if url is None:
        return Response("404 not found", 404, mimetype="text/plain")
    return Response(qr_png(url), mimetype="image/png")


@bp.route("/cgi-bin/getcallbackip", methods=["GET"])
def getcallbackip() -> Any:
    caller()
    return {"ip_list": ["127.0.0.1"]}


@bp.route("/mmbiz/<media_id>/0", methods=["GET"])
def pic_url(media_id: str) -> Any:
    """PicUrl of an image message: no token asked."""
    found = world().media_of(media_id, product().now())
    return Response(found.data, mimetype=found.mimetype) if found else Response("404 not found", 404, mimetype="text/plain")


@lru_cache(maxsize=128)
def qr_png(text: str) -> bytes:
    out = io.BytesIO()
    code = qrcode.QRCode(box_size=8, border=4)
    code.add_data(text)
    code.make_image().save(out)
    return out.getvalue()
