"""Messages and events to the product, as WeChat sends them: encrypted, signed, up to three times, the reply checked."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import requests

from simulator import crypto
from simulator.product import Product, fetch
from simulator.settings import Config
from simulator.state import Line, Person, State

DELIVERIES = 3
FAULT = "该公众号提供的服务出现故障，请稍后再试"
REPLY_TYPES = {"text", "image", "voice", "video", "music", "news", "transfer_customer_service"}
TEXT_BYTES = 2048


class BadReply(Exception):
    """Why a reply is not one WeChat takes."""


@dataclass(frozen=True)
class Callback:
    """One POST, made once and delivered as often as needed with the same bytes."""

    person: Person
    kind: str                # text, image, or the event's name
    msg_id: int | None
    query: dict[str, str]
    body: str


def xml(fields: dict[str, str | int]) -> str:
    """<xml> with numbers bare and texts in CDATA; "]]>" inside a text is split over two sections."""
    def value(v: str | int) -> str:
        return str(v) if isinstance(v, int) else "<![CDATA[" + v.replace("]]>", "]]]]><![CDATA[>") + "]]>"
    return "<xml>" + "".join(f"<{k}>{value(v)}</{k}>" for k, v in fields.items()) + "</xml>"


def make(config: Config, person: Person, kind: str, at: datetime, fields: dict[str, str | int], msg_id: int | None = None) -> Callback:
    """Encrypt and sign one message; `fields` go between MsgType and MsgId."""
    openid, stamp, nonce = person.openids[config.account_appid], str(int(at.timestamp())), str(secrets.randbelow(9 * 10**8) + 10**8)
    message: dict[str, str | int] = {"ToUserName": config.account_original_id, "FromUserName": openid, "CreateTime": int(stamp)}
    message |= {"MsgType": kind if msg_id else "event"} | fields | ({"MsgId": msg_id} if msg_id else {})
    sealed = crypto.encrypt(xml(message), config.account_aes_key, config.account_appid)
    query = {"signature": crypto.sign(config.account_token, stamp, nonce), "timestamp": stamp, "nonce": nonce, "openid": openid,
             "encrypt_type": "aes", "msg_signature": crypto.sign(config.account_token, stamp, nonce, sealed)}
    return Callback(person, kind, msg_id, query, xml({"ToUserName": config.account_original_id, "Encrypt": sealed}))


def deliver(state: State, product: Product, callback: Callback, deliveries: int = DELIVERIES, lose: int = 0) -> dict[str, Any]:
    """Post it until a reply is taken; the passive reply, or WeChat's sentence of regret, goes to the person's chat.

    `lose` replies are thrown away as if they never came. Returns the log entry of the last delivery.
    """
    entry: dict[str, Any] = {}
    for n in range(1, deliveries + 1):
        entry, reply = _deliver_once(state, callback, n)
        if n <= lose:
            entry["outcome"] = "lost"
        with state.lock:
            state.callbacks.append(entry)
        if entry["outcome"] == "ok":
            if reply is not None:
                state.say(callback.person, reply_line(reply, product.now()))
            return entry
        if entry["outcome"].startswith("invalid") and not state.config.retry_invalid_replies:
            break
    state.say(callback.person, Line("note", "text", product.now(), FAULT))
    return entry


def _deliver_once(state: State, callback: Callback, n: int) -> tuple[dict[str, Any], dict[str, str] | None]:
    started, reply, status, outcome = time.monotonic(), None, None, "ok"
    try:
        answer = fetch("POST", state.config.app_url + "/wechat/callback/account", params=callback.query,
                       data=callback.body.encode(), headers={"Content-Type": "text/xml"}, timeout=state.config.callback_timeout_seconds)
        status = answer.status_code
        reply = open_reply(state.config, callback, answer.text) if status == 200 else None
        outcome = "ok" if status == 200 else f"http {status}"
    except requests.Timeout:
        outcome = "timeout"
    except requests.RequestException:
        outcome = "unreachable"
    except BadReply as e:
        outcome = f"invalid: {e}"
    entry = {"delivery": n, "person": callback.person.id, "kind": callback.kind, "msg_id": str(callback.msg_id or ""), "status": status,
             "took_ms": round((time.monotonic() - started) * 1000), "outcome": outcome, "reply": (reply or {}).get("Content", "")}
    return entry, reply


def open_reply(config: Config, callback: Callback, body: str) -> dict[str, str] | None:
    """None for an empty reply or `success`; else the fields of the decrypted reply. Raises BadReply."""
    if body.strip() in ("", "success"):
        return None
    outer = _leaves(body)
    if missing := {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"} - outer.keys():
        raise BadReply("not encrypted, without " + ", ".join(sorted(missing)))
    if crypto.sign(config.account_token, outer["TimeStamp"], outer["Nonce"], outer["Encrypt"]) != outer["MsgSignature"]:
        raise BadReply("wrong MsgSignature")
    try:
        inner = _leaves(crypto.decrypt(outer["Encrypt"], config.account_aes_key, config.account_appid))
    except ValueError as e:
        raise BadReply(f"cannot be decrypted: {e}") from e
    _check(inner, callback.query["openid"], config.account_original_id)
    return inner


def _check(reply: dict[str, str], openid: str, original_id: str) -> None:
    if (reply.get("ToUserName"), reply.get("FromUserName")) != (openid, original_id):
        raise BadReply("From and To are not swapped")
    if not reply.get("CreateTime", "").isdigit():
        raise BadReply("CreateTime is no number")
    if reply.get("MsgType") not in REPLY_TYPES:
        raise BadReply("unknown MsgType")
    if reply["MsgType"] == "text" and not 0 < len(reply.get("Content", "").encode()) <= TEXT_BYTES:
        raise BadReply("Content is empty or longer than 2048 bytes")
    if reply["MsgType"] == "image" and not reply.get("MediaId"):
        raise BadReply("an image without MediaId")


def _leaves(text: str) -> dict[str, str]:
    """{name: text} of every leaf below <xml>."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as e:
        raise BadReply("no XML") from e
    if root.tag != "xml":
        raise BadReply("root is not <xml>")
    return {e.tag: e.text or "" for e in root.iter() if not len(e)}


