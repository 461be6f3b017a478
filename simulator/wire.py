"""How api.weixin.qq.com speaks: JSON in, HTTP 200 always, refusals with errcode, errmsg and a rid."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any

from flask import current_app, request

from simulator.people import Person
from simulator.product import Product
from simulator.rights import may
from simulator.state import State

MESSAGES = {
    -1: "system error", 40001: "invalid credential, access_token is invalid or not latest", 40002: "invalid grant_type",
    40003: "invalid openid", 40004: "invalid media type", 40007: "invalid media_id", 40008: "invalid message type", 40013: "invalid appid",
    40014: "invalid access_token", 40015: "invalid menu type", 40016: "invalid button size", 40018: "invalid button name size",
    40019: "invalid button key size", 40020: "invalid button url size", 40023: "invalid sub button size",
    40024: "invalid sub button type", 40025: "invalid sub button name size", 40026: "invalid sub button key size",
    40027: "invalid sub button url size", 40029: "invalid code", 40030: "invalid refresh_token",
    40033: "invalid charset. please check your request, if include \\uxxxx will create fail!", 40037: "invalid template_id",
    40054: "invalid sub button url domain", 40055: "invalid button url domain", 40097: "invalid args", 40125: "invalid appsecret",
    40129: "invalid scene", 40163: "code been used", 40164: "invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist",
    40165: "invalid weapp pagepath", 40166: "invalid weapp appid", 40169: "invalid length for scene, or the data is not json string",
    40212: "invalid query", 40226: "code blocked", 41001: "access_token missing", 41005: "media data missing", 41008: "missing code",
    41030: "invalid page", 42001: "access_token expired", 42002: "refresh_token expired", 42003: "oauth_code expired",
    43001: "require GET method", 43002: "require POST method", 43004: "require subscribe", 43101: "user refuse to accept the msg",
    43104: "this appid does not match the openid", 44002: "empty post data", 45002: "content size out of limit",
    45008: "article size out of limit", 45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled", 45047: "out of response count limit", 46003: "menu no exist",
    47001: "data format error", 47003: "argument invalid! {about}", 48001: "api unauthorized",
    48006: "forbid to clear quota because of reaching the limit",
    61010: "code is expired", 76021: "cgi_path not found, please check", 85401: "time limit between 1min and 30 days",
    87008: "invalid sig_method", 87009: "invalid signature",
}
ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{4}")


class ApiError(Exception):
    def __init__(self, errcode: int, about: str = "") -> None:
        super().__init__(errcode)
        self.errcode, self.about = errcode, about


def world() -> State:
    return current_app.extensions["state"]


def product() -> Product:
    return current_app.extensions["product"]


def refusal(errcode: int, about: str = "") -> dict[str, Any]:
    """{"errcode", "errmsg": "… rid: xxxxxxxx-xxxxxxxx-xxxxxxxx"}"""
    rid = f"{int(time.time()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    said = MESSAGES.get(errcode, "refused").replace("{ip}", request.remote_addr or "").replace("{about}", about)
    return {"errcode": errcode, "errmsg": f"{said} rid: {rid}"}


def done(**facts: Any) -> dict[str, Any]:
    """Success: errcode 0 and its words, or without them where `shape` leaves out what is optional."""
    return facts if world().shape["optional"] == "missing" else {"errcode": 0, "errmsg": "ok"} | facts


def body(escapes_allowed: bool = True, otherwise: int = 47001) -> dict[str, Any]:
    """The JSON object posted; a form is refused with 47001 (or `otherwise`), \\uXXXX in menus and messages with 40033."""
    raw = request.get_data()
    if not raw:
        raise ApiError(44002)
    try:
        data = json.loads(raw.decode())
    except ValueError as e:
        raise ApiError(otherwise) from e
    if not isinstance(data, dict):
        raise ApiError(otherwise)
    if not escapes_allowed and ESCAPE.search(raw):
        raise ApiError(40033)
    return data


def caller(appid: str | None = None) -> str:
    """The appid the access_token in the query belongs to; 40013 when another one's is wanted. The call is counted."""
    owner = world().tokens.owner(request.args.get("access_token", ""), product().now())
    if isinstance(owner, int):
        raise ApiError(owner)
    if appid not in (None, owner):
        raise ApiError(40013)
    count(owner)
    return owner


def account_only(right: str = "") -> str:
    """The account's token; 48001 where an account of this kind lacks the right."""
    appid = caller(world().config.account_appid)
    if right and not may(world().config, right):
        raise ApiError(48001)
    return appid


def mini_only() -> str:
    return caller(world().config.miniprogram_appid)


def count(appid: str) -> None:
    if errcode := world().meter.spend(appid, request.path, product().now()):
        raise ApiError(errcode)


def check_app(args: Any, *appids: str) -> str:
    """appid and secret of one of our apps."""
    appid = str(args.get("appid", ""))
    if not appid or appid not in appids or appid not in world().config.secrets:
        raise ApiError(40013)
    if args.get("secret") != world().config.secrets[appid]:
        raise ApiError(40125)
    count(appid)
    return appid


def mine(appid: str, openid: Any) -> Person:
    """Who that is for this app; 43104 for an openid of the other app, 40003 for nobody's."""
    person = world().holder(appid, openid) if isinstance(openid, str) else None
    if person is None:
        known = isinstance(openid, str) and any(openid in p.openids.values() for p in world().people.values())
        raise ApiError(43104 if known else 40003)
    return person


def text_of(data: dict[str, Any], name: str, errcode: int = 47001) -> str:
    """A field that must be a text."""
    value = data.get(name)
    if not isinstance(value, str):
        raise ApiError(errcode)
    return value
