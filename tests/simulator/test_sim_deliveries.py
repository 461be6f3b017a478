"""How often and in which shape messages are delivered: modes, formats, retries, copies, floods, every kind there is."""

import base64
import time

import pytest

from simulator import crypto
from simulator.envelope import xml

FAULT = "该公众号提供的服务出现故障，请稍后再试"


def outbox(wechat, person="amei"):
    return [m["text"] for m in wechat.get("/_sim/outbox", person=person)["messages"]]


# modes and formats
@pytest.mark.parametrize("mode", ["secure", "mixed", "plain"])
def test_each_mode_looks_as_wechats(wechat, shop, mode):
    wechat.config(account_mode=mode)
    wechat.control("send", person="amei", text="投票")
    got = shop.received[0]
    assert got["Content"] == "投票"
    assert (b"<Content>" in got["body"], b"<Encrypt>" in got["body"]) == (mode != "secure", mode != "plain")
    assert ("msg_signature" in got["query"]) is (mode != "plain")
    assert got["query"]["signature"] == crypto.sign(shop.config.account_token, got["query"]["timestamp"], got["query"]["nonce"])


def test_a_reply_in_clear_is_taken_in_plain_and_mixed_mode_only(wechat, shop):
    for mode, taken in (("plain", True), ("mixed", True), ("secure", False)):
        wechat.config(account_mode=mode)
        shop.answers = ["x"]
        shop.raw_reply = xml({"ToUserName": wechat.openid("amei"), "FromUserName": "gh_demo_account", "CreateTime": 5, "MsgType": "text",
                              "Content": "来啦"})
        assert (wechat.control("send", person="amei", text="投票")["outcome"] == "ok") is taken
    assert outbox(wechat) == ["来啦", "来啦", FAULT]


@pytest.mark.parametrize(("form", "mimetype"), [("json", "application/json"), ("xml", "text/xml")])
@pytest.mark.parametrize("mode", ["secure", "mixed", "plain"])
def test_the_mini_programs_push_has_two_formats(wechat, shop, mode, form, mimetype):
    wechat.config(miniprogram_mode=mode, miniprogram_format=form)
    assert wechat.control("send", person="amei", text="在吗", app="miniprogram")["outcome"] == "ok"
    got = shop.received[0]
    assert (got["app"], got["type"], got["Content"], got["MsgType"]) == ("miniprogram", mimetype, "在吗", "text")
    assert got["FromUserName"] == wechat.openid("amei", "miniprogram") and got["ToUserName"] == "gh_demo_mini"


def test_a_mini_program_answers_with_success_only(wechat, shop):
    shop.raw_reply, shop.answers = '{"demo_resp":"good luck"}', ["x"]
    assert wechat.control("send", person="amei", text="在吗", app="miniprogram")["outcome"].startswith("invalid")
    assert outbox(wechat) == []   # nobody's chat shows it


def test_the_consoles_check_of_the_address(wechat, shop):
    assert wechat.control("check-url") == {"status": 200, "ok": True}
    assert wechat.control("check-url", app="miniprogram")["ok"]
    shop.echo_spoiled = True
    assert wechat.control("check-url") == {"status": 200, "ok": False}


# deliveries
def test_a_retry_may_bring_a_fresh_nonce_with_the_same_body(wechat, shop):
    wechat.config(retry_nonce="fresh")
    shop.answers = [500, 500, "来啦"]
    wechat.control("send", person="amei", text="投票")
    assert len({r["query"]["nonce"] for r in shop.received}) == 3
    assert len({(r["body"], r["MsgId"]) for r in shop.received}) == 1
    assert outbox(wechat) == ["来啦"]


def test_copies_arrive_at_the_same_moment(wechat, shop):
    shop.answers = [0.3] * 4
    started = time.monotonic()
    wechat.control("send", person="amei", text="投票", copies=4)
    assert time.monotonic() - started < 1.1 and len(shop.received) == 4 and len({r["MsgId"] for r in shop.received}) == 1
    wechat.control("resend", times=3, at_once=3)
    assert len(shop.received) == 7 and len({r["body"] for r in shop.received}) == 1


def test_messages_may_overtake_each_other(wechat, shop):
    messages = [{"person": "amei", "text": str(n)} for n in range(5)]
    wechat.control("send-many", messages=messages, order="reverse")
    assert [r["Content"] for r in shop.received] == ["4", "3", "2", "1", "0"]
    ids = [int(r["MsgId"]) for r in shop.received]
    assert ids == sorted(ids, reverse=True)


