"""The console's replies brought over: what is kept, what changes, what waits, and nothing of ours overwritten."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from sqlalchemy import select

from tests.factories import NOON
from tests.inbox.duty_samples import ARTICLE, HOURS, MENU, PICTURE, REPLIES, rule, said
from tests.inbox.test_duties import write
from wxbackend.extensions import db
from wxbackend.inbox import duties, editing, imports, menu
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.inbox.replies import MOST_BYTES


def bring(raw: Any) -> imports.Report:
    report = imports.bring_in(raw, "staff:xiaoli", NOON)
    db.session.commit()
    return report


def told(*rules: Any, **changes: Any) -> dict[str, Any]:
    """WeChat's answer with these keyword rules and nothing else."""
    return {"is_autoreply_open": 1, "is_add_friend_reply_open": 1, "keyword_autoreply_info": {"list": list(rules)}} | changes


def outcomes(report: imports.Report) -> dict[str, str]:
    return {line.called: line.outcome for line in report.lines}


def test_what_the_console_said_is_said_on(any_app):
    report = bring(REPLIES)
    assert outcomes(report) == {"关注时说的话": "kept", "其他消息": "kept", "开放时间": "kept", "公益课": "changed", "馆内地图": "parked",
        "场地预订": "changed",
                                "问好": "changed", "退订": "changed"}
    assert duties.greeting(None, NOON) == REPLIES["add_friend_autoreply_info"]["content"]
    assert duties.default(NOON) == REPLIES["message_default_autoreply_info"]["content"]
    assert duties.match("开放时间", NOON).text == duties.match("明天几点开门？", NOON).text == "周二至周日 9:00–21:00，周一闭馆。"
    assert duties.match("开放时间表", NOON) is None   # equal stays equal
    assert duties.match("怎么报名", NOON).text == f'<a href="{ARTICLE["content_url"]}">{ARTICLE["title"]}</a>'
    assert duties.match("订场地", NOON).text == "场地提前7天预订。\n\n预订电话 0755-0000 0000，工作日接听。"
    assert duties.match("您好", NOON).text == "您好呀，我是小文文。"
    assert duties.match("地图", NOON) is None and duties.match("退出", NOON) is None
    why = {line.called: line.why for line in report.lines}
    assert "图片" in why["馆内地图"] and "语音" in why["场地预订"] and "随机" in why["问好"] and "退出" in why["退订"]


def test_reading_twice_adds_nothing(any_app):
    bring(REPLIES)
    before = [(row.id, row.stamp) for row in editing.replies()]
    again = bring(copy.deepcopy(REPLIES))
    assert set(outcomes(again).values()) == {"known"}
    assert [(row.id, row.stamp) for row in editing.replies()] == before


def test_a_reply_edited_here_is_not_brought_back(app):
    bring(told(HOURS))
    row = db.session.scalars(select(AccountReply)).one()
    write(number=row.id, name="开放时间", equal=["开放时间"], text="全年无休。")
    assert outcomes(bring(told(HOURS))) == {"开放时间": "known"}
    assert duties.match("开放时间", NOON).text == "全年无休。" and duties.match("几点开门", NOON) is None


def test_what_is_ours_is_never_overwritten(app):
    write(equal=["开放时间"], text="我们的。")
    write("greeting", text="我们的欢迎。")
    report = bring(told(HOURS, rule("只有一个词", [("开放时间", "equal")], [said("他们的。")]),
        add_friend_autoreply_info=said("他们的欢迎。")))
    assert outcomes(report) == {"关注时说的话": "parked", "开放时间": "changed", "只有一个词": "parked"}
    assert duties.match("开放时间", NOON).text == "我们的。" and duties.match("几点开门", NOON).text == "周二至周日 9:00–21:00，周一闭馆。"
    assert duties.greeting(None, NOON) == "我们的欢迎。"
    parked = next(row for row in editing.replies() if row.name == "只有一个词")
    assert parked.text == "他们的。" and parked.words and not parked.is_active   # kept, to be looked at


