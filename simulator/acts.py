"""What people do in WeChat, and what the product hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator import callbacks
from simulator.envelope import Callback, make
from simulator.people import Line, Person
from simulator.product import Product
from simulator.state import State

ACTIONS = {"subscribe", "SCAN", "CLICK"}   # they open the account's minute for messages
SAID = {"image": "", "voice": "［语音］", "video": "［视频］", "shortvideo": "［视频］", "location": "［位置］", "link": "［链接］"}
VOICE = b"#!AMR\n" + bytes(64)
VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(128)


def send_text(state: State, product: Product, person: Person, text: str, **how: Any) -> dict[str, Any]:
    return send_message(state, product, person, "text", {"Content": text}, **how)


def send_image(state: State, product: Product, person: Person, data: bytes, base_url: str, *, app: str = "account",
               fields: Mapping[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    """An image message; its media can be fetched for three days, its PicUrl without a token."""
    media_id = state.media.keep(data, product.now(fresh=True), state.config.of(app, "appid"))
    given = {"PicUrl": f"{base_url.rstrip('/')}/mmbiz/{media_id}/0", "MediaId": media_id} | dict(fields or {})
    return send_message(state, product, person, "image", given, app=app, **how) | {"media_id": media_id}


def send_message(state: State, product: Product, person: Person, kind: str, fields: Mapping[str, Any] | None = None, *,
                 app: str = "account", **how: Any) -> dict[str, Any]:
    """Any message; what its kind needs is added where it is not given. It opens the 48 hours of customer messages."""
    at = product.now(fresh=True)
    given = _usual(state, kind, app, at) | dict(fields or {})
    if app == "account":
        state.say(person, Line("me", kind, at, str(given.get("Content", SAID.get(kind, f"［{kind}］"))), given.get("MediaId", "")))
    state.grants.open(state.config.of(app, "appid"), person.openids[state.config.of(app, "appid")], at, message=True)
    return callbacks.send(state, product, make(state.config, person, kind, at, given, state.next_msg_id(), app), **how)


def _usual(state: State, kind: str, app: str, at: Any) -> dict[str, Any]:
    appid = state.config.of(app, "appid")
    if kind == "voice":
        return {"MediaId": state.media.keep(VOICE, at, appid, "voice"), "Format": "amr"}
    if kind in ("video", "shortvideo"):
        return {"MediaId": state.media.keep(VIDEO, at, appid, "video"), "ThumbMediaId": state.media.keep(b"\xff\xd8\xff thumb", at, appid)}
    if kind == "location":
        return {"Location_X": 22.5215, "Location_Y": 114.0545, "Scale": 16, "Label": "深圳市福田区"}
    if kind == "link":
        return {"Title": "家门口的文化馆", "Description": "请您打个分", "Url": state.config.app_url + "/"}
    return {}


def send_event(state: State, product: Product, person: Person, event: str, key: str = "", ticket: str = "",
               **fields: Any) -> dict[str, Any]:
    """subscribe, unsubscribe, SCAN, CLICK, VIEW, LOCATION or whatever else; events carry no MsgId."""
    at = product.now(fresh=True)
    appid = state.config.account_appid
    if event in ("subscribe", "unsubscribe"):
        person.follows, person.followed_at = event == "subscribe", int(at.timestamp())
    if event == "unsubscribe":
        state.grants.close(appid, person.openids[appid])
    elif event in ACTIONS:
        state.grants.open(appid, person.openids[appid], at, message=False)
    more = {"Ticket": ticket} if ticket else {}
    return callbacks.push(state, product, person, "account", event, {"EventKey": key} | more | fields, at)


def scan_scene(state: State, product: Product, person: Person, scene: str, ticket: str) -> dict[str, Any]:
    """A scene QR of the account: who does not follow yet does so by it."""
    if person.follows:
        return send_event(state, product, person, "SCAN", scene, ticket)
    return send_event(state, product, person, "subscribe", "qrscene_" + scene, ticket)


def answer_subscribe(state: State, product: Product, person: Person, template_id: str, accepts: bool, times: int = 1) -> None:
    """The sheet of wx.requestSubscribeMessage: each 允许 is good for one message. The mini program's push hears of it."""
    if accepts:
        person.credits[template_id] = person.credits.get(template_id, 0) + times
        person.refuses.discard(template_id)
    _tell_choice(state, product, person, "subscribe_msg_popup_event", template_id, accepts, {"PopupScene": "0"})


def switch_off_notices(state: State, product: Product, person: Person, template_id: str) -> None:
    """In WeChat's own settings: what was accepted is void."""
    person.credits.pop(template_id, None)
    person.refuses.add(template_id)
    _tell_choice(state, product, person, "subscribe_msg_change_event", template_id, False, {})


def _tell_choice(state: State, product: Product, person: Person, event: str, template_id: str, accepts: bool, more: dict[str, Any]) -> None:
    item = {"TemplateId": template_id, "SubscribeStatusString": "accept" if accepts else "reject"} | more
    callbacks.report(state, product, person, "miniprogram", event, listed(state, event, item))


def listed(state: State, event: str, item: dict[str, Any]) -> dict[str, Any]:
    """How a list stands in these events: in JSON as List, in XML below an element named like the event."""
    if state.config.miniprogram_format == "json":
        return {"List": [item]}
    return {"".join(part.capitalize() for part in event.split("_")): {"List": item}}


def prepare(state: State, product: Product, person: Person, texts: list[str], app: str = "account") -> list[Callback]:
    """Messages written, encrypted and signed for somebody else to post: nothing is delivered, no chat shows them."""
    at = product.now(fresh=True)
    return [make(state.config, person, "text", at, {"Content": text}, state.next_msg_id(), app) for text in texts]
