"""Channels in order: the free one first, and of the others those that are there for this person and these facts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from tests.factories import NOON, make_campaign, make_voter
from tests.notices.conftest import FACTS, HOUR, SETTINGS, SUBSCRIBE, TEMPLATE, attempts, configured, credit, states, tell, writes
from wxbackend import jobs
from wxbackend.extensions import db, settings
from wxbackend.notices import service as notices
from wxbackend.notices.models import Notice


def test_the_free_channel_comes_first_and_is_enough(amei, post):
    writes(amei)
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert post.sent == [("customer", amei.identity.openid, "您中奖了，恭喜！")] and attempts() == [("customer", "sent", None, "")]
    assert states() == [("sent", None)] and credit() == "available"


def test_the_closed_chat_is_not_asked_and_the_credit_is_spent(amei, post):
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert post.asked == ["subscribe"] and states() == [("sent", None)] and credit() == "used"
    channel, openid, what = post.sent[0]
    assert openid != amei.identity.openid
    assert what == {"id": SUBSCRIBE, "page": "", "thing1": "2021年改革项目网络评议", "time2": "2022年1月11日 21:30"}
    assert attempts() == [("customer", "skipped", None, "closed"), ("subscribe", "sent", None, "")]


def test_without_a_credit_the_template_goes_out(amei, post):
    post.answers["subscribe"] = [43101]
    notice = tell(amei.person_id)
    jobs.run_due(NOON)
    assert post.asked == ["subscribe", "template"] and post.channels == ["template"] and credit() == "used"
    assert post.sent[0][2] == {"id": TEMPLATE, "url": "https://vote.example/c/x/mine", "mark": f"notice-{notice.id}",
                               "thing1": "2021年改革项目网络评议", "phrase2": "中奖", "time3": "2022年1月11日 21:30"}
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert attempts()[-2:] == [("subscribe", "skipped", None, "no-credit"), ("template", "sent", None, "")]


def test_text_without_facts_goes_by_the_chat_alone(amei, post):
    notices.tell(amei.person_id, "evidence", "收好啦！", NOON)
    db.session.commit()
    jobs.run_due(NOON)
    assert post.asked == [] and states() == [("refused", None)] and attempts() == [("customer", "skipped", None, "closed")]
    assert credit() == "available"


def test_somebody_of_the_mini_program_alone_is_told_there(app, templates, post):
    mini = make_voter("老陈", settings.miniprogram_appid)
    notices.add_credit(mini.identity, make_campaign(), SUBSCRIBE, True, NOON)
    tell(mini.person_id)
    jobs.run_due(NOON)
    assert [(channel, openid) for channel, openid, _ in post.sent] == [("subscribe", mini.identity.openid)]


@pytest.mark.parametrize(("gone", "expected"), [
    ({}, ["subscribe"]), ({"notice_template": ""}, ["template"]), ({"notice_template": "", "account_template": ""}, []),
    ({"miniprogram_appid": ""}, ["template"])])
def test_only_channels_that_the_settings_name_are_there(app, amei, post, gone, expected):
    with configured(app, **SETTINGS | gone):
        tell(amei.person_id)
        jobs.run_due(NOON)
    assert post.channels == expected


def test_an_account_without_a_feature_is_not_asked_for_it(amei, post):
    writes(amei)
    post.refused_features = {"customer-message", "subscribe-message"}
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert post.asked == ["template"] and credit() == "available"
    assert attempts()[:2] == [("customer", "skipped", None, "not-granted"), ("subscribe", "skipped", None, "not-granted")]


def test_whoever_stopped_following_is_told_in_the_mini_program_alone(amei, post):
    writes(amei)
    notices.heard(amei.identity, "unsubscribe", NOON + timedelta(seconds=1))
    post.answers["subscribe"] = [43101]
    tell(amei.person_id)
    jobs.run_due(NOON + HOUR)
    assert post.asked == ["subscribe"] and attempts()[0][3] == attempts()[2][3] == "left" and states() == [("refused", 43101)]


def test_facts_that_do_not_fit_leave_the_credit(amei, post):
    tell(amei.person_id, data=FACTS | {"at": "明天"})
    jobs.run_due(NOON)
    assert post.asked == [] and [why for *_, why in attempts()] == ["closed", "no-facts", "no-facts"] and credit() == "available"


def test_another_campaigns_credit_serves_where_there_is_none_of_its_own(amei, post):
    other = make_campaign(slug="futian-2022-other")
    tell(amei.person_id, campaign=other)
    jobs.run_due(NOON)
    assert post.channels == ["subscribe"] and credit() == "used"


def test_a_notice_of_before_is_sent_by_the_chat(app, post):
    """Written by a version that knew no channels: no facts, no campaign, no attempts."""
    amei = make_voter()
    old = "INSERT INTO notice (identity_id, kind, text, state, created_at) VALUES (:i, 'evidence', '收好啦！', 'queued', :at)"
    db.session.execute(text(old), {"i": amei.identity.id, "at": "2022-01-06 04:00:00.000000"})
    jobs.enqueue("notices.send", {"notice": db.session.scalar(select(Notice.id))}, NOON)
    db.session.commit()
    jobs.run_due(NOON)
    assert post.channels == ["customer"] and states() == [("sent", None)]


def test_a_merge_between_telling_and_sending_is_followed(amei, post):
    """The notice hangs on an identity: whoever that person is by then is told."""
    late = make_voter("老陈")
    notices.heard(late.identity, "text", NOON - timedelta(days=7))
    tell(late.person_id)
    late.identity.person_id = amei.person_id
    db.session.commit()
    jobs.run_due(NOON)
    assert post.channels == ["subscribe"]
