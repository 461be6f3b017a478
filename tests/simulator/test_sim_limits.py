"""How often WeChat lets itself be asked, and how often an account may write to a person."""

import pytest

from simulator import crypto

ACCOUNT, MINI = "wxdemoaccount0001", "wxdemomini000001"
SEND = "/cgi-bin/message/custom/send"


@pytest.fixture
def tell(wechat):
    """Sends a customer message to 阿美; the errcode."""
    def send(text="您好", **changes):
        message = {"touser": wechat.openid("amei"), "msgtype": "text", "text": {"content": text}} | changes
        return wechat.post(SEND, message, access_token=wechat.token())["errcode"]

    return send


def test_without_a_word_from_the_person_there_is_no_window(wechat, tell):
    assert tell() == 45015
    assert wechat.get("/_sim/outbox", person="amei")["messages"] == []


def test_a_message_opens_five_within_two_days(wechat, tell):
    wechat.control("send", person="amei", text="在吗")
    assert [tell() for _ in range(6)] == [0] * 5 + [45047]
    wechat.control("send", person="amei", text="还在吗")
    assert tell() == 0
    wechat.later(hours=47, minutes=59)
    assert tell() == 0
    wechat.later(minutes=2)
    assert tell() == 45015


@pytest.mark.parametrize("act", [("click", {"key": "vote"}), ("follow", {}), ("scan", {"scene": "poster"})])
def test_a_click_opens_three_within_a_minute(wechat, tell, act):
    wechat.control(act[0], person="amei", **act[1])
    assert [tell() for _ in range(4)] == [0, 0, 0, 45047]
    wechat.later(seconds=61)
    assert tell() == 45015


def test_a_view_and_an_unfollow_open_nothing(wechat, tell):
    wechat.control("event", person="amei", event="VIEW", key="https://example.org/")
    assert tell() == 45015
    wechat.control("send", person="amei", text="在吗")
    wechat.control("unfollow", person="amei")
    assert tell() == 45015


def test_the_mini_programs_window_is_its_own(wechat, tell):
    wechat.control("send", person="amei", text="在吗", app="miniprogram")
    assert tell() == 45015
    message = {"touser": wechat.openid("amei", "miniprogram"), "msgtype": "text", "text": {"content": "您好"}}
    assert wechat.post(SEND, message, access_token=wechat.token(MINI))["errcode"] == 0
    told = wechat.get("/_sim/outbox", person="amei")
    assert told["messages"] == [] and [n["text"] for n in told["notices"]] == ["您好"]


def test_a_days_quota_ends_at_midnight_in_shenzhen(wechat):
    wechat.control("quota", path="/cgi-bin/getcallbackip", daily=2)
    token = wechat.token()

    def ask():
        return wechat.get("/cgi-bin/getcallbackip", access_token=token).get("errcode")

    assert [ask() for _ in range(3)] == [None, None, 45009]
    wechat.later(hours=9, minutes=45)   # 14:16 → 00:01
    token = wechat.token()
    assert ask() is None


def test_a_minutes_quota_is_another_errcode(wechat):
    wechat.control("quota", path="/cgi-bin/getcallbackip", per_minute=1)
    token = wechat.token()
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=token)
    assert wechat.get("/cgi-bin/getcallbackip", access_token=token)["errcode"] == 45011
    wechat.later(minutes=1)
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=token)


def test_a_person_logs_in_a_hundred_times_a_minute_at_most(wechat):
    codes = [wechat.control("login-code", person="amei")["code"] for _ in range(101)]
    answers = [wechat.get("/sns/jscode2session", appid=MINI, secret="simulated-miniprogram-secret", js_code=code,
                          grant_type="authorization_code").get("errcode") for code in codes]
    assert answers == [None] * 100 + [45011]


