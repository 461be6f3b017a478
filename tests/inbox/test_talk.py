"""What a citizen writes and what comes of it: picture and name in any order, consent before anything is kept, leaving, two campaigns."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.factories import NOON, cast, document, make_campaign, make_voter
from tests.inbox.conftest import Chat
from tests.submissions.pictures import encoded, qr, screenshot
from wxbackend import alarms, wechat
from wxbackend.accounts.models import EntryLink
from wxbackend.extensions import db
from wxbackend.inbox import words
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Entrant, Submission
from wxbackend.tickets.models import Ticket

PAIR = "张小三 13800000000"


@pytest.fixture
def voted(site, chat, wechat_side):
    """阿美 has voted today; her success page is the picture SHOT, 老陈's is THEIRS, BLANK has no receipt."""
    with site.inside():
        wechat_side.pictures["SHOT"] = encoded(screenshot(cast(site.campaign(), make_voter("阿美")).receipt), "JPEG", quality=60)
        wechat_side.pictures["THEIRS"] = encoded(qr(cast(site.campaign(), make_voter("老陈")).receipt))
        wechat_side.pictures["BLANK"] = encoded(qr(cast(site.campaign(), make_voter("路人")).receipt).crop((0, 0, 20, 20)))
    return chat


def states(site) -> list[str]:
    with site.inside():
        return [s.state for s in db.session.query(Submission).order_by(Submission.id)]


def entry(site) -> tuple[str, str] | None:
    with site.inside():
        found = submissions.entrant(site.campaign(), make_voter("阿美").person_id)
        return (submissions.named(found).name, submissions.named(found).phone) if found else None


def test_picture_then_name(site, voted, wechat_side, work):
    asked = voted.show("SHOT")
    assert "只用来" in asked and "退出" in asked and "删除" in asked and "姓名" in asked   # what, how to leave, until when
    work()
    assert states(site) == ["waiting"] and entry(site) is None and site.count(Ticket) == 0
    told = voted.say(PAIR)
    assert "1月6日（周四）" in told and "1个签号" in told
    assert (states(site), entry(site), site.count(Ticket)) == (["approved"], ("张小三", "13800000000"), 1)


def test_name_right_after_the_picture_before_it_was_fetched(site, voted, wechat_side, work):
    voted.show("SHOT")
    voted.say(PAIR)
    assert site.count(Ticket) == 0
    work()
    assert states(site) == ["approved"] and site.count(Ticket) == 1
    work()
    assert "1个签号" in wechat_side.told[voted.openid][0] and "张小三" not in wechat_side.told[voted.openid][0]


def test_name_first_is_held_sealed_until_she_agrees(site, voted, work):
    asked = voted.say(PAIR)
    assert "同意" in asked and "48小时" in asked and "退出" in asked
    assert entry(site) is None
    with site.inside():
        held = db.session.query(ChatEntry).one()
        assert "张小三" not in held.held_sealed and held.held_until == NOON + timedelta(hours=48)
    also = voted.show("SHOT")
    assert "截图收到" in also and "同意" in also
    work()
    assert states(site) == ["waiting"] and entry(site) is None   # a picture is no consent
    voted.say("同意")
    assert (entry(site), states(site), site.count(Ticket)) == (("张小三", "13800000000"), ["approved"], 1)
    with site.inside():
        assert db.session.query(ChatEntry).one().held_sealed == ""


def test_sent_again_after_the_notice_is_consent_as_well(site, voted, work):
    voted.say(PAIR)
    voted.say("张小三 13900000000")
    assert entry(site) == ("张小三", "13900000000")
    with site.inside():
        assert db.session.query(ChatEntry).one().held_sealed == ""


def test_what_nobody_agreed_to_is_dropped_after_48_hours(site, voted, work):
    voted.say(PAIR)
    site.now(NOON + timedelta(hours=47, minutes=59))
    work()
    with site.inside():
        assert db.session.query(ChatEntry).one().held_sealed
    site.now(NOON + timedelta(hours=48))
    voted.say("同意")
    assert entry(site) is None
    work()
    with site.inside():
        assert db.session.query(ChatEntry).one().held_sealed == ""


