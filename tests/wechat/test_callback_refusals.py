"""Callbacks that are refused, against what strangers might post; and what the log says of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.wechat.pushes import AES_KEY, AT, BY_ID, DOOR, VECTORS, open_vector, posted, text_xml
from wxbackend import wechat
from wxbackend.wechat import callbacks
from wxbackend.wechat.callbacks import CallbackRefused, Door


@pytest.mark.parametrize("negative", [n for n in VECTORS["negative"] if n["base"] == "secure-json-push"], ids=lambda n: n["id"])
def test_published_forgeries_are_refused(negative):
    with pytest.raises(CallbackRefused):
        open_vector(BY_ID[negative["base"]], **negative["replace"])


@pytest.mark.parametrize("bad", VECTORS["bad_bodies"], ids=lambda b: b["id"])
def test_bad_bodies_are_refused_clear_and_encrypted(bad):
    for door in (DOOR, Door("miniprogram", "wxmini", "tokenM", AES_KEY)):
        args, body = posted(bad["body"], door)
        for attempt in ((args, bad["body"].encode()), (args, body)):
            with pytest.raises(CallbackRefused) as caught:
                callbacks.open_callback(door, *attempt, AT)
            assert caught.value.__context__ is None and caught.value.status == 403


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<xml/>", b"<xml><Encrypt/></xml>",
                                  b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
                                  b'{"Encrypt": 7}', b"[]", b"{", b"{" * 5000, b"x" * 70_000, b"<xml><Encrypt>AAAA</Encrypt></xml>"])
def test_bodies_without_a_right_cipher_are_refused(body):
    args, _ = posted(text_xml())
    with pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, body, AT)


@pytest.mark.parametrize("field", [{"CreateTime": "soon"}, {"CreateTime": "9" * 20}, {"MsgId": "x"}, {"FromUserName": "o]]<x>"},
                                   {"FromUserName": ""}, {"ToUserName": "a b"}, {"MsgType": "e vent"}, {"MsgType": "event", "Event": ""}])
def test_messages_with_impossible_fields_are_refused(field):
    args, body = posted(text_xml(**field))
    with pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, body, AT)


@pytest.mark.parametrize("body", [
    b"<xml>" + b"<a>x</a>" * 250_000 + b"</xml>", b"<xml><Encrypt>" + b"A" * 2_000_000 + b"</Encrypt></xml>", b"{" + b" " * 2_000_000])
def test_two_megabytes_are_refused_unread(body, monkeypatch):
    monkeypatch.setattr(callbacks.xmltodict, "parse", lambda *a, **k: pytest.fail("parsed"))
    args, _ = posted_args()
    with pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, body, AT)


def posted_args() -> tuple[dict[str, str], bytes]:
    timestamp = str(int(AT.timestamp()))
    return {"timestamp": timestamp, "nonce": "n", "msg_signature": "0" * 40}, b""


HOSTILE = [
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><xml><Encrypt>&x;</Encrypt></xml>',
    '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><xml><Encrypt>x</Encrypt></xml>',
    '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]><xml><Encrypt>x</Encrypt></xml>',
    '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><xml><Encrypt>&c;</Encrypt></xml>',
    "<xml>" * 10_000,
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_xml_is_refused_outside_and_inside(hostile):
    args, body = posted(hostile)
    for attempt in (body, hostile.encode()):
        with pytest.raises(CallbackRefused):
            callbacks.open_callback(DOOR, args, attempt, AT)


def test_a_message_played_again_after_a_day_is_stale_whoever_plays_it():
    args, body = posted(text_xml())
    with capture_logs() as logs, pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, body, AT + timedelta(days=1))
    assert logs[0]["reason"] == "stale timestamp"
    fresh = args | {"timestamp": str(int((AT + timedelta(days=1)).timestamp()))}   # the signature covers it
    with pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, fresh, body, AT + timedelta(days=1))


def test_half_a_character_in_json_is_refused():
    door = Door("miniprogram", "wxmini", "tokenM", AES_KEY)
    plain = '{"ToUserName":"gh_1","FromUserName":"oMei","CreateTime":1641430800,"MsgType":"text","Content":"%s","MsgId":7}'
    assert callbacks.open_callback(door, *posted(plain % r"\u0000好", door), AT).content == "好"
    with pytest.raises(CallbackRefused):
        callbacks.open_callback(door, *posted(plain % r"\ud800", door), AT)


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (599, True), (-600, True), (601, False), (-601, False), (86_400, False)])
def test_a_timestamp_counts_for_ten_minutes_either_way(seconds, accepted):
    args, body = posted(text_xml(), at=AT + timedelta(seconds=seconds))
    if accepted:
        assert callbacks.open_callback(DOOR, args, body, AT).content == "报名"
    else:
        with pytest.raises(CallbackRefused):
            callbacks.open_callback(DOOR, args, body, AT)


@pytest.mark.parametrize("changes", [
    {"timestamp": ""}, {"timestamp": "-1"}, {"timestamp": "1e9"}, {"timestamp": "٣٣٣"}, {"timestamp": "9" * 11}, {"nonce": "other"},
    {"nonce": "\ud800"}, {"msg_signature": "0" * 40}, {"msg_signature": "签名"}, {"msg_signature": ""}])
def test_changed_arguments_are_refused(changes):
    args, body = posted(text_xml(), **changes)
    with pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, body, AT)


def test_plaintext_mode_is_refused_and_the_log_says_which_switch(app):
    timestamp = str(int(AT.timestamp()))
    args = {"timestamp": timestamp, "nonce": "n", "signature": callbacks.signature(DOOR.token, timestamp, "n"), "openid": "oMei"}
    with capture_logs() as logs, pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, text_xml("张三 13800000000").encode(), AT)
    assert any("安全模式" in entry.get("advice", "") for entry in logs)
    assert not [word for word in ("13800000000", "oMei", "张三") if word in str(logs)]


def test_a_stranger_without_any_signature_rings_no_bell():
    args = {"timestamp": str(int(AT.timestamp())), "nonce": "n", "signature": "0" * 40}
    for some in (args, {}, {"signature": ""}):
        with capture_logs() as logs, pytest.raises(CallbackRefused):
            callbacks.open_callback(DOOR, some, text_xml().encode(), AT)
        assert [entry["log_level"] for entry in logs] == ["warning"]


def test_a_refusal_is_logged_without_what_was_sent():
    args, body = posted(text_xml("张三 13800000000", CreateTime="soon"))
    with capture_logs() as logs, pytest.raises(CallbackRefused):
        callbacks.open_callback(DOOR, args, body, AT)
    assert logs == [{"event": "callback refused", "log_level": "warning", "app": "account", "reason": "CreateTime"}]


def test_an_empty_token_opens_no_door():
    with pytest.raises(ValueError, match="empty token"):
        replace(DOOR, token="")


def test_the_keys_of_the_two_apps_do_not_open_each_others_door(app):
    mini = Door("miniprogram", "wxmini", "tokenM", AES_KEY)
    args, body = posted(text_xml(), mini)
    assert wechat.open_callback("miniprogram", args, body, AT).appid == "wxmini"
    for other in ("account", "nobody"):
        with pytest.raises(CallbackRefused):
            wechat.open_callback(other, args, body, AT)
