"""Channels in order, each answer's consequence, and nothing twice: not by two workers, a kill or an outage."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.factories import NOON, make_campaign, make_voter
from tests.notices.conftest import FACTS, SETTINGS, SUBSCRIBE, TEMPLATE, attempts, both_doors, configured, states, tell
from wxbackend import alarms, jobs, wechat
from wxbackend.accounts.models import Identity, Person
from wxbackend.extensions import db, settings
from wxbackend.jobs.models import Job
from wxbackend.notices import service as notices
from wxbackend.notices import windows
from wxbackend.notices.models import ChatWindow, Notice, NoticeAttempt, NoticeCredit

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def amei(app, templates):
    """阿美 by both doors, who subscribed in the mini program and wrote to the account last week; beside her 路人, who did so just now."""
    stranger = make_voter("路人")
    notices.heard(stranger.identity, "text", NOON)
    account, mini = both_doors()
    notices.heard(account.identity, "text", NOON - timedelta(days=7))
    notices.add_credit(mini.identity, make_campaign(), SUBSCRIBE, True, NOON - DAY)
    db.session.commit()
    return account


def credit() -> str:
    db.session.expire_all()
    return db.session.query(NoticeCredit).one().state


def writes(voter, at=NOON) -> None:
    notices.heard(voter.identity, "text", at)
    db.session.commit()


# ---- the order ----

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


# ---- what WeChat answers ----

PERMANENT = [40003, 40037, 41030, 43004, 43101, 45002, 45015, 45047, 47003, 48001, 48002, 48004, 50002, 99999]


@pytest.mark.parametrize("errcode", PERMANENT)
@pytest.mark.parametrize("channel", ["customer", "subscribe", "template"])
def test_a_refusal_is_recorded_and_the_next_channel_comes(amei, post, channel, errcode):
    writes(amei)
    order = ["customer", "subscribe", "template"]
    before, after = order[:order.index(channel)], order[order.index(channel) + 1:]
    for one in before:
        post.answers[one] = [45015 if one == "customer" else 43101]
    post.answers[channel] = [errcode]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert (channel, "refused", errcode, "") in attempts()
    assert post.channels == after[:1] and post.asked == [*before, channel, *after[:1]]
    assert states() == [("sent" if after else "refused", errcode)]
    used = {"customer": "used", "subscribe": "used" if errcode == 43101 else "available", "template": "used"}[channel]
    assert credit() == used
    jobs.run_due(NOON + 2 * DAY)
    assert len(post.asked) == len(before) + 1 + len(after[:1])


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


@pytest.mark.parametrize("errcode", [45009, 45011, 40001, 42001, 40164, 40125, 40013, 89503])
def test_what_is_of_the_hour_or_of_the_accounts_settings_waits_and_spends_nothing(amei, post, errcode):
    tell(amei.person_id)
    post.answers["subscribe"] = [errcode] * 3
    jobs.run_due(NOON)
    assert states() == [("queued", errcode)] and credit() == "available" and attempts()[-1] == ("subscribe", "refused", errcode, "later")
    for hours in range(1, 5):
        jobs.run_due(NOON + hours * HOUR)
    assert post.channels == ["subscribe"] and states() == [("sent", errcode)] and credit() == "used" and len(attempts()) == 2


def test_a_quota_that_begins_anew_at_midnight_is_outlived(amei, post):
    writes(amei)
    post.answers["customer"] = [45009] * 18
    tell(amei.person_id)
    for minutes in range(0, 26 * 60, 20):
        jobs.run_due(NOON + timedelta(minutes=minutes))
    assert post.channels == ["customer"] and states()[0][0] == "sent"


def test_a_chat_that_closes_while_waiting_is_left_for_the_next_channel(amei, post):
    writes(amei, NOON - timedelta(hours=47))
    post.answers["customer"] = [45009]
    tell(amei.person_id)
    jobs.run_due(NOON)
    jobs.run_due(NOON + 2 * HOUR)
    assert post.asked == ["customer", "subscribe"] and attempts()[0] == ("customer", "skipped", None, "closed")


@pytest.mark.parametrize("problem", [wechat.Unsendable(), wechat.CodeRefused(), wechat.MediaLost()])
def test_a_refusal_without_an_errcode_goes_on_as_well(amei, post, problem):
    writes(amei)
    post.answers["customer"] = [problem]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert attempts()[0] == ("customer", "refused", None, problem.type[:20]) and post.channels == ["subscribe"]


def test_an_operator_hears_of_what_only_she_can_mend(amei, post):
    post.answers["subscribe"] = [40037]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert [(a.kind, a.about) for a in alarms.open_alarms()] == [("wechat-operator", "40037 notices.subscribe")]
    tell(amei.person_id)
    jobs.run_due(NOON + HOUR)
    assert post.channels == ["template", "subscribe"] and alarms.open_alarms() == []


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


# ---- nothing twice ----

def test_unsure_ends_it_with_no_second_channel(amei, post):
    writes(amei)
    post.answers["customer"] = [wechat.WeChatAway("ReadTimeout", unsure=True)]
    tell(amei.person_id)
    for hours in (0, 2, 50):
        jobs.run_due(NOON + hours * HOUR)
    assert post.asked == ["customer"] and states() == [("unsure", None)] and attempts() == [("customer", "unsure", None, "")]


def test_an_unsure_credit_counts_as_spent(amei, post):
    post.answers["subscribe"] = [wechat.WeChatAway("busy", unsure=True)]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert states() == [("unsure", None)] and credit() == "used" and post.asked == ["subscribe"]


def test_what_never_left_comes_again_by_the_same_channel(amei, post):
    post.answers["subscribe"] = [wechat.WeChatAway("ConnectTimeout")] * 2
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert states() == [("queued", None)] and credit() == "available" and attempts()[1] == ("subscribe", "skipped", None, "later")
    jobs.run_due(NOON + HOUR), jobs.run_due(NOON + 2 * HOUR)
    assert post.channels == ["subscribe"] and post.asked == ["subscribe"] * 3 and credit() == "used"


@pytest.mark.parametrize("channel", ["customer", "subscribe", "template"])
def test_a_kill_between_asking_and_recording_sends_nothing_twice(amei, post, channel):
    writes(amei)
    for one in ("customer", "subscribe", "template"):
        if one == channel:
            post.answers[one] = [KeyboardInterrupt()]
            break
        post.answers[one] = [45015 if one == "customer" else 43101]
    tell(amei.person_id)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_due(NOON)
    db.session.rollback()
    asked = list(post.asked)
    assert asked[-1] == channel and states()[0][0] == "unsure" and attempts()[-1][:2] == (channel, "unsure")
    for hours in (1, 2, 60):
        jobs.run_due(NOON + hours * HOUR)
    assert post.asked == asked and states()[0][0] == "unsure"


def test_a_fault_of_ours_while_asking_sends_nothing_twice(amei, post):
    post.answers["subscribe"] = [ValueError("not an openid")]
    tell(amei.person_id)
    for hours in range(4):
        jobs.run_due(NOON + hours * HOUR)
    assert post.asked == ["subscribe"] and states()[0][0] == "unsure"


def test_two_workers_on_one_notice_send_it_once(any_app, post):
    with configured(any_app, **SETTINGS):
        account, _ = both_doors()
        notice_id = tell(account.person_id).id
        gate, done = threading.Barrier(4), []

        def work() -> None:
            with any_app.app_context():
                gate.wait()
                try:
                    notices.send({"notice": notice_id}, NOON)
                    db.session.commit()
                    done.append(True)
                finally:
                    db.session.remove()

        db.session.rollback()
        threads = [threading.Thread(target=work) for _ in range(4)]
        [t.start() for t in threads], [t.join() for t in threads]
        assert len(done) == 4 and post.channels == ["customer"] and states() == [("sent", None)]


def test_two_workers_on_a_notice_that_comes_again_send_it_once(any_app, post):
    """The row of the first try is there already: the notice's own state decides."""
    account = make_voter()
    post.answers["customer"] = [45011]
    notice_id = tell(account.person_id, data=None).id
    jobs.run_due(NOON)
    assert states() == [("queued", 45011)]

    def the_other() -> None:
        post.before = lambda: None
        with any_app.app_context():
            notices.send({"notice": notice_id}, NOON)
            db.session.remove()

    def meanwhile() -> None:
        other = threading.Thread(target=the_other)
        other.start()
        other.join()

    post.before = meanwhile
    jobs.run_due(NOON + HOUR)
    assert post.asked == ["customer"] * 2 and states()[0][0] == "sent"


