"""open.weixin.qq.com: who is let through to the product, and how picky WeChat is about the address."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest


def address(shop, **changes):
    parts = {"appid": "wxdemoaccount0001", "redirect_uri": quote(shop.url + "/login/h5/callback?next=1", safe=""), "response_type": "code",
             "scope": "snsapi_base", "state": "abc123"} | changes
    return "/connect/oauth2/authorize?" + "&".join(f"{k}={v}" for k, v in parts.items())


def test_the_person_of_the_phone_comes_back_with_code_and_state(phone, shop):
    answer = phone.get(address(shop))
    there = urlsplit(answer.location)
    assert answer.status_code == 302 and answer.location.startswith(shop.url + "/login/h5/callback?next=1&")
    assert parse_qs(there.query)["state"] == ["abc123"] and len(parse_qs(there.query)["code"][0]) == 32


@pytest.mark.parametrize(("changes", "why"), [
    ({"appid": "wxother"}, "appid"), ({"scope": "snsapi_all"}, "scope"), ({"state": "a-b"}, "state"), ({"response_type": "token"}, "顺序"),
    ({"redirect_uri": quote("http://evil.example/login", safe="")}, "10003"), ({"redirect_uri": "javascript%3Aalert(1)"}, "10003")])
def test_a_wrong_address_is_not_followed(phone, shop, changes, why):
    answer = phone.get(address(shop, **changes))
    assert answer.status_code == 400 and why in answer.text and "Location" not in answer.headers


def test_the_order_of_the_parameters_counts(phone, shop):
    right = address(shop)
    start, query = right.split("?")
    pieces = query.split("&")
    for swapped in ([pieces[1], pieces[0], *pieces[2:]], [*pieces[:3], pieces[4], pieces[3]], pieces[:3]):
        assert phone.get(start + "?" + "&".join(swapped)).status_code == 400
    assert phone.get(right + "&connect_redirect=1").status_code == 302
    assert phone.get(start + "?" + "&".join(pieces[:4])).status_code == 302   # without state


def test_outside_a_phone_nobody_is_logged_in(sim, shop):
    answer = sim.test_client().get(address(shop))
    assert answer.status_code == 400 and "请在微信客户端打开链接" in answer.text


def test_asking_for_a_name_needs_a_tap_except_from_the_accounts_chat(phone, shop):
    named = address(shop, scope="snsapi_userinfo")
    page = phone.get(named)
    assert page.status_code == 200 and "申请使用" in page.text
    agreed = phone.get(re.search(r'href="(/connect/oauth2/agree/[^"]+)"', page.text)[1])
    assert agreed.status_code == 302 and agreed.location.startswith(shop.url)
    assert phone.get(agreed.request.path).status_code == 400   # once
    phone.set_cookie("sim_from", "menu", domain="127.0.0.1")
    assert phone.get(named).status_code == 302
    phone.set_cookie("sim_person", "afang", domain="127.0.0.1")
    assert phone.get(named).status_code == 200   # no follower


def test_a_preview_page_asks_nothing_and_gives_a_code(phone, shop):
    phone.set_cookie("sim_person", "xiaozhou", domain="127.0.0.1")
    assert phone.get(address(shop, scope="snsapi_userinfo")).status_code == 302


def test_where_web_login_is_not_offered_the_page_says_so(phone, shop):
    phone.set_cookie("sim_person", "daliu", domain="127.0.0.1")
    answer = phone.get(address(shop))
    assert answer.status_code == 400 and "10005" in answer.text
