"""At WeChat: the keys, the addresses, what the account may do, who is recognised at both doors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from flask import Flask

from tests.doctor.conftest import FOREVER, GOOD, NOTE, WRONG, ask, free_port
from wxbackend.accounts import service as accounts
from wxbackend.doctor import wire
from wxbackend.extensions import db
from wxbackend.wechat import WxUser, features


def test_keys_that_fit(clinic):
    c = clinic()
    assert c.ask("account-token").level == c.ask("miniprogram-token").level == GOOD


def test_an_address_that_is_not_whitelisted_is_named(clinic):
    c = clinic()
    assert c.ask("features").level == GOOD   # a token lies in the cache: the doctor asks past it
    c.sim("ip-whitelist", addresses=["10.0.0.1"])
    for name, console in (("account-token", "公众平台"), ("miniprogram-token", "小程序后台")):
        told = c.ask(name)
        assert told.level == WRONG and "40164" in told.only["said"] and "加上 127.0.0.1" in told.only["todo"]
        assert console in told.only["todo"] and "IP白名单" in told.only["todo"]


@pytest.mark.parametrize(("errcode", "word"), [(40125, "先核对设置里的AppSecret"), (40001, "AppSecret"), (40013, "AppID"), (40243, "解冻"),
                                               (45009, "过一分钟"), (99999, "rid")])
def test_what_wechat_says_about_the_keys(clinic, errcode, word):
    c = clinic()
    c.refuse("/cgi-bin/stable_token", errcode)
    told = c.ask("account-token")
    assert told.level == WRONG and str(errcode) in told.only["said"] and word in told.only["todo"]


def test_a_wrong_secret_of_the_mini_program(clinic):
    told = clinic().ask("miniprogram-token", miniprogram_secret="wrong-secret-of-ours")
    assert told.level == WRONG and "AppSecret" in told.only["said"] and "wrong-secret" not in str(told)
    assert "没有小程序" in clinic().ask("miniprogram-token", miniprogram_appid="").only["said"]


@pytest.mark.parametrize("trouble", [{"http": 502}, {"html": True}, {"json": {"unheard": "of"}}, {"drop": True}])
def test_wechat_away_or_talking_nonsense(clinic, trouble):
    c = clinic()
    c.sim("fail-next", path="/cgi-bin/stable_token", times=FOREVER, **trouble)
    assert c.ask("account-token").level == WRONG
    assert c.ask("callback-ips").level == NOTE


def test_no_line_to_wechat_at_all(clinic):
    told = clinic().ask("account-token", wechat_api_root=f"http://127.0.0.1:{free_port()}")
    assert told.level == WRONG and "api.weixin.qq.com" in told.only["todo"]


def test_the_addresses_that_callbacks_come_from(clinic):
    told = clinic().ask("callback-ips")
    assert told.level == GOOD and "1个地址" in told.only["said"]


@pytest.mark.parametrize("kind", ["service", "service-unverified", "subscription", "subscription-unverified"])
def test_an_account_that_is_what_the_settings_say(clinic, kind):
    told = clinic(kind).ask("features")
    assert told.level == GOOD, told
    assert ("模板消息" in told.only["said"]) == (kind == "service")
    assert ("/login/h5" in told.only["said"]) == (kind == "service")


def test_an_account_that_is_less_than_the_settings_say(clinic):
    c = clinic("subscription", account_kind="service")
    told = c.ask("features")
    assert told.level == WRONG and "带参数的二维码、模板消息" in told.only["said"]
    assert "ACCOUNT_KIND 改成 subscription（认证订阅号）" in told.only["todo"]


def test_an_account_that_is_more_than_the_settings_say(clinic):
    told = clinic("service", account_kind="subscription-unverified").ask("features")
    assert told.level == NOTE and "菜单" in told.only["said"] and "改成 service" in told.only["todo"]


def test_one_feature_taken_away_fits_no_kind_and_leads_to_the_console(clinic):
    c = clinic()
    c.refuse("/cgi-bin/media/get", 48001)
    told = c.ask("features")
    assert told.level == WRONG and "取图片" in told.only["said"] and "接口权限" in told.only["todo"] and "改成" not in told.only["todo"]


def test_features_that_cannot_be_asked_about_are_no_verdict(clinic):
    c = clinic()
    c.sim("ip-whitelist", addresses=["10.0.0.1"])
    told = c.ask("features")
    assert told.level == NOTE and "公众号的钥匙" in told.only["todo"]


def test_what_is_granted_again_is_offered_again_at_once(clinic):
    c = clinic()
    with c.app.app_context():
        features.switch_off("media")
        assert not features.can("media")
    c.ask("features")
    with c.app.app_context():
        assert features.can("media")


def test_a_site_that_remembers_a_refusal_in_its_own_memory_is_named(clinic):
    """The doctor is another process, whose store is not the site's."""
    c = clinic()
    with c.app.app_context():
        features.switch_off("media")
        features.switch_off("menu")
    told = c.ask("features", account_kind="service")
    kept = [f for f in told.findings if "自己的记忆" in f["said"]]
    assert [f["level"] for f in kept] == [NOTE] and "菜单、取图片" in kept[0]["said"] and "重启网站" in kept[0]["todo"]
    with c.app.app_context():
        features.switch_on(["media", "menu"])
    assert "自己的记忆" not in str(c.ask("features", account_kind="service").findings)


