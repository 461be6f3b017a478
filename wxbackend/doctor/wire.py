"""Visiting addresses from outside, and playing WeChat towards our own.

The sealing is written here apart from what it tries, like the simulator's: with one library on both sides a fault of it would cancel out.
"""

from __future__ import annotations

import base64
import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from config.settings import LOOPBACK
from wxbackend.extensions import settings
from wxbackend.keys import own_nonce

CONNECT_SECONDS, READ_SECONDS = 3.0, 6.0
MOST_BYTES = 65_536
BLOCK = 32   # WeChat pads to 32 bytes, although AES blocks have 16
SENDER = "wxbackend-doctor"
EVENT = "wxbackend_doctor"   # an event that WeChat does not have: kept, acknowledged, and nothing happens


class Unreachable(Exception):
    """No answer; the text is ours, without the address."""


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]


def visit(method: str, url: str, *, params: Mapping[str, str] | None = None, data: bytes | None = None, kind: str = "") -> Answer:
    """One request, no redirect followed, 64 kB read at most. Raises Unreachable."""
    with requests.Session() as session:
        session.trust_env = urlsplit(url).hostname not in LOOPBACK   # an outgoing proxy knows no loopback
        try:
            response = session.request(method, url, params=params, data=data, headers={"Content-Type": kind} if kind else None,
                                       timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True)
            body = response.raw.read(MOST_BYTES, decode_content=True)
            return Answer(response.status_code, body.decode("utf-8", "replace"), response.headers)
        except Exception as e:   # requests and urllib3 raise a dozen kinds, with the whole address in their texts
            why = _why(e)
    raise Unreachable(why)


def _why(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "证书不对（过期、域名不符，或缺中间证书）"
    if isinstance(error, requests.Timeout):
        return f"{READ_SECONDS:g}秒没有回应"
    if "NameResolutionError" in repr(error) or "getaddrinfo" in repr(error) or "tests stay on loopback" in repr(error):
        return "域名解析不到"
    if "refused" in repr(error).lower():
        return "那里没有程序在听"
    return f"连不上（{type(error).__name__}）"


def our(path: str) -> str:
    """An address of our own as people reach it."""
    return settings.public_url.rstrip("/") + path


def echo_query(app: str, echo: str, at: datetime) -> dict[str, str]:
    """What the console sends when somebody presses 提交 under 服务器配置."""
    return _signed(app, at) | {"echostr": echo}


def plain_message(app: str, at: datetime) -> tuple[dict[str, str], bytes]:
    """A message as it comes in 明文模式, rightly signed: whoever takes it takes it from anybody.

    Our site knows by the nonce that it is ours, and rings no alarm.
    """
    return _signed(app, at, own_nonce()) | {"openid": SENDER}, _xml(app, at).encode()


def sealed_event(app: str, at: datetime) -> tuple[dict[str, str], bytes]:
    """A harmless event as it comes in 安全模式."""
    query = _signed(app, at)
    sealed = seal(_xml(app, at), _of(app, "aes_key"), _of(app, "appid"))
    signature = _sign(_of(app, "token"), query["timestamp"], query["nonce"], sealed)
    query |= {"openid": SENDER, "encrypt_type": "aes", "msg_signature": signature}
    return query, f"<xml><ToUserName><![CDATA[gh_doctor]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>".encode()


def seal(text: str, aes_key: str, appid: str) -> str:
    """base64 of AES-256-CBC over: 16 random bytes, length (4 bytes, network order), text, appid."""
    key, message = base64.b64decode(aes_key + "="), text.encode()
    raw = os.urandom(8).hex().encode() + struct.pack(">I", len(message)) + message + appid.encode()
    pad = BLOCK - len(raw) % BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(raw + bytes([pad]) * pad) + encryptor.finalize()).decode()


def _xml(app: str, at: datetime) -> str:
    return (f"<xml><ToUserName><![CDATA[gh_doctor]]></ToUserName><FromUserName><![CDATA[{SENDER}]]></FromUserName>"
            f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{EVENT}]]></Event></xml>")


def _signed(app: str, at: datetime, nonce: str = "") -> dict[str, str]:
    timestamp, nonce = str(int(at.timestamp())), nonce or str(secrets.randbelow(10**10))
    return {"signature": _sign(_of(app, "token"), timestamp, nonce), "timestamp": timestamp, "nonce": nonce}


def _sign(*parts: str) -> str:
    return sha1("".join(sorted(parts)).encode()).hexdigest()


def _of(app: str, what: str) -> str:
    return str(getattr(settings, f"{app}_{what}"))
