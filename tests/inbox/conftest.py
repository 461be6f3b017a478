"""A citizen's chat with the account: her messages arrive as WeChat sends them, encrypted by a crypto the product does not use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from simulator import crypto
from tests import factories
from tests.sites import Site
from wxbackend import jobs, wechat
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db

_numbers = itertools.count(7_000_000_000_000_000)
GH = "gh_wxbackend0001"


class Chat:
    """One person's chat. `say` and `show` return the reply's text, "" for silence; `told` is what arrived later."""

    def __init__(self, app: Flask, name: str = "阿美"):
        self.app, self.openid, self.settings = app, "o" + name.encode().hex().ljust(27, "0")[:27], app.extensions["settings"]

    @property
    def now(self) -> datetime:
        return self.app.extensions["clock"].fixed

    def say(self, text: str, **fields: Any) -> str:
        return self.reply_of(self.post({"MsgType": "text", "Content": text} | fields))

    def show(self, media_id: str, **fields: Any) -> str:
        return self.reply_of(self.post({"MsgType": "image", "PicUrl": "http://mmbiz.qpic.cn/x", "MediaId": media_id} | fields))

    def event(self, event: str, key: str = "", **fields: Any) -> str:
        return self.reply_of(self.post({"MsgType": "event", "Event": event, "EventKey": key, "MsgId": None} | fields))

    def xml(self, fields: dict[str, Any]) -> str:
        head = {"ToUserName": GH, "FromUserName": self.openid, "CreateTime": int(self.now.timestamp()), "MsgId": next(_numbers)}
        return "<xml>" + "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in (head | fields).items() if v is not None) + "</xml>"

    def post(self, fields: dict[str, Any], door: str = "account", **changes: Any) -> TestResponse:
        """`changes`: token, aes_key, appid, timestamp, body, query: what a stranger would get wrong."""
        s = self.settings
        right = {"token": s.account_token, "aes_key": s.account_aes_key, "appid": s.account_appid} if door == "account" else {
            "token": s.miniprogram_token, "aes_key": s.miniprogram_aes_key, "appid": s.miniprogram_appid}
        given = right | {"timestamp": str(int(self.now.timestamp())), "nonce": "nonce1234", "query": {}, "body": None} | changes
        sealed = crypto.encrypt(self.xml(fields), given["aes_key"], given["appid"])
        query = {"signature": crypto.sign(given["token"], given["timestamp"], given["nonce"]), "timestamp": given["timestamp"],
                 "nonce": given["nonce"], "openid": self.openid, "encrypt_type": "aes",
                 "msg_signature": crypto.sign(given["token"], given["timestamp"], given["nonce"], sealed)} | given["query"]
        body = given["body"] or f"<xml><ToUserName>{GH}</ToUserName><Encrypt>{sealed}</Encrypt></xml>"
        return self.app.test_client().post(f"/wechat/callback/{door}", data=body, content_type="text/xml",
                                           query_string={k: v for k, v in query.items() if v is not None})

    def reply_of(self, answer: TestResponse) -> str:
        """The decrypted reply, its envelope checked: signed, for the sender, from the account."""
        assert answer.status_code == 200, answer.text
        if answer.text == "success":
            return ""
        part = dict(re.findall(r"<(\w+)>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</\1>", answer.text.partition("<xml>")[2], re.S))
        assert part["MsgSignature"] == crypto.sign(self.settings.account_token, part["TimeStamp"], part["Nonce"], part["Encrypt"])
        inner = crypto.decrypt(part["Encrypt"], self.settings.account_aes_key, self.settings.account_appid)
        said = dict(re.findall(r"<(\w+)><!\[CDATA\[(.*?)\]\]></\1>", inner, re.S))
        assert (said["ToUserName"], said["FromUserName"], said["MsgType"]) == (self.openid, GH, "text")
        return said["Content"]


class WeChatSide:
    """Pictures by media id, and the customer messages that went out, by openid."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes | Exception] = {}
        self.told: dict[str, list[str]] = {}
        self.during: Callable[[], None] = lambda: None

    def download(self, media_id: str, pic_url: str = "") -> bytes:
        self.during()
        found = self.pictures.get(media_id, wechat.MediaLost())
        if isinstance(found, Exception):
            raise found
        return found

    def send(self, openid: str, text: str) -> None:
        self.told.setdefault(openid, []).append(text)


@pytest.fixture
def wechat_side(monkeypatch: pytest.MonkeyPatch) -> WeChatSide:
    side = WeChatSide()
    monkeypatch.setattr(wechat, "download_media", side.download)
    monkeypatch.setattr(wechat, "send_text", side.send)
    return side


@pytest.fixture
def chat(site: Site, wechat_side: WeChatSide) -> Chat:
    """阿美's chat; of the two campaigns that run the reference campaign alone."""
    with site.inside():
        other = campaigns.by_slug("futian-2022-other")
        other.closes_at = other.evidence_until = factories.NOON   # over
        db.session.commit()
    return Chat(site.app)


@pytest.fixture
def work(site: Site) -> Callable[[], int]:
    """Let the worker do what is due."""
    def run() -> int:
        with site.inside():
            return jobs.run_due(site.app.extensions["clock"].fixed)

    return run
