"""What every request passes: identities nobody may claim, tokens, forms, headers, the machine's own pages."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.factories import NOON, PASSWORD, make_voter, solved_captcha
from tests.sites import Site
from wxbackend import web
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import VoterToken
from wxbackend.ballots.models import Ballot
from wxbackend.extensions import db

OPENID = "oFORGEDFORGEDFORGEDFORGED000"


def counted(place: str) -> float:
    return REGISTRY.get_sample_value("wxbackend_forged_identities_total", {"place": place}) or 0


FORGERIES = {
    # Each of them as a request of 阿美, who is logged in: only what she claims besides is wrong.
    "query": {"query_string": {"openid": OPENID}},
    "query, in another spelling": {"query_string": {"Open-ID": OPENID}},
    "body": {"data": json.dumps({"grade": "优", "openid": OPENID}), "content_type": "application/json"},
    "body, unionid": {"data": json.dumps({"unionId": OPENID}), "content_type": "application/json"},
    "body, our own key": {"data": json.dumps({"person_id": 1}), "content_type": "application/json"},
    "body, form": {"data": {"openid": OPENID}},
    "body, file form": {"data": {"open_id": OPENID}, "content_type": "multipart/form-data"},
    "cookie": {},
    "header": {"headers": {"X-WX-OPENID": OPENID}},
}


@pytest.mark.parametrize("how", FORGERIES)
@pytest.mark.parametrize("path", ["/api/v1/campaigns/futian-2021-reform/ballots", "/c/futian-2021-reform", "/api/v1/login/miniprogram"])
def test_an_openid_of_the_callers_own_is_refused_and_counted(site, how, path):
    place = how.partition(",")[0]
    sent: dict[str, Any] = dict(FORGERIES[how])
    sent["headers"] = site.amei | sent.get("headers", {})
    if place == "cookie":
        site.client.set_cookie("openid", OPENID)
    before = counted(place)
    response = site.client.post(path, **sent)
    assert response.status_code == 400 and "身份要由微信来确认" in response.text
    assert counted(place) == before + 1 and site.count(Ballot) == 0


def test_reading_with_a_forged_openid_is_refused_too(site):
    before = counted("query")
    response = site.client.get("/api/v1/me", query_string={"openid": OPENID}, headers=site.amei)
    assert (response.status_code, response.json["type"]) == (400, "/problems/identity-not-verified") and counted("query") == before + 1


def test_wechats_own_callback_carries_one_and_is_refused_for_its_signature(site):
    response = site.client.post("/wechat/callback/account", query_string={"openid": OPENID}, data="<xml/>")
    assert response.status_code == 403 and "身份" not in response.text


def test_the_same_request_without_it_goes_through(site):
    with site.inside():
        captcha_id, answer = solved_captcha(site.campaign(), make_voter("阿美"), NOON)
    form = {"grade": "优", "captcha_id": captcha_id, "captcha_answer": answer}
    response = site.client.post(site.api("/ballots"), json=form, headers=site.amei)
    assert response.status_code == 201 and site.count(Ballot) == 1


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic dTpw", "bearer\t", "Bearer 中文", "Token {token}",
                                    "Bearer {token}x",
                                    "Bearer {cut}", "Bearer {swapped}"])
def test_a_tampered_token_is_nobody(site, header):
    token = site.amei["Authorization"].removeprefix("Bearer ")
    sent = {} if header is None else {"Authorization": header.format(token=token, cut=token[:-1], swapped=token.swapcase())}
    response = site.client.get("/api/v1/me", headers={k: v.encode("utf-8").decode("latin-1") for k, v in sent.items()})
    assert (response.status_code, response.json["type"]) == (401, "/problems/not-logged-in")


def test_a_token_ends(site):
    site.now(NOON + timedelta(days=30) - timedelta(microseconds=1))
    assert site.client.get("/api/v1/me", headers=site.amei).status_code == 200
    site.now(NOON + timedelta(days=30))
    assert site.client.get("/api/v1/me", headers=site.amei).status_code == 401


def test_a_revoked_token_is_nobody_and_others_stay(site):
    with site.inside():
        token = site.amei["Authorization"].removeprefix("Bearer ")
        db.session.query(VoterToken).filter_by(token_hash=accounts.voter_hash(token)).one().revoked_at = NOON
        db.session.commit()
    assert site.client.get("/api/v1/me", headers=site.amei).status_code == 401
    assert site.client.get("/api/v1/me", headers=site.chen).status_code == 200


def test_a_voters_token_is_no_staff_token_and_the_other_way_round(site):
    assert site.client.get("/api/v1/staff/campaigns", headers=site.amei).status_code == 401
    assert site.client.get("/api/v1/me", headers=site.xiaoli).status_code == 401
    assert site.client.get("/admin/", headers=site.amei).status_code == 302


def test_no_token_is_kept_readable(site):
    with site.inside():
        kept = {row.token_hash for row in db.session.query(VoterToken)}
    assert not kept & {h["Authorization"].removeprefix("Bearer ") for h in (site.amei, site.chen)}
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in kept)


def test_a_page_asked_with_somebodys_bearer_is_hers_and_no_cookie_comes_back(site):
    """A stranger's Authorization header on a page: never falls through to the cookie of the browser."""
    site.client.set_cookie("wxv", site.chen["Authorization"].removeprefix("Bearer "))
    response = site.client.get("/api/v1/me", headers={"Authorization": "Basic dTpw"})
    assert response.status_code == 401 and "wxv" not in response.headers.get("Set-Cookie", "")
    assert site.client.get("/api/v1/me").status_code == 200   # the browser's own cookie


