"""open.weixin.qq.com: who is let through to the product, and how picky WeChat is about the address."""

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
