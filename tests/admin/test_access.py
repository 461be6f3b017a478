"""Who gets in, and who may do what."""

from __future__ import annotations

import re

import pytest

from tests import factories
from tests.admin.conftest import send

FILL = {"slug": "futian-2021-reform", "code": "article", "public_id": "futian-2021-reform-1", "number": "1"}


def staff_routes(app, prefix: str, method: str) -> list[str]:
    rules = [r for r in app.url_map.iter_rules() if r.rule.startswith(prefix) and method in r.methods and "login" not in r.endpoint]
    return sorted({re.sub(r"<(?:\w+:)?(\w+)>", lambda m: FILL.get(m[1], "1"), r.rule) for r in rules})


def test_every_page_leads_a_stranger_to_the_login_and_back(app, client):
    pages = staff_routes(app, "/admin", "GET")
    assert len(pages) >= 10
    for path in pages:
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/admin/login?next="), path


def test_every_twin_of_the_api_asks_for_a_login(app, client):
    for method in ("GET", "POST"):
        for path in staff_routes(app, "/api/v1/staff", method):
            answer = client.open(path, method=method, headers={"Authorization": "Bearer nonsense"})
            assert answer.status_code == 401, path
            assert answer.json["type"] == "/problems/not-logged-in"


def test_a_form_without_its_token_is_refused(app, desk, campaign):
    staff = desk("manager")
    for path in staff_routes(app, "/admin", "POST"):
        answer = staff.client.post(path, data={"decision": "approve"})
        assert answer.status_code == 403, path
        assert "放得太久" in answer.text


def test_a_wrong_password_says_so_and_keeps_the_name(desk):
    staff = desk("manager")
    answer = staff.log_in("xiaoli", "wrong")
    assert answer.status_code == 401
    assert "账号或密码不对" in answer.text and 'value="xiaoli"' in answer.text
    assert "wrong" not in answer.text


def test_a_login_leads_where_somebody_was_going(desk):
    staff = desk("manager")
    assert staff.log_in("xiaoli", next="/admin/log").location == "/admin/log"
    assert staff.log_in("xiaoli", next="https://evil.example/").location == "/admin/"


def test_the_cookie_is_kept_from_scripts_and_ends_with_logging_out(app, desk):
    staff = desk("manager")
    cookie = next(h for h in staff.log_in("xiaoli").headers.getlist("Set-Cookie") if h.startswith("wxs="))
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    token = cookie.split(";")[0].removeprefix("wxs=")
    assert staff.get("/admin/").status_code == 200
    staff.post("/admin/logout")
    assert staff.get("/admin/").status_code == 302
    assert app.test_client().get("/api/v1/staff/campaigns", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(("role", "path", "who"), [
    ("reviewer", "/admin/campaigns/new", "活动管理员"), ("auditor", "/admin/campaigns/spring/publish", "活动管理员"),
    ("reviewer", "/admin/campaigns/futian-2021-reform/exclusions", "活动管理员"), ("reviewer", "/admin/draws/x/numbers", "监督员"),
    ("auditor", "/admin/submissions/1/decision", "审核员"), ("auditor", "/admin/campaigns/futian-2021-reform/freeze", "活动管理员")])
def test_a_task_of_another_role_is_refused_and_says_who_can(desk, campaign, role, path, who):
    answer = desk(role).post(path)
    assert answer.status_code == 403
    assert who in answer.text and "由别的同事来做" in answer.text


def test_the_full_list_of_winners_is_for_managers(desk, campaign):
    assert desk("auditor").get("/admin/draws/x/winners.xlsx").status_code == 403


def test_the_api_refuses_by_role_with_the_same_key(app, desk, campaign, client):
    auditor = factories.staff_bearer(factories.make_staff("laolin", "auditor", "老林"))
    number = send(campaign, factories.make_voter()).id
    answer = client.post(f"/api/v1/staff/submissions/{number}/decision", json={"decision": "approve"}, headers=auditor)
    assert (answer.status_code, answer.json["type"], answer.json["roles"]) == (403, "/problems/not-your-task", ["manager", "reviewer"])


def test_an_unknown_campaign_sends_staff_back_to_their_desk(desk):
    answer = desk("manager").get("/admin/campaigns/nowhere")
    assert answer.status_code == 404
    assert "没有找到这个活动" in answer.text and "公众号" not in answer.text
