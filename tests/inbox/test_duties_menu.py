"""The menu: WeChat's limits in words, versions, what is read from the phones, what may not be published yet."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.factories import NOON
from tests.inbox.duty_samples import MENU
from tests.inbox.test_duties import deeds
from wxbackend import wechat
from wxbackend.extensions import db
from wxbackend.inbox import buttons, duties, menu
from wxbackend.inbox.buttons import item
from wxbackend.inbox.imports import NotReadable
from wxbackend.problems import Invalid

VOTE, MINE, HOURS = item(name="去投票", does="vote"), item(name="我的签号", does="mine"), item(name="开放时间", does="say",
    text="周一闭馆。")


def save(*items: Any, **changes: Any) -> Any:
    row = menu.save(items, "staff:xiaoli", NOON, **changes)
    db.session.commit()
    return row


def bring(raw: Any) -> buttons.MenuRead:
    found = menu.bring_in(raw, "staff:xiaoli", NOON)
    db.session.commit()
    return found


def faults(*items: Any) -> dict[str, str]:
    return {e["pointer"]: e["detail"] for e in buttons.faults(items)}


def test_a_draft_is_in_the_shape_wechat_takes(any_app):
    made = save(VOTE, item(name="更多", sub=[HOURS, item(name="官网", does="view", url="https://a.example/?x=1")]))
    key = made.buttons[1]["sub_button"][0]["key"]
    assert made.buttons == [{"type": "click", "name": "去投票", "key": "vote"}, {"name": "更多", "sub_button": [
        {"type": "click", "name": "开放时间", "key": key}, {"type": "view", "name": "官网", "url": "https://a.example/?x=1"}]}]
    assert wechat.checked_menu(made.buttons) and key.startswith("say:")
    assert duties.click(key, NOON).text == "周一闭馆。"
    assert menu.items_of(made)[1]["sub"][0] == HOURS | {"key": key}


def test_the_same_again_is_no_new_version_and_a_text_changes_at_once(app):
    first = save(HOURS)
    typed = menu.items_of(first)
    assert save(*typed).id == first.id
    typed[0]["text"] = "周一照常。"
    assert save(*typed).id == first.id and duties.click(first.buttons[0]["key"], NOON).text == "周一照常。"


def test_versions_are_kept_and_can_be_taken_again(any_app):
    first, second = save(VOTE, HOURS), save(MINE)
    key = first.buttons[1]["key"]
    assert [(v.id, v.state) for v in menu.versions()] == [(second.id, "draft"), (first.id, "past")]
    menu.published(second.id, "staff:xiaoli", NOON)
    third = menu.again(first.id, "staff:xiaoli", NOON)
    db.session.commit()
    assert third.buttons == first.buttons and menu.live().id == second.id and menu.newest().id == third.id
    assert duties.click(key, NOON).text == "周一闭馆。"   # phones show an old menu for a while
    menu.published(third.id, "staff:xiaoli", NOON)
    db.session.commit()
    assert [(v.id, v.state) for v in menu.versions()] == [(third.id, "live"), (second.id, "past"), (first.id, "past")]


def test_two_who_change_the_menu_do_not_overwrite_each_other(any_app):
    first = save(VOTE, seen=0)
    save(MINE, seen=first.id)
    with pytest.raises(menu.MenuChanged):
        save(HOURS, seen=first.id)
    with pytest.raises(menu.MenuChanged):
        menu.to_publish(first.id)


@pytest.mark.parametrize(("one", "pointer", "said"), [
    (item(name="", does="vote"), "name", "请写按钮的名字"), (item(name="   ", does="vote"), "name", "请写"),
    (item(name="去投票评议吧", does="vote"), "name", "最多5个汉字（16字节），现在是18字节"),
    (item(name="去", does=""), "does", "点了以后做什么"),
    (item(name="去", does="fly"), "does", "点了以后做什么"), (item(name="去", does="view"), "url", "以 https:// 开头"),
    (item(name="去", does="view", url="www.a.example"), "url", "以 https:// 开头"),
    (item(name="去", does="view", url="javascript:alert(1)"), "url", "https"),
    (item(name="去", does="view", url="https://a b.example"), "url", "https"),
    (item(name="去", does="view", url="https://[::1"), "url", "https"),
    (item(name="去", does="view", url="https://a.example/" + "长" * 400), "url", "最多1024字节，现在是1218字节"),
    (item(name="去", does="miniprogram", url="https://a.example", pagepath="p"), "appid", "wx开头"),
    (item(name="去", does="miniprogram", url="https://a.example", appid="wx0123456789abcdef"), "pagepath", "pages/index/index"),
    (item(name="去", does="miniprogram", appid="wx0123456789abcdef", pagepath="p"), "url", "旧版微信"),
    (item(name="去", does="key"), "key", "128字节"), (item(name="去", does="key", key="k" * 129), "key", "128字节"),
    (item(name="去", does="say", text="好" * 683), "text", "现在是2049字节"),
    (item(name="去", does="say", key="有 空", text="x"), "text", "记号不对"),
    (item(name="去", does="say", text="点{抽奖链接}"), "text", "不认识“{抽奖链接}”"),
    (item(name="去", does="keep", kept="{"), "does", "照原样"),
    (item(name="去", does="keep", kept='{"type": "click", "name": "x"}'), "does", "照原样"),
    (item(name="去", does="keep", kept='{"type": "media_id", "media_id": 5}'), "does", "照原样"),
    (item(name="去", does="keep", kept="[" * 5000), "does", "照原样"),
])
def test_what_wechat_would_not_take_is_said_in_words(one, pointer, said):
    found = faults(one)
    assert list(found) == [f"#/buttons/0/{pointer}"] and said in found[f"#/buttons/0/{pointer}"]


def test_three_buttons_five_below_and_longer_names_there():
    many = item(name="更多", sub=[item(name="一" * 20, does="vote")] * 6)
    assert faults(many) == {"#/buttons/0/sub": "“更多”下面最多5个按钮。"}
    assert "现在是63字节" in faults(item(name="更多", sub=[item(name="一" * 21, does="vote")]))["#/buttons/0/sub/0/name"]
    assert faults(VOTE, MINE, HOURS, VOTE) == {"#/buttons": "一级按钮最多3个。"} and faults() == {"#/buttons": "请至少写一个按钮。"}
    assert faults(item(name="去投票评1", does="vote")) == {}   # sixteen bytes


MIXED = [item(name="官网", does="view", url="https://a.example"), item(name="更多", sub=[
    item(name="日历", does="miniprogram", url="https://a.example", appid="wx0123456789abcdef", pagepath="p"), VOTE])]


@pytest.mark.parametrize(("errcode", "meant"), [
    (40166, ["日历"]), (40165, ["日历"]), (40055, ["官网"]), (40054, ["日历"]), (40018, ["官网"]), (40025, ["日历", "去投票"]),
    (40015, []), (45009, [])])
def test_which_buttons_wechat_may_mean(errcode, meant):
    assert [name for _, name in buttons.suspects(errcode, MIXED)] == meant


def test_faults_keep_a_draft_from_being_stored(app):
    with pytest.raises(Invalid):
        save(item(name="去", does="view", url="x"))
    assert menu.versions() == []


def test_the_ready_menu(app):
    made = menu.template("staff:xiaoli", NOON)
    assert menu.names(made.buttons) == "去投票、我的签号、抽奖公示" and wechat.checked_menu(made.buttons)
    assert all(duties.click(button["key"], NOON) for button in menu.to_publish(made.id))


def test_a_button_that_says_nothing_or_is_nobodys_is_not_published(app, make_app):
    made = menu.save([item(name="地图", does="say"), item(name="积分", does="key", key="POINTS")], "staff:xiaoli", NOON)
    with pytest.raises(menu.MenuNotReady) as refused:
        menu.to_publish(made.id)
    assert [e["pointer"] for e in refused.value.facts["errors"]] == ["#/buttons/0/text", "#/buttons/1/does"]
    with make_app(relay_url="https://old.example.org/wx").app_context():
        relayed = save(item(name="积分", does="key", key="POINTS"))
        assert menu.to_publish(relayed.id) == [{"type": "click", "name": "积分", "key": "POINTS"}]


@pytest.mark.parametrize("number", [0, -1, 77, 2**40])
def test_a_version_that_is_not_there(app, number):
    for verb in (menu.by_id, menu.to_publish):
        with pytest.raises(menu.NoSuchMenu):
            verb(number)


def test_the_menu_on_the_phones_becomes_our_draft(any_app):
    found = bring(MENU)
    assert [(line.called, line.outcome) for line in found.lines] == [
        ("场地预订", "kept"), ("公益课报名", "changed"), ("活动日历", "kept"), ("馆内地图", "open"), ("开放时间", "changed"),
        ("扫码借书", "kept"),
        ("我的积分", "kept")]
    draft = menu.newest()
    assert menu.names(draft.buttons) == "文化服务（场地预订、公益课报名、活动日历、馆内地图）、开放时间、更多（扫码借书、我的积分）"
    below, hours = draft.buttons[0]["sub_button"], draft.buttons[1]
    assert below[0] == {"type": "view", "name": "场地预订", "url": "https://venue.example.org/book"}
    assert duties.click(hours["key"], NOON).text == "周二至周日 9:00–21:00，周一闭馆。"
    assert "文化馆秋季公益课报名</a>" in duties.click(below[1]["key"], NOON).text and duties.click(below[3]["key"], NOON) is None
    assert draft.buttons[2]["sub_button"][0] == {"type": "scancode_push", "name": "扫码借书", "key": "SCAN_BOOK"}
    assert wechat.checked_menu(draft.buttons)
    with pytest.raises(menu.MenuNotReady) as refused:
        menu.to_publish(draft.id)
    assert ["馆内地图" in e["detail"] or "我的积分" in e["detail"] for e in refused.value.facts["errors"]] == [True, True]


def test_reading_the_menu_twice_adds_nothing_and_spares_what_was_written_here(any_app):
    bring(MENU)
    first = menu.newest()
    typed = menu.items_of(first)
    typed[0]["sub"][3]["text"], typed[1]["text"] = "地图在一楼服务台。", "全年无休。"
    save(*typed)
    bring(copy.deepcopy(MENU))
    assert menu.newest().id == first.id
    assert [menu.items_of(first)[n] for n in (0, 1)] == [typed[0], typed[1]]


def test_our_own_menu_read_back_is_the_same(app):
    made = save(VOTE, MINE, item(name="更多", sub=[HOURS, item(name="官网", does="view", url="https://a.example")]))
    told = [{"name": b["name"], "sub_button": {"list": b["sub_button"]}} if "sub_button" in b else b for b in made.buttons]
    bring({"is_menu_open": 1, "selfmenu_info": {"button": told}})
    assert menu.newest().id == made.id
    assert duties.click(made.buttons[2]["sub_button"][0]["key"], NOON).text == "周一闭馆。"


@pytest.mark.parametrize("raw", [{"is_menu_open": 0}, {"is_menu_open": 0, "selfmenu_info": {"button": []}},
    {"is_menu_open": 0, "selfmenu_info": {}}])
def test_no_menu_is_no_draft(app, raw):
    assert not bring(raw).is_open and menu.newest() is None


@pytest.mark.parametrize("raw", [None, [], "<html>", 5, {}, {"selfmenu_info": None}, {"selfmenu_info": []},
    {"is_menu_open": 1, "selfmenu_info": {"button": {}}}])
def test_what_is_not_wechats_answer_changes_nothing(app, raw):
    with pytest.raises(NotReadable):
        bring(raw)
    assert menu.newest() is None


ODD = [None, 5, True, "text", [], {}, [None], {"list": None}, {"list": [None, 5, {}]}, "say:x", "\ud800"]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: json.dumps(odd))
def test_a_button_of_another_type_is_told_and_left_out(app, odd):
    kinds = [button for top in MENU["selfmenu_info"]["button"] for button in (top, *top.get("sub_button", {}).get("list", []))]
    for one in kinds:
        for name in ("name", "type", "url", "key", "value", "appid", "pagepath", "news_info", "sub_button"):
            found = bring({"is_menu_open": 1, "selfmenu_info": {"button": [one | {name: odd}]}})
            assert found.lines and all(item["name"] for item in found.items)
            assert [type(value) for item in found.items for value in item.values() if not isinstance(value, str | list)] == []
    assert bring({"is_menu_open": odd, "selfmenu_info": {"button": [odd, MENU["selfmenu_info"]["button"][1]]}}).items


def test_too_many_buttons_are_told(app):
    top = MENU["selfmenu_info"]["button"][1]
    found = bring({"is_menu_open": 1, "selfmenu_info": {"button": [top | {"name": f"第{n}"} for n in range(5)]}})
    assert len(found.items) == 3 and [line.outcome for line in found.lines] == ["changed"] * 3 + ["lost"] * 2


def test_every_version_and_publication_is_a_line_of_the_log(app):
    made = save(VOTE, HOURS)
    menu.published(made.id, "staff:xiaoli", NOON)
    db.session.commit()
    assert [verb for verb, _ in deeds()] == ["account.reply-saved", "account.menu-drafted", "account.menu-published"]
    assert deeds()[-1][1] == {"names": "去投票、开放时间"}
