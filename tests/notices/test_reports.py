"""What WeChat tells of a message afterwards: success, failure, and every shape that is neither."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.factories import NOON, make_campaign, make_voter
from tests.notices.conftest import SETTINGS, SUBSCRIBE, attempts, both_doors, configured, report, states, tell
from wxbackend import jobs, wechat
from wxbackend.extensions import db
from wxbackend.notices import service as notices
from wxbackend.notices.models import NoticeAttempt

HOUR = timedelta(hours=1)
FINISHED = "templatesendjobfinish"


@pytest.fixture
def amei(app, templates):
    """阿美 as the account knows her, and as the mini program does; her chat is closed."""
    account, mini = both_doors()
    notices.heard(account.identity, "text", NOON - timedelta(days=7))
    db.session.commit()
    return account, mini


def by_template(amei, post, answer="900001"):
    post.answers["template"] = [answer]
    tell(amei[0].person_id)
    jobs.run_due(NOON)
    assert post.channels == ["template"]


def outcomes() -> list[tuple[str, str]]:
    db.session.expire_all()
    asked = db.session.query(NoticeAttempt).filter(NoticeAttempt.state != "skipped")
    return [(a.state, a.outcome) for a in asked.order_by(NoticeAttempt.id)]


def reported(amei, facts, event=FINISHED, at=NOON) -> bool:
    who = amei[0] if event == FINISHED else amei[1]
    told = notices.on_report(report(event, who, facts, app="account" if event == FINISHED else "miniprogram"), at)
    db.session.commit()
    return told


@pytest.mark.parametrize(("status", "outcome", "state"), [
    ("success", "success", "sent"), ("failed:user block", "failed:user block", "refused"),
    ("failed: system failed", "failed:system failed", "refused")])
def test_a_template_message_ends_as_wechat_says(amei, post, status, outcome, state):
    by_template(amei, post)
    assert reported(amei, {"MsgID": "900001", "Status": status})
    assert outcomes() == [(state, outcome)]
    jobs.run_due(NOON + HOUR)   # nothing is left to try
    assert states() == [("sent" if state == "sent" else "refused", None)] and post.asked == ["template"]


def test_the_same_report_again_changes_nothing_nor_does_a_later_other(amei, post):
    by_template(amei, post)
    for status in ("success", "success", "failed:user block"):
        reported(amei, {"MsgID": 900001, "Status": status})
    assert outcomes() == [("sent", "success")] and states() == [("sent", None)]


def test_a_report_of_somebody_elses_message_is_not_ours(amei, post):
    by_template(amei, post)
    reported(amei, {"MsgID": "900002", "Status": "failed:user block"})   # another system of the institution sent that
    notices.on_report(report(FINISHED, make_voter("路人"), {"MsgID": "900001", "Status": "failed:user block"}, app="account"), NOON)
    assert outcomes() == [("sent", "")]


def test_a_subscribe_message_that_did_not_arrive_goes_on_by_template(amei, post):
    notices.add_credit(amei[1].identity, make_campaign(), SUBSCRIBE, True, NOON)
    tell(amei[0].person_id)
    jobs.run_due(NOON)
    assert post.channels == ["subscribe"]
    row = {"TemplateId": SUBSCRIBE, "MsgID": "1", "ErrorCode": "43101", "ErrorStatus": "user refuse"}
    for _ in range(2):
        reported(amei, {"List": [row]}, "subscribe_msg_sent_event")
    jobs.run_due(NOON + HOUR)
    assert post.channels == ["subscribe", "template"] and states() == [("sent", None)]
    assert attempts()[1:] == [("subscribe", "refused", None, "user refuse"), ("template", "sent", None, "")]


def test_a_report_settles_what_was_unsure(amei, post):
    post.answers["template"] = [wechat.WeChatAway("ReadTimeout", unsure=True)]
    tell(amei[0].person_id)
    jobs.run_due(NOON)
    assert states() == [("unsure", None)]
    reported(amei, {"MsgID": "900001", "Status": "success"}, at=NOON + timedelta(seconds=9))
    assert states() == [("sent", None)] and outcomes() == [("sent", "success")]


def test_an_unsure_message_is_not_settled_by_a_report_of_another_day(amei, post):
    post.answers["template"] = [wechat.WeChatAway("ReadTimeout", unsure=True)]
    tell(amei[0].person_id)
    jobs.run_due(NOON)
    reported(amei, {"MsgID": "900001", "Status": "success"}, at=NOON + HOUR)
    assert states() == [("unsure", None)]


@pytest.mark.parametrize(("status", "ends"), [("success", "sent"), ("failed:user block", "refused")])
def test_a_report_may_overtake_wechats_own_answer(app, amei, post, status, ends):
    def meanwhile() -> None:
        reported(amei, {"MsgID": "900001", "Status": status})
        db.session.remove()

    post.before = meanwhile
    by_template(amei, post)
    post.before = lambda: None
    jobs.run_due(NOON + HOUR)
    assert states() == [(ends, None)] and post.asked == ["template"]
    assert outcomes() == [(ends, status)]
    assert [a.msgid for a in db.session.query(NoticeAttempt).filter(NoticeAttempt.channel == "template")] == ["900001"]


def test_other_messages_are_no_reports(amei):
    for event in ("", "subscribe", "wxa_media_check", "view", "templatesendjobfinish2"):
        assert not notices.on_report(report(event, amei[0], {}), NOON)


def test_a_report_about_somebody_unknown_is_acknowledged(app, templates):
    stranger = make_voter("路人")
    message = report(FINISHED, stranger, {"MsgID": "1", "Status": "success"})
    assert notices.on_report(wechat.Message(**{**message.__dict__, "openid": "oNobody"}), NOON)


ODD = [None, "", "x", 0, 1, True, 3.5, [], {}, [None], [[]], [{}], {"List": None}, {"a": {"b": []}}, "9" * 500, 10 ** 400, "接受",
       "\x00", "\ud800", "success", "accept", "reject", "failed:" + "很" * 300, "0", "43101"]
NAMES = ["List", "SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent", "TemplateId", "SubscribeStatusString",
         "MsgID", "ErrorCode", "ErrorStatus", "Status"]


@pytest.mark.parametrize("event", ["subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event", FINISHED])
def test_no_shape_makes_a_report_raise(amei, post, event):
    make_campaign()
    by_template(amei, post)
    chance = random.Random(7)

    def shape(depth: int = 0):
        if depth < 3 and chance.random() < 0.6:
            inner = {chance.choice(NAMES): shape(depth + 1) for _ in range(4)}
            return [inner, shape(depth + 1)] if chance.random() < 0.3 else inner
        return SUBSCRIBE if chance.random() < 0.2 else chance.choice(ODD)

    rows = [{"TemplateId": SUBSCRIBE, name: odd} for name in NAMES for odd in ODD]
    for facts in [*ODD, *({"List": [row]} for row in rows), *rows, *(shape() for _ in range(300))]:
        assert reported(amei, facts, event) is True


def test_the_report_holds_for_every_engine(any_app, post):
    account = make_voter()
    with configured(any_app, **SETTINGS):
        notices.heard(account.identity, "text", NOON - timedelta(days=7))
        by_template((account, account), post)
        reported((account, account), {"MsgID": "900001", "Status": "failed:" + "long " * 50})
        assert outcomes()[0][0] == "refused" and states() == [("queued", None)]
        jobs.run_due(NOON + HOUR)
        assert states() == [("refused", None)]
