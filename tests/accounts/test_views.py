"""Logging in from outside: web login with its state, the mini program's code, staff."""

from __future__ import annotations

import html
import re
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pymysql
import pytest
from sqlalchemy.exc import OperationalError

from tests import factories
from tests.factories import NOON, PASSWORD
from tests.pages.conftest import WECHAT
from wxbackend import jobs, wechat
from wxbackend.accounts import service as accounts
from wxbackend.accounts import views as account_views
from wxbackend.accounts.models import Identity
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
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


def test_a_new_code_ends_the_token_it_came_with(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.miniprogram_appid, "oM1", "u1")
        vouched["hers"] = wechat.WxUser(settings.miniprogram_appid, "oM2", "u2")
    first, other = (site.client.post("/api/v1/login/miniprogram", json={"code": code}).json["token"] for code in ("good", "hers"))
    carried = {"Authorization": f"Bearer {first}"}
    second = site.client.post("/api/v1/login/miniprogram", json={"code": "good"}, headers=carried).json["token"]
    assert [me(site, token) for token in (first, second, other)] == [401, 200, 200]
    site.client.post("/api/v1/login/miniprogram", json={"code": "hers"}, headers={"Authorization": f"Bearer {second}"})
    assert me(site, second) == 200   # another's login ends only her own


def me(site, token: str) -> int:
    return site.app.test_client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_logging_out_ends_this_device_alone(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.miniprogram_appid, "oM1", "u1")
    phone, tablet = (site.client.post("/api/v1/login/miniprogram", json={"code": "good"}).json["token"] for _ in range(2))
    out = site.app.test_client().post("/api/v1/logout", headers={"Authorization": f"Bearer {phone}"})
    assert (out.status_code, out.data, me(site, phone), me(site, tablet)) == (204, b"", 401, 200)
    assert site.app.test_client().post("/api/v1/logout", headers={"Authorization": f"Bearer {phone}"}).status_code == 401
    assert site.app.test_client().post("/api/v1/logout").status_code == 401