def test_agreeing_to_nothing_asks_for_name_and_phone(site, voted):
    assert voted.say("同意") == words.NOTHING_HELD and entry(site) is None


@pytest.mark.parametrize("text", ["张三 13800000000 13900000000", "张三 李四 13800000000"])
def test_two_names_or_phones_are_asked_back(site, voted, text):
    voted.show("SHOT")
    assert voted.say(text) == words.AMBIGUOUS and entry(site) is None


def test_half_is_asked_for_the_other_half(site, voted):
    voted.show("SHOT")
    assert voted.say("13800000000") == words.ONLY_PHONE and voted.say("张小三") == words.ONLY_NAME and entry(site) is None


@pytest.mark.parametrize("text", ["姓名:张小三,电话:138 0000 0000", "１３８００００００００张小三", "张小三 +8613800000000",
                                  "我叫张小三，手机13800000000。"])
def test_all_usual_ways_of_writing_it(site, voted, text):
    voted.show("SHOT")
    voted.say(text)
    assert entry(site) == ("张小三", "13800000000")


def test_a_phone_set_right_by_writing_again(site, voted):
    voted.show("SHOT")
    voted.say(PAIR)
    voted.say("张小三 13900000000")
    assert entry(site) == ("张小三", "13900000000") and site.count(Entrant) == 1


def test_leaving_takes_everything_back(site, voted, work):
    voted.show("SHOT")
    work()
    voted.say(PAIR)
    assert voted.say("退出") == words.LEFT
    assert entry(site) is None and states(site) == ["dropped"] and list((site.db_file.parent / "evidence").iterdir()) == []
    with site.inside():
        assert db.session.query(Ticket).one().revoked_at == NOON
    assert voted.say("退出") == words.NOT_IN


def test_leaving_what_was_only_held(site, voted):
    voted.say(PAIR)
    assert voted.say("退出") == words.LEFT
    with site.inside():
        assert db.session.query(ChatEntry).one().held_sealed == ""


def test_whoever_left_is_told_and_asked_anew(site, voted):
    voted.show("SHOT")
    voted.say(PAIR)
    voted.say("退出")
    assert "同意" in voted.say(PAIR) and entry(site) is None


def test_a_picture_fetched_while_she_leaves_is_not_kept(site, voted, wechat_side, work):
    voted.show("SHOT")
    voted.say(PAIR)
    wechat_side.during = lambda: voted.say("退出")
    work()
    assert states(site) == ["dropped"] and not (site.db_file.parent / "evidence").exists()
    assert site.count(Ticket) == 0


def test_somebody_elses_picture_goes_to_the_staff_and_she_is_told(site, voted, wechat_side, work):
    voted.show("THEIRS")
    voted.say(PAIR)
    work()
    work()
    assert states(site) == ["pending"] and wechat_side.told[voted.openid] == [words.waiting_for_staff(True)]


def test_a_picture_without_a_receipt_goes_to_the_staff(site, voted, wechat_side, work):
    voted.show("BLANK")
    voted.say(PAIR)
    work()
    work()
    assert states(site) == ["pending"] and wechat_side.told[voted.openid] == [words.waiting_for_staff(False)]


@pytest.mark.parametrize(("picture", "said"), [(None, "再发一次"), (b"<svg/>", "没认出来"), (wechat.MediaTooLarge(), "")])
def test_a_picture_that_cannot_be_had_is_told(site, voted, wechat_side, work, picture, said):
    if picture is not None:
        wechat_side.pictures["BAD"] = picture
    voted.show("BAD")
    work()
    work()
    assert states(site) == ["dropped"] and said in wechat_side.told[voted.openid][0]


def test_while_wechat_is_away_the_picture_waits(site, voted, wechat_side, work):
    shot, wechat_side.pictures["SHOT"] = wechat_side.pictures["SHOT"], wechat.WeChatAway("ConnectTimeout")
    voted.show("SHOT")
    voted.say(PAIR)
    work()
    assert states(site) == ["arriving"]
    wechat_side.pictures["SHOT"] = shot
    site.now(NOON + timedelta(hours=1))
    work()
    assert states(site) == ["approved"]


