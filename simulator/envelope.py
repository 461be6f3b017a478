"""Messages as WeChat writes and seals them, and replies as it reads them. XML for the account; XML or JSON for the mini program."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from simulator import crypto
from simulator.people import Person
from simulator.settings import Config

REPLY_TYPES = {"text", "image", "voice", "video", "music", "news", "transfer_customer_service"}
NEEDS_MEDIA = {"image", "voice", "video"}
TEXT_BYTES = 2048
ACCEPTED = ("", "success")


class BadReply(Exception):
    """Why a reply is not one WeChat takes."""


@dataclass(frozen=True)
class Callback:
    """One POST, made once and delivered as often as needed with the same bytes."""

    person: Person
    kind: str                # text, image, …, or the event's name
    msg_id: int | None
    query: dict[str, str]
    body: str
    app: str = "account"
    content_type: str = "text/xml"

    def url(self, config: Config) -> str:
        return f"{config.app_url}/wechat/callback/{self.app}"


def xml(fields: Mapping[str, Any]) -> str:
    """<xml> with numbers bare and texts in CDATA; "]]>" inside a text is split over two sections. Lists repeat their element."""
    return "<xml>" + _inside(fields) + "</xml>"


def _inside(fields: Mapping[str, Any]) -> str:
    return "".join(f"<{k}>{_value(one)}</{k}>" for k, v in fields.items() for one in (v if isinstance(v, list) else [v]))


def _value(v: Any) -> str:
    if isinstance(v, Mapping):
        return _inside(v)
    return str(v) if isinstance(v, int | float) else "<![CDATA[" + v.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def make(config: Config, person: Person, kind: str, at: datetime, fields: Mapping[str, Any], msg_id: int | None = None,
         app: str = "account") -> Callback:
    """Write, encrypt and sign one message; `fields` go between MsgType and MsgId. Without msg_id it is an event."""
    openid, stamp = person.openids[config.of(app, "appid")], str(int(at.timestamp()))
    message: dict[str, Any] = {"ToUserName": config.of(app, "original_id"), "FromUserName": openid, "CreateTime": int(stamp)}
    message |= {"MsgType": kind if msg_id else "event"} | dict(fields) | ({"MsgId": msg_id} if msg_id else {})
    return seal(config, person, kind, msg_id, write(config, message, app), stamp, app)


def write(config: Config, message: Mapping[str, Any], app: str) -> str:
    if app == "miniprogram" and config.miniprogram_format == "json":
        return json.dumps(message, ensure_ascii=False)
    return xml(message)


def seal(config: Config, person: Person, kind: str, msg_id: int | None, text: str, stamp: str, app: str = "account") -> Callback:
    """`text` in the mode of the app: encrypted, in clear, or both in one body."""
    mode, token, appid = config.of(app, "mode"), config.of(app, "token"), config.of(app, "appid")
    is_json, nonce = text.startswith("{"), _nonce()
    query = {"signature": crypto.sign(token, stamp, nonce), "timestamp": stamp, "nonce": nonce, "openid": person.openids[appid]}
    content_type = "application/json" if is_json else "text/xml"
    if mode == "plain":
        return Callback(person, kind, msg_id, query, text, app, content_type)
    sealed = crypto.encrypt(text, config.of(app, "aes_key"), appid)
    query |= {"encrypt_type": "aes", "msg_signature": crypto.sign(token, stamp, nonce, sealed)}
    outer: dict[str, Any] = {"ToUserName": config.of(app, "original_id"), "Encrypt": sealed}
    if mode == "mixed" and is_json:
        outer = json.loads(text) | outer
    body = json.dumps(outer, ensure_ascii=False) if is_json else xml(outer)
    if mode == "mixed" and not is_json:
        body = text.removesuffix("</xml>") + xml(outer).removeprefix("<xml>")
    return Callback(person, kind, msg_id, query, body, app, content_type)


def with_fresh_nonce(config: Config, callback: Callback) -> Callback:
    """The same body signed anew, with another nonce."""
    token, stamp, nonce = config.of(callback.app, "token"), callback.query["timestamp"], _nonce()
    query = callback.query | {"nonce": nonce, "signature": crypto.sign(token, stamp, nonce)}
    if "msg_signature" in query:
        query["msg_signature"] = crypto.sign(token, stamp, nonce, encrypted_part(callback.body))
    return replace(callback, query=query)


def encrypted_part(body: str) -> str:
    return json.loads(body)["Encrypt"] if body.startswith("{") else ElementTree.fromstring(body).findtext("Encrypt") or ""


def _nonce() -> str:
    return str(secrets.randbelow(9 * 10**8) + 10**8)


def open_reply(config: Config, callback: Callback, body: str) -> dict[str, str] | None:
    """None for an empty reply or `success`; else the fields of the decrypted reply. Raises BadReply.

    In secure mode only an encrypted one is taken; in mixed mode either.
    """
    if body.strip() in ACCEPTED:
        return None
    if callback.app != "account":
        raise BadReply("a mini program answers with success only")
    inner = outer = _leaves(body)
    if config.account_mode == "secure" or config.account_mode == "mixed" and "Encrypt" in outer:
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
    kind = reply.get("MsgType")
    if (reply.get("ToUserName"), reply.get("FromUserName")) != (openid, original_id):
        raise BadReply("From and To are not swapped")
    if not reply.get("CreateTime", "").isdigit():
        raise BadReply("CreateTime is no number")
    if kind not in REPLY_TYPES:
        raise BadReply("unknown MsgType")
    if kind == "text" and not 0 < len(reply.get("Content", "").encode()) <= TEXT_BYTES:
        raise BadReply("Content is empty or longer than 2048 bytes")
    if kind in NEEDS_MEDIA and not reply.get("MediaId"):
        raise BadReply(f"{kind} without MediaId")
    if kind == "news" and (reply.get("ArticleCount") != "1" or not (reply.get("Title") and reply.get("Url"))):
        raise BadReply("news has one article with title and url")


def _leaves(text: str) -> dict[str, str]:
    """{name: text} of every leaf below <xml>."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as e:
        raise BadReply("no XML") from e
    if root.tag != "xml":
        raise BadReply("root is not <xml>")
    return {e.tag: e.text or "" for e in root.iter() if not len(e)}
