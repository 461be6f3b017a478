"""What the account answers of itself: the staff's words in force, the running campaign's facts, the way to a person."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.factories import NOON, make_campaign
from tests.statements import statements
from wxbackend import audit, wechat
from wxbackend.audit.models import AuditEntry
from wxbackend.campaigns import service as campaigns
from wxbackend.draws import freeze as freezing
from wxbackend.draws.models import Draw
from wxbackend.extensions import db
from wxbackend.inbox import duties, editing
from wxbackend.inbox.duties import Answer
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.inbox.replies import MOST_BYTES, size
from wxbackend.problems import Invalid

SLUG = "futian-2021-reform"
SATURDAY = NOON + timedelta(days=2, hours=-4)   # 08:00, the campaign still runs, the desk is empty


def write(kind: str = "keyword", number: int | None = None, **changes: Any) -> AccountReply:
    """A reply of the staff's, committed: write(equal=["停车"], text="B2层")."""
    form = {"kind": kind, "name": "", "equal": [], "contain": [], "action": "text", "text": "好的。", "campaign": None, "is_active": True}
    row = editing.save(number, form | changes, "staff:xiaoli", NOON)
    db.session.commit()
    return row


@pytest.fixture
def campaign(app):
    return make_campaign()


@pytest.fixture
def may(monkeypatch):
    """What WeChat lets the account do: may.discard("customer-message")."""
    features = {"customer-message", "menu"}
    monkeypatch.setattr(wechat, "can", lambda feature: feature in features)
    return features


