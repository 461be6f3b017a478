"""Pictures: by media_id where the account may, else from the message's own address, and from no other place."""

from __future__ import annotations

import pytest
from werkzeug.wrappers import Response

from wxbackend import wechat
from wxbackend.wechat import media

MEDIA = "/cgi-bin/media/get"
PICTURE = "/mmbiz/M/0"
JPEG = b"\xff\xd8\xff1"


def shown(host, content: bytes = JPEG, status: int = 200) -> str:
    host.say(PICTURE, Response(content, status, content_type="image/jpeg"))
    return host.url + PICTURE


def test_an_account_not_verified_takes_the_picture_from_its_address(make_app, wechat_host):
    with make_app(wechat_host.url, account_kind="subscription-unverified").app_context():
        assert wechat.download_media("M", shown(wechat_host)) == JPEG
    assert [(ask["path"], ask["args"]) for ask in wechat_host.asked] == [(PICTURE, {})]   # no token went along


@pytest.mark.parametrize("errcode", [40007, 48001])
def test_media_gone_or_not_granted_is_taken_from_its_address(app, wechat_host, errcode):
    wechat_host.say(MEDIA, {"errcode": errcode, "errmsg": "no"})
    assert wechat.download_media("M", shown(wechat_host)) == JPEG
    with pytest.raises((wechat.MediaLost, wechat.NotGranted)):
        wechat.download_media("M")


@pytest.mark.parametrize(("status", "problem"), [(404, wechat.MediaLost), (410, wechat.MediaLost), (403, wechat.MediaLost),
                                                 (500, wechat.WeChatAway), (302, wechat.WeChatAway)])
def test_a_picture_no_longer_there_is_lost_and_a_broken_host_is_away(app, wechat_host, status, problem):
    wechat_host.say(MEDIA, {"errcode": 40007})
    with pytest.raises(problem):
        wechat.download_media("M", shown(wechat_host, status=status))


def test_a_picture_too_large_at_its_address_is_refused(app, wechat_host):
    wechat_host.say(MEDIA, {"errcode": 40007})
    with pytest.raises(wechat.MediaTooLarge):
        wechat.download_media("M", shown(wechat_host, b"x" * 100_001))


@pytest.mark.parametrize("address", [
    "http://127.0.0.1:6379/", "http://localhost/mmbiz/M/0", "file:///etc/passwd", "http://mmbiz.qpic.cn.evil.example/x", "http://[::1",
    "http://evil.example/mmbiz.qpic.cn", "http://mmbiz.qpic.cn@evil.example/", "http://mmbiz.qpic.cn:8080/x", "http://mmbiz.qpic.cn:x/",
    "gopher://mmbiz.qpic.cn/", "//mmbiz.qpic.cn/x", "mmbiz.qpic.cn/x", "http://10.0.0.1/x"])
def test_no_other_address_is_fetched(app, wechat_host, address):
    wechat_host.say(MEDIA, {"errcode": 40007})
    with pytest.raises(wechat.MediaLost):
        wechat.download_media("M", address)
    assert [ask["path"] for ask in wechat_host.asked] == ["/cgi-bin/stable_token", MEDIA]


def test_wechats_own_pictures_are_asked_for_by_https(app):
    assert media._allowed("http://mmbiz.qpic.cn/mmbiz_jpg/x/0?wx_fmt=jpeg#a") == "https://mmbiz.qpic.cn/mmbiz_jpg/x/0?wx_fmt=jpeg"