def test_quotas_can_be_read_and_cleared_ten_times_a_month(wechat):
    token = wechat.token()
    wechat.get("/cgi-bin/getcallbackip", access_token=token)
    asked = {"cgi_path": "/cgi-bin/getcallbackip"}
    assert wechat.post("/cgi-bin/openapi/quota/get", asked, access_token=token)["quota"]["used"] == 1
    assert wechat.post("/cgi-bin/openapi/quota/get", {"cgi_path": "/nothing"}, access_token=token)["errcode"] == 76021
    assert wechat.post("/cgi-bin/clear_quota", {"appid": MINI}, access_token=token)["errcode"] == 40013
    cleared = [wechat.post("/cgi-bin/clear_quota", {"appid": ACCOUNT}, access_token=token)["errcode"] for _ in range(11)]
    assert cleared == [0] * 10 + [48006]
    assert wechat.post("/cgi-bin/openapi/quota/get", asked, access_token=token)["quota"]["used"] == 0
    wechat.later(days=31)
    assert wechat.post("/cgi-bin/clear_quota", {"appid": ACCOUNT}, access_token=wechat.token())["errcode"] == 0


def test_forcing_a_token_is_rare_and_kills_the_old_one_at_once(wechat):
    body = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": "simulated-account-secret", "force_refresh": True}
    old = wechat.token()
    new = wechat.post("/cgi-bin/stable_token", body)["access_token"]
    assert wechat.get("/cgi-bin/getcallbackip", access_token=old)["errcode"] == 40001
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=new) and wechat.token() == new
    assert wechat.post("/cgi-bin/stable_token", body)["errcode"] == 45009
    for _ in range(19):
        wechat.later(seconds=31)
        assert "access_token" in wechat.post("/cgi-bin/stable_token", body)
    wechat.later(seconds=31)
    assert wechat.post("/cgi-bin/stable_token", body)["errcode"] == 45009
    assert wechat.post("/cgi-bin/stable_token", body | {"force_refresh": "true"})["errcode"] == 47001


def test_the_pools_of_tokens_do_not_touch_each_other(wechat):
    stable = wechat.token()
    args = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": "simulated-account-secret"}
    for _ in range(3):
        wechat.get("/cgi-bin/token", **args)
    wechat.later(minutes=6)
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=stable)
    assert len(stable) == 512


def test_near_its_end_old_and_new_stable_token_live_together(wechat):
    old = wechat.token()
    wechat.later(hours=1, minutes=56)
    new = wechat.token()
    assert new != old
    for token in (old, new):
        assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=token)
    wechat.later(minutes=5)
    assert wechat.get("/cgi-bin/getcallbackip", access_token=old)["errcode"] == 42001


def test_only_whitelisted_addresses_get_a_token(wechat):
    token = wechat.token()
    wechat.control("ip-whitelist", addresses=["10.0.0.1"])
    body = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": "simulated-account-secret"}
    for refused in (wechat.post("/cgi-bin/stable_token", body), wechat.get("/cgi-bin/token", **body)):
        assert refused["errcode"] == 40164
        assert refused["errmsg"].startswith("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist")
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=token)   # the list concerns the token call
    wechat.visit("amei")                                                           # and no login
    wechat.control("ip-whitelist", addresses=None)
    assert wechat.token() == token


def test_the_jssdks_ticket_repeats_with_the_same_two_hours(wechat):
    def ask(**changes):
        return wechat.get("/cgi-bin/ticket/getticket", **({"access_token": wechat.token(), "type": "jsapi"} | changes))

    first = ask()
    wechat.later(hours=1)
    again = ask()
    assert (again["ticket"], again["expires_in"]) == (first["ticket"], 7200)
    wechat.later(hours=1, minutes=1)
    assert ask()["ticket"] != first["ticket"]
    assert ask(type="x")["errcode"] == 40097
    assert ask(access_token=wechat.token(MINI))["errcode"] == 40013


def test_a_pages_signature_is_checked_against_the_ticket(wechat):
    signed = {"appId": ACCOUNT, "timestamp": "1641449760", "nonceStr": "n", "url": "https://vote.example.org/c/x?s=1"}
    assert not wechat.control("check-jssdk", **signed, signature="x")["ok"]
    ticket = wechat.get("/cgi-bin/ticket/getticket", access_token=wechat.token(), type="jsapi")["ticket"]
    right = crypto.jsapi_signature(ticket, "n", "1641449760", signed["url"])
    assert wechat.control("check-jssdk", **signed, signature=right)["ok"]
    assert wechat.control("check-jssdk", **(signed | {"url": signed["url"] + "#top"}), signature=right)["ok"]
    for changes in ({"url": "https://vote.example.org/"}, {"appId": MINI}, {"timestamp": "1"}):
        assert not wechat.control("check-jssdk", **(signed | changes), signature=right)["ok"]