def test_strangers_do_not_learn_what_is_off(client):
    assert set(client.get("/healthz", query_string={"nonce": "a" * 40}).json) == {"status", "instance"}


def comes(app: Flask, appid: str, openid: str, unionid: str | None = None) -> None:
    with app.app_context():
        accounts.login(WxUser(appid, openid, unionid), datetime.now(UTC))
        db.session.commit()


def test_apps_that_are_bound_show_it_by_their_logins(clinic):
    c = clinic()
    assert c.ask("unionid").level == NOTE          # nobody has come yet
    amei = next(p for p in requests.get(f"{c.simulated}/_sim/people", timeout=20).json()["people"] if p["name"] == "阿美")
    comes(c.app, c.config.miniprogram_appid, amei["openids"][c.config.miniprogram_appid], amei["unionid"])
    comes(c.app, c.config.account_appid, amei["openids"][c.config.account_appid])
    told = c.ask("unionid")
    assert told.level == GOOD and "1人里1人有unionid" in told.only["said"]


def test_apps_that_are_said_to_be_bound_and_are_not(clinic):
    c = clinic()
    comes(c.app, c.config.miniprogram_appid, "oMini1")
    comes(c.app, c.config.miniprogram_appid, "oMini2")
    told = c.ask("unionid")
    assert told.level == WRONG and "2人里一个unionid也没有" in told.only["said"] and "open.weixin.qq.com" in told.only["todo"]


def test_a_follower_without_unionid_gives_it_away_too(clinic):
    c = clinic()
    stranger = c.sim("people", name="没绑定的人", bound=False)
    comes(c.app, c.config.account_appid, stranger["openids"][c.config.account_appid])
    comes(c.app, c.config.account_appid, "oOfAnAccountBefore")
    comes(c.app, c.config.account_appid, wire.SENDER)
    told = c.ask("unionid")
    assert told.level == WRONG and "关注者没有unionid" in told.only["said"]


def test_apps_that_are_not_bound_leave_one_door(clinic):
    c = clinic(apps_bound=False)
    told = c.ask("unionid")
    assert told.level == NOTE and "只开一个入口" in told.only["todo"]
    comes(c.app, c.config.miniprogram_appid, "oMini1", "u1")
    told = c.ask("unionid")
    assert told.level == NOTE and "APPS_BOUND 改成 true" in told.only["todo"]
    assert ask(c.beside(miniprogram_appid=""), "unionid").level == GOOD


def test_the_accounts_own_code_where_there_is_no_web_login(make_app):
    assert ask(make_app(), "account-qr").level == GOOD
    assert ask(make_app(account_kind="subscription"), "account-qr").level == NOTE
    assert ask(make_app(account_kind="subscription", account_oauth="yes"), "account-qr").level == GOOD
    assert ask(make_app(account_kind="subscription", account_qr="http://weixin.qq.com/r/x"), "account-qr").level == GOOD


def test_templates_that_can_be_read_and_that_cannot(make_app):
    assert ask(make_app(), "templates").level == GOOD
    told = ask(make_app(notice_template="TPL-123456|thing1=title|time2=at"), "templates")
    assert told.level == GOOD and "NOTICE_TEMPLATE" in told.only["said"]
    told = ask(make_app(account_kind="subscription", account_template="TPL-123456|thing1=title"), "templates")
    assert NOTE in [f["level"] for f in told.findings]
