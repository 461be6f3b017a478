"""Nothing twice: not by an unsure answer, a kill, two workers or a crowd."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from tests.factories import NOON, make_campaign, make_voter
from tests.notices.conftest import FACTS, HOUR, SETTINGS, SUBSCRIBE, attempts, both_doors, configured, credit, states, tell, writes
from wxbackend import jobs, wechat
from wxbackend.accounts.models import Identity, Person
from wxbackend.extensions import db, settings
from wxbackend.jobs.models import Job
from wxbackend.notices import service as notices
from wxbackend.notices.models import NoticeAttempt


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
