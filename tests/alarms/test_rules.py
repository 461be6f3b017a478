"""Every alarm says what happened and what to do, in Chinese, whatever facts it has."""

from __future__ import annotations

import re

import pytest

from wxbackend.alarms.rules import KINDS, NEXT_STEPS, next_step, say
from wxbackend.wechat.errcodes import MEANINGS, Kind

REQUIRED = {"job-dead", "wechat-operator", "media-lost", "storage", "callback-plaintext", "wechat-quota", "relay-away"}
FACTS = {"errcode": 40164, "where": "notices.send", "error": "GiveUp: gone"}


@pytest.mark.parametrize("kind", [*sorted(REQUIRED), "unheard-of"])
@pytest.mark.parametrize("facts", [{}, FACTS, {"errcode": "40164", "where": None, "error": ["x"]}])
def test_every_kind_has_its_two_sentences(kind, facts):
    words = say(kind, "inbox.fetch", 3, facts, "服务器的IP不在白名单")
    for sentence in words:
        assert re.search(r"[一-鿿]{4}", sentence) and sentence.endswith("。"), sentence
        assert not re.search(r"[{}]|None", sentence), sentence
    assert words.what != words.todo


def test_the_kinds_that_were_asked_for_are_there():
    assert set(KINDS) >= REQUIRED


def test_a_refusal_names_the_errcode_its_meaning_and_the_menu():
    words = say("wechat-operator", "40164 notices.send", 1, FACTS, MEANINGS[40164].about)
    assert "40164" in words.what and MEANINGS[40164].about in words.what and "发通知" in words.what
    assert "IP白名单" in words.todo


def test_a_whitelist_names_the_address_where_it_is_known():
    todo = say("wechat-operator", "40164 notices.send", 1, FACTS | {"our_ip": "203.0.113.7"}).todo
    assert "加上服务器的出口IP 203.0.113.7，" in todo and "203.0.113.7" not in say("wechat-operator", "40164 x", 1, FACTS).todo


@pytest.mark.parametrize("errcode", [40001, 40125])
def test_a_wrong_secret_is_compared_first_and_reset_last(errcode):
    """A reset stops every other system of the institution that uses the secret."""
    step = next_step(errcode)
    assert step.startswith("先核对设置里的AppSecret") and step.index("核对") < step.index("重置") < step.index("别的系统")


def test_plaintext_names_the_console_of_its_app():
    assert "基本配置" in say("callback-plaintext", "account", 1, {}).todo
    assert "消息推送" in say("callback-plaintext", "miniprogram", 1, {}).todo


@pytest.mark.parametrize("errcode", [40001, 40013, 40037, 40125, 40164, 40243, 41030, 48001, 48004, 89503, 89506])
def test_the_errcodes_of_the_accounts_own_settings_have_a_step_of_their_own(errcode):
    assert next_step(errcode) == NEXT_STEPS[errcode] and "doctor" not in next_step(errcode)


@pytest.mark.parametrize("errcode", sorted(code for code, known in MEANINGS.items() if known.kind is Kind.OPERATOR))
def test_every_errcode_for_operators_says_what_it_means_and_what_to_do(errcode):
    words = say("wechat-operator", f"{errcode} notices.send", 1, {"errcode": errcode, "where": "notices.send"}, MEANINGS[errcode].about)
    assert MEANINGS[errcode].about in words.what and str(errcode) in words.what and len(words.todo) > 10


def test_an_unknown_errcode_leads_to_the_doctor():
    assert "flask --app app doctor" in next_step(99999)
