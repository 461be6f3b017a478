"""What 小文文 answers to what people really write; nobody's name becomes a verb, no answer claims what is not so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON, cast, enter, make_campaign, make_voter
from wxbackend.extensions import db
from wxbackend.inbox import service as inbox
from wxbackend.submissions import service as submissions
from wxbackend.submissions.rules import pair_text
from wxbackend.wechat import Message


@pytest.fixture
def campaign(app, at):
    at(NOON)
    make_campaign("external")   # noise: a second campaign runs
    return make_campaign()


@pytest.fixture
def says(campaign):
    """``says(voter, text)``: one message, its answer."""
    sent = iter(range(1000))

    def say(voter, text: str, at=NOON) -> str:
        n = next(sent)
        message = Message(app="account", appid=voter.appid, openid=voter.identity.openid, to="gh", kind="text", event="", event_key="",
                          content=text, media_id="", msg_id=str(n), create_time=at, dedupe_key=f"{n:064x}")
        db.session.commit()
        inbox.keep(message, at)
        return inbox.answer(message.dedupe_key, at)[0].text

    return say


@pytest.mark.parametrize(("text", "name"), [
    ("姓名是陈建国 电话是138-0000-0000", "陈建国"), ("我的名字是李美，手机号是13800000000", "李美"), ("参加抽奖 李美13800000000", "李美"),
    ("你好，我是王小明，13800000000，谢谢", "王小明"), ("帮我改成李梅 13800000000", "李梅"), ("罗名扬 13800000000", "罗名扬"),
    ("改成13800000000", None)])
def test_the_words_around_a_name_are_not_the_name(text, name):
    assert pair_text(text).name == name and pair_text(text).phone == "13800000000" and not pair_text(text).is_ambiguous


def test_a_new_number_alone_changes_nothing_and_says_how(campaign, says):
    amei = make_voter()
    enter(campaign, amei, "李美")
    cast(campaign, amei)
    assert "姓名和新号码" in says(amei, "改成13900001111")
    assert submissions.named(submissions.entrant(campaign, amei.person_id)).name == "李美"


def test_what_was_understood_is_shown_masked(campaign, says):
    amei = make_voter()
    cast(campaign, amei)
    assert "还没记下" in says(amei, "李美 13800000000")
    answer = says(amei, "好的。")
    assert "李*，138****0000" in answer and "13800000000" not in answer


@pytest.mark.parametrize("text", ["谢谢", "中奖了吗", "怎么领奖", "人工", "好的", "签号"])
def test_nobody_in_the_draw_is_asked_for_a_phone_again(campaign, says, text):
    amei = make_voter()
    cast(campaign, amei)
    enter(campaign, amei)
    assert "手机号写在一条" not in says(amei, text)


def test_whoever_is_not_in_the_draw_is_not_told_that_she_is(campaign, says):
    assert "还没有参加抽奖" in says(make_voter(), "签号")


def test_after_the_close_the_way_is_to_the_tickets_and_then_to_the_result(campaign, says):
    amei = make_voter()
    cast(campaign, amei)
    enter(campaign, amei)
    assert "已经截止" in says(amei, "投票", campaign.closes_at + timedelta(minutes=1))
    assert f"/c/{campaign.slug}/mine" in says(amei, "中奖了吗", campaign.freeze_at + timedelta(days=1))


def test_after_the_close_her_tickets_and_the_draw_are_still_told(app, at, campaign, says):
    voter = make_voter()
    cast(campaign, voter)
    enter(campaign, voter)
    submissions.tap(campaign, voter.person_id, None, NOON)
    over = at(campaign.evidence_until + timedelta(minutes=1))
    assert "您有1个签号" in says(voter, "签号", over)
    assert "封存签号名单" in says(voter, "中奖了吗", over)
    assert "票和截图都收完了" in says(make_voter("路人"), "签号", over)
