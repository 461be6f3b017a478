"""The callback's wire: what is not from WeChat is refused, every message acts once, replies go back sealed."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from simulator.crypto import sign
from tests.factories import NOON, make_campaign
from tests.inbox.conftest import Chat
from wxbackend.extensions import db
from wxbackend.inbox.models import InboxMessage
from wxbackend.submissions.models import Entrant, Submission

HELLO = {"MsgType": "text", "Content": "投票"}


def test_a_message_gets_its_reply_sealed_and_turned_round(chat):
    """`reply_of` checks signature, appid, and that From and To are swapped."""
    assert "点这里去投票" in chat.say("投票")


def test_a_stranger_who_knows_the_address_is_refused(site, chat):
    wrong = {
        "no signature": {"query": {"msg_signature": None}},
        "an empty one": {"query": {"msg_signature": ""}},
        "another token": {"token": "guessed"},
        "an empty token": {"token": ""},
        "another key": {"aes_key": "x" * 43},
        "another app": {"appid": "wxsomebodyelse"},
        "a changed nonce": {"query": {"nonce": "other"}},
        "a changed time": {"query": {"timestamp": str(int(NOON.timestamp()) + 1)}},
        "an old delivery": {"timestamp": str(int((NOON - timedelta(minutes=11)).timestamp()))},
        "one of tomorrow": {"timestamp": str(int((NOON + timedelta(days=1)).timestamp()))},
        "plaintext": {"body": "<xml><FromUserName>oAMEI</FromUserName><MsgType>text</MsgType></xml>"},
        "no XML": {"body": "hello"},
        "entities": {"body": '<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>'},
        "nothing": {"body": " "},
        "a signature in Chinese": {"query": {"msg_signature": "签名"}},
    }
    for name, changes in wrong.items():
        answer = chat.post(HELLO, **changes)
        assert answer.status_code == 403, name
        assert "Traceback" not in answer.text and "只接收微信" in answer.text, name
    assert site.count(InboxMessage) == 0


def test_the_plain_signature_of_the_url_is_not_enough(site, chat):
    """In plaintext mode it covers token, time and nonce and not the body: one leaked URL would let anybody write as anybody."""
    assert chat.post(HELLO, query={"msg_signature": None, "encrypt_type": None}, body=chat.xml(HELLO)).status_code == 403
    assert site.count(InboxMessage) == 0


@pytest.mark.parametrize("path", ["/wechat/callback/other", "/wechat/callback/", "/wechat/callback/account/x"])
def test_other_doors_are_not_there(site, path):
    assert site.client.post(path, data="x").status_code == 404


def test_the_console_may_check_the_address(site, chat):
    seconds = str(int(NOON.timestamp()))
    right = sign(chat.settings.account_token, seconds, "n")
    query = {"timestamp": seconds, "nonce": "n", "echostr": "4375120948345356249", "signature": right}
    assert site.client.get("/wechat/callback/account", query_string=query).text == "4375120948345356249"
    assert site.client.get("/wechat/callback/account", query_string=query | {"signature": "0" * 40}).status_code == 403
    assert site.client.get("/wechat/callback/account", query_string=query | {"echostr": "<script>"}).status_code == 403
    assert site.client.get("/wechat/callback/miniprogram", query_string=query).status_code == 403


def test_three_deliveries_act_once_and_get_equal_replies(site, chat):
    for fields in ({"MsgType": "image", "MediaId": "M1", "PicUrl": "x", "MsgId": 42},
                   {"MsgType": "text", "Content": "张小三 13800000000", "MsgId": 43},
                   {"MsgType": "event", "Event": "subscribe", "EventKey": "", "MsgId": None}):
        assert len({chat.reply_of(chat.post(fields)) for _ in range(3)}) == 1
    assert (site.count(InboxMessage), site.count(Submission), site.count(Entrant)) == (3, 1, 1)


def test_a_delivery_that_comes_after_its_effect_says_the_same(site, chat):
    first = chat.reply_of(chat.post({"MsgType": "text", "Content": "签号", "MsgId": 44}))
    chat.show("M1")
    chat.say("张小三 13800000000")
    assert chat.reply_of(chat.post({"MsgType": "text", "Content": "签号", "MsgId": 44})) == first != chat.say("签号")


def test_the_same_number_of_two_people_is_two_messages_where_their_events_are(site, chat):
    """Events carry no MsgId: sender, second and kind tell them apart."""
    chen = Chat(site.app, "老陈")
    for someone in (chat, chen):
        someone.event("subscribe")
    assert site.count(InboxMessage) == 2


def test_three_deliveries_at_once_act_once(make_app, server_url, wechat_side):
    app = make_app(database_url=server_url)
    app.extensions["clock"].fixed = NOON
    with app.app_context():
        make_campaign()
        db.session.remove()
    chat, replies, gate = Chat(app), [], threading.Barrier(3)

    def deliver() -> None:
        gate.wait()
        replies.append(chat.reply_of(chat.post({"MsgType": "image", "MediaId": "M1", "PicUrl": "x", "MsgId": 42})))

    threads = [threading.Thread(target=deliver) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 3 and len(set(replies)) == 1 and "截图收到" in replies[0]
    with app.app_context():
        assert db.session.query(Submission).count() == db.session.query(InboxMessage).count() == 1


def test_the_mini_programs_door_takes_messages_and_says_nothing(site, chat):
    assert chat.post(HELLO, door="miniprogram").text == "success"
    assert chat.post(HELLO, door="miniprogram", token=chat.settings.account_token).status_code == 403
    assert site.count(InboxMessage) == 1


def test_nobodys_words_are_kept(site, chat):
    chat.say("张小三 13800000000")
    chat.say("我住在福田区一号")
    with site.inside():
        kept = " ".join(f"{m.kind} {m.reply} {m.dedupe_key} {m.sealed}" for m in db.session.query(InboxMessage))
        assert {(m.state, m.sealed) for m in db.session.query(InboxMessage)} == {("done", None)}
    for private in ("13800000000", "张小三", "福田区一号", chat.openid):
        assert private not in kept
