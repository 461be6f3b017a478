"""/_sim/…, second half: what people say and do, how it is delivered, what reaches them."""

from __future__ import annotations

import base64
import binascii
import random
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, request

from simulator import acts, callbacks, crypto, forge
from simulator.control import given, who
from simulator.envelope import Callback
from simulator.people import Line
from simulator.product import fetch
from simulator.settings import APPS
from simulator.wire import product, world

bp = Blueprint("control_talk", __name__, url_prefix="/_sim")


def _app(data: dict[str, Any]) -> str:
    app = str(data.get("app", "account"))
    if app not in APPS or app == "miniprogram" and not world().config.has_miniprogram:
        abort(400, "app is account or miniprogram")
    return app


@bp.post("/send")
def send() -> Any:
    """{"person", "text" | "image_base64" | "kind": voice, video, shortvideo, location, link, anything, "fields": {…}, "app": account,
    "lose_replies": 0, "copies": 1 (that many at the same moment)}: a message, delivered; waits for the reply."""
    data = given()
    person, app = who(data), _app(data)
    how: dict[str, Any] = {"app": app, "lose": int(data.get("lose_replies", 0)), "copies": int(data.get("copies", 1))}
    if how["copies"] > 1:
        del how["lose"]
    if "kind" in data and data["kind"] not in ("text", "image"):
        return acts.send_message(world(), product(), person, str(data["kind"]), data.get("fields"), **how)
    if "text" in data:
        return acts.send_message(world(), product(), person, "text", {"Content": str(data["text"])} | data.get("fields", {}), **how)
    return acts.send_image(world(), product(), person, _image(data), request.host_url, fields=data.get("fields"), **how)


def _image(data: dict[str, Any]) -> bytes:
    if "image" in request.files:
        return request.files["image"].read()
    try:
        return base64.b64decode(data["image_base64"], validate=True)
    except (KeyError, binascii.Error):
        abort(400, "send text, image_base64, kind or a multipart image")


@bp.post("/send-many")
def send_many() -> Any:
    """{"messages": [{"person", "text"}], "order": as-is | reverse | shuffle, "seed": 0, "at_once": 1}: written in the order given,
    delivered in that order or another, so many at the same time."""
    data = given()
    made: list[Callback] = []
    for message in data.get("messages", []):
        person = who(message)
        world().say(person, Line("me", "text", product().now(), str(message["text"])))
        made += acts.prepare(world(), product(), person, [str(message["text"])])
        world().grants.open(world().config.account_appid, made[-1].query["openid"], product().now(), message=True)
    if data.get("order") == "reverse":
        made.reverse()
    elif data.get("order") == "shuffle":
        random.Random(data.get("seed", 0)).shuffle(made)
    return {"deliveries": callbacks.deliver_all(world(), product(), made, int(data.get("at_once", 1)))}


@bp.post("/prepare")
def prepare() -> Any:
    """{"person" or "people": [names], "texts": […], "app": account} → {"callbacks": [{"url", "body", "content_type", "msg_id", "person"}]}:
    encrypted and signed, for a load test to post by itself, in whatever order; nothing is delivered."""
    data = given()
    names = data.get("people") or [data.get("person")]
    texts = [str(text) for text in data.get("texts", [])]
    made = [c for name in names for c in acts.prepare(world(), product(), who({"person": name}), texts, _app(data))]
    return {"callbacks": [{"url": c.url(world().config) + "?" + urlencode(c.query), "body": c.body, "content_type": c.content_type,
                           "msg_id": str(c.msg_id), "person": c.person.id} for c in made]}


@bp.post("/follow")
def follow() -> Any:
    """{"person", "scene"}: follows the account; `scene`: came by a scene QR of it."""
    data = given()
    scene = str(data.get("scene", ""))
    key, ticket = ("qrscene_" + scene, "TICKET_" + scene) if scene else ("", "")
    return acts.send_event(world(), product(), who(data), "subscribe", key, ticket)


@bp.post("/unfollow")
def unfollow() -> Any:
    """{"person"}"""
    return acts.send_event(world(), product(), who(given()), "unsubscribe")


@bp.post("/scan")
def scan() -> Any:
    """{"person", "scene"}: SCAN, by somebody who follows. With "content" instead, what a printed scene QR says: SCAN or subscribe."""
    data = given()
    if "content" in data:
        found = world().press.read(str(data["content"]), product().now(fresh=True))
        if found is None or found.kind != "scene-qr":
            abort(404, "no such scene QR, or it is over")
        return acts.scan_scene(world(), product(), who(data), found.scene, found.ticket)
    return acts.send_event(world(), product(), who(data), "SCAN", str(data.get("scene", "")), "TICKET_" + str(data.get("scene", "")))


