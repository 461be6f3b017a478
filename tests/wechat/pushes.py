"""What WeChat posts: Tencent's published vectors, and messages of our own, signed and encrypted as it does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xmltodict
from wechatpy.crypto import WeChatCrypto

from wxbackend.wechat import callbacks
from wxbackend.wechat.callbacks import Door

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors/wechat-vectors.json").read_text(encoding="utf-8"))
AT = datetime(2022, 1, 6, 1, 0, tzinfo=UTC)
BY_ID = {vector["id"]: vector for vector in VECTORS["vectors"]}
DOOR = Door("account", "wxaccount", "tokenA", AES_KEY)


def door_of(vector: dict[str, Any]) -> Door:
    app = "miniprogram" if vector["format"] == "json" else "account"
    return Door(app, vector["appid"], vector["token"], vector["encoding_aes_key"])


def open_vector(vector: dict[str, Any], **changes: Any):
    v = vector | changes
    body = v.get("body") or json.dumps({"ToUserName": v["to_user_name"], "Encrypt": v["encrypt"]})
    args = {name: v[name] for name in ("timestamp", "nonce", "msg_signature")} | {"encrypt_type": "aes"}
    return callbacks.open_callback(door_of(v), args, body.encode(), datetime.fromtimestamp(int(v["timestamp"]), UTC))


def posted(plain: str, door: Door = DOOR, at: datetime = AT, **changes: str) -> tuple[dict[str, str], bytes]:
    """What WeChat would post: query arguments and body, signed and encrypted."""
    timestamp = str(int(at.timestamp()))
    sealed = xmltodict.parse(WeChatCrypto(door.token, door.aes_key, door.appid).encrypt_message(plain, "nonce1", timestamp))["xml"]
    body = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>"
    args = {"timestamp": timestamp, "nonce": "nonce1", "msg_signature": sealed["MsgSignature"], "encrypt_type": "aes", "openid": "oForged"}
    return args | changes, body.encode()


def text_xml(content: str = "报名", **fields: str) -> str:
    values = {"ToUserName": "gh_1", "FromUserName": "oMei", "CreateTime": "1641430800", "MsgType": "text", "Content": content, "MsgId": "7"}
    return "<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in (values | fields).items()) + "</xml>"


def event_xml(event: str, inner: str = "") -> str:
    return ("<xml><ToUserName>gh_1</ToUserName><FromUserName>oMei</FromUserName><CreateTime>1641430800</CreateTime>"
            f"<MsgType>event</MsgType><Event>{event}</Event>{inner}</xml>")


def opened(plain: str, door: Door = DOOR) -> callbacks.Message:
    return callbacks.open_callback(door, *posted(plain, door), AT)