def test_the_eight_characters_instead_of_a_picture(site, voted):
    with site.inside():
        hers = submissions.receipts.receipts_of(site.campaign(), make_voter("阿美").person_id)[0].code
        theirs = submissions.receipts.receipts_of(site.campaign(), make_voter("老陈").person_id)[0].code
    assert "退出" in voted.say(hers) and site.count(Ticket) == 0   # told what will be kept first
    voted.say(PAIR)
    assert voted.say(theirs) == words.CODE_UNKNOWN
    voted.say(hers.replace("-", " ").lower())
    assert site.count(Ticket) == 1


def test_a_child_is_sent_to_the_page_with_its_parents(site, voted):
    assert "家长" in voted.say("未满14") and entry(site) is None


@pytest.mark.parametrize("kind", ["voice", "video", "shortvideo", "location", "link", "file", "miniprogrampage", "brandnew"])
def test_other_kinds_get_help(site, voted, kind):
    assert voted.reply_of(voted.post({"MsgType": kind, "MediaId": "x"})) == words.NOT_TEXT.get(kind, words.HELP)
    assert states(site) == []


@pytest.mark.parametrize("text", ["", "   ", "😀", "x" * 5000, "<script>alert(1)</script>", "]]>", "' OR 1=1 --", "\u202e倒",
                                  "1" * 11, "0" * 8])
def test_whatever_people_write_is_answered(site, voted, text):
    assert voted.say(text) and entry(site) is None


@pytest.mark.parametrize(("event", "key"), [("subscribe", ""), ("subscribe", "qrscene_article"), ("SCAN", "article"), ("CLICK", "vote")])
def test_who_comes_is_shown_the_way(site, voted, event, key):
    assert re.search(r'href="http://127.0.0.1:8000/e/[\w-]{22}\.[0-9a-f]{16}"', voted.event(event, key))


