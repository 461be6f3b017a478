"""The staff's words as they reach people: every place filled or its sentence left out, and a trial that is the very same path."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.factories import NOON
from tests.inbox.test_duties import write
from wxbackend import wechat
from wxbackend.accounts.models import EntryLink, Identity, Person
from wxbackend.audit.models import AuditEntry
from wxbackend.extensions import db
from wxbackend.inbox import duties, menu, relay, talk, words
from wxbackend.inbox.buttons import item
from wxbackend.inbox.models import InboxMessage
from wxbackend.jobs.models import Job
from wxbackend.submissions.models import ChatEntry, Entrant

ALL_PLACES = "投票点这里：{投票链接}\n活动是{活动}，{截止}截止。\n问题打{电话}。"
STROKES = "投票点这里：{投票链接} / 活动是{活动}，{截止}截止。/ 问题打{电话}。"


@pytest.fixture
def over(site):
    """After the reference campaign, when none runs."""
    def go() -> None:
        with site.inside():
            after = site.campaign().evidence_until + timedelta(days=1)
        site.now(after)
    return go


def written(site, **changes) -> None:
    with site.inside():
        write(**changes)


def test_the_default_reply_has_the_link_of_whoever_asks(site, chat):
    written(site, kind="default", text="没看懂。想投票，{投票链接}；{活动}{截止}截止，急事打{电话}。")
    said = chat.say("图书馆几点开门")
    assert "{" not in said and "/e/" in said and "福田区" in said and "1月8日" in said and "0755" in said
    assert "{" not in chat.post({"MsgType": "location", "Label": "x"}).text


@pytest.mark.parametrize("text", [ALL_PLACES, STROKES])
def test_where_no_campaign_runs_nothing_is_said_with_a_gap(site, chat, over, text):
    written(site, kind="default", text=text)
    written(site, equal=["怎么投"], text=text)
    assert "{" not in chat.say("随便说说") and "截止" in chat.say("随便说说")
    over()
    for said in (chat.say("随便说说"), chat.say("怎么投")):
        assert "投票点这里" not in said and "活动是" not in said and "票和截图都收完了" in said   # the account's own sentence


def test_a_button_nobody_knows_gets_the_default_reply_filled(site, chat):
    written(site, kind="default", text="想投票，{投票链接}。")
    assert "/e/" in chat.event("CLICK", "OLD_KEY")


def test_the_default_reply_is_filled_where_the_second_server_is_away(site, chat, monkeypatch):
    written(site, kind="default", text="想投票，{投票链接}。")
    monkeypatch.setattr(relay, "forward", lambda query, body, seconds: None)
    really = talk._not_ours
    monkeypatch.setattr(talk, "_not_ours", lambda *given: talk.Reply(really(*given).text, "relay"))
    assert "/e/" in chat.say("图书馆几点开门")


def test_no_link_is_made_for_a_text_that_has_no_place_for_it(site, chat):
    written(site, kind="default", text="没看懂。")
    assert chat.say("图书馆几点开门") == "没看懂。" and site.count(EntryLink) == 0


def test_once_the_vote_is_closed_nobody_is_sent_to_it(site, chat):
    written(site, equal=["怎么投"], text="谢谢您。投票在{投票链接}。")
    with site.inside():
        closed = site.campaign().closes_at
    site.now(closed)
    assert chat.say("怎么投") == "谢谢您。"


@pytest.mark.parametrize(("said", "by"), [("改革评议", "keyword"), ("签号", "campaign"), ("我要投票", "campaign"), ("退出", "campaign"),
                                          ("停车", "staff"), ("怎么投", "staff"), ("谢谢", "campaign"), ("图书馆几点开门", "")])
def test_a_trial_says_what_the_phone_says(site, chat, said, by):
    written(site, equal=["停车"], text="B2层。")
    written(site, equal=["怎么投"], text="{活动}：{投票链接}。")
    on_the_phone = chat.say(said)
    with site.inside():
        heard = talk.preview(said, NOON)
    assert heard.by == by and unlinked(heard.reply.text) == unlinked(on_the_phone)


def test_with_no_campaign_a_trial_says_what_the_phone_says(site, chat, over):
    written(site, equal=["我要评"], action="vote", text="")
    over()
    with site.inside():
        assert talk.preview("我要评", site.app.extensions["clock"].fixed).reply.text == words.NO_CAMPAIGN
    assert chat.say("我要评") == words.NO_CAMPAIGN


@pytest.mark.parametrize("said", ["改革评议", "张小三 13800000000", "同意", "退出", "ABCD-1234", "人工", "随便说说"])
def test_of_a_trial_nothing_stays(site, said):
    kept = (Person, Identity, EntryLink, ChatEntry, Entrant, Job, InboxMessage, AuditEntry)
    with site.inside():
        before = [db.session.scalar(select(func.count()).select_from(model)) for model in kept]
        assert talk.preview(said, NOON).reply.text
        db.session.commit()
        assert [db.session.scalar(select(func.count()).select_from(model)) for model in kept] == before


def unlinked(text: str) -> str:
    head, _, rest = text.partition("/e/")
    return head + rest.partition('"')[2]


def test_a_way_to_a_person_has_hours_of_its_own(site, monkeypatch):
    monkeypatch.setattr(wechat, "can", lambda feature: True)
    with site.inside():
        row = write("human", equal=["人工"], action="human", text="", hours="每天 13:00-14:00")
        assert duties.match("人工", NOON).text == "现在没有人值班。工作时间是每天 13:00-14:00。急事请打0755-0000 0000。"
        assert duties.match("人工", NOON + timedelta(hours=1)).action == "human"
        assert duties.hours_now(row, NOON) == ("每天 13:00-14:00", "own")
        row = write("human", number=row.id, equal=["人工"], action="human", text="")
        assert duties.match("人工", NOON).action == "human" and duties.hours_now(row, NOON) == ("工作日 09:00–17:00", "campaign")
        after = site.campaign().evidence_until
        assert duties.match("人工", after + timedelta(hours=20)).action == "human" and duties.hours_now(row, after) == ("", "")


def test_a_tap_on_a_button_without_a_campaign_speaks_of_none(site, chat, over):
    with site.inside():
        made = menu.save([item(name="怎么投", does="say", text=ALL_PLACES)], "staff:xiaoli", NOON)
        db.session.commit()
        key = made.buttons[0]["key"]
    assert "1月8日" in chat.event("CLICK", key)
    over()
    assert "收完了" in chat.event("CLICK", key)