POSTS = ["/c/futian-2021-reform", "/c/futian-2021-reform/enter", "/c/futian-2021-reform/tap"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", [None, "", "guessed"])
def test_a_form_of_another_site_is_refused(site, path, token):
    """The cookie goes along by itself, the token does not."""
    site.client.set_cookie("wxv", site.amei["Authorization"].removeprefix("Bearer "))
    response = site.client.post(path, data={"grade": "优"} | ({} if token is None else {"csrf_token": token}))
    assert response.status_code == 403 and "这一页放得太久了" in response.text and "不会投成两票" in response.text


@pytest.mark.parametrize(("path", "body"),
                         [("/api/v1/campaigns/futian-2021-reform/captchas", {}), ("/api/v1/campaigns/futian-2021-reform/entries", {})])
def test_the_api_with_a_cookie_needs_the_forms_token(site, path, body):
    site.client.set_cookie("wxv", site.amei["Authorization"].removeprefix("Bearer "))
    refused = site.client.post(path, json=body)
    assert (refused.status_code, refused.json["type"]) == (403, "/problems/form-expired")
    site.client.get("/admin/login")
    allowed = site.client.post(path, json=body, headers={"X-CSRFToken": site.form_token()})
    assert allowed.status_code != 403


def test_a_program_with_its_token_needs_no_form(site):
    assert site.client.post(site.api("/captchas"), json={}, headers=site.amei).status_code == 201


def test_another_browsers_form_token_does_not_serve(site):
    stolen = site.form_token()
    other = site.app.test_client()
    other.get("/admin/login")
    assert other.post("/admin/login", data={"username": "xiaoli", "password": PASSWORD, "csrf_token": stolen}).status_code == 403
    assert site.client.post("/admin/login", data={"username": "xiaoli", "password": PASSWORD, "csrf_token": stolen}).status_code == 302


def test_a_login_cannot_be_planted_by_another_site(site):
    assert site.app.test_client().post("/admin/login", data={"username": "xiaoli", "password": PASSWORD}).status_code == 403


def test_the_cookies_are_out_of_reach_of_scripts(make_app):
    site = Site(make_app(public_url="https://localhost"))
    page = site.client.get("/admin/login", base_url="https://localhost")   # Secure cookies come back over https alone
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    form = {"username": "xiaoli", "password": PASSWORD, "csrf_token": found[1] if found else ""}
    response = site.client.post("/admin/login", base_url="https://localhost", data=form)
    cookies = response.headers.getlist("Set-Cookie")
    assert response.status_code == 302 and any(c.startswith("wxs=") for c in cookies)
    assert all("HttpOnly" in c and "Secure" in c and "SameSite=Lax" in c for c in cookies), cookies


@pytest.mark.parametrize("path", ["/", "/c/futian-2021-reform", "/c/nothing", "/api/v1/campaigns/futian-2021-reform", "/admin/login",
                                  "/static/citizen.css",
                                  "/openapi.json", "/docs", "/healthz", "/nothing"])
def test_every_answer_carries_the_headers_that_keep_browsers_honest(site, path):
    headers = site.client.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'" and "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers   # http here


def test_https_sites_stay_https(make_app):
    headers = make_app(public_url="https://vote.example").test_client().get("/healthz").headers
    assert headers["Strict-Transport-Security"].startswith("max-age=")


def test_pages_hold_no_script_or_style_of_their_own(site):
    for path in ("/", "/c/futian-2021-reform", "/c/nothing", "/admin/login", "/docs"):
        page = site.client.get(path).text
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:", page), path
        assert set(re.findall(r'(?:src|href|action)="(https?:)?//', page)) == set(), path


def test_pages_are_not_kept_and_static_files_are(site):
    assert site.client.get("/c/futian-2021-reform").headers["Cache-Control"] == "no-store"
    linked = re.search(r'href="(/static/citizen\.css\?v=[0-9a-f]+)"', site.client.get("/").text)
    assert linked
    assert site.client.get(linked[1]).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert site.client.get("/static/citizen.css").headers["Cache-Control"] == "no-cache"


def test_static_files_stay_in_their_folder(site):
    for path in ("/static/../factory.py", "/static/%2e%2e/factory.py", "/static/..%2ffactory.py", "/instance/wxbackend.db"):
        assert site.client.get(path).status_code == 404, path


def test_metrics_are_for_this_machine_alone(site):
    here = site.client.get("/metrics")
    assert here.status_code == 200 and "wxbackend_forged_identities_total" in here.text
    for address, headers in (("203.0.113.7", {}), ("10.0.0.5", {}), ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"})):
        assert site.client.get("/metrics", environ_base={"REMOTE_ADDR": address}, headers=headers).status_code == 404


def test_behind_a_proxy_the_visitors_address_counts(make_app):
    client = make_app(trusted_proxies=1).test_client()
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1, 203.0.113.7"}).status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 404
    assert client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 200


def test_the_demos_clock_moves_from_this_machine_alone(site):
    move = {"to": "tomorrow"}
    assert site.client.post("/demo/clock", json=move, environ_base={"REMOTE_ADDR": "203.0.113.7"}).status_code == 404
    assert site.client.post("/demo/clock", data=move).status_code in (400, 415)   # a page of another site can send a form, and no JSON


def test_readiness_names_parts_and_no_secrets(site):
    response = site.client.get("/readyz")
    assert response.json == {"database": True, "redis": True, "storage": True}


def test_only_the_known_kinds_of_callers(site):
    with pytest.raises(ValueError, match="everybody"):
        web.access("everybody")


def test_a_route_without_a_caller_fails_loudly(make_app):
    app = make_app()
    app.add_url_rule("/forgotten", "forgotten", lambda: "x")
    assert app.test_client().get("/forgotten").status_code == 500


@pytest.mark.parametrize(("target", "where"), [
    ("/c/a", "/c/a"), ("/c/a?s=b", "/c/a?s=b"), (None, "/"), ("", "/"), ("c/a", "/"), ("//evil.example", "/"), ("/\\evil.example", "/"),
    ("https://evil.example", "/"), ("/\t/evil.example", "/"), ("/\n//evil.example", "/"), ("javascript:alert(1)", "/"),
    ("///evil.example", "/"),
])
def test_a_login_leads_back_into_our_own_site(target, where):
    from wxbackend.accounts.rules import safe_next
    assert safe_next(target) == where


def test_a_number_too_long_for_python_is_a_bad_request(site):
    """int() refuses beyond 4,300 digits, by an error that is no JSON error."""
    for headers in ({}, site.amei):
        answer = site.client.post("/api/v1/campaigns/futian-2021-reform/ballots", data='{"grade": ' + "9" * 6_000 + "}",
                                  content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json["type"]) == (400, "/problems/bad-request")
