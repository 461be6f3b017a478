"""Tencent's published vectors, and those derived from them, all through our own code; none may be left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import xmltodict
from structlog.testing import capture_logs
from wechatpy.crypto import PrpCrypto

from tests.wechat.pushes import AT, BY_ID, DOOR, VECTORS, door_of, open_vector, posted
from wxbackend import wechat
from wxbackend.wechat import callbacks, opendata, signing

Vector = dict[str, Any]


def moment(vector: Vector) -> datetime:
    return datetime.fromtimestamp(int(vector["timestamp"]), UTC)


def url_signature(vector: Vector, _patch: pytest.MonkeyPatch) -> None:
    """With an echostr it is the console's check; without, a message in plaintext mode, whose signature is right and covers nothing."""
    door = replace(DOOR, token=vector["token"])
    assert callbacks.signature(vector["token"], vector["timestamp"], vector["nonce"]) == vector["signature"]
    args = {name: vector[name] for name in ("signature", "timestamp", "nonce", "echostr") if name in vector}
    if "echostr" in vector:
        assert callbacks.check_echo(door, args, moment(vector)) == vector["expect_response_body"]
        return
    with capture_logs() as logs, pytest.raises(wechat.CallbackRefused):
        callbacks.open_callback(door, args, vector["body"].encode(), moment(vector))
    assert any(entry.get("advice") == callbacks.ADVICE for entry in logs)


def callback_decrypt(vector: Vector, _patch: pytest.MonkeyPatch) -> None:
    message = open_vector(vector)
    plain = json.loads(vector["plaintext"]) if vector["format"] == "json" else xmltodict.parse(vector["plaintext"])["xml"]
    assert (message.openid, message.to, message.kind) == (plain["FromUserName"], plain["ToUserName"], plain["MsgType"])
    assert message.create_time == datetime.fromtimestamp(int(plain["CreateTime"]), UTC)
    assert message.event == plain.get("Event", "").lower()
    assert (message.content, message.media_id) == (plain.get("Content") or "", plain.get("MediaId", ""))
    assert message.msg_id == ("" if message.kind == "event" else str(plain["MsgId"]))
    assert dict(message.facts) == {name: value for name, value in plain.items() if name not in callbacks.ENVELOPE}


def callback_encrypt(vector: Vector, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PrpCrypto, "get_random_string", lambda self: vector["random"])
    made = xmltodict.parse(callbacks.sealed(door_of(vector), vector["plaintext"], vector["timestamp"], vector["nonce"]))["xml"]
    assert made == {name: vector[key] for name, key in (
        ("Encrypt", "encrypt"), ("MsgSignature", "msg_signature"), ("TimeStamp", "timestamp"), ("Nonce", "nonce"))}


def jssdk(vector: Vector, _patch: pytest.MonkeyPatch) -> None:
    assert signing.page_signature(*(vector[name] for name in ("jsapi_ticket", "noncestr", "timestamp", "url"))) == vector["signature"]


def wxa_decrypt(vector: Vector, _patch: pytest.MonkeyPatch) -> None:
    assert opendata.open_data(*(vector[name] for name in ("appid", "session_key", "iv", "encrypted_data"))) == vector["plaintext"]


def wxa_rawdata(vector: Vector, _patch: pytest.MonkeyPatch) -> None:
    assert opendata.is_raw_data(vector["raw_data"], vector["session_key"], vector["signature"])
    assert not opendata.is_raw_data(vector["raw_data"] + " ", vector["session_key"], vector["signature"])


def wxa_session_hmac(vector: Vector, _patch: pytest.MonkeyPatch) -> None:
    assert opendata.session_signature(vector["session_key"], vector["data"]) == vector["signature"]


KINDS: dict[str, Callable[[Vector, pytest.MonkeyPatch], None]] = {check.__name__: check for check in (
    url_signature, callback_decrypt, callback_encrypt, jssdk, wxa_decrypt, wxa_rawdata, wxa_session_hmac)}
done: set[str] = set()


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda v: v["id"])
def test_a_vector_passes(app, vector, monkeypatch):
    KINDS[vector["kind"]](vector, monkeypatch)
    done.add(vector["id"])


@pytest.mark.parametrize("negative", VECTORS["negative"], ids=lambda n: n["id"])
def test_a_forgery_is_refused(negative):
    base = BY_ID[negative["base"]]
    forged = base | negative["replace"]
    if base["kind"] == "wxa_decrypt":
        with pytest.raises(wechat.CodeRefused) as caught:
            opendata.open_data(forged["appid"], forged["session_key"], forged["iv"], forged["encrypted_data"])
    else:
        with pytest.raises(wechat.CallbackRefused) as caught:
            open_vector(base, **negative["replace"])
    assert caught.value.__context__ is None
    done.add(negative["id"])


@pytest.mark.parametrize("sample", VECTORS["messages"], ids=lambda m: m["id"])
def test_a_message_reads_with_its_attributes(sample):
    message = callbacks.open_callback(DOOR, *posted(sample["xml"]), AT)
    wanted = sample["attrs"]
    if "event" in wanted:
        assert message.event == wanted["event"].replace("subscribe_scan", "subscribe")
    assert message.is_known is (sample["cls"] != "UnknownMessage")
    assert message.pic_url == wanted.get("image", "")
    facts = {"Ticket": wanted.get("ticket"), "Status": wanted.get("status"), "trace_id": wanted.get("trace_id")}
    assert {name: message.facts[name] for name, value in facts.items() if value} == {name: value for name, value in facts.items() if value}
    if message.event == "templatesendjobfinish":
        assert message.facts["MsgID"] == str(wanted["id"])
    if message.event == "wxa_media_check":
        assert message.facts["result"] == {"suggest": "risky", "label": "20002"}
    done.add("message " + sample["id"])


@pytest.mark.parametrize("bad", VECTORS["bad_bodies"], ids=lambda b: b["id"])
def test_a_bad_body_is_refused(bad):
    for attempt in (posted(bad["body"]), (posted("<xml/>")[0], bad["body"].encode())):
        with pytest.raises(wechat.CallbackRefused):
            callbacks.open_callback(DOOR, *attempt, AT)
    done.add("bad " + bad["id"])


def test_none_is_left_out(request):
    """Every entry of the file was taken through its check above; a new section or kind fails here until it has one."""
    assert set(VECTORS) == {"about", "vectors", "negative", "messages", "bad_bodies"}
    assert {vector["kind"] for vector in VECTORS["vectors"]} == set(KINDS)
    assert {negative["base"] for negative in VECTORS["negative"]} <= set(BY_ID)
    everything = {v["id"] for v in VECTORS["vectors"]} | {n["id"] for n in VECTORS["negative"]} | {
        "message " + m["id"] for m in VECTORS["messages"]} | {"bad " + b["id"] for b in VECTORS["bad_bodies"]}
    assert len(everything) == sum(len(VECTORS[name]) for name in ("vectors", "negative", "messages", "bad_bodies")) == 42
    beside = {item.name for item in request.session.items if item.path == request.path}
    if len(beside) == len(everything) + 1:   # not when a few were picked
        assert done == everything
