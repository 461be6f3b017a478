"""How api.weixin.qq.com speaks: JSON in, HTTP 200 always, refusals with errcode, errmsg and a rid."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any

from flask import current_app, request

from simulator.product import Product
from simulator.state import State

MESSAGES = {
    -1: "system error", 40001: "invalid credential, access_token is invalid or not latest", 40002: "invalid grant_type",
    40003: "invalid openid", 40007: "invalid media_id", 40008: "invalid message type", 40013: "invalid appid",
    40014: "invalid access_token", 40015: "invalid menu type", 40016: "invalid button size", 40029: "invalid code",
    40033: "invalid charset. please check your request, if include \\uxxxx will create fail!", 40097: "invalid args",
    40125: "invalid appsecret", 40163: "code been used", 41001: "access_token missing", 41005: "media data missing",
    42001: "access_token expired", 43001: "require GET method", 43002: "require POST method", 44002: "empty post data",
    45002: "content size out of limit", 46003: "menu no exist", 47001: "data format error", 48001: "api unauthorized",
}
ESCAPE = re.compile(rb"\\u[0-9a-fA-F]{4}")


class ApiError(Exception):
    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


def world() -> State:
    return current_app.extensions["state"]


def product() -> Product:
    return current_app.extensions["product"]


def refusal(errcode: int) -> dict[str, Any]:
    """{"errcode", "errmsg": "… rid: xxxxxxxx-xxxxxxxx-xxxxxxxx"}"""
    rid = f"{int(time.time()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    return {"errcode": errcode, "errmsg": f"{MESSAGES.get(errcode, 'refused')} rid: {rid}"}


def body(escapes_allowed: bool = True) -> dict[str, Any]:
    """The JSON object posted; a form is refused with 47001, \\uXXXX in menus and messages with 40033."""
    raw = request.get_data()
    if not raw:
        raise ApiError(44002)
    if not escapes_allowed and ESCAPE.search(raw):
        raise ApiError(40033)
    try:
        data = json.loads(raw.decode())
    except ValueError as e:
        raise ApiError(47001) from e
    if not isinstance(data, dict):
        raise ApiError(47001)
    return data


def caller() -> str:
    """The appid the access_token in the query belongs to."""
    owner = world().token_owner(request.args.get("access_token", ""), product().now())
    if isinstance(owner, int):
        raise ApiError(owner)
    return owner


def account_only() -> str:
    appid = caller()
    if appid != world().config.account_appid:
        raise ApiError(48001)
    return appid


def check_app(args: Any, *appids: str) -> str:
    """appid and secret of one of our apps."""
    appid = str(args.get("appid", ""))
    if appid not in appids:
        raise ApiError(40013)
    if args.get("secret") != world().config.secrets[appid]:
        raise ApiError(40125)
    return appid
