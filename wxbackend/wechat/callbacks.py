"""What WeChat posts to us: encrypted mode only.

In plaintext mode the signature covers token, timestamp and nonce but not the body, so that one leaked URL lets
anybody write as any openid for ever. In encrypted mode `msg_signature` covers the ciphertext, and the appid is
inside it. Of a mixed body (兼容模式) only the encrypted part is read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
import xmltodict
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import TextReply, TransferCustomerServiceReply

from wxbackend.keys import is_own_nonce
from wxbackend.problems import Problem
from wxbackend.wechat.wording import NOT_XML, plain

log = structlog.get_logger()

WINDOW = timedelta(minutes=10)   # WeChat repeats a delivery for seconds; the rest is drift of clocks
MOST_BYTES = 65_536
REPLY_BYTES = 2048
ADVICE = "请在公众平台「设置与开发→基本配置→服务器配置」把「消息加解密方式」改为「安全模式」"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")           # openids and gh_… names
ECHO = re.compile(r"[A-Za-z0-9_-]{1,128}")
ACCEPTED = "success"
ENCRYPT = re.compile(r"<Encrypt>\s*(?:<!\[CDATA\[)?\s*([A-Za-z0-9+/=]+)\s*(?:\]\]>)?\s*</Encrypt>")
MESSAGES = frozenset({"text", "image", "voice", "video", "shortvideo", "location", "link", "file", "miniprogrampage"})
EVENTS = frozenset({
    "subscribe", "unsubscribe", "scan", "click", "view", "view_miniprogram", "location", "location_select", "scancode_push",
    "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "templatesendjobfinish", "masssendjobfinish",
    "publishjobfinish", "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event", "wxa_media_check",
    "user_enter_tempsession", "kf_create_session", "kf_close_session", "kf_switch_session"})
ENVELOPE = frozenset({
    "ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey", "Content", "MediaId", "MsgId", "PicUrl"})
LISTS = ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent")   # around List in XML, absent in JSON


class CallbackRefused(Problem):
    """Not from WeChat, not for us, too old, or not readable; the log has the reason, the answer has not."""

    status, type, title = 403, "callback-refused", "这个地址只接收微信发来的消息。"


class Unacceptable(Exception):
    """Why a callback is refused, in our own words (inside this file)."""


@dataclass(frozen=True)
class Door:
    """One app's side of message push: its name in our URL, its appid, token and EncodingAESKey."""

    app: str
    appid: str
    token: str = field(repr=False)
    aes_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.token:
            raise ValueError("an empty token lets anybody sign as WeChat")


@dataclass(frozen=True)
class Message:
    """A message or event as WeChat sent it, with its fields made regular.

    kind: "text", "image", "event", …; event: lower case, "" for messages; event_key: without `qrscene_`.
    content and media_id: "" where there is none. msg_id: digits, "" for events. create_time: aware UTC.
    dedupe_key: 64 hex characters, equal for every delivery of the same message and for no other.
    pic_url: a picture's address that asks for no token. is_known: False for a kind or event that Tencent added since.
    facts: all other fields as sent (Status, MsgID, trace_id, result, Ticket, Latitude …); in subscribe_msg_… events `List` is always a list
    of objects, also where WeChat sends one object.
    """

    app: str
    appid: str
    openid: str = field(repr=False)
    to: str
    kind: str
    event: str
    event_key: str = field(repr=False)
    content: str = field(repr=False)
    media_id: str = field(repr=False)
    msg_id: str
    create_time: datetime
    dedupe_key: str
    pic_url: str = field(default="", repr=False)
    is_known: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


