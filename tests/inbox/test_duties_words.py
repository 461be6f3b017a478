"""Which reply a sentence gets, what stands in it, who is at the desk: tables of plain values."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import pytest

from wxbackend.inbox.hours import is_at_desk
from wxbackend.inbox.replies import SENTENCE, Book, Rule, fill, misplaced, normal, size, split_source, unknown_places


class Source(NamedTuple):
    code: str
    name: str


SOURCES = [Source("hq", "总馆海报"), Source("a", "A馆"), Source("chat", "公众号聊天"), Source("b-1", "B-1 分馆")]


@pytest.mark.parametrize(("typed", "is_said"), [
    ("开放时间", "开放时间"), ("「开放时间」", "开放时间"), (" 开放时间。。", "开放时间"), ("开放时间？！", "开放时间"),
    ("“开放时间”～", "开放时间"),
    ("ＷｉＦｉ", "wifi"), ("WIFI", "wifi"), ("开放　 时间", "开放 时间"), ("开放\n时间", "开放 时间"),
    ("开\u200b放\ufeff时间\u202e", "开放时间"),
    ("？", "?"), ("。。", "。。"), ("", ""), ("  ", ""), ("１", "1"), ("😀", "😀"), ("①", "1"),
])
def test_how_it_is_typed_does_not_matter(typed, is_said):
    assert normal(typed) == is_said
    assert normal(normal(typed)) == normal(typed)


@pytest.mark.parametrize(("text", "source"), [
    ("评议", ""), ("评议。", ""), ("「评议」", ""), ("评议-A馆", "a"), ("评议－Ａ馆！", "a"), ("评议—总馆海报", "hq"), ("评议 HQ", "hq"),
    ("评议 - 总馆海报", "hq"), ("评议_hq", "hq"), ("评议#hq", "hq"), ("评议-b-1", "b-1"), ("评议-B-1 分馆", "b-1"),
    ("评议1", "hq"), ("评议 ２", "a"), ("评议-4", "b-1"), ("评议9", ""), ("评议0", ""), ("评议1234", None),
    ("评议-", ""), ("评议-没有这个馆", ""),                               # a misread poster still leads to the vote
    ("评议 没有这个馆", ""), ("评议怎么参加", None), ("评议hq", None),     # a sentence that begins with the word is not the word
    ("评议-13800000000", None), ("评议-" + "长" * 21, None), ("我要评议", None), ("", None), ("-hq", None),
])
def test_the_channel_stands_behind_the_keyword(text, source):
    assert split_source(text, "评议", SOURCES) == source


def test_no_keyword_is_no_door():
    assert split_source("评议", "", SOURCES) is None
    assert split_source("评议-hq", "评议", []) == ""


def rule(number: int, equal: str = "", contain: str = "", campaign: int | None = None, **changes) -> Rule:
    made = Rule(number, "keyword", tuple(equal.split()), tuple(contain.split()), "text", f"reply {number}", campaign)
    return Rule(**(made.__dict__ | changes))


BOOK = Book([
    rule(1, contain="时间"), rule(2, contain="开放时间"), rule(3, equal="开放时间"), rule(4, contain="开放时间", campaign=7),
    rule(5, equal="停车", campaign=7), rule(6, equal="停车"), rule(7, contain="时间"), rule(8, equal="开放时间", campaign=9),
    rule(9, contain="停车费", position=1), rule(10, contain="停车费"),
])


@pytest.mark.parametrize(("said", "running", "number"), [
    ("开放时间", (), 3), ("开放时间", (7,), 3),                # equal before contain, even a campaign's
    ("开放时间", (9,), 8),                                   # of two equal ones the running campaign's
    ("请问开放时间", (), 2), ("请问开放时间", (7,), 4),          # the longer; of equal length the running campaign's
    ("什么时间", (7, 9), 1),                                 # of two the same the older
    ("停车", (), 6), ("停车", (7,), 5), ("停车", (9,), 6),
    ("停车费多少", (), 10),                                   # the staff's own order before age
    ("别的", (7, 9), None), ("时", (), None),
])
def test_one_sentence_one_reply(said, running, number):
    found = BOOK.exact(said, running) or BOOK.within(said, running)
    assert (found.id if found else None) == number


def test_the_order_of_reading_changes_nothing():
    backwards = Book(reversed(BOOK.rules))
    for said in ("开放时间", "请问开放时间", "什么时间", "停车", "停车费多少"):
        assert [book.exact(said, (7,)) or book.within(said, (7,)) for book in (BOOK, backwards)].count(BOOK.exact(said, (7,)) or
                                                                                                      BOOK.within(said, (7,))) == 2


def test_a_button_is_found_by_its_very_key():
    book = Book([rule(1, equal="Say:1", kind="click"), rule(2, equal="say:1", kind="keyword")])
    assert book.button("Say:1").id == 1 and book.button("say:1") is None and book.exact("Say:1", ()) is None


def test_the_newest_greeting_counts_and_a_campaigns_before_the_accounts():
    book = Book([rule(1, kind="greeting"), rule(2, kind="greeting"), rule(3, kind="greeting", campaign=7)])
    assert [book.only("greeting", ids).id for ids in ([], [7], [9], [9, 7])] == [2, 3, 2, 3]
    assert book.only("default", [7]) is None


FACTS = {"投票链接": '<a href="https://vote.example/e/x?s=1">点这里去投票</a>', "活动": "改革评议", "截止": "1月8日09:00"}
NOTHING = dict.fromkeys(FACTS, "")


@pytest.mark.parametrize(("text", "with_campaign", "without"), [
    ("您好。{活动}正在进行，{投票链接}。", f"您好。改革评议正在进行，{FACTS['投票链接']}。", "您好。"),
    ("{活动}", "改革评议", ""), ("先看这里\n{投票链接}\n再见", f"先看这里\n{FACTS['投票链接']}\n再见", "先看这里\n再见"),
    ("{不认识}{ 活动 }{}{{活动}}", "{不认识}{ 活动 }{}{改革评议}", ""), ("没有花括号", "没有花括号", "没有花括号"),
    ("", "", ""),
    ("投{投票链接} / 到{截止}。/ 再见", f"投{FACTS['投票链接']} / 到1月8日09:00。/ 再见", "/ 再见"),
    ("想投票? {投票链接}! 见https://x.example/a?b=1/2 。再见!", f"想投票? {FACTS['投票链接']}! 见https://x.example/a?b=1/2 。再见!",
     "想投票? 见https://x.example/a?b=1/2 。再见!"),
    ("投票点这里：{投票链接}\n活动是{活动}，{截止}截止。", f"投票点这里：{FACTS['投票链接']}\n活动是改革评议，1月8日09:00截止。", ""),
    ('{活动}见<a href="https://x.example/?a=1&b=!">这里</a>。回头见！',
    '改革评议见<a href="https://x.example/?a=1&b=!">这里</a>。回头见！', "回头见！"),
])
def test_places_are_filled_and_what_is_not_there_is_not_spoken_of(text, with_campaign, without):
    assert (fill(text, FACTS), fill(text, NOTHING)) == (with_campaign, without)
    assert fill(text, {}) == text.strip()


@pytest.mark.parametrize("text", ["", "\n", " / ", "?! a?b / c。\n\n。x/ y /z!\n", "http://a.example/?x=1&y=/2 ？", "/ / //",
                                  "a" * 5000 + "!" * 5000])
def test_a_text_is_cut_into_sentences_without_loss(text):
    assert "".join(SENTENCE.findall(text)) == text


@pytest.mark.parametrize(("text", "wrong"), [
    ("{投票链接}{活动}{截止}{电话}{工作时间}", []), ("没有", []),
    ("{抽奖链接}，{投票连接}，{占位}。{抽奖链接}", ["{抽奖链接}", "{投票连接}", "{占位}"]),
    ("｛投票链接｝", ["｛投票链接｝"]), ("{ 活动 }", ["{ 活动 }"]), ("{}", ["{}"]), ("{活动", []), ("{活\n动}", []),
])
def test_what_fills_nothing_is_named(text, wrong):
    assert unknown_places(text) == wrong and bool(misplaced(text)) == bool(wrong)
    assert all(place in misplaced(text) for place in wrong)


def test_what_is_filled_in_is_not_filled_again():
    assert fill("{活动}", {"活动": "{截止}", "截止": "x"}) == "{截止}"


def test_room_is_counted_for_what_will_be_filled_in():
    assert size("您好") == 6 and size("{活动}") >= 80 * 3 and size("{别的}") == len("{别的}".encode())
    assert all(size(f"{{{name}}}") >= len(value.encode()) for name, value in FACTS.items())


MONDAY, SATURDAY = 3, 8   # of January 2022


@pytest.mark.parametrize(("hours", "at", "is_there"), [
    ("工作日 09:00–17:00", (MONDAY, 9, 0), True), ("工作日 09:00–17:00", (MONDAY, 8, 59), False),
    ("工作日 09:00–17:00", (MONDAY, 17, 0), False),
    ("工作日 09:00–17:00", (SATURDAY, 10, 0), False), ("周一至周五 9:00-12:00，14:00-18:00", (MONDAY, 13, 0), False),
    ("周一至周五 9:00-12:00，14:00-18:00", (MONDAY, 14, 0), True), ("每天 9点到21点", (SATURDAY, 20, 59), True),
    ("９：００～１７：００", (SATURDAY, 10, 0), True), ("周二至周日9:00—17:30（周一闭馆）", (MONDAY, 10, 0), False),
    ("周二至周日9:00—17:30（周一闭馆）", (SATURDAY, 10, 0), True), ("9:00-17:00，周六休息", (SATURDAY, 10, 0), False),
    ("上午9:00-12:00 下午2:00-5:30", (MONDAY, 17, 0), True), ("下午2点至5点半", (MONDAY, 17, 29), True),
    ("周末 10:00-16:00", (SATURDAY, 10, 0), True),
    ("周末 10:00-16:00", (MONDAY, 10, 0), False), ("周一、周三、周五 8:30~12:00", (MONDAY, 8, 30), True),
    ("周一、周三、周五 8:30~12:00", (SATURDAY, 8, 30), False), ("周六至周一 9:00-12:00", (MONDAY, 9, 0), True),
    ("", (MONDAY, 10, 0), None), ("随时", (MONDAY, 10, 0), None), ("17:00-9:00", (MONDAY, 10, 0), None),
    ("99:99-99:99", (MONDAY, 10, 0), None),
    ("0755-0000 0000", (MONDAY, 10, 0), None),
])
def test_hours_as_the_staff_write_them(hours, at, is_there):
    day, hour, minute = at
    assert is_at_desk(hours, datetime(2022, 1, day, hour, minute)) is is_there