def test_two_rules_with_one_word_the_first_has_it(app):
    bring(told(HOURS, rule("又一条", [("开放时间", "equal"), ("闭馆", "equal")], [said("又一条。")])))
    assert duties.match("开放时间", NOON).text.startswith("周二") and duties.match("闭馆", NOON).text == "又一条。"


def test_the_import_can_be_undone_and_taken_back(any_app):
    write(equal=["停车"], text="我们的。")
    bring(REPLIES)
    active = [row.id for row in editing.replies() if row.is_active]
    assert imports.all_imported(False, "staff:xiaoli", NOON) == 7
    db.session.commit()
    assert duties.greeting(None, NOON) is None and duties.match("开放时间", NOON) is None and duties.match("停车", NOON).text == "我们的。"
    assert set(outcomes(bring(REPLIES)).values()) == {"known"} and duties.match("开放时间", NOON) is None
    assert imports.all_imported(True, "staff:xiaoli", NOON) == 7   # what is not finished stays out
    db.session.commit()
    assert [row.id for row in editing.replies() if row.is_active] == active


def test_undoing_the_import_leaves_what_somebody_has_changed_since_and_takes_the_buttons_along(any_app):
    bring(REPLIES)
    menu.bring_in(MENU, "staff:xiaoli", NOON)
    hours = next(row for row in editing.replies() if row.name == "开放时间" and row.kind == "keyword")
    mine = write(equal=["停车"], text="B2层。")
    write(number=hours.id, name="开放时间", equal=["开放时间"], text="全年无休。")
    key = menu.newest().buttons[1]["key"]
    assert duties.click(key, NOON) is not None
    assert imports.all_imported(False, "staff:xiaoli", NOON) == 6 + 2
    db.session.commit()
    assert {row.id for row in editing.replies() if row.is_active} == {hours.id, mine.id} and duties.click(key, NOON) is None
    with pytest.raises(menu.MenuNotReady) as refused:
        menu.to_publish(menu.newest().id)
    assert any("“开放时间”回的话停用着" in e["detail"] for e in refused.value.facts["errors"])
    assert imports.all_imported(True, "staff:xiaoli", NOON) == 6 + 2 and duties.click(key, NOON) is not None


def test_saving_the_menu_puts_its_texts_in_force_again(app):
    menu.bring_in(MENU, "staff:xiaoli", NOON)
    imports.all_imported(False, "staff:xiaoli", NOON)
    menu.save(menu.items_of(menu.newest()), "staff:xiaoli", NOON, strict=False)
    db.session.commit()
    assert duties.click(menu.newest().buttons[1]["key"], NOON) is not None


def test_the_names_of_imported_buttons_can_be_typed(any_app):
    menu.bring_in(MENU, "staff:xiaoli", NOON)
    write(equal=["公益课报名"], text="我们的。")
    assert list(menu.typable()) == ["开放时间"]   # the map has no text yet, the courses have their own reply
    assert menu.type_names("staff:xiaoli", NOON) == ["开放时间"] and menu.typable() == {}
    db.session.commit()
    assert duties.match("开放时间。", NOON).text == duties.click(menu.newest().buttons[1]["key"], NOON).text


def test_taking_the_import_back_leaves_alone_what_was_written_meanwhile(app):
    bring(REPLIES)
    imports.all_imported(False, "staff:xiaoli", NOON)
    write("greeting", text="我们的欢迎。")
    write(equal=["开放时间"], text="我们的。")
    imports.all_imported(True, "staff:xiaoli", NOON)
    db.session.commit()
    assert duties.greeting(None, NOON) == "我们的欢迎。" and duties.match("开放时间", NOON).text == "我们的。"
    assert duties.match("订场地", NOON) is not None


def test_what_was_off_in_the_console_comes_in_switched_off(app):
    report = bring(REPLIES | {"is_add_friend_reply_open": 0, "is_autoreply_open": 0})
    assert outcomes(report)["关注时说的话"] == outcomes(report)["其他消息"] == "parked" and outcomes(report)["开放时间"] == "kept"
    assert duties.greeting(None, NOON) is None and "关着" in report.notes[0]


