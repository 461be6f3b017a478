"""The chat's window: what was heard opens it, what went out uses it up, what WeChat says of it is believed."""

from __future__ import annotations

from datetime import timedelta

from tests.factories import NOON, make_voter
from tests.notices.conftest import HOUR, attempts, tell, writes
from wxbackend import jobs, wechat
from wxbackend.extensions import db
from wxbackend.notices import service as notices
from wxbackend.notices import windows
from wxbackend.notices.models import ChatWindow


def test_what_wechat_says_of_the_chat_is_believed_afterwards(amei, post):
    for hours, (errcode, why) in enumerate(((45015, "closed"), (45047, "quota"), (43004, "left"))):
        at = NOON + hours * HOUR
        writes(amei, at)
        post.answers["customer"] = [errcode]
        for _ in range(2):
            notices.tell(amei.person_id, "evidence", "收好啦！", at)
        db.session.commit()
        asked = len(post.asked)
        jobs.run_due(at)
        assert post.asked[asked:] == ["customer"] and attempts()[-1] == ("customer", "skipped", None, why)


def test_a_chat_that_closes_while_waiting_is_left_for_the_next_channel(amei, post):
    writes(amei, NOON - timedelta(hours=47))
    post.answers["customer"] = [45009]
    tell(amei.person_id)
    jobs.run_due(NOON)
    jobs.run_due(NOON + 2 * HOUR)
    assert post.asked == ["customer", "subscribe"] and attempts()[0] == ("customer", "skipped", None, "closed")


def test_the_chats_quota_is_counted_by_what_went_out(amei, post):
    writes(amei)
    for _ in range(7):
        notices.tell(amei.person_id, "evidence", "收好啦！", NOON)
    db.session.commit()
    post.answers["customer"] = [None, wechat.WeChatAway("ReadTimeout", unsure=True), 40003]   # sent, perhaps, not
    jobs.run_due(NOON)
    assert post.asked == ["customer"] * 6 and [why for *_, why in attempts()] == [""] * 6 + ["quota"]
    writes(amei, NOON + HOUR)
    assert windows.of(amei.identity.id).sent_since_message == 0


def test_what_was_heard_counts_once_and_in_its_order(any_app):
    amei = make_voter()
    for kind, hours in (("text", 0), ("text", -1), ("click", 0), ("unsubscribe", -1), ("view", 1), ("text", 0)):
        notices.heard(amei.identity, kind, NOON + hours * HOUR)
    db.session.commit()
    row = db.session.query(ChatWindow).one()
    assert (row.message_at, row.tap_at, row.left_at) == (NOON, NOON, None)
    windows.charge(amei.identity.id, NOON), windows.charge(amei.identity.id, NOON)
    notices.heard(amei.identity, "unsubscribe", NOON + HOUR)
    notices.heard(amei.identity, "text", NOON)   # delivered late
    db.session.commit()
    db.session.expire_all()
    assert (row.sent_since_tap, row.sent_since_message, row.left_at) == (2, 0, NOON + HOUR)
    notices.heard(amei.identity, "subscribe", NOON + 2 * HOUR)
    db.session.expire_all()
    assert (row.tap_at, row.sent_since_tap, row.left_at) == (NOON + 2 * HOUR, 0, None)
