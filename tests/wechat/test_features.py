"""What an account of each kind may do, and what WeChat takes back for a day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wxbackend import store, wechat
from wxbackend.wechat import endpoints, features

ALWAYS = {"console", "jssdk"}
VERIFIED = {"customer-message", "user-info", "media"}
FULL = {"oauth", "scene-qr", "template-message", "open-tag"}
PROGRAM = set(features.OF_MINIPROGRAM)


@pytest.mark.parametrize(("kind", "oauth", "wanted"), [
    ("service", "auto", ALWAYS | VERIFIED | FULL | {"menu"}), ("service-unverified", "auto", ALWAYS | {"menu"}),
    ("subscription", "auto", ALWAYS | VERIFIED | {"menu"}), ("subscription-unverified", "auto", ALWAYS),
    ("subscription", "yes", ALWAYS | VERIFIED | {"menu", "oauth"}), ("service", "no", ALWAYS | VERIFIED | (FULL - {"oauth"}) | {"menu"})])
def test_each_kind_of_account_can_what_tencent_says(make_app, kind, oauth, wanted):
    with make_app("http://127.0.0.1:9", account_kind=kind, account_oauth=oauth).app_context():
        assert {feature for feature in (*features.OF_ACCOUNT, *features.OF_MINIPROGRAM) if wechat.can(feature)} == wanted | PROGRAM


def test_a_feature_nobody_knows_is_a_slip_of_ours(app):
    with pytest.raises(ValueError, match="no such feature"):
        wechat.can("flying")


def test_every_endpoint_belongs_to_a_feature_or_to_all():
    known = {"", *features.OF_ACCOUNT, *features.OF_MINIPROGRAM}
    assert {endpoint.feature for endpoint in endpoints.ALL} <= known
    apps = {endpoint.app: endpoint.feature in features.OF_MINIPROGRAM for endpoint in endpoints.ALL if endpoint.feature}
    assert apps == {"account": False, "miniprogram": True}


def test_what_the_kind_has_not_got_is_refused_without_asking(make_app, wechat_host):
    with make_app(wechat_host.url, account_kind="subscription-unverified").app_context():
        for call in (lambda: wechat.send_text("oMei", "您好"), lambda: wechat.follower("oMei"), lambda: wechat.scene_qr("hall"),
                     lambda: wechat.download_media("M"), lambda: wechat.create_menu([{"name": "投票", "type": "click", "key": "v"}])):
            with pytest.raises(wechat.NotGranted) as caught:
                call()
            assert (caught.value.errcode, caught.value.kind, caught.value.was_asked) == (48001, wechat.Kind.OPERATOR, False)
        assert wechat.unionid_of("oMei") is None
    assert wechat_host.asked == []


def test_off_for_a_day_and_then_asked_anew(app, wechat_host, monkeypatch):
    kept = []
    really = store.put_once
    monkeypatch.setattr(store, "put_once", lambda name, value, ttl: kept.append((name, ttl)) or really(name, value, ttl))
    wechat_host.say("/cgi-bin/qrcode/create", {"errcode": 48001, "errmsg": "api unauthorized"})
    with pytest.raises(wechat.NotGranted) as caught:
        wechat.scene_qr("hall")
    assert caught.value.was_asked
    assert kept == [("wechat:off:wxaccount:scene-qr", 86_400)]
    assert not wechat.can("scene-qr") and wechat.can("template-message")
    store.drop("wechat:off:wxaccount:scene-qr")   # the day is over
    wechat_host.say("/cgi-bin/qrcode/create", {"ticket": "t", "url": "http://weixin.qq.com/q/1"})
    assert wechat.can("scene-qr") and wechat.scene_qr("hall").ticket == "t"


def test_another_refusal_switches_nothing_off(app, wechat_host):
    for errcode in (48002, 48004, 45009, 40164, 43101):
        wechat_host.say("/cgi-bin/message/custom/send", {"errcode": errcode})
        with pytest.raises(wechat.WeChatRefused):
            wechat.send_text("oMei", "您好")
    assert wechat.can("customer-message")


def test_what_is_off_is_asked_anew_where_staff_want_it(app, wechat_host):
    features.switch_off("scene-qr")
    features.switch_off("phone")
    assert wechat.switched_off() == ["scene-qr", "phone"]
    wechat.ask_again("scene-qr")
    assert wechat.can("scene-qr") and not wechat.can("phone")


def test_only_addresses_are_taken_for_addresses(app, wechat_host):
    wechat_host.say("/cgi-bin/getcallbackip", {"ip_list": ["203.0.113.9", 7, "junk"]})
    assert wechat.callback_addresses() == ["203.0.113.9"]


def test_a_wrong_secret_and_an_unknown_address_are_the_operators(app, wechat_host):
    for errcode in (40125, 40001, 40164, 40013, 40243):
        wechat_host.say("/cgi-bin/stable_token", {"errcode": errcode, "errmsg": "invalid ip 203.0.113.5, not in whitelist"})
        with pytest.raises(wechat.WeChatRefused) as caught:
            wechat.callback_addresses()
        assert (caught.value.errcode, caught.value.kind) == (errcode, wechat.Kind.OPERATOR)
    with pytest.raises(ValueError, match="account or miniprogram"):
        wechat.callback_addresses("nobody")


def test_with_the_store_away_the_settings_decide(app, wechat_host, monkeypatch):
    def away(*_args: object, **_kwargs: object) -> None:
        raise store.StoreAway

    for verb in ("get", "put", "put_once", "lock", "drop"):
        monkeypatch.setattr(store, verb, away)
    wechat_host.say("/cgi-bin/qrcode/create", {"errcode": 48001})
    for _ in range(2):
        with pytest.raises(wechat.NotGranted):
            wechat.scene_qr("hall")
    assert wechat.can("scene-qr")
    features.switch_on(["scene-qr"])


def test_a_site_without_a_mini_program_opens_no_door_for_one(make_app):
    nothing = {"miniprogram_appid": "", "miniprogram_secret": "", "miniprogram_token": "", "miniprogram_aes_key": ""}
    at = datetime(2022, 1, 6, 1, 0, tzinfo=UTC)
    with make_app("http://127.0.0.1:9", **nothing).app_context():
        for call in (lambda: wechat.open_callback("miniprogram", {}, b"", at), lambda: wechat.check_echo("miniprogram", {}, at)):
            with pytest.raises(wechat.CallbackRefused):
                call()
        with pytest.raises(wechat.NoMiniProgram):
            wechat.miniprogram()
        assert not any(wechat.can(feature) for feature in features.OF_MINIPROGRAM) and wechat.can("oauth")
