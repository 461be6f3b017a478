"""The account's menu, and what was set in its console before our server took over: menu and replies there stop once server mode is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from wxbackend.wechat import endpoints
from wxbackend.wechat.calls import ask, inner, whole
from wxbackend.wechat.endpoints import Endpoint
from wxbackend.wechat.refusals import Unsendable, WeChatAway, WeChatRefused
from wxbackend.wechat.wording import plain, wording

MOST_BUTTONS, MOST_UNDER = 3, 5
NAME_BYTES, UNDER_BYTES, KEY_BYTES, URL_BYTES = 16, 60, 128, 1024
BY_KEY = ("click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select")
NEEDS = {**dict.fromkeys(BY_KEY, ("key",)), "view": ("url",), "miniprogram": ("url", "appid", "pagepath"),
         "media_id": ("media_id",), "view_limited": ("media_id",), "article_id": ("article_id",), "article_view_limited": ("article_id",)}
LIMITS = {"key": KEY_BYTES, "url": URL_BYTES, "pagepath": URL_BYTES, "appid": 64, "media_id": 256, "article_id": 256}
NO_MENU = 46003


def create_menu(buttons: Sequence[Mapping[str, Any]]) -> None:
    """Replace the account's menu; phones show it within about five minutes. Checked first, by `checked_menu`.

    Raises Unsendable, WeChatRefused (40054, 40055: an address outside the allowed domains), NotGranted, WeChatAway.
    """
    ask(endpoints.MENU_CREATE, data={"button": checked_menu(buttons)})


def checked_menu(buttons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The buttons as WeChat takes them: one to three, each with one to five below it or something to do.

    [{"name": "投票", "type": "click", "key": "vote"}, {"name": "更多", "sub_button": [{"name": "官网", "type": "view", "url": "https://…"}]}]
    Raises Unsendable with a sentence that names the button.
    """
    if not 1 <= len(buttons) <= MOST_BUTTONS:
        raise Unsendable(f"菜单要有1到{MOST_BUTTONS}个一级按钮。")
    return [_button(button, NAME_BYTES) for button in buttons]


def current_menu() -> dict[str, Any]:
    """What people see at the bottom of the chat now, whether made in the console or by API.

    {"is_menu_open": 1, "selfmenu_info": {"button": [{"name": …, "type": …, …} or {"name": …, "sub_button": {"list": […]}}]}}, always of
    this shape. Of what was made in the console types are text, img, voice, video, news as well, with the content in "value" or "news_info".
    Raises NotGranted, WeChatRefused, WeChatAway.
    """
    try:
        answer = _read(endpoints.MENU_NOW)
    except WeChatRefused as e:
        if e.errcode != NO_MENU:
            raise
        answer = {"is_menu_open": 0}
    is_open = whole(answer, "is_menu_open")
    info = inner(answer, "selfmenu_info") if is_open else _object(answer, "selfmenu_info")
    buttons = [button | ({"sub_button": {"list": _objects(_object(button, "sub_button"), "list")}} if "sub_button" in button else {})
               for button in _objects(info, "button")]
    return {"is_menu_open": is_open, "selfmenu_info": {"button": buttons}}


def current_replies() -> dict[str, Any]:
    """The console's automatic replies: after following, to any message, and by keyword.

    {"is_add_friend_reply_open": 1, "is_autoreply_open": 1, "add_friend_autoreply_info": {"type": "text", "content": …},
    "message_default_autoreply_info": {…}, "keyword_autoreply_info": {"list": [{"rule_name": …, "keyword_list_info": [{"type": "text",
    "match_mode": "contain" or "equal", "content": …}], "reply_list_info": [{"type": "text", "content": …}]}]}}, always of this shape;
    an info is {} where nothing is set. Raises NotGranted, WeChatRefused, WeChatAway.
    """
    answer = _read(endpoints.REPLIES_NOW)
    rules = [rule | {name: _objects(rule, name) for name in ("keyword_list_info", "reply_list_info")}
             for rule in _objects(_object(answer, "keyword_autoreply_info"), "list")]
    return {"is_add_friend_reply_open": whole(answer, "is_add_friend_reply_open"), "is_autoreply_open": whole(answer, "is_autoreply_open"),
            "add_friend_autoreply_info": _object(answer, "add_friend_autoreply_info"),
            "message_default_autoreply_info": _object(answer, "message_default_autoreply_info"), "keyword_autoreply_info": {"list": rules}}


def _button(button: Any, name_bytes: int) -> dict[str, Any]:
    if not isinstance(button, Mapping):
        raise Unsendable("菜单里有一个按钮读不出来。")
    name = wording(str(button.get("name") or "")).strip()
    if not 0 < len(name.encode()) <= name_bytes:
        raise Unsendable(f"按钮“{name}”的名字要1到{name_bytes // 3}个汉字。")
    under = button.get("sub_button") or []
    if under and name_bytes == NAME_BYTES:   # two levels, not three
        if not isinstance(under, list | tuple) or len(under) > MOST_UNDER:
            raise Unsendable(f"“{name}”下面最多{MOST_UNDER}个按钮。")
        return {"name": name, "sub_button": [_button(one, UNDER_BYTES) for one in under]}
    kind = str(button.get("type") or "")
    if under or kind not in NEEDS:
        raise Unsendable(f"按钮“{name}”的类型微信不认识。")
    return {"name": name, "type": kind} | {part: _part(name, part, button.get(part)) for part in NEEDS[kind]}


def _part(name: str, part: str, value: Any) -> str:
    text = wording(value).strip() if isinstance(value, str) else ""
    if not 0 < len(text.encode()) <= LIMITS[part]:
        raise Unsendable(f"按钮“{name}”的{part}要有内容，最多{LIMITS[part]}字节。")
    if part == "url" and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).netloc):
        raise Unsendable(f"按钮“{name}”的网址要以https://开头。")
    return text


def _read(endpoint: Endpoint) -> dict[str, Any]:
    answer = ask(endpoint)
    try:
        return plain(answer)
    except ValueError:
        pass
    raise WeChatAway("not the JSON we know")


def _object(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def _objects(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = answer.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
