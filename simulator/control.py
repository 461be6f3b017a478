"""/_sim/…: the strings behind the stage, JSON in and out, for tests and for the curious."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Any

from flask import Blueprint, abort, request
from werkzeug.exceptions import HTTPException

from simulator import callbacks
from simulator.product import say_time
from simulator.state import Person
from simulator.wire import product, world

bp = Blueprint("control", __name__, url_prefix="/_sim")


@bp.errorhandler(HTTPException)
def _explain(error: HTTPException) -> Any:
    return {"error": error.description}, error.code


def given() -> dict[str, Any]:
    """The JSON object, or the form of a multipart request."""
    data = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(data, dict):
        abort(400, "send a JSON object")
    return data


def who(data: Any) -> Person:
    return world().person(str(data.get("person", ""))) or abort(404, "no such person")


def tell(person: Person) -> dict[str, Any]:
    return {k: v for k, v in asdict(person).items() if k not in ("chat", "album")}


@bp.get("/people")
def people() -> Any:
    return {"people": [tell(p) for p in world().people.values()]}


@bp.post("/people")
def add_person() -> Any:
    data = given()
    made = world().add_person(str(data.get("name", "新朋友")), str(data.get("about", "")), follows=bool(data.get("follows", True)),
                              snapshot=bool(data.get("snapshot", False)), bound=bool(data.get("bound", True)))
    return tell(made), 201


@bp.post("/login-code")
def login_code() -> Any:
    return {"code": world().make_code("login", who(given()), product().now())}


@bp.post("/oauth-code")
def oauth_code() -> Any:
    data = given()
    return {"code": world().make_code("oauth", who(data), product().now(), str(data.get("scope", "snsapi_base")))}


@bp.post("/send")
def send() -> Any:
    """A text or an image from a person to the account; waits for the reply."""
    data = given()
    person, lose = who(data), int(data.get("lose_replies", 0))
    if "text" in data:
        return callbacks.send_text(world(), product(), person, str(data["text"]), lose=lose)
    return callbacks.send_image(world(), product(), person, _image(data), request.host_url, lose=lose)


def _image(data: dict[str, Any]) -> bytes:
    if "image" in request.files:
        return request.files["image"].read()
    try:
        return base64.b64decode(data["image_base64"], validate=True)
    except (KeyError, binascii.Error):
        abort(400, "send text, image_base64 or a multipart image")


@bp.post("/follow")
def follow() -> Any:
    """`scene`: came by a scene QR of the account."""
    data = given()
    scene = str(data.get("scene", ""))
    key, ticket = ("qrscene_" + scene, "TICKET_" + scene) if scene else ("", "")
    return callbacks.send_event(world(), product(), who(data), "subscribe", key, ticket)


@bp.post("/unfollow")
def unfollow() -> Any:
    return callbacks.send_event(world(), product(), who(given()), "unsubscribe")


@bp.post("/scan")
def scan() -> Any:
    data = given()
    return callbacks.send_event(world(), product(), who(data), "SCAN", str(data.get("scene", "")), "TICKET_" + str(data.get("scene", "")))


@bp.post("/click")
def click() -> Any:
    data = given()
    return callbacks.send_event(world(), product(), who(data), "CLICK", str(data.get("key", "")))


@bp.post("/resend")
def resend() -> Any:
    """The last callback again, byte for byte, `times` times; each delivered once."""
    last = world().last_callback or abort(409, "nothing was sent yet")
    times = int(given().get("times", 1))
    return {"deliveries": [callbacks.deliver(world(), product(), last, deliveries=1) for _ in range(times)]}


@bp.post("/forge")
def forge() -> Any:
    data = given()
    answer = callbacks.forge(world(), product(), who(data), str(data.get("text", "投票")), str(data.get("how", "unsigned")))
    return {"status": answer.status_code, "body": answer.text[:2000]}


@bp.get("/outbox")
def outbox() -> Any:
    """What a person received: passive replies, customer messages and WeChat's own sentence of regret."""
    received = [line for line in who(request.args).chat if line.who != "me"]
    return {"messages": [{"kind": m.kind, "text": m.text, "media_id": m.media_id, "via": m.via or "wechat", "at": m.at.isoformat()}
                         for m in received]}


@bp.get("/callbacks")
def deliveries() -> Any:
    return {"callbacks": list(world().callbacks)}


@bp.get("/requests")
def requests_seen() -> Any:
    return {"requests": list(world().requests)}


@bp.post("/fail-next")
def fail_next() -> Any:
    """{"path", "times": 1, and one of "errcode": 45009, "http": 502, "hang": seconds}"""
    data = given()
    if "path" not in data or not {"errcode", "http", "hang"} & data.keys():
        abort(400, "needs path and errcode, http or hang")
    world().failures.append({"times": 1} | data)
    return {"ok": True}


@bp.post("/expire-tokens")
def expire_tokens() -> Any:
    return {"expired": world().expire_tokens(product().now(), int(given().get("errcode", 42001)))}


@bp.get("/now")
def now() -> Any:
    at = product().now(fresh=True)
    return {"now": at.isoformat(), "said": say_time(at), "from_product": product().look().there}


@bp.post("/config")
def configure() -> Any:
    """Change settings while it runs, such as app_url once the product's port is known."""
    try:
        world().config = world().config.changed(given())
    except TypeError as e:
        abort(400, str(e))
    product().point_at(world().config.app_url)
    return {"app_url": world().config.app_url}


@bp.post("/reset")
def reset() -> Any:
    world().reset()
    return {"ok": True}