def test_another_site_cannot_log_a_browser_out(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    come_back(site, "good")
    assert site.client.post("/api/v1/logout").status_code == 403   # no form token
    assert site.client.get("/api/v1/me").status_code == 200


def test_web_login_anew_ends_the_cookie_it_came_with(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    come_back(site, "good")
    old = site.client.get_cookie("wxv").value
    come_back(site, "good")
    assert me(site, old) == 401 and site.client.get("/api/v1/me").status_code == 200


def test_refreshing_the_callback_leads_on_whoever_has_her_cookie(site, vouched):
    """The page was kept in the history, or the code is long used: no error for somebody who is logged in."""
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    state = begin(site)
    come_back(site, "good", state)
    cookie = site.client.get_cookie("wxv").value
    vouched.clear()
    site.now(NOON + timedelta(minutes=30))   # the state is over, the code too
    again = come_back(site, "good", state)
    assert (again.status_code, again.headers["Location"]) == (302, "/c/futian-2021-reform")
    assert site.client.get_cookie("wxv").value == cookie
    refused = site.client.get("/login/h5/callback", query_string={"code": "used", "state": begin(site)})
    assert (refused.status_code, refused.headers["Location"]) == (302, "/c/futian-2021-reform")


def test_refreshing_without_a_cookie_is_still_an_error(site, vouched):
    state = begin(site)
    assert come_back(site, "used", state).status_code == 401 and come_back(site, "used", "0" * 32).status_code == 400


def test_the_preview_leads_back_to_the_campaign_and_its_reload_begins_anew(site, vouched):
    """使用完整服务 loads the address with the used code once more: the answer remembered for it is the preview's."""
    with site.inside():
        vouched["preview"] = wechat.WxUser(settings.account_appid, "oSNAP", "uSNAP", is_snapshot=True)
    state = begin(site)
    first = come_back(site, "preview", state)
    assert first.status_code == 403 and '<a class="btn" href="/c/futian-2021-reform">' in first.text
    again = come_back(site, "preview", state)
    assert (again.status_code, again.headers["Location"]) == (302, "/c/futian-2021-reform")
    assert site.client.get_cookie("wxv") is None


def scope_of(answer) -> str:
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)["scope"][0]


@pytest.mark.parametrize("query", ["", "?scope=userinfo", "?scope=userinfo&tap=", "?scope=userinfo&tap=0123456789abcdef",
                                   "?scope=snsapi_userinfo", "?scope=userinfo&tap=%E4%B8%AD"])
def test_a_landing_never_asks_for_more_than_the_openid(site, query):
    """WeChat shows such a page as a preview, with virtual people."""
    assert scope_of(site.client.get("/login/h5" + query)) == "snsapi_base"


def button(site) -> str:
    """Where 确认是我 leads, on the page a campaign shows to somebody WeChat has not named."""
    page = site.client.get(f"/c/{site.slug}", headers={"User-Agent": WECHAT}, follow_redirects=True)
    return html.unescape(re.search(r'href="(/login/h5\?[^"]+)"', page.text)[1])


def come_in(site, vouched) -> None:
    """By silent web login; WeChat knows no unionid of hers."""
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    come_back(site, "good")


@pytest.fixture(autouse=True)
def nobody_follows(monkeypatch):
    monkeypatch.setattr(wechat, "unionid_of", lambda openid: None)


def test_who_is_not_known_behind_both_doors_is_asked_before_she_votes(site, vouched):
    """A stranger to the account who logs in silently would have a vote here and another in the mini program."""
    come_in(site, vouched)
    page = site.client.get(f"/c/{site.slug}?s=article", follow_redirects=True)
    assert page.status_code == 403 and "确认是我" in page.text and "captcha" not in page.text
    with site.inside():
        refused = accounts.Voter.of(accounts.find_identity(settings.account_appid, "oA1"))
        with pytest.raises(campaigns.NotJoined):
            factories.cast(site.campaign(), refused, "优", NOON)
    assert site.count(Ballot) == 0


def test_a_tap_asks_for_the_unionid_once(site, vouched):
    come_in(site, vouched)
    address = button(site)
    stranger = site.app.test_client()
    assert scope_of(stranger.get(address)) == "snsapi_base"     # forwarded to somebody else
    assert scope_of(site.client.get(address)) == "snsapi_userinfo"
    assert scope_of(site.client.get(address)) == "snsapi_base"  # its mark is spent
    old = button(site)
    site.now(NOON + timedelta(minutes=10, seconds=1))
    assert scope_of(site.client.get(old)) == "snsapi_base"


def test_the_tap_makes_two_doors_one_person_with_one_vote(site, vouched):
    come_in(site, vouched)
    with site.inside():
        vouched["mini"] = wechat.WxUser(settings.miniprogram_appid, "oM1", "u1")
        vouched["tapped"] = wechat.WxUser(settings.account_appid, "oA1", "u1")
    token = site.app.test_client().post("/api/v1/login/miniprogram", json={"code": "mini"}).json["token"]
    with site.inside():
        factories.cast(site.campaign(), accounts.voter_of(token, NOON), "差", NOON + timedelta(minutes=1))
    state = parse_qs(urlsplit(site.client.get(button(site)).headers["Location"]).query)["state"][0]
    assert come_back(site, "tapped", state).headers["Location"].startswith(f"/c/{site.slug}/join?asked=1")
    assert "今天已经投过" in site.client.get(f"/c/{site.slug}", follow_redirects=True).text


def test_where_the_tap_tells_nothing_the_other_door_is_named(site, vouched):
    come_in(site, vouched)
    page = site.client.get(f"/c/{site.slug}/join?asked=1")
    assert page.status_code == 403 and "从小程序" in page.text


def test_a_follower_needs_no_tap(site, vouched, monkeypatch):
    come_in(site, vouched)
    monkeypatch.setattr(wechat, "unionid_of", lambda openid: "u1")
    page = site.client.get(f"/c/{site.slug}?s=article", follow_redirects=True)
    assert page.status_code == 200 and "captcha_id" in page.text and page.request.query_string == b"s=article"


def test_a_follower_is_asked_about_by_the_worker_once_a_day(site, vouched, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(wechat, "unionid_of", lambda openid: asked.append(openid) or "u1")
    with site.inside():
        vouched["mini"] = wechat.WxUser(settings.miniprogram_appid, "oM1", "u1")
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    site.client.post("/api/v1/login/miniprogram", json={"code": "mini"})
    come_back(site, "good")
    come_back(site, "good")
    with site.inside():
        jobs.run_due(NOON + timedelta(seconds=1))
        jobs.run_due(NOON + timedelta(minutes=10))
        people = {accounts.find_identity(*who).person_id for who in ((settings.account_appid, "oA1"), (settings.miniprogram_appid, "oM1"))}
    assert asked == ["oA1"] and len(people) == 1


@pytest.mark.parametrize("answer", [None, wechat.WeChatAway("slow")])
def test_who_does_not_follow_or_is_not_told_stays_who_she_was(site, vouched, monkeypatch, answer):
    def unionid_of(_openid: str) -> None:
        if answer:
            raise answer

    monkeypatch.setattr(wechat, "unionid_of", unionid_of)
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    come_back(site, "good")
    with site.inside():
        jobs.run_due(NOON + timedelta(seconds=1))
        assert accounts.find_identity(settings.account_appid, "oA1").person.unionid is None


@pytest.mark.parametrize("changes", [{"apps_bound": False}, {"miniprogram_appid": "", "apps_bound": False}])
def test_nobody_is_asked_about_where_the_apps_are_not_bound(make_app, changes):
    with make_app(**changes).app_context():
        assert not accounts.wonder(factories.make_voter("阿美").identity, NOON)


def test_the_same_code_twice_at_once_is_one_exchange_and_the_same_person(site, vouched, monkeypatch):
    exchanges: list[str] = []

    def slow(code: str) -> wechat.WxUser:
        exchanges.append(code)
        time.sleep(0.3)
        return wechat.WxUser(appid, "oA1")

    with site.inside():
        appid = settings.account_appid
    monkeypatch.setattr(wechat, "oauth_code", slow)
    state, cookie = begin(site), site.client.get_cookie("session").value
    said: list[tuple[int, str]] = []

    def knock() -> None:
        client = site.app.test_client()
        client.set_cookie("session", cookie)
        answer = come_back(SimpleNamespace(client=client), "twice", state)
        said.append((answer.status_code, client.get_cookie("wxv").value))

    threads = [threading.Thread(target=knock) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in said] == [302, 302] and exchanges == ["twice"]
    with site.inside():
        assert len({accounts.voter_of(token, NOON).person_id for _, token in said}) == 1


@pytest.mark.parametrize("problem", [wechat.CodeRefused, lambda: wechat.WeChatAway("slow")])
def test_a_busy_wechat_logs_nobody_in_and_says_so_kindly(site, monkeypatch, problem):
    def busy(_code: str) -> None:
        raise problem()

    monkeypatch.setattr(wechat, "login_code", busy)
    answer = site.client.post("/api/v1/login/miniprogram", json={"code": "x"})
    assert answer.status_code in (401, 503) and answer.json["title"] and "token" not in answer.json


def test_after_logging_out_an_old_callback_of_this_browser_lets_nobody_in(site, vouched):
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.account_appid, "oA1")
    state = begin(site)
    come_back(site, "good", state)
    with site.client.session_transaction() as kept:
        kept["door"] = "x" * 32
    bearer = {"Authorization": "Bearer " + site.client.get_cookie("wxv").value}
    assert site.client.post("/api/v1/logout", headers=bearer).status_code == 204
    assert come_back(site, "good", state).status_code == 400
    with site.client.session_transaction() as kept:
        assert not {"door", "login", "tap"} & kept.keys()


def test_while_wechat_is_slow_some_threads_are_left_for_the_others(site, vouched, monkeypatch):
    """The code exchange may hold three quarters of the threads; who comes then is asked to wait, at once."""
    monkeypatch.setattr(account_views, "WAIT_SECONDS", 0.05)
    with ExitStack() as waiting, site.app.app_context():
        for _ in range(settings.threads * 3 // 4):
            waiting.enter_context(account_views.waiting_for_wechat())
        full = site.app.test_client().post("/api/v1/login/miniprogram", json={"code": "good"})
        assert (full.status_code, full.json["type"]) == (503, "/problems/login-away") and full.json["retry_after"] == 10
    with site.inside():
        vouched["good"] = wechat.WxUser(settings.miniprogram_appid, "oM1", "u1")
    assert site.app.test_client().post("/api/v1/login/miniprogram", json={"code": "good"}).status_code == 200


@pytest.mark.parametrize(("error", "is_one"), [
    (pymysql.err.OperationalError(1213, "Deadlock found"), True), (pymysql.err.OperationalError(1205, "Lock wait timeout"), False),
    (pymysql.err.OperationalError(2013, "Lost connection"), False)])
def test_a_deadlock_of_mariadb_is_met_whatever_else_its_driver_says(error, is_one):
    """PyMySQL gives its errors an sqlstate of their own beside the number that names them."""
    assert accounts._crossed(OperationalError("SELECT", {}, error)) is is_one
    error.sqlstate = "40001" if is_one else "HY000"
    assert accounts._crossed(OperationalError("SELECT", {}, error)) is is_one
