"""Signatures for pages: of our own host only, by one ticket for all processes."""

from __future__ import annotations

import pytest

from tests.wechat.test_client import at_once
from wxbackend import store, wechat
from wxbackend.wechat.signing import page_signature

PATH = "/cgi-bin/ticket/getticket"
TICKET = {"errcode": 0, "errmsg": "ok", "ticket": "TICKET-1", "expires_in": 7200}
HOME = "https://vote.example.org"


@pytest.fixture
def app(make_app, wechat_host):
    with make_app(wechat_host.url, public_url=HOME).app_context() as context:
        yield context.app


def test_a_page_is_signed_over_its_address_without_the_fragment(app, wechat_host):
    wechat_host.say(PATH, TICKET)
    made = wechat.jssdk(HOME + "/c/2021?from=群#top")
    assert set(made) == {"appId", "timestamp", "nonceStr", "signature"} and made["appId"] == "wxaccount"
    assert made["signature"] == page_signature("TICKET-1", made["nonceStr"], made["timestamp"], HOME + "/c/2021?from=群")
    assert wechat.jssdk(HOME + "/")["nonceStr"] != made["nonceStr"]
    assert wechat_host.asked[-1]["args"] | {"access_token": ""} == {"type": "jsapi", "access_token": ""}


@pytest.mark.parametrize("url", [HOME, HOME + ":443/x", "HTTPS://VOTE.example.org/x", HOME + "/?a=%E4%B8%AD"])
def test_pages_of_our_own_place_are_signed(app, wechat_host, url):
    wechat_host.say(PATH, TICKET)
    assert wechat.jssdk(url)["signature"]


@pytest.mark.parametrize("url", [
    "", "#", "/c/2021", "http://vote.example.org/", HOME + ":8443/", "https://evil.example/", "https://vote.example.org.evil.example/",
    "https://vote.example.org@evil.example/", "https://evil@vote.example.org/", "https://vote.example.org\\@evil.example/",
    "//vote.example.org/",
    HOME + "/a b", HOME + "/\n", "\t" + HOME, HOME + ":99999/", HOME + ":x/", "https://[::1", HOME + "/" + "x" * 3000, HOME + "/\ud800",
    "javascript://vote.example.org/"])
def test_pages_of_another_place_are_not_signed(app, wechat_host, url):
    with pytest.raises(wechat.NotOurPage) as caught:
        wechat.jssdk(url)
    assert caught.value.status == 422 and wechat_host.asked == []


def test_eight_cold_threads_ask_for_one_ticket(app, wechat_host):
    wechat_host.say(PATH, TICKET)
    assert len({made["nonceStr"] for made in at_once(app, 8, lambda: wechat.jssdk(HOME))}) == 8
    assert wechat_host.times(PATH) == 1


@pytest.mark.parametrize(("expires_in", "kept"), [(7200, 4200), ("7200", 4200), (999_999_999, 4200), (600, 300), (None, 4200)])
def test_a_ticket_is_kept_for_seventy_minutes_at_most(app, wechat_host, monkeypatch, expires_in, kept):
    lives = []
    really = store.put
    monkeypatch.setattr(store, "put", lambda name, value, ttl: lives.append((name, ttl)) or really(name, value, ttl))
    wechat_host.say(PATH, TICKET | {"expires_in": expires_in})
    wechat.jssdk(HOME)
    assert ("wechat:ticket:wxaccount", kept) in lives


def test_a_refused_ticket_is_asked_for_anew_once_a_minute(app, wechat_host):
    wechat_host.say(PATH, TICKET, TICKET | {"ticket": "TICKET-2"}, TICKET | {"ticket": "TICKET-3"})
    for was_refused, ticket in ((False, 1), (True, 2), (True, 2), (False, 2)):
        made = wechat.jssdk(HOME, was_refused=was_refused)
        assert made["signature"] == page_signature(f"TICKET-{ticket}", made["nonceStr"], made["timestamp"], HOME)


def test_a_ticket_call_with_a_stale_token_renews_the_token_once(app, wechat_host):
    wechat_host.say(PATH, {"errcode": 40001, "errmsg": "not latest"}, TICKET)
    assert wechat.jssdk(HOME)["signature"]
    assert wechat_host.times("/cgi-bin/stable_token") == 2


def test_with_the_store_away_pages_are_signed_all_the_same(app, wechat_host, monkeypatch):
    def away(*_args: object, **_kwargs: object) -> None:
        raise store.StoreAway

    for verb in ("get", "put", "put_once", "lock"):
        monkeypatch.setattr(store, verb, away)
    wechat_host.say(PATH, TICKET)
    for _ in range(3):
        assert wechat.jssdk(HOME, was_refused=True)["signature"]
    assert wechat_host.times(PATH) == 1
