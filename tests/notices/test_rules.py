"""Windows to the second, and what fits into a template."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.notice_templates import NoticeTemplate, parse
from config.settings import Settings, SettingsError
from tests.conftest import SECRETS
from tests.factories import NOON
from tests.notices.conftest import FACTS
from wxbackend.notices.rules import Window, fill, opened_by, page_of, pot, why_closed

SECOND = timedelta(seconds=1)
TWO_DAYS, MINUTE = timedelta(hours=48), timedelta(minutes=1)


@pytest.mark.parametrize(("window", "after", "expected"), [
    (Window(message_at=NOON), timedelta(), ""),
    (Window(message_at=NOON), TWO_DAYS - SECOND, ""),
    (Window(message_at=NOON), TWO_DAYS, "closed"),                                    # the exact second is outside
    (Window(message_at=NOON, sent_since_message=4), SECOND, ""),
    (Window(message_at=NOON, sent_since_message=5), SECOND, "quota"),
    (Window(message_at=NOON, sent_since_message=5), TWO_DAYS, "closed"),
    (Window(tap_at=NOON), MINUTE - SECOND, ""),
    (Window(tap_at=NOON), MINUTE, "closed"),
    (Window(tap_at=NOON, sent_since_tap=3), SECOND, "quota"),
    (Window(NOON - TWO_DAYS + SECOND, 5, NOON, 3), SECOND / 2, "quota"),
    (Window(message_at=NOON, has_left=True), SECOND, "left"),
    (Window(), timedelta(), "closed"),
    (None, timedelta(), ""),                                                          # nothing was ever heard: WeChat is asked
])
def test_when_a_customer_message_need_not_be_tried(window, after, expected):
    assert why_closed(window, NOON + after) == expected


@pytest.mark.parametrize(("window", "after", "expected"), [
    (Window(NOON, 0, NOON, 0), SECOND, "tap"), (Window(NOON, 0, NOON, 3), SECOND, "message"), (Window(NOON, 0, NOON, 0), MINUTE, "message"),
    (Window(NOON, 5, NOON, 2), SECOND, "tap"), (Window(NOON, 5, NOON, 3), SECOND, ""),
])
def test_what_is_gone_in_a_minute_is_used_first(window, after, expected):
    assert pot(window, NOON + after) == expected


@pytest.mark.parametrize(("kind", "does"), [
    ("text", "message"), ("image", "message"), ("link", "message"), ("click", "tap"), ("scan", "tap"), ("subscribe", "tap"),
    ("unsubscribe", "left"), ("view", ""), ("location", ""), ("", ""), ("新", "")])
def test_what_opens_the_chat(kind, does):
    assert opened_by(kind) == does


def test_a_template_is_filled_and_cut_to_what_wechat_takes():
    template = parse("TEMPLATE|thing1=title|phrase2=result|time3=at|thing4=tip")
    facts = FACTS | {"title": "二〇二一年度福田区改革项目\n网络评议暨抽奖活动😀"}
    filled = fill(template, facts)
    assert filled == {"thing1": "二〇二一年度福田区改革项目 网络评议暨…", "phrase2": "中奖", "time3": "2022年1月11日 21:30",
                      "thing4": "点开看怎么领"}
    assert len(filled["thing1"]) == 20


@pytest.mark.parametrize("facts", [{}, {"title": "", "at": FACTS["at"]}, {"title": "评议"}, {"title": "评议", "at": "明天晚上"}])
def test_a_template_that_cannot_be_filled_is_not_sent(facts):
    assert fill(parse("TEMPLATE|thing1=title|time2=at"), facts) is None


def test_a_settings_template_names_fields_and_a_page():
    assert parse("") is None
    assert parse("abc_DEF-123| thing1=title |time2=at|page=pages/mine/index") == NoticeTemplate(
        "abc_DEF-123", {"thing1": "title", "time2": "at"}, "pages/mine/index")
    assert page_of(parse("abc_DEF|thing1=title|page=pages/mine"), "reform") == "pages/mine?c=reform"
    assert page_of(parse("abc_DEF|thing1=title|page=pages/mine"), None) == "pages/mine"
    assert page_of(parse("abc_DEF|thing1=title"), "x") == ""


@pytest.mark.parametrize("text", [
    "|thing1=title", "太极", "ABCDEF", "ABCDEF|", "ABCDEF|thing1", "ABCDEF|thing1=", "ABCDEF|thing1=phone", "ABCDEF|name1=title",
    "ABCDEF|number1=at", "ABCDEF|time1=title", "ABCDEF|phrase1=title", "ABCDEF|thing1=title|thing1=tip",
    "ABCDEF|page=pages/a", "ABCDEF|thing1=title|page=/pages/a", "ABCDEF|thing1=title|page=a?x=1", "ABC DEF|thing1=title"])
def test_a_settings_template_that_cannot_be_is_refused_at_the_start(text):
    for name in ("notice_template", "account_template"):
        with pytest.raises(SettingsError) as refused:
            Settings(**(SECRETS | {name: text}))
        assert [fault.partition(":")[0] for fault in refused.value.faults] == [name.upper()]
