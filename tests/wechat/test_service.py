"""Login, pictures and unionids, as the rooms behind call them."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from werkzeug.wrappers import Response

from wxbackend import wechat
from wxbackend.wechat.errcodes import MEANINGS

SESSION = "/sns/jscode2session"
OAUTH = "/sns/oauth2/access_token"
MEDIA = "/cgi-bin/media/get"


def test_a_mini_program_login_sends_four_parameters_and_no_token(app, wechat_host):
    wechat_host.say(SESSION, {"openid": "oMei", "session_key": "tiihtNczf5v6AKRyjwEUhQ==", "unionid": "uMei"})
    user = wechat.login_code("CODE")
    assert (user.appid, user.openid, user.unionid, user.is_snapshot) == ("wxmini", "oMei", "uMei", False)
    assert [ask["path"] for ask in wechat_host.asked] == [SESSION]
    assert wechat_host.asked[0]["args"] == {"appid": "wxmini", "secret": "SECRET-M", "js_code": "CODE", "grant_type": "authorization_code"}


def test_a_user_is_not_told_by_its_repr():
    assert "oMei" not in repr(wechat.WxUser("wxmini", "oMei", "uMei"))


@pytest.mark.parametrize("errcode", [40029, 40163, 40226, 42003, 41008, -1])
def test_a_spent_code_asks_for_a_new_login(app, wechat_host, errcode):
    wechat_host.say(SESSION, {"errcode": errcode, "errmsg": "no"})
    wechat_host.say(OAUTH, {"errcode": errcode, "errmsg": "no"})
    for verb in (wechat.login_code, wechat.oauth_code):
        with pytest.raises(wechat.CodeRefused) as caught:
            verb("CODE")
        assert caught.value.status == 401
    assert len(wechat_host.asked) == 2   # codes are never sent twice


@pytest.mark.parametrize("code", ["", "x" * 600, "a\nb"])
def test_a_code_that_cannot_be_one_never_leaves(app, wechat_host, code):
    with pytest.raises(wechat.CodeRefused):
        wechat.login_code(code)
    assert wechat_host.asked == []


def test_the_address_of_web_login_has_wechats_order(app):
    back = "https://vote.example.org/login/h5/callback?next=/c/2021"
    assert wechat.oauth_url(back, "state01") == (
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wxaccount&redirect_uri=" + quote(back, safe="")
        + "&response_type=code&scope=snsapi_base&state=state01#wechat_redirect")
    with pytest.raises(ValueError, match="state"):
        wechat.oauth_url(back, "a&scope=x")


def test_a_web_login_names_the_person_and_says_when_the_identity_is_virtual(app, wechat_host):
    good = {"access_token": "T", "expires_in": 7200, "refresh_token": "R", "openid": "oMei", "scope": "snsapi_base"}
    wechat_host.say(OAUTH, good, good | {"is_snapshotuser": 1, "unionid": "uVirtual"}, good | {"is_snapshotuser": 0, "unionid": ""})
    assert wechat.oauth_code("C1") == wechat.WxUser("wxaccount", "oMei", None, False)
    assert wechat.oauth_code("C2").is_snapshot
    assert wechat.oauth_code("C3") == wechat.WxUser("wxaccount", "oMei", None, False)


@pytest.mark.parametrize("answer", [
    {"errcode": 0}, {"openid": ""}, {"openid": 7}, {"openid": "o'--<x>"}, {"errcode": -1}, {"errcode": "junk"}])
def test_an_answer_that_names_nobody_logs_nobody_in(app, wechat_host, answer):
    wechat_host.say(SESSION, answer)
    wechat_host.say(OAUTH, answer)
    for verb in (wechat.login_code, wechat.oauth_code):
        with pytest.raises((wechat.WeChatAway, wechat.CodeRefused)):
            verb("CODE")


def test_a_picture_comes_whole(app, wechat_host):
    wechat_host.say(MEDIA, Response(b"\xff\xd8" + b"x" * 90_000, content_type="image/jpeg"))
    assert len(wechat.download_media("M")) == 90_002
    assert wechat_host.asked[-1]["args"]["media_id"] == "M"


@pytest.mark.parametrize("announced", [True, False])
def test_a_picture_over_the_limit_is_not_read_to_its_end(app, wechat_host, announced):
    sent = []

    def body():
        for _ in range(1000):
            sent.append(1)
            yield b"x" * 10_000

    headers = {"Content-Length": "10000000"} if announced else {}
    wechat_host.say(MEDIA, lambda ask: Response(body(), headers=headers, content_type="image/jpeg"))
    with pytest.raises(wechat.MediaTooLarge):
        wechat.download_media("M")
    assert len(sent) < 1000


def test_a_picture_broken_off_is_not_taken_for_whole(app, wechat_host):
    wechat_host.say(MEDIA, lambda ask: Response(iter([b"x" * 100]), headers={"Content-Length": "5000"}, content_type="image/jpeg"))
    with pytest.raises(wechat.WeChatAway):
        wechat.download_media("M")


@pytest.mark.parametrize("answer", [{"errcode": 40007, "errmsg": "invalid media_id"}, {"video_url": "http://x"}])
def test_a_picture_wechat_no_longer_has_is_lost(app, wechat_host, answer):
    wechat_host.say(MEDIA, answer)
    with pytest.raises(wechat.MediaLost):
        wechat.download_media("M")


def test_a_unionid_is_given_or_it_is_not(app, wechat_host):
    wechat_host.say("/cgi-bin/user/info", {"subscribe": 1, "openid": "oMei", "unionid": "uMei"}, {"subscribe": 0, "openid": "oMei"},
                    {"errcode": 40003, "errmsg": "invalid openid"}, {"errcode": 48001, "errmsg": "api unauthorized"})
    assert [wechat.unionid_of("oMei") for _ in range(2)] == ["uMei", None]
    with pytest.raises(wechat.WeChatRefused):
        wechat.unionid_of("oMei")
    assert wechat.unionid_of("oMei") is None


def test_a_closed_reply_window_is_permanent(app, wechat_host):
    wechat_host.say("/cgi-bin/message/custom/send", {"errcode": 45015, "errmsg": "response out of time limit"})
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.send_text("oMei", "您好")
    assert caught.value.kind is wechat.Kind.PERMANENT


def test_every_errcode_has_a_kind_and_an_unknown_one_is_permanent():
    assert wechat.meaning(45009).kind is wechat.Kind.LATER
    assert wechat.meaning(43004).kind is wechat.Kind.VOTER
    assert wechat.meaning(123456).kind is wechat.Kind.PERMANENT
    assert all(known.about for known in MEANINGS.values())