def test_a_flood_can_be_prepared_and_posted_by_somebody_else(wechat, shop, http):
    made = wechat.control("prepare", people=["amei", "老陈"], texts=["投票"] * 50)["callbacks"]
    assert len({c["msg_id"] for c in made}) == 100 and shop.received == []
    for one in made[:2] + made[-1:]:
        answer = http.post(one["url"], data=one["body"].encode(), headers={"Content-Type": one["content_type"]}, timeout=5)
        assert answer.text == "success"
    assert {r["FromUserName"] for r in shop.received} == {wechat.openid("amei"), wechat.openid("laochen")}
    assert [r["MsgId"] for r in shop.received] == [made[0]["msg_id"], made[1]["msg_id"], made[-1]["msg_id"]]


def test_an_answer_after_five_seconds_is_no_answer(wechat, shop):
    wechat.config(callback_timeout_seconds=0.4)
    shop.answers = [0.7, 0.7, "来啦"]
    assert wechat.control("send", person="amei", text="投票")["delivery"] == 3
    assert outbox(wechat) == ["来啦"]


# kinds of replies and messages
def test_a_transfer_shows_as_a_note(wechat, shop):
    person = {"FromUserName": wechat.openid("amei"), "ToUserName": "gh_demo_account"}
    shop.raw_reply, shop.answers = shop.sealed(person, "", MsgType="transfer_customer_service"), ["x"]
    assert wechat.control("send", person="amei", text="人工")["reply_type"] == "transfer_customer_service"
    assert outbox(wechat) == ["已转人工，请稍候"]


@pytest.mark.parametrize(("kind", "needs"), [
    ("voice", {"MediaId", "Format"}), ("video", {"MediaId", "ThumbMediaId"}), ("location", {"Location_X", "Scale", "Label"}),
    ("link", {"Title", "Url"}), ("sticker", set())])
def test_every_kind_of_message_arrives(wechat, shop, kind, needs):
    wechat.control("send", person="amei", kind=kind, fields={"MsgDataId": "1", "Idx": "1"})
    got = shop.received[0]
    assert got["MsgType"] == kind and needs <= got.keys() and int(got["MsgId"]) > 2**53 and got["Idx"] == "1"


def test_a_video_is_fetched_in_two_steps(wechat, shop):
    wechat.control("send", person="amei", kind="video")
    told = wechat.get("/cgi-bin/media/get", access_token=wechat.token(), media_id=shop.received[0]["MediaId"])
    assert told.keys() == {"video_url"}
    assert b"ftyp" in wechat.client.get("/" + told["video_url"].split("/", 3)[3]).data


def test_media_belongs_to_its_app(wechat, shop):
    picture = base64.b64encode(b"\x89PNG").decode()
    sent = wechat.control("send", person="amei", image_base64=picture, app="miniprogram")
    assert wechat.get("/cgi-bin/media/get", access_token=wechat.token(), media_id=sent["media_id"])["errcode"] == 40007


@pytest.mark.parametrize(("event", "fields"), [
    ("VIEW", {"MenuId": "1"}), ("LOCATION", {"Latitude": 22.5}),
    ("TEMPLATESENDJOBFINISH", {"MsgID": 200163836, "Status": "failed: system failed"}),
    ("subscribe_msg_popup_event", {"SubscribeMsgPopupEvent": {"List": [{"TemplateId": "a"}, {"TemplateId": "b"}]}}),
    ("never_heard_of", {"Anything": "x"})])
def test_any_event_can_be_sent(wechat, shop, event, fields):
    assert wechat.control("event", person="amei", event=event, fields=fields)["outcome"] == "ok"
    got = shop.received[0]
    assert (got["MsgType"], got["Event"]) == ("event", event) and "MsgId" not in got
    if event == "LOCATION":
        assert (got["Latitude"], got["Longitude"]) == ("22.5", "114.054")
    if event == "subscribe_msg_popup_event":
        assert got["TemplateId"] == "b" and b"Encrypt" in got["body"]   # of two items the last leaf stands in this dict


def test_a_scene_qr_lets_strangers_follow_and_followers_scan(wechat, shop):
    wanted = {"action_name": "QR_STR_SCENE", "expire_seconds": 600, "action_info": {"scene": {"scene_str": "poster"}}}
    made = wechat.post("/cgi-bin/qrcode/create", wanted, access_token=wechat.token())
    wechat.control("scan", person="阿芳", content=made["url"])
    wechat.control("scan", person="阿芳", content=made["url"])
    first, second = shop.received
    assert (first["Event"], first["EventKey"], first["Ticket"]) == ("subscribe", "qrscene_poster", made["ticket"])
    assert (second["Event"], second["EventKey"], second["Ticket"]) == ("SCAN", "poster", made["ticket"])
    wechat.later(minutes=11)
    assert wechat.client.post("/_sim/scan", json={"person": "amei", "content": made["url"]}).status_code == 404