def open_callback(door: Door, args: Mapping[str, str], body: bytes, at: datetime) -> Message:
    """The message in a POST of WeChat. Raises CallbackRefused for everything else, whatever it is."""
    try:
        timestamp, nonce = args.get("timestamp", ""), args.get("nonce", "")
        _check_fresh(timestamp, at)
        encrypt = _encrypted_part(door, args, body)
        _check_signature(args.get("msg_signature", ""), door.token, timestamp, nonce, encrypt)
        crypto = WeChatCrypto(door.token, door.aes_key, door.appid)
        text = crypto.decrypt_message({"Encrypt": encrypt}, args["msg_signature"], timestamp, nonce)   # checks the appid too
        return _message(door, _fields(door, text))
    except Unacceptable as e:
        reason = str(e)
    except Exception as e:   # wechatpy, expat and json raise ten kinds of errors on what strangers send
        reason = type(e).__name__
    log.warning("callback refused", app=door.app, reason=reason)
    raise CallbackRefused


def check_echo(door: Door, args: Mapping[str, str], at: datetime) -> str:
    """The echostr to answer as plain text when the console saves the server's address. Raises CallbackRefused."""
    try:
        timestamp, nonce, echo = (args.get(name, "") for name in ("timestamp", "nonce", "echostr"))
        _check_fresh(timestamp, at)
        _check_signature(args.get("signature", ""), door.token, timestamp, nonce)
        if not ECHO.fullmatch(echo):   # the signature does not cover it
            raise Unacceptable("echostr")
        return echo
    except (Unacceptable, ValueError) as e:
        log.warning("callback check refused", app=door.app, reason=str(e) if isinstance(e, Unacceptable) else type(e).__name__)
    raise CallbackRefused


def seal_reply(door: Door, message: Message, text: str | None, at: datetime) -> str:
    """The body to answer with: `text` encrypted for the sender, or "success" when there is nothing to say.

    A mini program takes no text here; what is to be said there goes out as a customer message.
    """
    if not text or door.app != "account":
        return ACCEPTED
    content = _cut(NOT_XML.sub("", text)).replace("]]>", "]]]]><![CDATA[>")
    seconds = int(at.timestamp())
    return sealed(door, TextReply(source=message.to, target=message.openid, content=content, time=seconds).render(), str(seconds))


def seal_transfer(door: Door, message: Message, at: datetime) -> str:
    """The body that hands the sender's chat on to the staff at WeChat's own desk; a mini program's is only acknowledged."""
    if door.app != "account":
        return ACCEPTED
    seconds = int(at.timestamp())
    return sealed(door, TransferCustomerServiceReply(source=message.to, target=message.openid, time=seconds).render(), str(seconds))


def sealed(door: Door, text: str, timestamp: str, nonce: str = "") -> str:
    """`text` encrypted and signed, as XML. `nonce`: empty for a random one."""
    return WeChatCrypto(door.token, door.aes_key, door.appid).encrypt_message(text, nonce or secrets.token_hex(8), timestamp)