def reply_line(reply: dict[str, str], at: datetime) -> Line:
    return Line("it", "image" if reply["MsgType"] == "image" else "text", at, reply.get("Content", ""), reply.get("MediaId", ""), "passive")


# what people do
def send_text(state: State, product: Product, person: Person, text: str, **how: Any) -> dict[str, Any]:
    at = product.now(fresh=True)
    state.say(person, Line("me", "text", at, text))
    return _send(state, product, make(state.config, person, "text", at, {"Content": text}, state.next_msg_id()), **how)


def send_image(state: State, product: Product, person: Person, data: bytes, base_url: str, **how: Any) -> dict[str, Any]:
    """An image message; its media can be fetched for three days, its PicUrl without a token."""
    at = product.now(fresh=True)
    media_id = state.keep_media(data, at)
    state.say(person, Line("me", "image", at, media_id=media_id))
    fields: dict[str, str | int] = {"PicUrl": f"{base_url.rstrip('/')}/mmbiz/{media_id}/0", "MediaId": media_id}
    entry = _send(state, product, make(state.config, person, "image", at, fields, state.next_msg_id()), **how)
    return entry | {"media_id": media_id}


def send_event(state: State, product: Product, person: Person, event: str, key: str = "", ticket: str = "") -> dict[str, Any]:
    """subscribe, unsubscribe, SCAN, CLICK or VIEW; events carry no MsgId."""
    at = product.now(fresh=True)
    fields: dict[str, str | int] = {"Event": event, "EventKey": key}
    if ticket:
        fields["Ticket"] = ticket
    if event in ("subscribe", "unsubscribe"):
        person.follows = event == "subscribe"
    return _send(state, product, make(state.config, person, event, at, fields))


def _send(state: State, product: Product, callback: Callback, **how: Any) -> dict[str, Any]:
    with state.lock:
        state.last_callback = callback
    return deliver(state, product, callback, **how)


def forge(state: State, product: Product, person: Person, text: str, how: str) -> requests.Response:
    """What somebody else might post: "unsigned", "wrong-signature", "wrong-token", "wrong-key", "plain" (clear XML) or
    "old" (rightly signed, an hour late)."""
    config, at = state.config, product.now(fresh=True)
    if how == "wrong-token":
        config = config.changed({"account_token": "somebodyelse"})
    if how == "wrong-key":
        config = config.changed({"account_aes_key": config.account_aes_key[::-1]})
    made = make(config, person, "text", at - timedelta(hours=1) if how == "old" else at,
                {"Content": text}, state.next_msg_id())
    query, body = dict(made.query), made.body
    if how == "unsigned":
        query = {"openid": query["openid"]}
    elif how == "wrong-signature":
        query["msg_signature"] = "0" * 40
    elif how == "plain":
        del query["msg_signature"], query["encrypt_type"]
        body = f"<xml><ToUserName>{config.account_original_id}</ToUserName><FromUserName>{query['openid']}</FromUserName>" \
               f"<CreateTime>{query['timestamp']}</CreateTime><MsgType>text</MsgType><Content>{escape(text)}</Content>" \
               f"<MsgId>{made.msg_id}</MsgId></xml>"
    return fetch("POST", config.app_url + "/wechat/callback/account", params=query, data=body.encode(),
                 headers={"Content-Type": "text/xml"}, timeout=config.callback_timeout_seconds)