@pytest.mark.parametrize("event", ["unsubscribe", "VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "brand_new_event"])
def test_other_events_are_taken_in_silence(site, voted, event):
    assert voted.event(event) == ""


def test_the_instant_counts_that_wechat_says(site, voted, wechat_side, work):
    """Sent a minute before evidence ends, delivered a minute after."""
    with site.inside():
        until = site.campaign().evidence_until
    voted.show("SHOT")
    voted.say(PAIR)
    site.now(until - timedelta(seconds=1))
    assert "截图收到" in voted.show("SHOT", CreateTime=int((until - timedelta(minutes=5)).timestamp()))
    site.now(until)
    assert "截图收到" not in voted.show("SHOT")
    assert len(states(site)) == 2


def test_when_nothing_runs_nothing_is_taken_in(site, chat):
    with site.inside():
        site.now(site.campaign().evidence_until)
    for reply in (chat.show("SHOT"), chat.say(PAIR), chat.say("投票"), chat.event("subscribe")):
        assert reply and "同意" not in reply
    assert states(site) == [] and entry(site) is None
    with site.inside():
        assert db.session.query(ChatEntry).filter(ChatEntry.held_sealed != "").count() == 0


def test_before_it_opens_nothing_is_taken_in(site, chat):
    with site.inside():
        site.now(site.campaign().opens_at - timedelta(seconds=1))
    chat.show("SHOT")
    assert states(site) == []


# Two campaigns at once: one votes with us, one elsewhere.

@pytest.fixture
def two(site, voted):
    with site.inside():
        make_campaign("external")
    return Chat(site.app, "新人")


def slugs(site) -> list[str]:
    with site.inside():
        return [s.campaign.slug for s in db.session.query(Submission).order_by(Submission.id)]


def test_a_picture_of_somebody_who_never_voted_here_is_of_the_vote_held_elsewhere(site, two):
    two.show("BLANK")
    assert slugs(site) == [document("external")["slug"]]


def test_a_picture_of_somebody_who_voted_here_is_of_that_vote(site, two, voted):
    voted.show("BLANK")
    assert slugs(site) == [site.slug]


def test_a_keyword_chooses_for_a_day(site, two, voted):
    assert "街道" in voted.say("街道评议")
    voted.show("BLANK")
    site.now(NOON + timedelta(hours=24, seconds=1))
    voted.show("BLANK")
    assert slugs(site)[0] == document("external")["slug"]
    voted.say("改革评议")
    voted.show("BLANK")
    assert slugs(site)[-1] == site.slug


def test_a_receipt_has_the_last_word(site, two, voted, work):
    voted.say("街道评议")
    voted.show("SHOT")
    assert slugs(site) == [document("external")["slug"]]
    work()
    assert slugs(site) == [site.slug]


def test_name_and_phone_go_to_the_campaign_of_the_picture(site, two, voted, work):
    two.show("BLANK")
    two.say("李四 13700000000")
    with site.inside():
        entered = [(e.campaign_id == site.campaign().id) for e in db.session.query(Entrant)]
    assert entered == [False]


def test_leaving_leaves_all(site, two, voted, work):
    voted.show("SHOT")
    voted.say(PAIR)
    site.now(NOON + timedelta(minutes=1))
    voted.say("街道评议")
    voted.show("BLANK")
    voted.say(PAIR)
    assert site.count(Entrant) == 2
    voted.say("退出")
    with site.inside():
        assert all(e.withdrawn_at for e in db.session.query(Entrant))


def test_every_reply_fits_wechats_2048_bytes_and_is_kind(site, two, voted):
    for text in ("投票", "签号", PAIR, "同意", "退出", "未满14", "你好", "改革评议", "街道评议", "13800000000", "7K4M-X2RD", "谢谢",
                 "什么时候开奖？"):
        reply = voted.say(text)
        assert 0 < len(reply.encode()) <= 2048 and not any(cold in reply for cold in ("系统", "参数", "非法", "失败", "用户"))


def test_a_campaign_of_the_mini_program_alone_takes_nothing_in_the_chat(site, voted):
    """Where the account is no door, neither picture nor name is kept, and the link would lead to a closed page."""
    with site.inside():
        site.campaign().doors = ["miniprogram"]
        db.session.commit()
    for said in (voted.say("投票"), voted.show("SHOT"), voted.say(PAIR), voted.say("ABCD-1234"), voted.event("subscribe")):
        assert "小程序" in said
    assert states(site) == [] and entry(site) is None and site.count(EntryLink) == 0


def test_a_picture_that_wechat_refuses_for_a_while_waits_and_is_not_lost(site, voted, wechat_side, work):
    """`media` is off by 48001: each hour anew, and neither dropped nor told of until WeChat's three days are over."""
    shot, wechat_side.pictures["SHOT"] = wechat_side.pictures["SHOT"], wechat.NotGranted(was_asked=False)
    voted.show("SHOT")
    voted.say(PAIR)
    clock = site.app.extensions["clock"]
    for _ in range(30):
        work()
        clock.fixed += timedelta(hours=1)
    assert states(site) == ["arriving"] and voted.openid not in wechat_side.told
    with site.inside():
        assert alarms.open_alarms() == []   # WeChat was not asked again, so there is no news
    wechat_side.pictures["SHOT"] = shot
    work()
    assert states(site) == ["approved"] and site.count(Ticket) == 1


def test_after_three_days_of_refusals_the_picture_is_given_up_aloud(site, voted, wechat_side, work):
    wechat_side.pictures["SHOT"] = wechat.NotGranted(was_asked=False)
    voted.show("SHOT")
    clock, began = site.app.extensions["clock"], site.app.extensions["clock"].fixed
    while clock.fixed <= began + timedelta(hours=74):
        work()
        clock.fixed += timedelta(minutes=30)
    assert states(site) == ["dropped"]   # her 48 hours are over, so the chat cannot say so: the staff see it
    with site.inside():
        assert [a.kind for a in alarms.open_alarms()] == ["media-lost"]