def faults(**changes: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        write(**changes)
    db.session.rollback()
    return {e["pointer"]: e["detail"] for e in refused.value.facts["errors"]}


def deeds() -> list[tuple[str, dict[str, Any]]]:
    rows = db.session.scalars(select(AuditEntry).where(AuditEntry.verb.like("account.%")).order_by(AuditEntry.id))
    return [(row.verb, json.loads(row.facts)) for row in rows]


def test_a_word_is_answered_from_the_next_message_on(any_app):
    assert duties.match("停车", NOON) is None
    row = write(equal=["停车"], text="B2层。")
    assert duties.match("「停车。」", NOON) == Answer("B2层。", of=row.id)
    write(number=row.id, equal=["停车"], text="B3层。")
    assert duties.match("停车", NOON).text == "B3层。"
    editing.switch(row.id, False, "staff:xiaoli", NOON)
    db.session.commit()
    assert duties.match("停车", NOON) is None


def test_another_process_hears_of_a_change_made_at_the_very_same_instant(make_app, server_url):
    mine, theirs = make_app(database_url=server_url), make_app(database_url=server_url)
    with mine.app_context():
        row = write(equal=["停车"], text="B2层。")
        number = row.id
    for text in ("B3层。", "B4层。"):
        with theirs.app_context():
            assert duties.match("停车", NOON) is not None
            db.session.remove()
        with mine.app_context():
            write(number=number, equal=["停车"], text=text)
            db.session.remove()
        with theirs.app_context():
            assert duties.match("停车", NOON).text == text
            db.session.remove()


def test_the_rules_are_read_once_and_a_thousand_do_not_slow_a_message(app):
    campaign = make_campaign()
    db.session.add_all(AccountReply(kind="keyword", name="", words=[{"word": f"第{n}号词条说明", "match": "contain"}], action="text",
        text="好" * 300,
                                    campaign_id=None, position=0, is_active=True, note="", stamp=n, changed_by="test", changed_at=NOON)
                       for n in range(1000))
    db.session.commit()
    duties.match("先读一遍", NOON)
    began = time.perf_counter()
    with statements() as asked:
        for n in range(50):
            assert duties.match(f"请问第{n}号词条说明在哪里，" + "长" * 200, NOON) is not None
    took = (time.perf_counter() - began) / 50
    assert took < 0.02 and not any("account_reply.text" in sql for sql in asked)
    assert campaign.is_published


def test_a_campaigns_word_holds_while_it_runs(campaign):
    write(equal=["礼品"], text="一般没有礼品。")
    own = write(equal=["礼品"], text="30个盲盒。", campaign=SLUG)
    assert duties.match("礼品", NOON) == Answer("30个盲盒。", campaign_slug=SLUG, of=own.id)
    for outside in (campaign.opens_at - timedelta(seconds=1), campaign.evidence_until):
        assert duties.match("礼品", outside).text == "一般没有礼品。"
    assert duties.match("礼品", campaign.opens_at).text == "30个盲盒。"


def test_a_drafts_word_is_not_said(app):
    make_campaign(publish=False)
    write(equal=["礼品"], text="30个盲盒。", campaign=SLUG)
    assert duties.match("礼品", NOON) is None


@pytest.mark.parametrize(("text", "source"), [("改革评议", ""), ("改革评议-总馆海报", "hq"), ("改革评议 branch", "branch"),
                                              ("2021年福田区改革项目网络评议", ""), ("改革评议-看不清", "")])
def test_a_campaigns_own_keyword_leads_to_the_vote_with_its_channel(campaign, text, source):
    write(contain=["评议"], text="别的话")
    assert duties.match(text, NOON) == Answer(action="vote", campaign_slug=SLUG, source=source)


def test_further_keywords_lead_to_the_vote_too(campaign):
    make_campaign("external")
    row = write(equal=["我要评", "评"], action="vote", text="", campaign=SLUG)
    assert duties.match("我要评", NOON) == Answer(action="vote", campaign_slug=SLUG, of=row.id)
    assert duties.match("我要评-hq", NOON) == Answer(action="vote", campaign_slug=SLUG, source="hq", of=row.id)
    assert duties.match("我要评-hq", campaign.evidence_until) is None
    general = write(equal=["选一个"], action="vote", text="")
    assert duties.match("选一个 总馆海报", NOON) == Answer(action="vote", campaign_slug=SLUG, source="hq", of=general.id)
    assert duties.match("选一个", campaign.evidence_until) == Answer(action="vote", of=general.id)


def test_the_greeting_always_shows_the_way_to_a_running_vote(campaign):
    assert duties.greeting(campaign, NOON) is None
    write("greeting", text="欢迎关注！")
    said = duties.greeting(campaign, NOON)
    assert said.startswith("欢迎关注！") and "{投票链接}" in said and "{活动}" in said
    assert duties.greeting(None, NOON) == "欢迎关注！"
    write("greeting", text="您好，{投票链接}。")
    assert duties.greeting(campaign, NOON) == "您好，{投票链接}。"
    write("greeting", text="这次评议，{投票链接}，{电话}。", campaign=SLUG)
    assert duties.greeting(campaign, NOON) == "这次评议，{投票链接}，0755-0000 0000。"
    assert duties.greeting(None, NOON) == "您好，{投票链接}。"


def test_a_greeting_that_fills_the_message_stays_as_it_is(campaign):
    write("greeting", text="好" * (MOST_BYTES // 3))
    assert duties.greeting(campaign, NOON) == "好" * (MOST_BYTES // 3)


def test_of_greeting_default_and_the_way_to_a_person_one_is_in_force(any_app):
    first = write("default", text="第一句")
    second = write("default", text="第二句")
    assert duties.default(NOON) == "第二句" and not db.session.get(AccountReply, first.id).is_active
    editing.switch(first.id, True, "staff:xiaoli", NOON)
    db.session.commit()
    assert duties.default(NOON) == "第一句" and not db.session.get(AccountReply, second.id).is_active


def test_the_default_speaks_of_the_campaigns_desk_only_while_there_is_one(campaign):
    write("default", text="没看懂。急事打{电话}。")
    assert duties.default(NOON) == "没看懂。急事打0755-0000 0000。"
    assert duties.default(campaign.evidence_until) == "没看懂。"


def test_a_person_is_called_in_the_desks_hours_and_named_outside_them(campaign, may):
    row = write("human", equal=["人工"], contain=["投诉"], action="human", text="{工作时间}有人，现在请打{电话}。")
    for said in ("人工", "我要投诉！"):
        assert duties.match(said, NOON) == Answer(duties.TRANSFERRED, "human", of=row.id)
        assert duties.match(said, NOON).action == "human"
        assert duties.match(said, SATURDAY) == Answer("工作日 09:00–17:00有人，现在请打0755-0000 0000。", of=row.id)
    assert duties.click("human", NOON).action == "human"
    assert duties.click("human", SATURDAY).text.startswith("工作日")


def test_an_account_without_a_desk_transfers_nobody(campaign, may):
    write("human", equal=["人工"], action="human", text="请打{电话}。")
    may.discard("customer-message")
    assert duties.match("人工", NOON).action == "text" and duties.match("人工", NOON).text == "请打0755-0000 0000。"


def test_with_no_campaign_nobody_knows_the_hours_and_the_desk_is_asked(app, may):
    write("human", equal=["人工"], action="human", text="请打{电话}。")
    assert duties.match("人工", NOON).action == "human"


def test_a_desk_that_answers_with_words_never_transfers(campaign, may):
    write("human", equal=["人工"], action="text", text="请打{电话}。")
    assert duties.match("人工", NOON).action == "text"


def test_a_way_to_a_person_not_written_yet_says_the_hours(campaign, may):
    assert duties.match("人工", NOON) is None   # the inbox has its own words for it
    assert duties.click("human", SATURDAY).text == "现在没有人值班。工作时间是工作日 09:00–17:00。急事请打0755-0000 0000。"


def test_buttons_of_our_own_need_no_words(campaign):
    assert duties.click("vote", NOON) == Answer(action="vote")
    assert duties.click("mine", NOON) == Answer(action="mine")
    assert duties.click("POINTS", NOON) is None and duties.click("", NOON) is None


def test_the_button_to_the_draw_always_knows_the_newest(campaign):
    assert "封存签号名单" in duties.click("draw", NOON).text
    assert duties.click("draw", campaign.opens_at - timedelta(days=1)).text == duties.NO_DRAW
    freezing.freeze(campaign, campaign.freeze_at)
    db.session.commit()
    assert f"/w/{SLUG}-1" in duties.click("draw", campaign.freeze_at).text
    later = make_campaign(slug="spring", title="春节评议",
        window={name: (getattr(campaign, name) + timedelta(days=30)).isoformat() for name in
                                                            ("opens_at", "closes_at", "evidence_until", "freeze_at")})
    said = duties.click("draw", later.opens_at).text
    assert "春节评议" in said and f"/w/{SLUG}-1" in said


def test_the_button_to_the_draw_lists_three_the_drawn_ones_first(app):
    def held(slug: str, days: int, drawn: bool) -> None:
        moved = {name: (getattr(first, name) + timedelta(days=days)).isoformat() for name in
                 ("opens_at", "closes_at", "evidence_until", "freeze_at")}
        one = make_campaign(slug=slug, title=slug, window=moved)
        freezing.freeze(one, one.freeze_at)
        if drawn:
            draw = db.session.scalars(select(Draw).where(Draw.campaign_id == one.id)).one()
            draw.state, draw.transcript, draw.seed, draw.drawn_at = "drawn", "{}", "0", one.freeze_at + timedelta(hours=4)
        db.session.commit()

    first = make_campaign()
    for slug, days, drawn in (("aaa", 10, True), ("bbb", 20, True), ("ccc", 30, False), ("ddd", 40, False)):
        held(slug, days, drawn)
    said = duties.click("draw", NOON + timedelta(days=60)).text
    assert [line.partition("：")[0] for line in said.splitlines()] == ["bbb", "aaa", "ddd", first.title]
    assert all(f"/w/{slug}-1" in said for slug in ("bbb", "aaa", "ddd")) and "封存签号名单" in said.splitlines()[-1]
    assert "抽完了" in said.splitlines()[0] and "等开奖号" in said.splitlines()[2]


def test_of_two_campaigns_with_one_word_the_one_published_last_is_meant(app):
    first, second = make_campaign(slug="first", title="第一个"), make_campaign(slug="second", title="第二个")
    make_campaign("external", slug="other")
    make_campaign(slug="draft", title="草稿", publish=False)
    make_campaign(slug="later", title="以后的", window={name: (getattr(first, name) + timedelta(days=300)).isoformat() for name in
                  ("opens_at", "closes_at", "evidence_until", "freeze_at")})
    assert duties.match("改革评议", NOON).campaign_slug == "second"
    first.published_at = NOON
    db.session.commit()
    assert duties.match("改革评议", NOON).campaign_slug == "first"
    assert duties.rivals(first) == {"改革评议": [second]} and duties.rivals(second) == {"改革评议": [first]}
    assert set(duties.rivals(campaigns.by_slug("draft"))) == {"改革评议"} and duties.rivals(campaigns.by_slug("other")) == {}


def test_what_is_put_away_is_out_of_force_and_comes_back_when_switched_on(any_app):
    row = write(equal=["停车"], text="B2层。")
    with pytest.raises(Invalid, match="在用的不能收起"):
        editing.put_away(row.id, True, "staff:xiaoli", NOON)
    editing.switch(row.id, False, "staff:xiaoli", NOON)
    assert editing.put_away(row.id, True, "staff:xiaoli", NOON).is_hidden
    assert not editing.switch(row.id, True, "staff:xiaoli", NOON).is_hidden
    db.session.commit()
    assert [verb for verb, _ in deeds()] == ["account.reply-saved", "account.reply-off", "account.reply-hidden", "account.reply-on"]


def test_words_that_something_else_answers_first_are_told(campaign):
    row = write(equal=["签号", "投票", "改革评议", "停车"], contain=["我的"])
    assert editing.overheard(row, NOON) == ["签号", "投票", "改革评议"]
    assert editing.overheard(row, campaign.evidence_until) == ["签号", "投票"]


# What the staff may write.

def test_a_text_longer_than_wechat_takes_is_refused_with_its_bytes(app):
    assert "现在是2049字节" in faults(equal=["长"], text="a" * 2049)["#/text"]
    assert "现在是2049字节" in faults(kind="greeting", text="好" * 683)["#/text"]
    write(equal=["长"], text="a" * 2048)
    placed = "a" * 1900 + "{投票链接}"
    assert f"现在是{size(placed)}字节" in faults(equal=["别的"], text=placed)["#/text"]
    assert "2048" in faults(equal=["别的"], text="a" * 2049, is_active=False)["#/text"]


@pytest.mark.parametrize(("changes", "pointer", "said"), [
    ({"equal": []}, "#/equal", "至少写一个词"), ({"equal": [" ", "\n"]}, "#/equal", "至少写一个词"),
    ({"equal": ["词"], "text": " "}, "#/text", "请写下"),
    ({"equal": ["退出"]}, "#/equal", "参加抽奖"), ({"equal": ["同意。"]}, "#/equal", "参加抽奖"),
    ({"equal": ["未满14"]}, "#/equal", "参加抽奖"),
    ({"contain": ["长" * 61]}, "#/contain", "最多60个字"), ({"equal": [f"词{n}" for n in range(51)]}, "#/equal", "最多50个词"),
    ({"equal": ["停 车！"]}, "#/equal", "“停 车！”已经在“停 车”那一条里了"), ({"kind": "human", "equal": ["停 车"]}, "#/equal", "已经在"),
    ({"kind": "default", "action": "vote"}, "#/action", "另选"),
    ({"equal": ["奖"], "text": "去{抽奖链接}。"}, "#/text", "不认识“{抽奖链接}”"),
    ({"equal": ["奖"], "text": "去{抽奖链接}。"}, "#/text", "能写的只有：{投票链接} {活动} {截止} {电话} {工作时间}。"),
    ({"kind": "default", "text": "去{投票连接}。", "is_active": False}, "#/text", "“{投票连接}”"),
    ({"kind": "human", "equal": ["人工"], "action": "human", "hours": "看情况"}, "#/hours", "没读懂"),
    ({"kind": "human", "equal": ["人工"], "action": "mine"}, "#/action", "另选"),
])
def test_what_cannot_work_is_refused_beside_its_field(app, changes, pointer, said):
    write(equal=["停 车"], text="B2层。")
    found = faults(**changes)
    assert said in found[pointer] and list(found) == [pointer]


def test_the_same_word_may_stand_once_for_the_account_and_once_for_each_campaign(campaign):
    write(equal=["停车"])
    write(equal=["停车"], campaign=SLUG)
    write(contain=["停车"])
    assert "#/equal" in faults(equal=["停车"], campaign=SLUG)


def test_what_is_switched_off_may_be_unfinished_and_is_checked_when_switched_on(app):
    row = write(equal=["地图"], text="", is_active=False)
    with pytest.raises(Invalid, match="还不能启用"):
        editing.switch(row.id, True, "staff:xiaoli", NOON)
    write(number=row.id, equal=["地图"], text="在一楼。", is_active=False)
    write(equal=["地图"], text="在二楼。")
    with pytest.raises(Invalid) as refused:
        editing.switch(row.id, True, "staff:xiaoli", NOON)
    assert "已经在" in refused.value.next_step


def test_two_who_change_one_reply_do_not_overwrite_each_other(any_app):
    row = write(equal=["停车"], text="B2层。")
    seen = row.stamp
    write(number=row.id, equal=["停车"], text="B3层。", stamp=seen)
    with pytest.raises(editing.ReplyChanged):
        write(number=row.id, equal=["停车"], text="B4层。", stamp=seen)
    db.session.rollback()
    assert duties.match("停车", NOON).text == "B3层。"


@pytest.mark.parametrize("number", [0, -1, 99, 2**40])
def test_a_reply_that_is_not_there(app, number):
    with pytest.raises(editing.NoSuchReply):
        write(number=number)


def test_a_campaign_that_is_not_there(app):
    with pytest.raises(campaigns.NoSuchCampaign):
        write(equal=["词"], campaign="nowhere")


def test_words_and_texts_are_kept_as_a_message_can_carry_them(any_app):
    row = write(equal=["停车", "停车。", " 停车 ", "Ｐ"], contain=["停车"], text="一\r\n二\x0b\ud800三😀]]>")
    assert [(pair["word"], pair["match"]) for pair in row.words] == [("停车", "equal"), ("Ｐ", "equal"), ("停车", "contain")]
    assert row.text == "一\n二三😀]]>"


def test_every_change_is_a_line_of_the_log_without_the_text(app):
    row = write(equal=["停车"], text="B2层。电话13800000000")
    editing.switch(row.id, False, "staff:xiaoli", NOON)
    editing.switch(row.id, False, "staff:xiaoli", NOON)   # nothing changes
    db.session.commit()
    verbs = [verb for verb, _ in deeds()]
    assert verbs == ["account.reply-saved", "account.reply-off"]
    assert all("B2" not in json.dumps(facts) and len(facts["text_sha256"]) == 16 for _, facts in deeds())
    assert audit.verify_chain() is None
