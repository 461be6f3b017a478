"""WeChat on a bad day: over a real line, since that is what breaks."""

import time

import pytest
import requests

ACCOUNT = "wxdemoaccount0001"
TOKEN = "/cgi-bin/stable_token"
BODY = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": "simulated-account-secret"}


@pytest.fixture
def ask(served, http):
    base = served.rstrip("/")
    return lambda **how: http.post(base + TOKEN, json=BODY, timeout=how.pop("timeout", 5), **how)


def test_an_errcode_an_http_error_and_a_page_instead(wechat, ask):
    wechat.control("fail-next", path=TOKEN, errcode=-1)
    wechat.control("fail-next", path=TOKEN, http=502)
    wechat.control("fail-next", path=TOKEN, html=True)
    wechat.control("fail-next", path=TOKEN, json={"access_token": 5})
    wechat.control("fail-next", path=TOKEN, without=["expires_in"])
    first, second, third, fourth, fifth, sixth = (ask() for _ in range(6))
    assert first.json()["errcode"] == -1 and "rid: " in first.json()["errmsg"]
    assert second.status_code == 502
    assert third.status_code == 200 and third.headers["Content-Type"].startswith("text/html")
    assert fourth.json() == {"access_token": 5}
    assert fifth.json().keys() == {"access_token"}
    assert sixth.json().keys() == {"access_token", "expires_in"}


def test_a_line_that_breaks_before_or_after(wechat, ask, sim):
    for how in (True, "after"):
        wechat.control("fail-next", path=TOKEN, drop=how)
        with pytest.raises(requests.ConnectionError):
            ask()
        assert len(sim.state.tokens.given) == (0 if how is True else 1)   # after: WeChat has acted


def test_wechat_may_have_acted_although_it_says_it_did_not(wechat, ask, sim):
    wechat.control("fail-next", path=TOKEN, errcode=-1, after=True)
    assert ask().json()["errcode"] == -1 and len(sim.state.tokens.given) == 1
    code = wechat.control("login-code", person="amei")["code"]
    args = {"appid": "wxdemomini000001", "secret": "simulated-miniprogram-secret", "js_code": code, "grant_type": "authorization_code"}
    wechat.control("fail-next", path="/sns/*", errcode=-1, after=True)
    assert [wechat.get("/sns/jscode2session", **args)["errcode"] for _ in range(2)] == [-1, 40163]   # it was used up


def test_half_an_answer(wechat, ask):
    wechat.control("fail-next", path=TOKEN, truncate=True)
    with pytest.raises(ValueError):
        ask().json()
    wechat.control("fail-next", path=TOKEN, truncate=0)
    assert ask().content == b""


def test_a_hang_and_latency_outlast_a_clients_patience(wechat, ask):
    wechat.control("fail-next", path=TOKEN, hang=1)
    with pytest.raises(requests.ReadTimeout):
        ask(timeout=0.3)
    wechat.control("latency", path="/cgi-bin/*", seconds=0.4)
    started = time.monotonic()
    assert ask().ok and time.monotonic() - started >= 0.4
    wechat.control("latency", path="/cgi-bin/*", seconds=0)
    started = time.monotonic()
    assert ask().ok and time.monotonic() - started < 0.4


def test_the_first_calls_may_pass(wechat, ask):
    wechat.control("fail-next", path="/cgi-bin/*", errcode=-1, skip=2, times=1)
    assert [ask().json().get("errcode") for _ in range(4)] == [None, None, -1, None]


def test_an_outage_lasts_until_it_is_over(wechat, ask):
    wechat.control("outage", on=True)
    assert [ask().status_code for _ in range(3)] == [503] * 3
    wechat.control("outage", on=True, errcode=-1, path="/cgi-bin/*")
    assert ask().json()["errcode"] == -1
    wechat.control("outage", on=False)
    assert ask().json()["access_token"]


def test_trouble_must_say_what_it_is(wechat):
    for body in ({}, {"path": TOKEN}, {"errcode": -1}):
        assert wechat.client.post("/_sim/fail-next", json=body).status_code == 400


def test_the_log_tells_how_each_call_ended(wechat, ask):
    wechat.control("fail-next", path=TOKEN, errcode=45009)
    ask(), ask()
    seen = wechat.get("/_sim/log", path=TOKEN)["requests"]
    assert [(e["status"], e["errcode"]) for e in seen] == [(200, 45009), (200, None)]
    assert all("took_ms" in e and "client_credential" in e["body"] for e in seen)
    assert wechat.get("/_sim/log", path="/nothing")["requests"] == []


def test_wechats_clock_may_run_ahead_of_the_products(wechat):
    token = wechat.token()
    before = wechat.get("/_sim/now")["now"]
    assert wechat.control("advance-clock", hours=2, minutes=1)["own_seconds"] == 7260
    assert wechat.get("/_sim/now")["now"] > before
    assert wechat.get("/cgi-bin/getcallbackip", access_token=token)["errcode"] == 42001
    wechat.control("advance-clock", reset=True)
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=token)


def test_the_control_interface_explains_itself(wechat):
    told = wechat.get("/_sim/")["verbs"]
    assert len(told) > 35 and all(told.values())
    assert wechat.client.post("/_sim/config", json={"account_kind": "best"}).status_code == 400
    assert wechat.client.post("/_sim/config", json={"nothing": 1}).status_code == 400
    assert wechat.client.post("/_sim/people", json={"name": "x", "nothing": 1}).status_code == 400
    assert wechat.client.post("/_sim/send", json={"person": "nobody", "text": "x"}).get_json() == {"error": "no such person"}
    assert "secret" not in str(wechat.control("config", account_kind="service")).lower()
