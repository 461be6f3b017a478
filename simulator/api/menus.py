"""The account's menu, and what its owner made by hand in the console before there was a server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint

from simulator.wire import ApiError, account_only, body, done, world

bp = Blueprint("menus", __name__)

MOST_TOP, MOST_SUB, TOP_BYTES, SUB_BYTES, KEY_BYTES, URL_BYTES = 3, 5, 16, 60, 128, 1024
KEYED = ("click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select")
# What is wrong → errcode of a top button, of a sub button.
FAULTS = {"count": (40016, 40023), "type": (40015, 40024), "name": (40018, 40025), "key": (40019, 40026), "url": (40020, 40027),
          "domain": (40055, 40054)}


@bp.route("/cgi-bin/menu/create", methods=["POST"])
def create() -> Any:
    account_only("menu")
    data = body(escapes_allowed=False)
    _check(data.get("button"), top=True)
    world().menu = {"button": data["button"]}
    return done()


@bp.route("/cgi-bin/menu/get", methods=["GET"])
def get() -> Any:
    """Only what the API made; a menu of the console is not seen here."""
    account_only("menu")
    if world().menu is None:
        raise ApiError(46003)
    return {"menu": world().menu}


@bp.route("/cgi-bin/menu/delete", methods=["GET"])
def delete() -> Any:
    account_only("menu")
    world().menu = None
    return done()


@bp.route("/cgi-bin/get_current_selfmenu_info", methods=["GET"])
def current_menu() -> Any:
    """The menu in force, whoever made it; sub buttons stand in a list of their own."""
    account_only()
    menu = world().menu or world().console["menu"]
    if menu is None:
        return {"is_menu_open": 0}
    return {"is_menu_open": 1, "selfmenu_info": {"button": [_listed(b) for b in menu["button"]]}}


def _listed(button: dict[str, Any]) -> dict[str, Any]:
    subs = button.get("sub_button")
    return {"name": button["name"], "sub_button": {"list": subs["list"] if isinstance(subs, dict) else subs}} if subs else button


@bp.route("/cgi-bin/get_current_autoreply_info", methods=["GET"])
def current_replies() -> Any:
    """What the console answers by itself: on following, by keyword, else."""
    account_only()
    return world().console["replies"] or {"is_add_friend_reply_open": 0, "is_autoreply_open": 0}


def _check(buttons: Any, top: bool) -> None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= (MOST_TOP if top else MOST_SUB):
        _refuse("count", top)
    for button in buttons:
        if not isinstance(button, dict):
            _refuse("type", top)
        name = button.get("name")
        if not isinstance(name, str) or not 0 < len(name.encode()) <= (TOP_BYTES if top else SUB_BYTES):
            _refuse("name", top)
        if top and button.get("sub_button"):
            _check(button["sub_button"], top=False)
        else:
            _check_leaf(button, top)


def _check_leaf(button: dict[str, Any], top: bool) -> None:
    kind = button.get("type")
    if kind in KEYED:
        _size(button, "key", KEY_BYTES, top)
    elif kind in ("view", "miniprogram"):
        _size(button, "url", URL_BYTES, top)
        address = urlsplit(button["url"])
        if address.scheme not in ("http", "https") or not address.hostname:
            _refuse("domain", top)
        if kind == "miniprogram":
            check_mini(button)
    elif kind not in ("media_id", "view_limited", "article_id") or not (button.get("media_id") or button.get("article_id")):
        _refuse("type", top)


def check_mini(target: dict[str, Any]) -> None:
    """A way into a mini program: ours, and a page."""
    config = world().config
    if not config.has_miniprogram or target.get("appid") != config.miniprogram_appid:
        raise ApiError(40166)
    if not isinstance(target.get("pagepath"), str) or not target["pagepath"]:
        raise ApiError(40165)


def _size(button: dict[str, Any], what: str, most: int, top: bool) -> None:
    value = button.get(what)
    if not isinstance(value, str) or not 0 < len(value.encode()) <= most:
        _refuse(what, top)


def _refuse(what: str, top: bool) -> None:
    raise ApiError(FAULTS[what][0 if top else 1])
