"""What was set in WeChat's console, read and reported: once, and nothing of what was never documented."""

from __future__ import annotations

import threading

import pytest

from tests import factories
from tests.admin.account.conftest import API, BASE
from wxbackend.extensions import db
from wxbackend.inbox import duties, editing, menu


def test_buttons_that_were_read_can_be_typed_too(desk, campaign, side):
    staff = desk("manager")
    assert "开放时间。加成关键词" in staff.post(BASE + "/import/menu").text.replace("、公益课报名", "").replace("公益课报名、", "")
    staff.post(BASE + "/menu/names")
    assert duties.match("开放时间", factories.NOON).text == "周二至周日 9:00–21:00，周一闭馆。"
    assert "加成关键词" not in staff.get(BASE + "/import").text


def test_the_console_is_read_and_reported(desk, campaign, side):
    staff = desk("manager")
    page = staff.post(BASE + "/import/replies").text
    assert "读到8条，7条马上在用" in page and "市民的下一条消息就这样答" in page
    assert "原来回的图片带不过来" in page and page.count("</svg>原样带过来") == 3
    assert "以前读过" in staff.post(BASE + "/import/replies").text and len(editing.replies()) == 8
    assert staff.post(BASE + "/import/active", is_active="0").status_code == 302
    assert duties.match("开放时间", factories.NOON) is None
    staff.post(BASE + "/import/active", is_active="1")
    assert duties.match("开放时间", factories.NOON) is not None
    assert staff.post(BASE + "/import/else").status_code == 404


@pytest.mark.parametrize("raw", [None, "<html>", [], {"x": 1}])
def test_what_wechat_never_documented_changes_nothing(desk, campaign, side, raw):
    side.menu = side.replies = raw
    staff = desk("manager")
    for what in ("menu", "replies"):
        answer = staff.post(f"{BASE}/import/{what}")
        assert answer.status_code == 502 and "没读懂" in answer.text
    assert editing.replies() == [] and menu.newest() is None


def test_three_who_read_at_the_same_moment_add_it_once(make_app, server_url, side):
    app = make_app(database_url=server_url)
    with app.app_context():
        staff = factories.staff_bearer(factories.make_staff())
        db.session.remove()
    start, answers = threading.Barrier(3), []

    def read() -> None:
        client = app.test_client()
        start.wait(10)
        answers.extend(client.post(f"{API}/{what}/import", headers=staff) for what in ("replies", "menu"))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with app.app_context():
        assert [answer.status_code for answer in answers] == [200] * 6
        assert len([row for row in editing.replies() if row.kind != "click"]) == 8 and len(menu.versions()) == 1
        assert duties.match("开放时间", factories.NOON) is not None
        db.session.remove()
