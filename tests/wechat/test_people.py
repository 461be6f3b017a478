"""Phones by their button, and followers: in the types of the day."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.wechat.verbs import OK, PHONE_INFO
from wxbackend import wechat

PHONE = "/wxa/business/getuserphonenumber"
INFO = "/cgi-bin/user/info"
OAUTH = "/sns/oauth2/access_token"


def test_a_phone_is_asked_for_by_its_own_code_and_for_its_person(app, wechat_host):
    wechat_host.say(PHONE, OK | {"phone_info": PHONE_INFO})
    assert wechat.phone_of("CODE") == wechat.phone_of("CODE", "oMei") == "13800000000"
    assert [json.loads(ask["body"]) for ask in wechat_host.asked[1:]] == [{"code": "CODE"}, {"code": "CODE", "openid": "oMei"}]


@pytest.mark.parametrize(("changes", "phone"), [
    ({"countryCode": 86}, "13800000000"), ({"countryCode": "852", "purePhoneNumber": "91234567"}, "+85291234567"),
    ({"countryCode": 1, "purePhoneNumber": 2025550123}, "+12025550123"), ({"countryCode": None}, "13800000000"),
    ({"watermark": None}, "13800000000"), ({"watermark": "x"}, "13800000000")])
def test_a_phone_comes_in_one_form_whatever_the_types(app, wechat_host, changes, phone):
    wechat_host.say(PHONE, OK | {"phone_info": PHONE_INFO | changes})
    assert wechat.phone_of("CODE") == phone


@pytest.mark.parametrize("info", [{}, [], None, PHONE_INFO | {"purePhoneNumber": ""}, PHONE_INFO | {"purePhoneNumber": "138 0000"},
                                  PHONE_INFO | {"purePhoneNumber": None}, PHONE_INFO | {"watermark": {"appid": "wxother"}}])
def test_a_phone_that_is_none_or_of_another_app_is_no_phone(app, wechat_host, info):
    wechat_host.say(PHONE, OK | {"phone_info": info})
    with pytest.raises(wechat.WeChatAway):
        wechat.phone_of("CODE")


@pytest.mark.parametrize("errcode", [40029, 40163, -1])
def test_a_spent_phone_code_asks_for_another_tap(app, wechat_host, errcode):
    wechat_host.say(PHONE, {"errcode": errcode, "errmsg": "no"})
    with pytest.raises(wechat.CodeRefused):
        wechat.phone_of("CODE")
    assert wechat_host.times(PHONE) == 1


def test_a_busy_token_call_leaves_the_code_good(app, wechat_host):
    wechat_host.say("/cgi-bin/stable_token", {"errcode": -1, "errmsg": "system error"})
    with pytest.raises(wechat.WeChatAway):
        wechat.phone_of("CODE")


@pytest.mark.parametrize("code", ["", "x" * 600, "a\nb"])
def test_a_phone_code_that_cannot_be_one_never_leaves(app, wechat_host, code):
    with pytest.raises(wechat.CodeRefused):
        wechat.phone_of(code)
    assert wechat_host.asked == []


@pytest.mark.parametrize(("answer", "follower"), [
    ({"subscribe": 0, "openid": "oMei"}, wechat.Follower(False)), ({"subscribe": "0"}, wechat.Follower(False)),
    ({"subscribe": 0, "unionid": "uMei"}, wechat.Follower(False)),
    ({"subscribe": 1, "subscribe_time": 1640966400}, wechat.Follower(True, None, datetime(2021, 12, 31, 16, tzinfo=UTC))),
    ({"subscribe": "1", "subscribe_time": "1640966400", "unionid": "uMei"},
     wechat.Follower(True, "uMei", datetime(2021, 12, 31, 16, tzinfo=UTC))),
    ({"subscribe": 1, "subscribe_time": 10 ** 17, "unionid": 7}, wechat.Follower(True)),
    ({"subscribe": 1, "unionid": "u'--"}, wechat.Follower(True))])
def test_a_follower_is_read_whatever_the_types(app, wechat_host, answer, follower):
    wechat_host.say(INFO, answer)
    assert wechat.follower("oMei") == follower


def test_a_web_login_stands_without_what_it_does_not_need(app, wechat_host):
    """Tokens of the user are not ours to keep: only the openid must be there."""
    wechat_host.say(OAUTH, {"openid": "oMei", "errcode": "0"}, {"openid": "oMei", "is_snapshotuser": "1"}, {"openid": "oMei", "unionid": 7})
    assert [wechat.oauth_code("C") for _ in range(3)] == [
        wechat.WxUser("wxaccount", "oMei"), wechat.WxUser("wxaccount", "oMei", None, True), wechat.WxUser("wxaccount", "oMei")]
    assert wechat_host.asked[0]["args"] == {"appid": "wxaccount", "secret": "SECRET-A", "code": "C", "grant_type": "authorization_code"}


def test_a_wrong_secret_at_login_is_the_operators_matter(app, wechat_host):
    wechat_host.say(OAUTH, {"errcode": 40001, "errmsg": "invalid credential"})
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.oauth_code("C")
    assert caught.value.kind is wechat.Kind.OPERATOR and len(wechat_host.asked) == 1