@bp.post("/click")
def click() -> Any:
    """{"person", "key"}: a menu entry of type click."""
    data = given()
    return acts.send_event(world(), product(), who(data), "CLICK", str(data.get("key", "")))


@bp.post("/event")
def event() -> Any:
    """{"person", "event", "key", "fields": {…}, "app": account}: any event, known or not (VIEW, LOCATION, subscribe_msg_popup_event, …)."""
    data = given()
    person, name, app = who(data), str(data.get("event", "")), _app(data)
    fields = dict(data.get("fields", {}))
    if name == "LOCATION":
        fields = {"Latitude": 22.521, "Longitude": 114.054, "Precision": 65.0} | fields
    if app == "account" and name not in ("LOCATION", "TEMPLATESENDJOBFINISH"):
        return acts.send_event(world(), product(), person, name, str(data.get("key", "")), **fields)
    return callbacks.push(world(), product(), person, app, name, fields, product().now(fresh=True))


@bp.post("/subscribe")
def subscribe() -> Any:
    """{"person", "template_id", "accept": true, "times": 1}: the sheet of wx.requestSubscribeMessage; {"off": true}: in the settings."""
    data = given()
    person, template_id = who(data), str(data.get("template_id") or world().config.notice_template.partition("|")[0])
    if data.get("off"):
        acts.switch_off_notices(world(), product(), person, template_id)
    else:
        acts.answer_subscribe(world(), product(), person, template_id, bool(data.get("accept", True)), int(data.get("times", 1)))
    return {"credits": person.credits.get(template_id, 0)}


@bp.post("/resend")
def resend() -> Any:
    """{"times": 1, "at_once": 1}: the last callback again, byte for byte; each delivered once."""
    data = given()
    last = world().last_callback or abort(409, "nothing was sent yet")
    times, at_once = int(data.get("times", 1)), int(data.get("at_once", 1))
    if at_once > 1:
        return {"deliveries": callbacks.deliver_all(world(), product(), [last] * times, at_once)}
    return {"deliveries": [callbacks.deliver(world(), product(), last, deliveries=1) for _ in range(times)]}


@bp.post("/forge")
def forged() -> Any:
    """{"person", "text", "how"}: what somebody else might post; → {"status", "body"}."""
    data = given()
    how = str(data.get("how", "unsigned"))
    if how not in forge.HOWS:
        abort(400, "how is one of " + ", ".join(forge.HOWS))
    answer = forge.forge(world(), product(), who(data), str(data.get("text", "投票")), how)
    return {"status": answer.status_code, "body": answer.text[:2000]}


@bp.post("/check-url")
def check_url() -> Any:
    """{"app": account}: what the console does when the server's address is saved: is the echostr answered, and nothing else?"""
    app, at = _app(given()), product().now(fresh=True)
    config, stamp, nonce, echo = world().config, str(int(at.timestamp())), "1514711492", "4375120948345356249"
    query = {"signature": crypto.sign(config.of(app, "token"), stamp, nonce), "timestamp": stamp, "nonce": nonce, "echostr": echo}
    answer = fetch("GET", f"{config.app_url}/wechat/callback/{app}", params=query, timeout=config.callback_timeout_seconds)
    return {"status": answer.status_code, "ok": answer.status_code == 200 and answer.text == echo}


@bp.post("/check-jssdk")
def check_jssdk() -> Any:
    """{"appId", "timestamp", "nonceStr", "signature", "url"}: what wx.config would say of it: ok or invalid signature."""
    data, config = given(), world().config
    ticket, _dies = world().tokens.tickets.get(config.account_appid, ("", None))
    nonce, stamp, url = (str(data.get(name, "")) for name in ("nonceStr", "timestamp", "url"))
    right = crypto.jsapi_signature(ticket, nonce, stamp, url.partition("#")[0])
    return {"ok": bool(ticket) and data.get("appId") == config.account_appid and data.get("signature") == right}


@bp.post("/settle")
def settle() -> Any:
    """Wait for every report that is still to come (verdicts on pictures, how a template went, …); sends those that were held back."""
    return {"settled": world().later.settle()}


@bp.post("/hold")
def hold() -> Any:
    """{"on": true}: reports wait for /settle."""
    world().later.held = bool(given().get("on", True))
    return {"held": world().later.held}


@bp.get("/outbox")
def outbox() -> Any:
    """?person=: what a person received: passive replies, customer messages, cards, WeChat's own sentence of regret; and 服务通知."""
    person = who(request.args)
    return {"messages": [_told(m) for m in list(person.chat) if m.who != "me"], "notices": [_told(m) for m in list(person.notices)]}


def _told(m: Line) -> dict[str, Any]:
    card = {"card": m.card} if m.card else {}
    return {"kind": m.kind, "text": m.text, "media_id": m.media_id, "via": m.via or "wechat", "at": m.at.isoformat()} | card
