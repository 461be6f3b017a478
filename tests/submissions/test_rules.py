"""Reading what people type, and showing it masked. Cases of campaign-rules R2 and the masking table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOON
from wxbackend.submissions.rules import Pair, evidence_instant, mask_name, mask_phone, pair_text, tidy_name, tidy_phone

PHONE = "13800000000"
WHOLE = Pair("张三", PHONE)


@pytest.mark.parametrize("text", [
    "张三 13800000000", "张三13800000000", "13800000000张三", "13800000000 张三", "张三\n13800000000", "  张三　13800000000  ",
    "姓名:张三,电话:138 0000 0000", "姓名：张三，手机号：138-0000-0000", "姓名张三电话13800000000", "名字：张三；手机：13800000000",
    "联系方式 13800000000 张三",
    "张三 １３８００００００００", "张三 138－0000－0000", "张三 138—0000—0000", "张三 138‑0000‑0000", "张三 +8613800000000",
    "张三 +86 138 0000 0000",
    "张三 +86-138-0000-0000", "张三 008613800000000", "张三 8613800000000", "我叫张三，手机13800000000。", "我是张三，电话：13800000000！",
    "张三（13800000000）", "张三/13800000000", "张三|13800000000", "张三、13800000000", "张三 138 0000 0000 138-0000-0000",
    "张三 13800000000 张三",
])
def test_a_name_and_a_phone_are_found_however_they_are_written(text):
    assert pair_text(text) == WHOLE and pair_text(text).is_whole


@pytest.mark.parametrize(("text", "name"), [
    ("欧阳小三 13800000000", "欧阳小三"), ("买买提·艾力 13800000000", "买买提·艾力"), ("买买提•艾力13800000000", "买买提·艾力"),
    ("买买提.艾力 13800000000", "买买提·艾力"),
    ("买买提．艾力 13800000000", "买买提·艾力"), ("买买提・艾力 13800000000", "买买提·艾力"),
    ("阿卜杜·热合曼·买买提 13800000000", "阿卜杜·热合曼·买买提"),
    ("𠮷三 13800000000", "𠮷三"), ("Ann Lee 13800000000", "Ann Lee"), ("O'Brien, 13800000000", "O'Brien"),
])
def test_names_of_many_kinds(text, name):
    assert pair_text(text) == Pair(name, PHONE)


@pytest.mark.parametrize("text", ["张三 13800000000 13900000000", "张三 李四 13800000000", "张三13800000000李四13900000000",
                                  "张三、李四 13800000000",
                                  "张三,13800000000;13900000000", "138 0000 0000 139 0000 0000 张三"])
def test_two_of_either_are_asked_back_and_never_guessed(text):
    pair = pair_text(text)
    assert pair.is_ambiguous and not pair.is_whole and pair.phone


@pytest.mark.parametrize(("text", "pair"), [
    ("13800000000", Pair(None, PHONE)), ("张三", Pair("张三", None)), ("", Pair()), ("。。。", Pair()), ("12345", Pair()), ("😀", Pair()),
    ("张三 1380000000", Pair("张三", None)), ("张三 138000000001", Pair("张三", None)), ("张三 12800000000", Pair("张三", None)),
    ("张三 0755-00000000", Pair("张三", None)), ("张三 440301199001011234", Pair("张三", None)),
    ("张三 6222021380000000000", Pair("张三", None)),
    ("张 13800000000", Pair(None, PHONE)), ("姓名 13800000000", Pair(None, PHONE)), ("··13800000000", Pair(None, PHONE)),
])
def test_what_is_missing_is_missing(text, pair):
    assert pair_text(text) == pair and not pair_text(text).is_whole


@given(st.text(max_size=400))
def test_no_text_of_a_stranger_breaks_it(text):
    pair = pair_text(text)
    assert pair.phone is None or tidy_phone(pair.phone) == pair.phone
    assert pair.name is None or tidy_name(pair.name) is not None


@given(st.sampled_from(["张三", "欧阳小三", "买买提·艾力", "Ann Lee"]), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
       st.sampled_from([" ", "", ",", "，", "：", "\n", "　"]), st.booleans(), st.sampled_from(["", "+86", "+86 ", "0086"]))
def test_what_is_written_in_usual_ways_is_read(name, phone, between, phone_first, prefix):
    parts = [prefix + phone, name] if phone_first else [name, prefix + phone]
    assert pair_text(between.join(parts)) == Pair(name, phone)


@pytest.mark.parametrize(("typed", "phone"), [
    ("13800000000", PHONE), (" 138 0000 0000 ", PHONE), ("138-0000-0000", PHONE), ("+86 13800000000", PHONE), ("0086-13800000000", PHONE),
    ("8613800000000", PHONE), ("１３８００００００００", PHONE), ("(138)00000000", PHONE), ("1380000000", None), ("138000000000", None),
    ("12800000000", None),
    ("075500000000", None), ("", None), ("手机", None), ("1380000000O", None), ("13800000000;DROP", None), ("٠" * 11, None),
])
def test_a_phone_is_eleven_digits_however_typed(typed, phone):
    assert tidy_phone(typed) == phone


@pytest.mark.parametrize(("typed", "name"), [
    ("张三", "张三"), (" 张三 ", "张三"), ("买买提•艾力", "买买提·艾力"), ("买买提．艾力", "买买提·艾力"), ("Ann  Lee", "Ann Lee"),
    ("张", None), ("", None), ("··", None),
    ("张三1", None), ("13800000000", None), ("<b>张三</b>", None), ("=cmd|calc", None), ("长" * 21, None), ("张\u200b三", None),
    ("张三\x00", None), ("张·", None),
])
def test_a_name_is_one_or_none(typed, name):
    assert tidy_name(typed) == name


@pytest.mark.parametrize(("name", "shown"), [
    ("张三", "张*"), ("张小三", "张*三"), ("张小小三", "张**三"), ("欧阳小三", "欧阳**"), ("欧阳三", "欧阳*"), ("欧阳", "欧*"),
    ("买买提·艾力", "买*·**"), ("买买提·买", "买*·*"),
    ("阿卜杜·热合曼·买买提", "阿*·**"), ("Ann Lee", "A*"), ("Al", "A*"), ("𠮷三", "𠮷*"), ("张", "张*"), ("", "*"),
])
def test_the_masking_table(name, shown):
    assert mask_name(name) == shown


@given(st.text("张王李赵欧阳小三明华", min_size=2, max_size=6))
def test_a_masked_name_always_hides_something(name):
    shown = mask_name(name)
    assert "*" in shown and shown != name and sum(c != "*" for c in shown) < len(name)


def test_a_masked_phone_keeps_seven_digits():
    assert mask_phone(PHONE) == "138****0000"


@pytest.mark.parametrize(("minutes", "counts"),
                         [(0, "said"), (-10, "said"), (10, "said"), (-10.01, "arrived"), (11, "arrived"), (-3 * 24 * 60, "arrived")])
def test_evidence_counts_from_when_wechat_says_unless_clocks_disagree(minutes, counts):
    said = NOON + timedelta(minutes=minutes)
    assert evidence_instant(said, NOON) == (said if counts == "said" else NOON)