def test_two_notices_do_not_spend_one_credit(any_app, post):
    with configured(any_app, **SETTINGS | {"account_template": ""}):
        mini = make_voter("老陈", settings.miniprogram_appid)
        notices.add_credit(mini.identity, make_campaign(), SUBSCRIBE, True, NOON)
        ids = [tell(mini.person_id).id for _ in range(2)]
        gate = threading.Barrier(2)

        def work(notice_id: int) -> None:
            with any_app.app_context():
                gate.wait()
                notices.send({"notice": notice_id}, NOON)
                db.session.commit()
                db.session.remove()

        db.session.rollback()
        threads = [threading.Thread(target=work, args=(i,)) for i in ids]
        [t.start() for t in threads], [t.join() for t in threads]
        assert post.channels == ["subscribe"] and sorted(state for state, _ in states()) == ["refused", "sent"]


def attempt_of(notice, channel, state, holds) -> NoticeAttempt:
    return NoticeAttempt(notice_id=notice.id, channel=channel, identity_id=notice.identity_id, state=state, holds=holds, at=NOON)


def test_the_database_lets_no_notice_out_twice(any_app, post):
    notice = tell(make_voter().person_id, data=None)
    for channel in ("customer", "template"):
        db.session.add(attempt_of(notice, channel, "unsure", 1))
    with pytest.raises(IntegrityError):
        db.session.flush()


