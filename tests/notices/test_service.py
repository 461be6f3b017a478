"""Telling a person something: queued with what it is about, sent once, its fate recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON, make_campaign, make_voter
from tests.notices.conftest import SETTINGS, Post, configured, tell
from wxbackend import jobs, wechat
from wxbackend.extensions import db, settings
from wxbackend.jobs.models import Job
from wxbackend.notices import service as notices
from wxbackend.notices.models import Notice


class Chat:
    """WeChat's side of customer messages: what arrived, and what it says to the next ones."""

    def __init__(self):
        self.arrived: list[tuple[str, str]] = []
        self.answers: list[Exception | None] = []

    def __call__(self, openid: str, text: str) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is None or getattr(answer, "unsure", False):
            self.arrived.append((openid, text))
        if answer is not None:
            raise answer


@pytest.fixture
def chat(monkeypatch):
    chat = Chat()
    monkeypatch.setattr(wechat, "send_text", chat)
    return chat


@pytest.fixture
def amei(app):
    make_voter("路人")   # noise
    return make_voter("阿美")


def told(person_id: int, at=NOON) -> Notice | None:
    notice = notices.tell(person_id, "evidence", "收好啦！", at)
    db.session.commit()
    return notice


def states() -> list[tuple[str, int | None]]:
    db.session.expire_all()
    return [(n.state, n.errcode) for n in db.session.query(Notice).order_by(Notice.id)]


def test_a_notice_is_sent_to_the_chat_and_recorded(amei, chat):
    told(amei.person_id)
    assert jobs.run_due(NOON) == 1
    assert chat.arrived == [(amei.identity.openid, "收好啦！")] and states() == [("sent", None)]
    assert db.session.query(Notice).one().settled_at == NOON


def test_a_notice_goes_with_what_it_is_about(amei, chat):
    notices.tell(amei.person_id, "evidence", "收好啦！", NOON)
    db.session.rollback()   # the decision it tells of did not happen
    assert jobs.run_due(NOON) == 0 and states() == [] and chat.arrived == []


def test_somebody_of_the_mini_program_alone_cannot_be_told(app, chat):
    mini = make_voter("老陈", settings.miniprogram_appid)
    assert told(mini.person_id) is None and states() == [] and db.session.query(Job).count() == 0


def test_somebody_of_both_doors_is_told_in_the_account(app, chat):
    make_voter("阿美小程序", settings.miniprogram_appid, "u1")
    account = make_voter("阿美", unionid="u1")
    told(account.person_id)
    jobs.run_due(NOON)
    assert [openid for openid, _ in chat.arrived] == [account.identity.openid]


def test_a_refusal_is_kept_with_its_code_and_not_repeated(amei, chat):
    """45015: the 48 hours after the person's own message are over."""
    chat.answers = [wechat.WeChatRefused(45015, "rid", wechat.Kind.PERMANENT)]
    told(amei.person_id)
    jobs.run_due(NOON)
    assert states() == [("refused", 45015)] and jobs.run_due(NOON + timedelta(days=1)) == 0


def test_what_may_have_arrived_is_never_sent_again(amei, chat):
    chat.answers = [wechat.WeChatAway("ReadTimeout", unsure=True)]
    told(amei.person_id)
    jobs.run_due(NOON)
    jobs.run_due(NOON + timedelta(hours=2))
    assert states() == [("unsure", None)] and len(chat.arrived) == 1


def test_what_never_left_is_tried_again(amei, chat):
    chat.answers = [wechat.WeChatAway("ConnectTimeout", unsure=False)] * 2
    told(amei.person_id)
    jobs.run_due(NOON)
    assert states() == [("queued", None)] and chat.arrived == []
    for hours in (1, 2, 3):
        jobs.run_due(NOON + timedelta(hours=hours))
    assert states() == [("sent", None)] and len(chat.arrived) == 1


def test_a_worker_killed_while_sending_sends_no_second_one(amei, chat):
    """It is marked unsure before WeChat is asked: whoever takes the job over leaves it."""
    chat.answers = [KeyboardInterrupt()]   # type: ignore[list-item]
    told(amei.person_id)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_due(NOON)
    db.session.rollback()
    assert states() == [("unsure", None)]
    jobs.run_due(NOON + timedelta(hours=1))
    assert chat.arrived == [] and states() == [("unsure", None)]


def test_jobs_carry_numbers_and_no_words(amei, chat):
    told(amei.person_id)
    payload = db.session.query(Job.payload).scalar()
    assert amei.identity.openid not in payload and "收好" not in payload


@pytest.mark.parametrize("state", ["lost", ""])
def test_a_notice_has_one_of_four_fates(any_app, state):
    notice = told(make_voter("阿美").person_id)
    notice.state = state
    with pytest.raises(Exception, match="state"):
        db.session.flush()
    db.session.rollback()


# ---- once only, and how it stands ----

def test_what_must_be_told_once_is_told_once(any_app, chat):
    amei = make_voter("阿美")
    first = notices.tell(amei.person_id, "result", "您中奖了", NOON, about="draw:1:person:1")
    db.session.commit()
    assert notices.tell(amei.person_id, "result", "您中奖了", NOON, about="draw:1:person:1").id == first.id
    notices.tell(amei.person_id, "result", "您排在候补", NOON, about="draw:2:person:1")
    db.session.commit()
    jobs.run_due(NOON)
    assert [said for _, said in chat.arrived] == ["您中奖了", "您排在候补"]


def test_outcomes_count_one_campaign_by_channel_and_by_reason(app, monkeypatch):
    post = Post()
    for verb in ("send_text", "send_subscribe", "send_template", "can"):
        monkeypatch.setattr(wechat, verb, getattr(post, verb))
    campaign, other = make_campaign(), make_campaign(slug="futian-2022-other")
    with configured(app, **SETTINGS):
        post.answers = {"customer": [None, 45015, 45015, 45015, wechat.WeChatAway("x", unsure=True), 45009], "subscribe": [],
                        "template": [None, 43004, 43004]}
        for n in range(6):
            tell(make_voter(f"市民{n}").person_id, campaign=campaign)
        jobs.run_due(NOON)
        tell(make_voter("路人").person_id, campaign=other)
        notices.tell(make_voter("老陈").person_id, "evidence", "收好啦！", NOON)
        db.session.commit()
        jobs.run_due(NOON)
    found = notices.outcomes(campaign)
    assert found.states == {"sent": 2, "refused": 2, "unsure": 1, "queued": 1} and found.total == 6
    assert found.sent == {"customer": 1, "template": 1}
    assert [(u.channel, u.errcode, u.why, u.count) for u in found.undelivered] == [("customer", 45015, "", 2), ("template", 43004, "", 2)]
    assert notices.outcomes(other).states == {"sent": 1} and notices.outcomes(make_campaign(slug="spring")).total == 0