def test_only_pictures_wait_for_somebody_to_write(app):
    bring(told(PICTURE, add_friend_autoreply_info={"type": "voice", "content": "MEDIA"}))
    rows = editing.replies()
    assert [row.is_active for row in rows] == [False, False] and all("请写一段话" in row.note and not row.text for row in rows)


def test_too_long_for_one_message(app):
    whole, long = rule("长", [("长", "equal")], [said("好" * 600), said("短" * 200)]), rule("太长", [("太长", "equal")], [said("好" * 683)])
    report = bring(told(whole, long))
    assert outcomes(report) == {"长": "changed", "太长": "parked"}
    assert duties.match("长", NOON).text == "好" * 600 and all(len(row.text.encode()) <= MOST_BYTES for row in editing.replies())


def test_articles_become_links_that_cannot_break_out(app):
    article = {"title": '"><script>x</script>', "content_url": 'http://mp.weixin.qq.com/s?a="><b>'}
    bring(told(rule("文", [("文", "equal")],
        [{"type": "news", "news_info": {"list": [article, {"title": "没有网址", "content_url": "javascript:1"}]}}])))
    assert duties.match("文", NOON).text == ('<a href="http://mp.weixin.qq.com/s?a=%22%3E%3Cb%3E">">＜script>x＜/script></a>\n没有网址')


@pytest.mark.parametrize("raw", [None, [], "", "<html>", 5, {}, {"errcode": 0}, {"unknown": {}}])
def test_what_is_not_wechats_answer_changes_nothing(app, raw):
    with pytest.raises(imports.NotReadable):
        imports.bring_in(raw, "staff:xiaoli", NOON)
    assert editing.replies() == []


ODD = [None, 5, 1.5, True, "text", [], {}, [None], [[]], {"list": None}, {"list": {}}, {"list": "x"}, {"list": [None, 5, "x", [], {}]}]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: json.dumps(odd))
def test_a_part_of_another_type_is_told_and_left_out(app, odd):
    for name in ("add_friend_autoreply_info", "message_default_autoreply_info", "keyword_autoreply_info", "is_autoreply_open"):
        bring(told(HOURS) | {name: odd})
    for name in ("rule_name", "reply_mode", "keyword_list_info", "reply_list_info", "create_time"):
        bring(told(HOURS | {name: odd}))
    for part in ("keyword_list_info", "reply_list_info"):
        for name in ("type", "content", "match_mode", "news_info"):
            bring(told(HOURS | {part: [dict(HOURS[part][0]) | {name: odd}]}))
    rows = editing.replies()
    assert all(isinstance(row.text, str) and len(row.note) <= 300 and all(pair["word"] for pair in row.words) for row in rows)
    assert duties.match("几点开门", NOON) is not None
    assert all(row.text for row in rows if row.is_active)


def test_names_and_words_of_any_length_and_kind_fit(any_app):
    wild = "😀\x00\ud800\u202e" + "长" * 500
    report = bring(told(rule(wild, [(wild, "equal"), ("", "equal"), ("。", "contain")] + [(f"词{n}", "contain") for n in range(200)],
        [said(wild)])))
    row = db.session.scalars(select(AccountReply)).one()
    assert len(row.name) == 60 and len(row.words) == 50 and "\x00" not in row.text and "没带过来" in report.lines[0].why


def test_a_thousand_rules_are_enough(app):
    report = imports.Report()
    found = list(imports.read(told(*(rule(f"第{n}条", [(f"词{n}", "equal")], [said("好")]) for n in range(1002))), report))
    assert len(found) == 1000 and "后面还有2条" in report.notes[0]


def test_a_large_console_is_read_in_a_breath(app):
    began = time.perf_counter()
    report = bring(told(*(rule(f"第{n}条", [(f"词条{n}", "equal"), (f"说到{n}号", "contain")], [said("好" * 100)]) for n in range(600))))
    assert report.counts["kept"] == 600 and time.perf_counter() - began < 10
    assert duties.match("词条599", NOON) is not None
