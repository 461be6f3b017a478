"""The hardened client against a real HTTP server on loopback."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from structlog.testing import capture_logs
from werkzeug.wrappers import Response

from wxbackend import store, wechat
from wxbackend.wechat import endpoints
from wxbackend.wechat.client import WxClient
from wxbackend.wechat.refusals import WeChatAway, WeChatRefused

TOKEN = "/cgi-bin/stable_token"
INFO = "/cgi-bin/user/info"
STALE = {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest rid: 61725984-6126f6f9-040f19c4"}
MEI = {"openid": "oMei", "subscribe": 1, "unionid": "uMei"}


@pytest.fixture(autouse=True)
def slow_tokens(wechat_host):
    wechat_host.token_seconds = 0.05   # time for a second caller to fall in


def at_once(app: Flask, count: int, verb: Callable[[], object]) -> list[object]:
    barrier = threading.Barrier(count)

    def go(_n: int) -> object:
        with app.app_context():
            barrier.wait()
            try:
                return verb()
            except Exception as e:
                return e

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))


def everything_told(error: BaseException | None) -> str:
    """The text of an exception and of all that it hangs on."""
    told = ""
    while error is not None:
        told += f"{error!r} {error} {vars(error)} "
        error = error.__cause__ or error.__context__
    return told


def test_eight_cold_threads_make_one_token_call(app, wechat_host):
    wechat_host.say(INFO, MEI)
    assert at_once(app, 8, lambda: wechat.unionid_of("oMei")) == ["uMei"] * 8
    assert wechat_host.times(TOKEN) == 1


@pytest.mark.parametrize("redis_url", ["", "spawn"])
def test_eight_cold_workers_make_one_token_call(make_app, wechat_host, redis_url):
    app = make_app(wechat_host.url, redis_url=redis_url)

    def own_client() -> object:   # as in eight processes: nothing shared but the store
        client = WxClient("wxaccount", "SECRET-A", api_root=wechat_host.url, mp_root=wechat_host.url, timeout_seconds=2)
        return client.user.get("oMei")["unionid"]

    wechat_host.say(INFO, MEI)
    with app.app_context():
        assert store.ping()   # a server just spawned takes longer to come than a store may take to answer
    assert at_once(app, 8, own_client) == ["uMei"] * 8
    assert wechat_host.times(TOKEN) == 1


def test_a_refused_token_is_renewed_once_for_all(app, wechat_host):
    store.put("wechat:token:wxaccount", f"{time.time() + 900:.0f} OLD", 900)
    wechat_host.say(INFO, lambda ask: STALE if ask["args"]["access_token"] == "OLD" else MEI)
    assert at_once(app, 8, lambda: wechat.unionid_of("oMei")) == ["uMei"] * 8
    assert wechat_host.times(TOKEN) == 1


def test_a_token_refused_for_ever_is_renewed_once_and_then_told(app, wechat_host):
    wechat_host.say(INFO, STALE)
    with pytest.raises(WeChatRefused) as caught:
        wechat.unionid_of("oMei")
    assert (caught.value.errcode, caught.value.rid) == (40001, "61725984-6126f6f9-040f19c4")
    assert wechat_host.times(INFO) == 2
    assert wechat_host.times(TOKEN) == 2   # the first, and one more


def test_the_same_token_again_is_forced_out_once_and_not_looped(app, wechat_host):
    wechat_host.say(TOKEN, {"access_token": "SAME", "expires_in": 7200})
    wechat_host.say(INFO, STALE)
    for _ in range(3):
        with pytest.raises(WeChatRefused):
            wechat.unionid_of("oMei")
    forced = [ask for ask in wechat_host.asked if ask["path"] == TOKEN and '"force_refresh": true' in ask["body"]]
    assert len(forced) == 1
    assert wechat_host.times(INFO) == 3


def test_a_wrong_secret_is_the_operators_matter(app, wechat_host):
    wechat_host.say(TOKEN, {"errcode": 40001, "errmsg": "invalid appsecret"})
    with pytest.raises(WeChatRefused) as caught:
        wechat.unionid_of("oMei")
    assert caught.value.kind is wechat.Kind.OPERATOR
    assert wechat_host.times(TOKEN) == 1


def test_an_address_not_whitelisted_is_named_to_the_operator(app, wechat_host):
    wechat_host.say(TOKEN, {"errcode": 40164, "errmsg": "invalid ip 10.1.2.3 ipv6 ::ffff:10.1.2.3, not in whitelist rid: 61725984"})
    with capture_logs() as logs, pytest.raises(WeChatRefused):
        wechat.unionid_of("oMei")
    assert [entry["our_ip"] for entry in logs if entry["event"] == "wechat refused"] == ["10.1.2.3"]


def test_a_hanging_host_is_given_up_in_time_even_by_eight_who_wait_for_one_token(app, wechat_host):
    wechat_host.say(TOKEN, lambda ask: time.sleep(4) or {})
    began = time.monotonic()
    outcomes = at_once(app, 8, lambda: wechat.unionid_of("oMei"))
    assert all(isinstance(outcome, WeChatAway) for outcome in outcomes)
    assert time.monotonic() - began < 2.5   # the setting says 1 s


def test_a_dripping_host_is_given_up_in_time(app, wechat_host):
    def drip(_ask: object) -> Response:
        def body():
            for _ in range(30):
                time.sleep(0.2)
                yield b" "
        return Response(body(), content_type="application/json")

    wechat_host.say(INFO, drip)
    began = time.monotonic()
    with pytest.raises(WeChatAway):
        wechat.unionid_of("oMei")
    assert time.monotonic() - began < 2.5


def test_a_closed_port_is_away_and_certainly_unsent(make_app):
    with make_app("http://127.0.0.1:9").app_context(), pytest.raises(WeChatAway) as caught:
        wechat.send_text("oMei", "您好")
    assert caught.value.unsure is False
    assert caught.value.to_dict()["retry_after"] == 60


def test_a_message_that_may_have_left_is_unsure(app, wechat_host):
    wechat_host.say("/cgi-bin/message/custom/send", lambda ask: time.sleep(2) or {})
    with pytest.raises(WeChatAway) as caught:
        wechat.send_text("oMei", "您好")
    assert caught.value.unsure is True


@pytest.mark.parametrize("answer", [
    Response("<html>502</html>", 502), Response("<html>busy</html>", content_type="text/html"),
    Response("[1]", content_type="application/json"), Response("", 302, {"Location": "http://127.0.0.1:9/?secret=SECRET-A"}),
    Response('{"errcode": "x"}'), Response("7"),
    Response(b"\xff" * 2_000_000), {"errcode": -1, "errmsg": "system error"}])
def test_an_answer_that_is_no_answer_is_away(app, wechat_host, answer):
    wechat_host.say(INFO, answer)
    with pytest.raises(WeChatAway):
        wechat.unionid_of("oMei")
    wechat_host.say(TOKEN, answer)
    store.drop("wechat:token:wxaccount")
    with pytest.raises(WeChatAway):
        wechat.unionid_of("oMei")


@pytest.mark.parametrize("files", [
    lambda: {"media": io.BytesIO(b"PICTURE")}, lambda: {"media": ("a.png", io.BytesIO(b"PICTURE"), "image/png")},
    lambda: [("media", ("a.png", io.BytesIO(b"PICTURE")))]])
def test_an_upload_repeated_after_a_refused_token_is_whole_both_times(app, wechat_host, files):
    wechat_host.say("/cgi-bin/media/upload", STALE, {"media_id": "M"})
    assert wechat.account().post("media/upload", params={"type": "image"}, files=files())["media_id"] == "M"
    sent = [ask["files"] for ask in wechat_host.asked if ask["path"] == "/cgi-bin/media/upload"]
    assert sent == [{"media": b"PICTURE"}] * 2


def test_wechatpys_own_upload_is_whole_both_times(app, wechat_host):
    wechat_host.say("/cgi-bin/media/upload", STALE, {"media_id": "M"})
    wechat.account().media.upload("image", io.BytesIO(b"PICTURE"))
    assert [ask["files"] for ask in wechat_host.asked if ask["files"]] == [{"media": b"PICTURE"}] * 2


def test_every_part_of_wechatpy_calls_the_roots_of_the_settings(app, wechat_host):
    wechat_host.say("/wxa/getwxacodeunlimit", Response(b"\x89PNG", content_type="image/jpeg"))
    wechat_host.say("/wxa/business/getuserphonenumber", {"errcode": 0, "phone_info": {}})
    assert wechat.miniprogram().call(endpoints.PROGRAM_CODE, data={}, max_bytes=1000) == b"\x89PNG"
    wechat.miniprogram().post("wxa/business/getuserphonenumber", api_base_url="https://api.weixin.qq.com/", data={"code": "c"})
    with pytest.raises(ValueError, match="own hosts"):
        wechat.account().get("https://elsewhere.example/cgi-bin/x")


CALLED = [endpoint for endpoint in endpoints.ALL if endpoint not in (endpoints.AUTHORIZE, endpoints.STABLE_TOKEN)]


@pytest.mark.parametrize("endpoint", CALLED, ids=lambda e: e.path)
def test_an_endpoint_is_called_by_its_method_and_path(app, wechat_host, endpoint):
    wechat_host.say(endpoint.path, {"errcode": 0})
    wechat.account().call(endpoint, {"a": "1"}, {"b": "二"} if endpoint.method == "POST" else None)
    asked = wechat_host.asked[-1]
    assert (asked["method"], asked["path"], asked["args"]["a"]) == (endpoint.method, endpoint.path, "1")
    assert asked["body"] == ('{"b": "二"}' if endpoint.method == "POST" else "")


def test_chinese_goes_out_unescaped(app, wechat_host):
    wechat_host.say("/cgi-bin/message/custom/send", {"errcode": 0, "errmsg": "ok"})
    wechat.send_text("oMei", "已收到您的截图")
    assert "已收到您的截图" in wechat_host.asked[-1]["body"]


@pytest.mark.parametrize("trouble", ["closed", "hang", "502", "refused"])
def test_no_exception_and_no_log_line_carries_secret_token_or_address(app, make_app, wechat_host, caplog, trouble):
    caplog.set_level(logging.DEBUG)
    broken = {"hang": lambda ask: time.sleep(2) or {}, "502": Response("", 502), "refused": STALE, "closed": {}}[trouble]
    for path in ("/sns/jscode2session", "/sns/oauth2/access_token", INFO, "/cgi-bin/media/get"):
        wechat_host.say(path, broken)
    verbs = [lambda: wechat.login_code("CODE-1"), lambda: wechat.oauth_code("CODE-1"), lambda: wechat.unionid_of("oMei"),
             lambda: wechat.download_media("MEDIA-1")]
    away = make_app("http://127.0.0.1:9") if trouble == "closed" else app
    with away.app_context(), capture_logs() as logs:
        for verb in verbs:
            with pytest.raises(wechat.WeChatAway if trouble != "refused" else Exception) as caught:
                verb()
            told = everything_told(caught.value) + str(logs) + caplog.text
            assert not [word for word in ("SECRET-", "TOKEN-", "CODE-1", "MEDIA-1", "oMei", "127.0.0.1") if word in told]


def test_with_the_store_away_each_process_keeps_its_own_token(app, wechat_host, monkeypatch):
    def away(*_args: object, **_kwargs: object) -> None:
        raise store.StoreAway

    for verb in ("get", "put", "put_once", "lock"):
        monkeypatch.setattr(store, verb, away)
    wechat_host.say(INFO, MEI)
    assert at_once(app, 8, lambda: wechat.unionid_of("oMei")) == ["uMei"] * 8
    assert wechat_host.times(TOKEN) == 1
    wechat_host.say(INFO, STALE, MEI)
    assert wechat.unionid_of("oMei") == "uMei"
    assert wechat_host.times(TOKEN) == 2


def test_the_store_going_away_later_leaves_the_known_token_in_use(app, wechat_host, monkeypatch):
    wechat_host.say(INFO, MEI)
    wechat.unionid_of("oMei")
    monkeypatch.setattr(store, "get", lambda name: (_ for _ in ()).throw(store.StoreAway()))
    wechat.unionid_of("oMei")
    assert wechat_host.times(TOKEN) == 1


def test_the_guard_lets_no_other_name_through(make_app):
    """Without a stand-in's address the calls would go to Tencent; here they end at the guard."""
    with pytest.raises(AssertionError, match="api.weixin.qq.com"):
        socket.getaddrinfo("api.weixin.qq.com", 443)
    with make_app("https://api.weixin.qq.com").app_context(), pytest.raises(AssertionError, match="api.weixin.qq.com"):
        wechat.login_code("CODE")