def signature(*parts: str) -> str:
    """sha1 over the sorted parts, 40 hex characters."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def _encrypted_part(door: Door, args: Mapping[str, str], body: bytes) -> str:
    if len(body) > MOST_BYTES:
        raise Unacceptable("too long")
    if not args.get("msg_signature"):
        # Only for WeChat's own, which knows the token: strangers shall not fill the log with advice.
        _check_signature(args.get("signature", ""), door.token, args.get("timestamp", ""), args.get("nonce", ""))
        if is_own_nonce(args.get("nonce", "")):
            raise Unacceptable("the doctor's own try of plaintext mode: refused as it should be")
        log.error("callback in plaintext mode", app=door.app, advice=ADVICE)
        raise Unacceptable("plaintext")
    text = body.decode("utf-8").strip()
    if text.startswith("{"):
        encrypt = json.loads(text).get("Encrypt")
    else:   # no parser for what nobody has signed yet: 60 kB of empty elements keep one busy for a tenth of a second
        found = ENCRYPT.findall(text)
        encrypt = found[0] if len(found) == 1 and text.startswith("<xml>") else None
    if not isinstance(encrypt, str):
        raise Unacceptable("nothing encrypted")
    return encrypt


def _check_fresh(timestamp: str, at: datetime) -> None:
    if not re.fullmatch(r"[0-9]{1,11}", timestamp):
        raise Unacceptable("timestamp")
    if abs(datetime.fromtimestamp(int(timestamp), UTC) - at) > WINDOW:
        raise Unacceptable("stale timestamp")


def _check_signature(given: str, *parts: str) -> None:
    if not hmac.compare_digest(signature(*parts).encode(), given.encode("utf-8", "replace")):
        raise Unacceptable("signature")


def _fields(door: Door, text: str) -> dict[str, Any]:
    is_json = text.lstrip().startswith("{") and door.app == "miniprogram"   # the console offers JSON to mini programs
    fields = json.loads(text) if is_json else xmltodict.parse(text)["xml"]
    if not isinstance(fields, dict):
        raise Unacceptable("fields")
    return fields


def _message(door: Door, fields: dict[str, Any]) -> Message:
    openid, to = _text(fields, "FromUserName"), _text(fields, "ToUserName")
    if not NAME.fullmatch(openid) or not NAME.fullmatch(to):
        raise Unacceptable("sender or receiver")
    kind = _text(fields, "MsgType").lower()
    event = _text(fields, "Event").lower() if kind == "event" else ""
    if not NAME.fullmatch(kind) or (kind == "event" and not NAME.fullmatch(event)):
        raise Unacceptable("kind")
    msg_id = _digits(fields, "MsgId") if kind != "event" else ""
    seconds = _digits(fields, "CreateTime")
    facts = _facts(fields, event)
    return Message(
        app=door.app, appid=door.appid, openid=openid, to=to, kind=kind, msg_id=msg_id, event=event,
        event_key=_text(fields, "EventKey").removeprefix("qrscene_"), content=_text(fields, "Content"), media_id=_text(fields, "MediaId"),
        create_time=datetime.fromtimestamp(int(seconds), UTC),
        dedupe_key=_dedupe_key(door.appid, msg_id, openid, seconds, event, fields, facts),
        pic_url=_text(fields, "PicUrl"), is_known=event in EVENTS if kind == "event" else kind in MESSAGES, facts=facts)


def _facts(fields: dict[str, Any], event: str) -> dict[str, Any]:
    facts = {str(name): plain(value) for name, value in fields.items() if name not in ENVELOPE}
    if event.startswith("subscribe_msg_"):
        around = next((facts.pop(name) for name in LISTS if isinstance(facts.get(name), dict)), facts)
        listed = around.get("List")
        facts["List"] = [one for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, dict)]
    return facts


def _dedupe_key(appid: str, msg_id: str, openid: str, seconds: str, event: str, fields: dict[str, Any], facts: dict[str, Any]) -> str:
    """WeChat's rule: MsgId, or for events sender, instant and event; reports of sending add what they report on."""
    parts = [appid, "message", msg_id] if msg_id else [
        appid, "event", openid, seconds, event, *(_text(fields, name) for name in ("EventKey", "MsgID", "trace_id")), facts.get("List")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _digits(fields: dict[str, Any], name: str) -> str:
    text = _text(fields, name)
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise Unacceptable(name)
    return text


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    text = str(value) if isinstance(value, str | int) else ""
    if value is not None and not isinstance(value, str | int) or len(text) > MOST_BYTES:
        raise Unacceptable(name)
    text.encode("utf-8")   # half a surrogate pair, possible in JSON, no database keeps
    return text.replace("\x00", "")


def _cut(text: str) -> str:
    """At most 2048 bytes of UTF-8: an over-long reply shows as a fault of the account."""
    raw = text.encode("utf-8", "ignore")
    return raw.decode() if len(raw) <= REPLY_BYTES else raw[:REPLY_BYTES - 3].decode("utf-8", "ignore") + "…"
