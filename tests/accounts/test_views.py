"""Logging in from outside: web login with its state, the mini program's code, staff."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON, PASSWORD
from wxbackend import wechat
from wxbackend.accounts.models import Identity
from wxbackend.extensions import settings


@pytest.fixture
def vouched(monkeypatch):
    """What WeChat says of a code; a code not named here is refused."""
    known: dict[str, wechat.WxUser] = {}

    def redeem(code: str) -> wechat.WxUser:
        if code not in known:
            raise wechat.CodeRefused
        return known[code]

    monkeypatch.setattr(wechat, "login_code", redeem)
    monkeypatch.setattr(wechat, "oauth_code", redeem)
    return known


def test_a_code_of_the_mini_program_becomes_a_bearer_token(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.miniprogram_appid, "oM1", "u1")
    answer = site.client.post("/api/v1/login/miniprogram", json={"code": "good"})
    assert answer.status_code == 200 and set(answer.json) == {"token", "expires_at"} and "oM1" not in answer.text
    me = site.client.get("/api/v1/me", headers={"Authorization": f"Bearer {answer.json['token']}"})
    assert me.json == {"door": "miniprogram", "campaigns": []}


def test_a_refused_code_is_nobody(site, vouched):
    answer = site.client.post("/api/v1/login/miniprogram", json={"code": "stolen"})
    assert answer.status_code == 401 and "token" not in answer.json


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": "x" * 300}, {"code": 5}, {"code": None}, {"code": "a", "appid": "b"}])
def test_a_code_has_its_shape(site, vouched, body):
    assert site.client.post("/api/v1/login/miniprogram", json=body).status_code == 422


def test_a_preview_is_asked_to_use_the_whole_service(site, vouched):
    with site.inside():
        vouched["preview"] = wechat.WxUser(settings.account_appid, "oSNAP", "uSNAP", is_snapshot=True)
    people, answer = site.count(Identity), come_back(site, "preview")
    assert answer.status_code == 403 and "使用完整服务" in answer.text
    assert site.count(Identity) == people


def begin(site, next_url: str = "/c/futian-2021-reform") -> str:
    """Off to WeChat; the state it will bring back."""
    answer = site.client.get("/login/h5", query_string={"next": next_url})
    assert answer.status_code == 302 and answer.headers["Location"].startswith("https://open.weixin.qq.com/connect/oauth2/authorize?appid=")
    return answer.headers["Location"].partition("state=")[2].partition("#")[0]


def come_back(site, code: str, state: str | None = None):
    return site.client.get("/login/h5/callback", query_string={"code": code, "state": state or begin(site)})


def test_web_login_ends_at_the_page_it_began_with_a_clean_address(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    answer = come_back(site, "good")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/c/futian-2021-reform")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("wxv="))
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "oA1" not in cookie
    assert site.client.get("/api/v1/me").json["door"] == "h5"


@pytest.mark.parametrize("query",
                         [{}, {"code": "good"}, {"code": "good", "state": ""}, {"code": "good", "state": "0" * 32}, {"state": "{state}"}])
def test_a_callback_that_does_not_fit_logs_nobody_in(site, vouched, query):
    """Without our cookie's state anybody could log somebody in as himself."""
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    for began in (False, True):
        state = begin(site) if began else "x"
        answer = site.client.get("/login/h5/callback", query_string={k: v.format(state=state) for k, v in query.items()})
        assert answer.status_code == 400 and "这次登录没接上" in answer.text
    assert site.client.get("/api/v1/me").status_code == 401


def test_the_state_of_another_browser_does_not_serve(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    state = begin(site)
    other = site.app.test_client()
    other.get("/login/h5")
    assert other.get("/login/h5/callback", query_string={"code": "good", "state": state}).status_code == 400
    assert site.app.test_client().get("/login/h5/callback", query_string={"code": "good", "state": state}).status_code == 400


def test_a_state_is_good_for_ten_minutes(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    state = begin(site)
    site.now(NOON + timedelta(minutes=10, seconds=1))
    assert come_back(site, "good", state).status_code == 400


def test_a_login_never_leads_to_another_site(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    assert come_back(site, "good", begin(site, "//evil.example")).headers["Location"] == "/"


def test_staff_log_in_by_api(site):
    answer = site.client.post("/api/v1/staff/login", json={"username": "xiaoli", "password": PASSWORD})
    assert answer.status_code == 200
    assert site.client.get("/api/v1/staff/campaigns", headers={"Authorization": f"Bearer {answer.json['token']}"}).status_code == 200


def test_guessing_a_password_ends_after_ten_tries(site):
    tries = [site.client.post("/api/v1/staff/login", json={"username": "xiaoli", "password": f"guess{n}"}) for n in range(11)]
    assert [t.status_code for t in tries] == [401] * 10 + [429]
    assert int(tries[-1].headers["Retry-After"]) > 0 and "歇一会儿" in tries[-1].json["title"]
    right = site.client.post("/api/v1/staff/login", json={"username": "xiaoli", "password": PASSWORD})
    assert right.status_code == 429   # the right one too: else a guess would show


def test_asking_for_the_staff_site_leads_to_its_door_and_back(site):
    answer = site.client.get("/admin/?x=1")
    assert answer.status_code == 302 and answer.headers["Location"] == "/admin/login?next=/admin/?x%3D1"
    assert site.client.get("/api/v1/staff/campaigns").status_code == 401
