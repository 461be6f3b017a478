"""Callbacks against Tencent's published vectors, and against what strangers might post."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xmltodict
from structlog.testing import capture_logs
from wechatpy.crypto import PrpCrypto, WeChatCrypto

from wxbackend import wechat
from wxbackend.wechat import callbacks
from wxbackend.wechat.callbacks import CallbackRefused, Door

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors/wechat-vectors.json").read_text(encoding="utf-8"))
AT = datetime(2022, 1, 6, 1, 0, tzinfo=UTC)
BY_ID = {vector["id"]: vector for vector in VECTORS["vectors"]}
PUSHES = [vector for vector in VECTORS["vectors"] if vector["kind"] == "callback_decrypt"]
ENCRYPTED = [vector for vector in VECTORS["vectors"] if vector["kind"] == "callback_encrypt"]
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


@pytest.mark.parametrize("vector", PUSHES, ids=lambda v: v["id"])
def test_published_pushes_open(vector):
    message = open_vector(vector)
    assert message.openid.startswith("o") and message.to == vector["to_user_name"] and message.appid == vector["appid"]
    assert len(message.dedupe_key) == 64


def test_the_text_and_the_screenshot_of_the_vectors_read_right():
    text, image = open_vector(BY_ID["derived-text-name-phone"]), open_vector(BY_ID["derived-image-screenshot"])
    assert (text.kind, text.event, text.media_id) == ("text", "", "") and text.content and text.msg_id.isdigit()
    assert (image.kind, image.content) == ("image", "") and image.media_id
    mixed = open_vector(BY_ID["cryptodemo-python-mixed-mode"])
    assert (mixed.content, mixed.msg_id) == ("abcdteT", "6054768590064713728")


def test_the_scans_of_the_vectors_read_right():
    scan, follow = open_vector(BY_ID["derived-event-scan"]), open_vector(BY_ID["derived-event-subscribe-scan"])
    assert (scan.kind, scan.event, follow.event, scan.msg_id) == ("event", "scan", "subscribe", "")
    assert follow.event_key and not follow.event_key.startswith("qrscene_")


@pytest.mark.parametrize("negative", [n for n in VECTORS["negative"] if n["base"] == "secure-json-push"], ids=lambda n: n["id"])
def test_published_forgeries_are_refused(negative):
    with pytest.raises(CallbackRefused):
        open_vector(BY_ID[negative["base"]], **negative["replace"])


def test_of_a_mixed_body_only_the_encrypted_part_is_read():
    vector = BY_ID["cryptodemo-python-mixed-mode"]
    forged = vector["body"].replace("abcdteT", "forged").replace("oyORnuP8q7ou2gfYjqLzSIWZf0rs", "oForged")
    message = open_vector(vector, body=forged)
    assert message.content == "abcdteT" and message.openid == "oyORnuP8q7ou2gfYjqLzSIWZf0rs"


@pytest.mark.parametrize("sample", VECTORS["messages"], ids=lambda m: m["id"])
def test_every_kind_of_message_opens_with_its_fields(sample):
    message = callbacks.open_callback(DOOR, *posted(sample["xml"]), AT)
    assert (message.openid, message.to, message.app) == ("oSIM", "gh_sim", "account")
    assert message.create_time == datetime(2022, 1, 6, 1, 0, tzinfo=UTC)
    wanted = sample["attrs"]
    assert message.content == (wanted.get("content") or "")
    assert message.media_id == wanted.get("media_id", "")
    assert message.event_key == wanted.get("scene_id", wanted.get("key", wanted.get("url", "")))
    if message.kind != "event":
        assert message.msg_id == str(wanted["id"])


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


def event_xml(event: str, inner: str = "") -> str:
    return ("<xml><ToUserName>gh_1</ToUserName><FromUserName>oMei</FromUserName><CreateTime>1641430800</CreateTime>"
            f"<MsgType>event</MsgType><Event>{event}</Event>{inner}</xml>")


def opened(plain: str, door: Door = DOOR) -> callbacks.Message:
    return callbacks.open_callback(door, *posted(plain, door), AT)


KINDS = {
    "text": {"Content": "报名"}, "image": {"PicUrl": "http://mmbiz.qpic.cn/x/0", "MediaId": "M"},
    "voice": {"MediaId": "M", "Format": "amr", "Recognition": "您好"}, "video": {"MediaId": "M", "ThumbMediaId": "T"},
    "shortvideo": {"MediaId": "M", "ThumbMediaId": "T"},
    "location": {"Location_X": "22.52", "Location_Y": "114.05", "Scale": "15", "Label": "福田区"},
    "file": {"Title": "报名表.pdf", "FileKey": "k", "FileTotalLen": "1024"},
    "link": {"Title": "公众平台", "Description": "说明", "Url": "https://vote.example/"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_message_is_known_and_keeps_its_facts(kind):
    fields = KINDS[kind] | {"MsgDataId": "5", "Idx": "1"}
    message = opened(text_xml("", MsgType=kind, **fields) if kind != "text" else text_xml(**fields))
    assert (message.kind, message.is_known, message.msg_id) == (kind, True, "7")
    assert (message.media_id, message.pic_url) == (fields.get("MediaId", ""), fields.get("PicUrl", ""))
    assert message.facts == {name: value for name, value in fields.items() if name not in ("Content", "MediaId", "PicUrl")}


EVENT_NAMES = ["subscribe", "unsubscribe", "SCAN", "CLICK", "VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "subscribe_msg_popup_event",
               "subscribe_msg_change_event", "subscribe_msg_sent_event", "wxa_media_check", "view_miniprogram", "scancode_waitmsg"]


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_event_is_known_in_any_case(name):
    for spelled in (name, name.upper(), name.lower()):
        message = opened(event_xml(spelled, "<EventKey>k</EventKey>"))
        assert (message.event, message.is_known, message.msg_id, message.event_key) == (name.lower(), True, "", "k")


@pytest.mark.parametrize("plain", [text_xml("", MsgType="sticker", New="1"), event_xml("brand_new_event", "<New>1</New>"),
                                   event_xml("device_text", "<New>1</New>"), text_xml("", MsgType="device_event", New="1")])
def test_what_tencent_adds_later_is_kept(plain):
    message = opened(plain)
    assert not message.is_known and message.facts["New"] == "1" and len(message.dedupe_key) == 64


def popup(*statuses: str) -> str:
    return "<SubscribeMsgPopupEvent>" + "".join(
        f"<List><TemplateId>T{n}</TemplateId><SubscribeStatusString>{status}</SubscribeStatusString><PopupScene>0</PopupScene></List>"
        for n, status in enumerate(statuses)) + "</SubscribeMsgPopupEvent>"


def test_answers_to_a_popup_are_a_list_in_every_form():
    def listed(n: int, status: str) -> dict[str, str]:
        return {"TemplateId": f"T{n}", "SubscribeStatusString": status, "PopupScene": "0"}

    name = "subscribe_msg_popup_event"
    door = Door("miniprogram", "wxmini", "tokenM", AES_KEY)
    head = f'{{"ToUserName":"gh_1","FromUserName":"oMei","CreateTime":"1641430800","MsgType":"event","Event":"{name}","List":'
    assert opened(event_xml(name, popup("accept"))).facts == {"List": [listed(0, "accept")]}
    assert opened(event_xml(name, popup("accept", "reject"))).facts == {"List": [listed(0, "accept"), listed(1, "reject")]}
    for sent in (listed(0, "accept"), [listed(0, "accept")]):
        assert opened(head + json.dumps(sent) + "}", door).facts == {"List": [listed(0, "accept")]}
    for nothing in ("7", "[7]", "null", '"x"'):
        assert opened(head + nothing + "}", door).facts == {"List": []}
    assert opened(event_xml(name)).facts == {"List": []}


def test_two_popups_of_one_second_are_two_and_a_repeated_one_is_one():
    name = "subscribe_msg_popup_event"
    keys = [opened(event_xml(name, popup(status))).dedupe_key for status in ("accept", "accept", "reject")]
    assert keys[0] == keys[1] != keys[2]


def test_a_verdict_on_a_picture_reads_in_xml_and_in_json():
    door = Door("miniprogram", "wxmini", "tokenM", AES_KEY)
    in_xml = event_xml("wxa_media_check", "<appid>wxmini</appid><trace_id>t-1</trace_id><version>2</version><errcode>0</errcode>"
                                          "<result><suggest>risky</suggest><label>20002</label></result>")
    in_json = json.dumps({"ToUserName": "gh_1", "FromUserName": "oMei", "CreateTime": 1641430800, "MsgType": "event",
                          "Event": "wxa_media_check", "appid": "wxmini", "trace_id": "t-1", "version": 2, "errcode": 0,
                          "detail": [{"strategy": "content_model", "suggest": "risky", "label": 20002}],
                          "result": {"suggest": "risky", "label": 20002}})
    for plain in (in_xml, in_json):
        message = opened(plain, door)
        assert (message.event, message.facts["trace_id"], message.facts["result"]["suggest"]) == ("wxa_media_check", "t-1", "risky")
        assert str(message.facts["result"]["label"]) == "20002"


def test_facts_are_not_told_and_hold_only_what_a_database_keeps():
    door = Door("miniprogram", "wxmini", "tokenM", AES_KEY)
    plain = r'{"ToUserName":"gh_1","FromUserName":"oMei","CreateTime":1641430800,"MsgType":"event","Event":"x","a":{"b":["\ud800\u0000x"]}}'
    message = opened(plain, door)
    assert message.facts == {"a": {"b": ["?x"]}} and "facts" not in repr(message) and "?x" not in repr(message)
    deep = plain.replace(r'["\ud800\u0000x"]', "[" * 30 + "]" * 30)
    with pytest.raises(CallbackRefused):
        opened(deep, door)


def test_names_and_texts_of_four_bytes_come_through():
    message = opened(text_xml("𠮷田🎉👨‍👩‍👧 13800000000"))
    assert message.content == "𠮷田🎉👨‍👩‍👧 13800000000"


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


def test_a_message_is_not_told_by_its_repr():
    message = callbacks.open_callback(DOOR, *posted(text_xml("张三 13800000000")), AT)
    assert "oMei" not in repr(message) and "13800000000" not in repr(message) and "tokenA" not in repr(DOOR)


def test_an_empty_token_opens_no_door():
    with pytest.raises(ValueError, match="empty token"):
        replace(DOOR, token="")


def test_deliveries_of_one_message_share_a_key_and_others_do_not():
    def key(door: Door = DOOR, **fields: str) -> str:
        return callbacks.open_callback(door, *posted(text_xml(**fields), door), AT).dedupe_key

    event = {"MsgType": "event", "Event": "SCAN", "EventKey": "vote"}
    assert key() == key()
    assert key(**event) == key(**event | {"Event": "scan"})
    different = [key(), key(MsgId="8"), key(replace(DOOR, appid="wxother")), key(**event), key(**event | {"EventKey": "draw"}),
                 key(**event | {"CreateTime": "1641430801"}), key(**event | {"FromUserName": "oChen"}), key(**event | {"MsgID": "5"})]
    assert len(set(different)) == len(different)


def test_the_keys_of_the_two_apps_do_not_open_each_others_door(app):
    mini = Door("miniprogram", "wxmini", "tokenM", AES_KEY)
    args, body = posted(text_xml(), mini)
    assert wechat.open_callback("miniprogram", args, body, AT).appid == "wxmini"
    for other in ("account", "nobody"):
        with pytest.raises(CallbackRefused):
            wechat.open_callback(other, args, body, AT)


def test_the_console_check_of_the_vectors_is_answered():
    vector = BY_ID["url-verify-get"]
    door = Door("miniprogram", "wxmini", vector["token"], AES_KEY)
    at = datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    args = {name: vector[name] for name in ("signature", "timestamp", "nonce", "echostr")}
    assert callbacks.check_echo(door, args, at) == vector["expect_response_body"]
    for change in ({"signature": "0" * 40}, {"nonce": "1"}, {"nonce": "\ud800"}, {"timestamp": "x"},
                   {"echostr": "<script>"}, {"echostr": ""}):
        with pytest.raises(CallbackRefused):
            callbacks.check_echo(door, args | change, at)
    with pytest.raises(CallbackRefused):
        callbacks.check_echo(door, args, at + timedelta(minutes=11))
    with pytest.raises(CallbackRefused):
        callbacks.check_echo(door, {}, at)


@pytest.mark.parametrize("vector", ENCRYPTED, ids=lambda v: v["id"])
def test_our_crypto_writes_the_published_ciphertexts(vector, monkeypatch):
    monkeypatch.setattr(PrpCrypto, "get_random_string", lambda self: vector["random"])
    crypto = WeChatCrypto(vector["token"], vector["encoding_aes_key"], vector["appid"])
    sealed = xmltodict.parse(crypto.encrypt_message(vector["plaintext"], vector["nonce"], vector["timestamp"]))["xml"]
    assert (sealed["Encrypt"], sealed["MsgSignature"]) == (vector["encrypt"], vector["msg_signature"])


def read_reply(text: str) -> dict[str, Any]:
    message = callbacks.open_callback(DOOR, *posted(text_xml()), AT)
    sealed = xmltodict.parse(callbacks.seal_reply(DOOR, message, text, AT))["xml"]
    assert sealed["TimeStamp"] == str(int(AT.timestamp()))
    plain = WeChatCrypto(DOOR.token, DOOR.aes_key, DOOR.appid).decrypt_message(
        {"Encrypt": sealed["Encrypt"]}, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])
    return xmltodict.parse(plain)["xml"]


def test_a_person_is_handed_on_to_the_staffs_desk():
    message = callbacks.open_callback(DOOR, *posted(text_xml()), AT)
    sealed = xmltodict.parse(callbacks.seal_transfer(DOOR, message, AT))["xml"]
    plain = WeChatCrypto(DOOR.token, DOOR.aes_key, DOOR.appid).decrypt_message(
        {"Encrypt": sealed["Encrypt"]}, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])
    assert xmltodict.parse(plain)["xml"] == {"ToUserName": "oMei", "FromUserName": "gh_1", "CreateTime": str(int(AT.timestamp())),
                                             "MsgType": "transfer_customer_service"}
    assert callbacks.seal_transfer(replace(DOOR, app="miniprogram"), message, AT) == "success"


def test_a_reply_goes_back_to_its_sender():
    reply = read_reply("已收到，谢谢您")
    assert (reply["ToUserName"], reply["FromUserName"], reply["MsgType"], reply["Content"]) == ("oMei", "gh_1", "text", "已收到，谢谢您")
    assert reply["CreateTime"] == str(int(AT.timestamp()))


def test_what_a_person_wrote_cannot_break_out_of_our_reply():
    injected = "]]></Content><MsgType>x</MsgType><Content><![CDATA["
    reply = read_reply(injected)
    assert reply["Content"] == injected and reply["MsgType"] == "text"
    assert read_reply("a\x08b\x00c\ufffe")["Content"] == "abc"


def test_a_long_reply_is_cut_between_characters():
    content = read_reply("长" * 1000)["Content"]
    assert content.endswith("长…") and len(content.encode()) <= 2048


def test_nothing_to_say_is_said_as_success():
    message = callbacks.open_callback(DOOR, *posted(text_xml()), AT)
    assert callbacks.seal_reply(DOOR, message, None, AT) == callbacks.seal_reply(DOOR, message, "", AT) == "success"
    assert callbacks.seal_reply(replace(DOOR, app="miniprogram"), message, "您好", AT) == "success"
