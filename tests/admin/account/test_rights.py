"""Which of the staff may write, and what WeChat lets the account do."""

from __future__ import annotations

import pytest

from tests import factories
from tests.admin.account.conftest import API, BASE
from tests.admin.test_access import staff_routes
from wxbackend import wechat
from wxbackend.inbox import editing
from wxbackend.wechat import features


def test_who_may_not_write_may_not(app, desk, campaign, row, side, client):
    paths = [path for path in staff_routes(app, BASE, "POST") if path != BASE + "/try"]
    assert len(paths) >= 9
    auditor = factories.staff_bearer(factories.make_staff("laolin", "auditor", "老林"))
    reviewer = desk("reviewer")
    for path in paths:
        answer = reviewer.post(path, is_active="1")
        assert answer.status_code == 403 and "活动管理员" in answer.text, path
    for path in staff_routes(app, API, "POST"):
        answer = client.post(path, json={"say": "停车"}, headers=auditor)
        assert answer.status_code == (200 if path.endswith("/try") else 403), path
    assert side.made == [] and len(editing.replies()) == 1


@pytest.mark.parametrize("feature", ["menu", "media"])
def test_what_wechat_refused_today_is_said_as_such_and_can_be_asked_again(desk, campaign, feature):
    features.switch_off(feature)
    staff = desk("manager")
    page = staff.get(BASE).text
    assert "微信今天拒绝过" in page and "这种公众号没有" not in page and f'action="/admin/account/features/{feature}/again"' in page
    shown = staff.get(BASE + "/menu").text
    assert ("微信今天拒绝过“自定义菜单”" in shown) == (feature == "menu") and "认证以后" not in shown
    assert "再问一次" not in desk("reviewer").get(BASE).text.partition("<main")[2]
    assert staff.post(f"{BASE}/features/{feature}/again", back="menu").location == BASE + "/menu" and wechat.can(feature)
    assert "微信今天拒绝过" not in staff.get(BASE).text
    assert staff.post(BASE + "/features/flying/again").status_code == 404


def test_an_account_without_a_menu_is_told_so_before_anything_is_typed(make_app, client):
    app = make_app(account_kind="subscription-unverified")
    with app.app_context():
        staff = factories.staff_bearer(factories.make_staff())
        answer = app.test_client().get(API, headers=staff).json
        assert {f["feature"]: f["is_there"] for f in answer["features"]} == dict.fromkeys(
            ("menu", "customer-message", "oauth", "user-info", "media", "scene-qr", "template-message"), False)
        made = app.test_client().post(API + "/menu", json={"buttons": [{"name": "去投票", "does": "vote"}]}, headers=staff).json
        refused = app.test_client().post(API + "/menu/publish", json={"id": made["id"]}, headers=staff)
        assert (refused.status_code, refused.json["type"]) == (409,
            "/problems/account-lacks") and "未认证的订阅号" in refused.json["detail"]
