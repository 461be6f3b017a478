"""The verbs against the simulator, which refuses what WeChat refuses: our calls as they really go out, over loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from flask import Flask

import simulator
from tests.wechat.test_client import at_once
from wxbackend import store, wechat
from wxbackend.extensions import settings

NOTICE = {"thing1": "太极", "thing3": "恭喜，您中奖了", "time2": "2022年1月8日 09:00"}


class World:
    """The simulator with a running product beside it: `sim(verb, **data)` pulls its strings."""

    def __init__(self, app: Flask, url: str, ours: Flask):
        self.app, self.url, self.ours = app, url, ours

    def __call__(self, verb: str, **data: Any) -> Any:
        answer = requests.post(f"{self.url}/_sim/{verb}", json=data, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, verb: str) -> Any:
        return requests.get(f"{self.url}/_sim/{verb}", timeout=10).json()

    def asked(self, path: str) -> list[dict[str, Any]]:
        return [entry for entry in self.get("log")["requests"] if entry["path"] == path]

    def openid(self, name: str, appid: str) -> str:
        return next(p["openids"][appid] for p in self.get("people")["people"] if p["name"] == name)

    @property
    def page(self) -> str:
        return sorted(self.app.extensions["state"].config.released_pages)[0]


@contextmanager
def played(make_app: Any, **changes: Any) -> Iterator[World]:
    kind = {name: changes[name] for name in ("account_kind", "account_oauth", "apps_bound") if name in changes}
    with make_app("http://127.0.0.1:9", **kind).app_context():
        config = simulator.Config.like(settings, "http://127.0.0.1:9", **changes)
    sim = simulator.create_app(config)
    server, url = simulator.serve(sim)
    try:
        ours = make_app(url, wechat_mp_root=url, wechat_open_root=url, wechat_timeout_seconds=3.0, **kind)
        with ours.app_context():
            yield World(sim, url, ours)
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def sim(make_app: Any) -> Iterator[World]:
    with played(make_app, apps_bound=True) as world:
        yield world


def mei(sim: World, appid: str = "wxaccount") -> str:
    return sim.openid("阿美", appid)


def logged_in(sim: World) -> str:
    return wechat.login_code(sim("login-code", person="阿美")["code"]).openid


def test_logins_by_both_codes_once_each(sim):
    code = sim("login-code", person="阿美")["code"]
    user = wechat.login_code(code)
    assert user.appid == "wxmini" and user.openid == mei(sim, "wxmini")
    with pytest.raises(wechat.CodeRefused):
        wechat.login_code(code)
    silent = wechat.oauth_code(sim("oauth-code", person="阿美")["code"])
    told = wechat.oauth_code(sim("oauth-code", person="阿美", scope="snsapi_userinfo")["code"])
    assert (silent.openid, silent.unionid) == (mei(sim), None) and told.unionid and told.unionid == user.unionid
    with pytest.raises(wechat.CodeRefused):
        wechat.oauth_code(sim("login-code", person="阿美")["code"])
    for call in sim.asked("/sns/jscode2session"):
        assert "access_token" not in call["args"]


def test_apps_that_are_not_bound_have_no_unionid(make_app):
    with played(make_app, apps_bound=False) as sim:
        sim("follow", person="阿美")
        users = [wechat.login_code(sim("login-code", person="阿美")["code"]),
                 wechat.oauth_code(sim("oauth-code", person="阿美", scope="snsapi_userinfo")["code"])]
        assert [user.unionid for user in users] == [None, None] and wechat.unionid_of(users[1].openid) is None


def test_a_snapshot_is_seen_as_one(sim):
    sim("person", person="阿美", snapshot=True)
    assert wechat.oauth_code(sim("oauth-code", person="阿美")["code"]).is_snapshot


@pytest.mark.parametrize("numbers", ["number", "string"])
@pytest.mark.parametrize("optional", ["present", "missing"])
def test_a_phone_in_every_shape(sim, numbers, optional):
    sim("shape", numbers=numbers, optional=optional)
    sim("person", person="阿美", phone="13800000000")
    openid = logged_in(sim)
    code = sim("phone-code", person="阿美")["code"]
    assert wechat.phone_of(code, openid) == "13800000000"
    for spent in (code, sim("login-code", person="阿美")["code"]):
        with pytest.raises(wechat.CodeRefused):
            wechat.phone_of(spent)


def test_a_follower_and_a_stranger(sim):
    sim("follow", person="阿美")
    found = wechat.follower(mei(sim))
    assert found.is_follower and found.unionid and found.since
    sim("unfollow", person="阿美")
    assert wechat.follower(mei(sim)) == wechat.Follower(False)
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.follower(mei(sim, "wxmini"))
    assert caught.value.errcode == 40003


def test_five_texts_after_one_of_hers_and_none_before(sim):
    sim("follow", person="阿美")
    sim("advance-clock", days=3)
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.send_text(mei(sim), "您好")
    assert caught.value.errcode == 45015
    sim("send", person="阿美", text="报名")
    for _ in range(5):
        wechat.send_text(mei(sim), "已收到您的截图 🎉 \\u4e2d \x08")
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.send_text(mei(sim), "您好")
    assert (caught.value.errcode, caught.value.kind) == (45047, wechat.Kind.PERMANENT)


def template_of(sim: World, app: str) -> str:
    config = sim.app.extensions["state"].config
    return (config.notice_template if app == "miniprogram" else config.account_template).partition("|")[0]


def test_a_subscribe_message_costs_a_consent(sim):
    openid = logged_in(sim)
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.send_subscribe(openid, template_of(sim, "miniprogram"), NOTICE, sim.page)
    assert (caught.value.errcode, caught.value.kind) == (43101, wechat.Kind.PERMANENT)
    person = sim.app.extensions["state"].person("阿美")
    person.credits[template_of(sim, "miniprogram")] = 1
    wechat.send_subscribe(openid, template_of(sim, "miniprogram"), NOTICE, sim.page + "?from=notice")
    with pytest.raises(wechat.WeChatRefused):
        wechat.send_subscribe(openid, template_of(sim, "miniprogram"), NOTICE)
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.send_subscribe(openid, "NOBODYS", NOTICE)
    assert (caught.value.errcode, caught.value.kind) == (40037, wechat.Kind.OPERATOR)


def test_a_template_message_goes_to_followers_once_for_one_id(sim):
    sim("follow", person="阿美")
    first = wechat.send_template(mei(sim), template_of(sim, "account"), NOTICE, "https://vote.example.org/", "draw-7")
    assert first.isdigit() and wechat.send_template(mei(sim), template_of(sim, "account"), NOTICE, client_msg_id="draw-7") == first
    sim("unfollow", person="阿美")
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.send_template(mei(sim), template_of(sim, "account"), NOTICE)
    assert (caught.value.errcode, caught.value.kind) == (43004, wechat.Kind.VOTER)


def test_the_menu_is_made_and_read_back(sim):
    sim("console", menu=None)
    buttons = [{"name": "投票", "type": "click", "key": "vote"}, {"name": "更多", "sub_button": [
        {"name": "官网", "type": "view", "url": "https://vote.example.org/"},
        {"name": "小程序", "type": "miniprogram", "url": "https://vote.example.org/", "appid": "wxmini", "pagepath": sim.page}]}]
    wechat.create_menu(buttons)
    assert wechat.current_menu() == {"is_menu_open": 1, "selfmenu_info": {"button": [
        buttons[0], {"name": "更多", "sub_button": {"list": buttons[1]["sub_button"]}}]}}


def test_what_the_console_held_is_read(sim):
    sim("console", menu={"button": [{"name": "地址", "type": "text", "value": "福田区"}]}, replies={
        "is_add_friend_reply_open": 1, "is_autoreply_open": 1, "add_friend_autoreply_info": {"type": "text", "content": "您好"},
        "keyword_autoreply_info": {"list": [{"rule_name": "地址", "keyword_list_info": [], "reply_list_info": []}]}})
    assert wechat.current_menu()["selfmenu_info"]["button"][0]["value"] == "福田区"
    replies = wechat.current_replies()
    assert replies["add_friend_autoreply_info"]["content"] == "您好" and replies["keyword_autoreply_info"]["list"][0]["rule_name"] == "地址"


def test_codes_links_and_scenes_are_made(sim):
    assert wechat.scene_qr("hall-2").url != wechat.scene_qr("hall-2", 3600).url
    assert wechat.miniprogram_code("a1b2", sim.page).startswith(b"\xff\xd8\xff")
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.miniprogram_code("a1b2", "pages/nowhere/nowhere")
    assert (caught.value.errcode, caught.value.kind) == (41030, wechat.Kind.OPERATOR)
    assert wechat.miniprogram_code("a1b2", "pages/nowhere/nowhere", check_path=False, env_version="trial", width=280)
    assert wechat.miniprogram_link(sim.page, "c=2021", 7).startswith("http")


@pytest.mark.parametrize("numbers", ["number", "string"])
def test_checks_want_a_recent_visit(sim, numbers):
    sim("shape", numbers=numbers)
    openid = logged_in(sim)
    assert wechat.check_text(openid, "这个活动真好").is_fine
    sim("verdict", contains="坏话", suggest="risky", label=20003)
    assert (wechat.check_text(openid, "坏话").suggest, wechat.check_text(openid, "坏话").label) == ("risky", 20003)
    assert wechat.check_media(openid, f"{sim.url}/nothing.jpg")
    sim("person", person="阿美", risk=2)
    assert wechat.risk_rank(openid, "203.0.113.5") == 2
    sim("advance-clock", hours=3)
    assert wechat.risk_rank(openid, "203.0.113.5") is None
    for call in (lambda: wechat.check_text(openid, "好"), lambda: wechat.check_media(openid, f"{sim.url}/nothing.jpg")):
        with pytest.raises(wechat.WeChatRefused) as caught:
            call()
        assert caught.value.errcode == 61010


def test_a_picture_by_media_id_and_by_its_address(sim):
    state, at = sim.app.extensions["state"], sim.app.extensions["product"].now()
    data = b"\xff\xd8\xff" + b"picture" * 100
    media_id = state.media.keep(data, at, "wxaccount", "image")
    assert wechat.download_media(media_id) == data
    sim("advance-clock", days=4)
    with pytest.raises(wechat.MediaLost):
        wechat.download_media(media_id)


def test_pages_are_signed_with_one_ticket(sim):
    assert len({made["appId"] for made in at_once(sim.ours, 4, lambda: wechat.jssdk(settings.public_url))}) == 1
    assert len(sim.asked("/cgi-bin/ticket/getticket")) == 1


def test_both_apps_say_where_their_messages_come_from(sim):
    for app in ("account", "miniprogram"):
        assert wechat.callback_addresses(app) == ["127.0.0.1"]


def test_an_address_not_on_the_list_is_told(sim):
    sim("ip-whitelist", addresses=["203.0.113.1"])
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.callback_addresses()
    assert (caught.value.errcode, caught.value.kind) == (40164, wechat.Kind.OPERATOR)
    wechat.login_code(sim("login-code", person="阿美")["code"])   # a login asks for no token


def test_tokens_that_died_are_renewed_once_for_all(sim):
    sim("follow", person="阿美")
    openid = mei(sim)
    wechat.follower(openid)
    for errcode in (42001, 40001):
        sim("expire-tokens", errcode=errcode)
        before = len(sim.asked("/cgi-bin/stable_token"))
        assert all(found.is_follower for found in at_once(sim.ours, 8, lambda: wechat.follower(openid)))
        assert len(sim.asked("/cgi-bin/stable_token")) - before <= 2


@pytest.mark.parametrize("kind", ["service-unverified", "subscription", "subscription-unverified"])
def test_a_lesser_account_asks_for_nothing_it_has_not_got(make_app, kind):
    with played(make_app, account_kind=kind) as sim:
        features = {"scene-qr": lambda: wechat.scene_qr("hall"), "user-info": lambda: wechat.follower(mei(sim)),
                    "customer-message": lambda: wechat.send_text(mei(sim), "您好"),
                    "template-message": lambda: wechat.send_template(mei(sim), "T", NOTICE)}
        for feature, call in features.items():
            if wechat.can(feature):
                continue
            with pytest.raises(wechat.NotGranted):
                call()
        assert [entry for entry in sim.get("log")["requests"] if entry.get("errcode") == 48001] == []
        assert wechat.current_replies() and wechat.callback_addresses()


def test_settings_that_promise_too_much_are_found_out_once(make_app):
    with played(make_app) as sim:
        sim("config", account_kind="subscription")
        for _ in range(3):
            with pytest.raises(wechat.NotGranted):
                wechat.scene_qr("hall")
        assert len(sim.asked("/cgi-bin/qrcode/create")) == 1 and not wechat.can("scene-qr")
        assert store.get("wechat:off:wxaccount:scene-qr")


@pytest.mark.parametrize("trouble", [{"http": 502}, {"html": True}, {"truncate": True}, {"drop": True}, {"drop": "after"}, {"errcode": -1}])
def test_trouble_on_the_line_is_wechat_away_and_nothing_is_sent_twice(sim, trouble):
    sim("send", person="阿美", text="报名")
    path = "/cgi-bin/message/custom/send"
    wechat.send_text(mei(sim), "一")
    before = len(sim.asked(path))
    sim("fail-next", path=path, **trouble)
    with pytest.raises(wechat.WeChatAway) as caught:
        wechat.send_text(mei(sim), "二")
    assert caught.value.unsure and len(sim.asked(path)) == before + 1
    wechat.send_text(mei(sim), "三")


def test_a_slow_wechat_is_given_up_and_heard_again(sim):
    sim("latency", path="/cgi-bin/user/info", seconds=10)
    with pytest.raises(wechat.WeChatAway):
        wechat.follower(mei(sim))
    sim("latency", path="/cgi-bin/user/info", seconds=0)
    assert wechat.follower(mei(sim)) is not None
