"""Callbacks as they read: every kind of message and event, what Tencent adds later, and one key for each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.wechat.pushes import AES_KEY, AT, BY_ID, DOOR, VECTORS, event_xml, open_vector, opened, posted, text_xml
from wxbackend.wechat import callbacks
from wxbackend.wechat.callbacks import CallbackRefused, Door

PUSHES = [vector for vector in VECTORS["vectors"] if vector["kind"] == "callback_decrypt"]


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


def test_a_message_is_not_told_by_its_repr():
    message = callbacks.open_callback(DOOR, *posted(text_xml("张三 13800000000")), AT)
    assert "oMei" not in repr(message) and "13800000000" not in repr(message) and "tokenA" not in repr(DOOR)


def test_deliveries_of_one_message_share_a_key_and_others_do_not():
    def key(door: Door = DOOR, **fields: str) -> str:
        return callbacks.open_callback(door, *posted(text_xml(**fields), door), AT).dedupe_key

    event = {"MsgType": "event", "Event": "SCAN", "EventKey": "vote"}
    assert key() == key()
    assert key(**event) == key(**event | {"Event": "scan"})
    different = [key(), key(MsgId="8"), key(replace(DOOR, appid="wxother")), key(**event), key(**event | {"EventKey": "draw"}),
                 key(**event | {"CreateTime": "1641430801"}), key(**event | {"FromUserName": "oChen"}), key(**event | {"MsgID": "5"})]
    assert len(set(different)) == len(different)
