"""A menu's buttons between three shapes: as the staff say what each does, as WeChat takes them, as WeChat tells of an existing menu.

Plain values only. The staff's shape, an *item*: {"name": "开放时间", "does": "say", "text": "…", "key": "say:1f", "sub": []}; `does` is one
of DOES. A button that opens others does nothing itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from wxbackend.inbox.editing import clean
from wxbackend.inbox.imports import NotReadable, as_text
from wxbackend.inbox.replies import MOST_BYTES, misplaced, size
from wxbackend.wechat.menus import KEY_BYTES, MOST_BUTTONS, MOST_UNDER, NAME_BYTES, UNDER_BYTES, URL_BYTES

DOES = {"vote": "给投票链接", "mine": "给“我的签号”", "draw": "说抽奖公示在哪里", "human": "转人工", "say": "回一段话", "view": "打开网页",
        "miniprogram": "打开小程序", "key": "交给另一台服务器", "keep": "照原样保留"}
OWN_KEYS = ("vote", "mine", "draw", "human")
KEPT = {"scancode_push": "扫一扫", "scancode_waitmsg": "扫一扫", "pic_sysphoto": "拍照", "pic_photo_or_album": "拍照或相册",
        "pic_weixin": "相册", "location_select": "发送位置", "media_id": "素材", "article_id": "文章", "article_view_limited": "文章",
        "view_limited": "文章"}
KEPT_FIELDS = ("type", "name", "key", "media_id", "article_id")
SAYS = "say:"
FIELDS = ("name", "does", "url", "text", "key", "appid", "pagepath", "kept")
TEMPLATE = [{"name": "去投票", "does": "vote"}, {"name": "我的签号", "does": "mine"}, {"name": "抽奖公示", "does": "draw"}]


@dataclass(frozen=True)
class Line:
    """One button of a report: kept, changed (with what), open (somebody must finish it) or lost."""

    called: str
    outcome: str
    why: str = ""


@dataclass
class MenuRead:
    """A menu as WeChat tells it, in the staff's shape, with a line for each button."""

    items: list[dict[str, Any]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    is_open: bool = True


def item(**values: Any) -> dict[str, Any]:
    """An item with every field there."""
    return {**dict.fromkeys(FIELDS, ""), "sub": [], **values}


def to_buttons(items: Sequence[Mapping[str, Any]], new_key: Callable[[], str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(the list for menu/create, {key: text} of the buttons that say something)."""
    says: dict[str, str] = {}
    return [_button(one, new_key, says) for one in items], says


def to_items(buttons: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """WeChat's shape in the staff's; `texts` = {key: what is said}."""
    return [_item(button, texts) for button in buttons]


def faults(items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """What WeChat would not take, in words, each with its pointer: {"pointer": "#/buttons/0/sub/1/url", "detail": "…"}."""
    if not items:
        yield {"pointer": "#/buttons", "detail": "请至少写一个按钮。"}
    if len(items) > MOST_BUTTONS:
        yield {"pointer": "#/buttons", "detail": f"一级按钮最多{MOST_BUTTONS}个。"}
    for n, one in enumerate(items):
        at, sub = f"#/buttons/{n}", one.get("sub") or []
        yield from _name_faults(one, at, NAME_BYTES)
        if not sub:
            yield from _does_faults(one, at)
        if len(sub) > MOST_UNDER:
            yield {"pointer": f"{at}/sub", "detail": f"“{one['name']}”下面最多{MOST_UNDER}个按钮。"}
        for k, inner in enumerate(sub):
            yield from _name_faults(inner, f"{at}/sub/{k}", UNDER_BYTES)
            yield from _does_faults(inner, f"{at}/sub/{k}")


def unanswered(items: Sequence[Mapping[str, Any]], has_second_server: bool) -> Iterator[dict[str, str]]:
    """Buttons that would be tapped in vain: no text yet, or a key that nobody answers."""
    for at, one in leaves(items):
        if one["does"] == "say" and not one["text"].strip():
            yield {"pointer": f"{at}/text", "detail": f"“{one['name']}”点了以后回什么，还没有写。"}
        if one["does"] == "key" and not has_second_server:
            yield {"pointer": f"{at}/does", "detail": f"“{one['name']}”没有人回答：请另选点了以后做什么，或请技术人员填好转发地址。"}


def leaves(items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(pointer, item) of every button that does something."""
    for n, one in enumerate(items):
        if one.get("sub"):
            yield from ((f"#/buttons/{n}/sub/{k}", inner) for k, inner in enumerate(one["sub"]))
        else:
            yield f"#/buttons/{n}", one


# Errcodes that speak of some of the buttons: which ones those can be.
SUSPECTS: dict[int, Callable[[str, Mapping[str, Any]], bool]] = {
    40018: lambda at, one: "/sub/" not in at, 40025: lambda at, one: "/sub/" in at,
    40019: lambda at, one: "/sub/" not in at and one["does"] in ("key", "say"),
    40026: lambda at, one: "/sub/" in at and one["does"] in ("key", "say"),
    40020: lambda at, one: "/sub/" not in at and bool(one["url"]), 40027: lambda at, one: "/sub/" in at and bool(one["url"]),
    40055: lambda at, one: "/sub/" not in at and bool(one["url"]), 40054: lambda at, one: "/sub/" in at and bool(one["url"]),
    **dict.fromkeys((40165, 40166, 85079), lambda at, one: one["does"] == "miniprogram"),
    40017: lambda at, one: "/sub/" not in at and one["does"] == "keep", 40024: lambda at, one: "/sub/" in at and one["does"] == "keep",
}


def suspects(errcode: int, items: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """[(pointer, name)] of the buttons WeChat may mean: it says what is wrong, and never which button."""
    may_be = SUSPECTS.get(errcode, lambda at, one: False)
    return [(at, one["name"]) for at, one in leaves(items) if may_be(at, one)]


def from_wechat(raw: Any) -> MenuRead:
    """get_current_selfmenu_info, from the console or an API, in the staff's shape. Raises NotReadable."""
    info = raw.get("selfmenu_info") if isinstance(raw, dict) else None
    listed = info.get("button") if isinstance(info, dict) else None
    if not isinstance(listed, list):
        if isinstance(raw, dict) and "is_menu_open" in raw and not info:
            return MenuRead(is_open=False)   # there never was a menu
        raise NotReadable()
    found = MenuRead(is_open=raw.get("is_menu_open") not in (0, "0", False))
    for n, button in enumerate(listed):
        one = _read(button, found, f"第{n + 1}个按钮") if len(found.items) < MOST_BUTTONS else None
        if one is None and len(found.items) >= MOST_BUTTONS:
            found.lines.append(Line(_called(button, f"第{n + 1}个按钮"), "lost", f"一级按钮最多{MOST_BUTTONS}个"))
        found.items += [one] if one else []
    return found


def weight(text: str) -> int:
    return len(text.encode())


def _button(one: Mapping[str, Any], new_key: Callable[[], str], says: dict[str, str]) -> dict[str, Any]:
    name, does = one["name"].strip(), one.get("does", "")
    if one.get("sub"):
        return {"name": name, "sub_button": [_button(inner, new_key, says) for inner in one["sub"]]}
    if does == "view":
        return {"type": "view", "name": name, "url": one["url"].strip()}
    if does == "miniprogram":
        fields = {key: one[key].strip() for key in ("url", "appid", "pagepath")}
        return {"type": "miniprogram", "name": name} | fields
    if does == "keep":
        return json.loads(one["kept"]) | {"name": name}
    if does == "say":
        key = one.get("key") or new_key()
        says[key] = clean(one["text"])
        return {"type": "click", "name": name, "key": key}
    return {"type": "click", "name": name, "key": one["key"].strip() if does == "key" else does}


def _item(button: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    name, kind, key = button.get("name", ""), button.get("type", ""), button.get("key", "")
    if button.get("sub_button"):
        return item(name=name, sub=[_item(inner, texts) for inner in button["sub_button"]])
    if kind == "view":
        return item(name=name, does="view", url=button.get("url", ""))
    if kind == "miniprogram":
        return item(name=name, does="miniprogram", **{field: button.get(field, "") for field in ("url", "appid", "pagepath")})
    if kind != "click":
        return item(name=name, does="keep", kept=json.dumps(dict(button), ensure_ascii=False, sort_keys=True))
    if key in OWN_KEYS:
        return item(name=name, does=key)
    if key in texts or key.startswith(SAYS):
        return item(name=name, does="say", key=key, text=texts.get(key, ""))
    return item(name=name, does="key", key=key)


def _name_faults(one: Mapping[str, Any], at: str, most: int) -> Iterator[dict[str, str]]:
    name = str(one.get("name", "")).strip()
    if not name:
        yield {"pointer": f"{at}/name", "detail": "请写按钮的名字。"}
    elif weight(name) > most:
        yield {"pointer": f"{at}/name", "detail": f"“{name}”太长：最多{most // 3}个汉字（{most}字节），现在是{weight(name)}字节。"}


def _does_faults(one: Mapping[str, Any], at: str) -> Iterator[dict[str, str]]:
    does, name = one.get("does", ""), one.get("name", "")
    if does not in DOES:
        yield {"pointer": f"{at}/does", "detail": f"请选“{name}”点了以后做什么。"}
    if does == "view" or does == "miniprogram":
        yield from _url_faults(one.get("url", "").strip(), f"{at}/url", "网址" if does == "view" else "旧版微信打开的网址")
    if does == "miniprogram":
        if not re.fullmatch(r"wx[0-9A-Za-z]{6,30}", one.get("appid", "").strip()):
            yield {"pointer": f"{at}/appid", "detail": "小程序的AppID以wx开头，在小程序后台“开发设置”里。"}
        path = one.get("pagepath", "").strip()
        if not path or weight(path) > URL_BYTES:
            yield {"pointer": f"{at}/pagepath", "detail": f"请写小程序的页面，像 pages/index/index，最多{URL_BYTES}字节。"}
    if does == "key" and not 0 < weight(one.get("key", "").strip()) <= KEY_BYTES:
        yield {"pointer": f"{at}/key", "detail": f"请写另一台服务器认得的key，最多{KEY_BYTES}字节。"}
    if does == "keep" and not _is_kept(one.get("kept", "")):
        yield {"pointer": f"{at}/does", "detail": "这个按钮没法照原样保留，请另选一种。"}
    if does == "say" and (one.get("key") and not re.fullmatch(r"[!-~]{1,128}", one["key"])):
        yield {"pointer": f"{at}/text", "detail": "这个按钮的记号不对，请删掉重写一个。"}
    if does == "say" and (wrong := misplaced(one.get("text", ""))):
        yield {"pointer": f"{at}/text", "detail": wrong}
    if does == "say" and max(size(one.get("text", "")), weight(one.get("text", ""))) > MOST_BYTES:
        used = max(size(one["text"]), weight(one["text"]))
        yield {"pointer": f"{at}/text", "detail": f"太长了：微信一条回复最多{MOST_BYTES}字节，现在是{used}字节。"}


def _url_faults(url: str, at: str, what: str) -> Iterator[dict[str, str]]:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", url)
    except ValueError:
        is_whole = False
    if not is_whole:
        yield {"pointer": at, "detail": f"{what}要写全，以 https:// 开头。"}
    elif weight(url) > URL_BYTES:
        yield {"pointer": at, "detail": f"{what}最多{URL_BYTES}字节，现在是{weight(url)}字节。"}


def _is_kept(text: str) -> bool:
    try:
        button = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (isinstance(button, dict) and button.get("type") in KEPT and set(button) <= set(KEPT_FIELDS)
            and all(isinstance(value, str) and weight(value) <= URL_BYTES for value in button.values()))


def _read(button: Any, found: MenuRead, otherwise: str) -> dict[str, Any] | None:
    called = _called(button, otherwise)
    if not isinstance(button, dict) or not isinstance(button.get("name"), str) or not clean(button["name"]):
        found.lines.append(Line(called, "lost", "没读懂"))
        return None
    name, inner = clean(button["name"]), button.get("sub_button")
    listed = inner.get("list") if isinstance(inner, dict) else inner
    if isinstance(listed, list) and listed:
        read = [_read(one, found, f"{called}的第{k + 1}个") for k, one in enumerate(listed[:MOST_UNDER])]
        sub = [one for one in read if one]
        found.lines += [Line(_called(one, called), "lost", f"下面最多{MOST_UNDER}个按钮") for one in listed[MOST_UNDER:]]
        return item(name=name, sub=sub) if sub else None
    one, line = _read_leaf(button, name, called)
    found.lines.append(line)
    return one


def _read_leaf(button: Mapping[str, Any], name: str, called: str) -> tuple[dict[str, Any] | None, Line]:
    """A button that does something, and what became of it."""
    kind = button.get("type")
    texts = {name: value for name in ("url", "key", "value", "appid", "pagepath") if isinstance(value := button.get(name), str)}
    texts = dict.fromkeys(("url", "key", "value", "appid", "pagepath"), "") | texts
    if kind == "view" and (texts["url"] or texts["value"]):
        return item(name=name, does="view", url=texts["url"] or texts["value"]), Line(called, "kept")
    if kind == "miniprogram" and texts["appid"]:
        return item(name=name, does="miniprogram", **{f: texts[f] for f in ("url", "appid", "pagepath")}), Line(called, "kept")
    if kind == "click" and texts["key"]:
        does = texts["key"] if texts["key"] in OWN_KEYS else "key"
        return item(name=name, does=does, key=texts["key"] if does == "key" else ""), Line(called, "kept")
    if isinstance(kind, str) and kind in KEPT:
        kept = {f: button[f] for f in KEPT_FIELDS if isinstance(button.get(f), str)}
        if len(kept) > 2:
            return item(name=name, does="keep", kept=json.dumps(kept, ensure_ascii=False, sort_keys=True)), Line(called, "kept", KEPT[kind])
    if kind in ("text", "img", "voice", "video", "news", "photo"):
        said, notes = as_text([dict(button) | {"type": "img" if kind == "photo" else kind}])
        text = said[0] if said and size(said[0]) <= MOST_BYTES else ""
        one = item(name=name, does="say", key=_key_of(name, kind, texts["value"], text), text=text)
        if text:
            return one, Line(called, "changed", "；".join(["改由这里来回", *notes]))
        return one, Line(called, "open", "；".join(notes or ["原来的话太长，请改短"]))
    return None, Line(called, "lost", "这种按钮认不出")


def _key_of(*parts: Any) -> str:
    """The same button read twice gets one key."""
    return SAYS + sha256(json.dumps(parts, ensure_ascii=True, default=str).encode()).hexdigest()[:12]


def _called(button: Any, otherwise: str) -> str:
    name = button.get("name") if isinstance(button, dict) else None
    return clean(name)[:40] if isinstance(name, str) and clean(name) else otherwise
