"""Every errcode of the table ends as its kind says, wherever it comes."""

from __future__ import annotations

import re

import pytest
from structlog.testing import capture_logs

from wxbackend import wechat
from wxbackend.wechat.errcodes import MEANINGS, TOKEN_ERRORS
from wxbackend.wechat.refusals import refusal

ENDS = {
    wechat.Kind.RETRY: wechat.WeChatRefused, wechat.Kind.LATER: wechat.WeChatRefused, wechat.Kind.RELOGIN: wechat.CodeRefused,
    wechat.Kind.VOTER: wechat.WeChatRefused, wechat.Kind.PERMANENT: wechat.WeChatRefused, wechat.Kind.OPERATOR: wechat.WeChatRefused,
}
SPECIAL = {-1: wechat.WeChatAway, 40007: wechat.MediaLost, 48001: wechat.NotGranted}
# The kinds that decide what happens to people and operators, written down a second time: a slip in the table shows.
FIXED = {
    "retry": "40001 40014 42001", "later": "-1 45009 45011", "relogin": "40029 40163 42003 40226 87009", "tell voter": "43004",
    "tell operator": "40013 40125 40243 40164 40037 41030 48001 48004 89503 89506 40054",
    "permanent": "41001 40003 40007 40033 40097 47001 44002 40129 40169 43101 43104 45002 45015 45047 47003 48002 50002 61010 87014 "
                 "-40001 -40005",
}


@pytest.mark.parametrize("errcode", sorted(MEANINGS))
def test_every_errcode_ends_as_its_kind_says(app, wechat_host, errcode):
    wechat_host.say("/cgi-bin/user/info", {"errcode": errcode, "errmsg": "said by WeChat rid: 61725984-6126f6f9-040f19c4"})
    with capture_logs() as logs, pytest.raises(Exception) as caught:
        wechat.follower("oMei")
    known = MEANINGS[errcode]
    assert type(caught.value) is SPECIAL.get(errcode, ENDS[known.kind])
    if isinstance(caught.value, wechat.WeChatRefused):
        assert (caught.value.errcode, caught.value.kind, caught.value.rid) == (errcode, known.kind, "61725984-6126f6f9-040f19c4")
    told = [entry for entry in logs if entry["event"] == "wechat refused"]
    assert {(entry["errcode"], entry["rid"], entry["about"]) for entry in told} == {(errcode, "61725984-6126f6f9-040f19c4", known.about)}
    is_loud = known.kind is wechat.Kind.OPERATOR
    assert any(entry["log_level"] == "error" for entry in logs) is is_loud
    tries = 2 if errcode in TOKEN_ERRORS or errcode == -1 else 1   # a fresh token, or busy at a read
    assert wechat_host.times("/cgi-bin/user/info") == tries


@pytest.mark.parametrize("errcode", sorted(MEANINGS))
def test_on_the_token_call_a_wrong_token_is_a_wrong_secret(app, wechat_host, errcode):
    wechat_host.say("/cgi-bin/stable_token", {"errcode": str(errcode), "errmsg": "no"})
    with pytest.raises(Exception) as caught:
        wechat.follower("oMei")
    if errcode in TOKEN_ERRORS:
        assert caught.value.kind is wechat.Kind.OPERATOR
    assert wechat_host.times("/cgi-bin/stable_token") == (2 if errcode == -1 else 1) and wechat_host.times("/cgi-bin/user/info") == 0


def test_the_kinds_are_those_of_the_contract():
    fixed = {int(code): kind for kind, codes in FIXED.items() for code in codes.split()}
    assert {code: MEANINGS[code].kind.value for code in fixed} == fixed


def test_every_errcode_has_a_chinese_sentence():
    assert [code for code, known in MEANINGS.items() if not re.search("[\u4e00-\u9fff]", known.about)] == []


def test_an_unknown_errcode_is_permanent_and_told_with_its_rid():
    with capture_logs() as logs:
        problem = refusal(123456, "something new rid: 61725984-6126f6f9-040f19c4")
    assert problem.kind is wechat.Kind.PERMANENT and problem.rid == "61725984-6126f6f9-040f19c4"
    assert (logs[0]["errcode"], logs[0]["rid"]) == (123456, "61725984-6126f6f9-040f19c4")


def test_what_wechat_says_around_the_rid_is_not_repeated():
    with capture_logs() as logs:
        problem = refusal(40003, "invalid openid oMei hint: [TOKEN-1 13800000000]")
    assert not [word for word in ("oMei", "TOKEN-1", "13800000000") if word in str(logs) + str(problem.to_dict()) + repr(vars(problem))]