@pytest.mark.parametrize(("state", "holds"), [("sent", None), ("unsure", None), ("refused", 1), ("skipped", 1), ("lost", None)])
def test_an_attempts_state_and_what_it_holds_agree(any_app, state, holds):
    notice = tell(make_voter().person_id, data=None)
    db.session.add(attempt_of(notice, "customer", state, holds))
    with pytest.raises(Exception, match="(?i)check|constraint"):
        db.session.flush()
    db.session.rollback()


# ---- many, and odd times ----

def test_a_flood_of_300_winners_is_told_once_each(app, templates, post):
    campaign = make_campaign()
    people = [Person(public_id=f"{n:032x}", created_at=NOON) for n in range(300)]
    db.session.add_all(people)
    db.session.flush()
    for n, person in enumerate(people):
        identity = Identity(person_id=person.id, appid=settings.account_appid, openid=f"oFlood{n}", first_seen_at=NOON)
        db.session.add(identity)
        db.session.flush()
        notices.heard(identity, "text", NOON - n * HOUR)
        notices.tell(person.id, "result", "您中奖了", NOON, data=FACTS, campaign=campaign, about=f"award:{n}")
    db.session.commit()
    trouble = [45011, 45009, wechat.WeChatAway("ConnectTimeout"), wechat.WeChatAway("ReadTimeout", unsure=True)]
    post.answers["customer"] = [*trouble, *[None] * 10] * 4
    for minutes in range(0, 200, 10):
        jobs.run_due(NOON + timedelta(minutes=minutes), 1000)
    assert len({openid for _, openid, _ in post.sent}) == len(post.sent) == 300
    found = notices.outcomes(campaign)
    assert found.states == {"sent": 296, "unsure": 4} and sum(found.sent.values()) == 296 and found.undelivered == []
    assert db.session.query(Job).filter(Job.kind == "notices.send", Job.done_at.is_(None)).count() == 0


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
