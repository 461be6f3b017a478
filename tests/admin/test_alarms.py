"""What is wrong stands on top of the desk, in sentences, until a manager says it is dealt with."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests import factories
from tests.admin.conftest import send
from tests.factories import NOON
from wxbackend import alarms, audit, wechat
from wxbackend.alarms.models import Alarm
from wxbackend.audit.models import AuditEntry
from wxbackend.extensions import db


@pytest.fixture
def rung(app, at):
    """A refusal of yesterday, three times since, and a plaintext callback."""
    at(NOON)
    for hours in (24, 3, 1):
        alarms.ring("wechat-operator", "40164 notices.send", NOON - timedelta(hours=hours), {"errcode": 40164, "where": "notices.send"})
    alarms.ring("callback-plaintext", "account", NOON - timedelta(hours=2))
    alarms.ring("storage", "<script>x</script>", NOON - timedelta(hours=4))
    db.session.commit()
    return {a.kind: a.id for a in alarms.open_alarms()}


def test_the_desk_says_what_happened_what_to_do_and_since_when(desk, rung):
    page = desk("manager").get("/admin/").text
    assert "有3条要人处理" in page and "微信拒绝了发通知" in page and "IP白名单" in page
    assert "1月5日（周三）12:00起，3次，最近一次1月6日（周四）11:00" in page
    assert page.index("IP白名单") < page.index("安全模式") < page.index("现在需要处理")   # the latest first, above the day's work
    assert "&lt;script&gt;" in page and "<script>x" not in page


@pytest.mark.parametrize(("role", "others"), [("manager", 2), ("reviewer", 1), ("auditor", 0)])
def test_headline_and_badge_count_alarms_with_what_waits_for_this_person(desk, campaign, rung, role, others):
    """何静 cannot review: a picture that waits is nothing that waits for her, in the headline as in the badge."""
    send(campaign, factories.make_voter("阿美"))
    factories.make_campaign(publish=False, slug="spring", title="春节民俗评议")
    page = desk(role).get("/admin/").text
    assert f"有{3 + others}件事在等您，最急的是提醒。" in page
    assert re.search(r'aria-current="page">工作台<b>(\d+)</b>', page)[1] == str(3 + others)
    for number in rung.values():
        alarms.settle_one(alarms.by_id(number), NOON)
    db.session.commit()
    page = desk(role).get("/admin/").text
    assert ("眼下没有事在等您" in page) == (others == 0) == ("工作台</a>" in page)
    inside = desk(role).get(f"/admin/campaigns/{campaign.slug}").text
    assert ("截图审核<b>1</b>" in inside) == (role != "auditor")


def test_a_missing_whitelist_shows_the_address_to_add(desk, app, at):
    at(NOON)
    alarms.ring_refusal(wechat.WeChatRefused(40164, our_ip="203.0.113.7"), "notices.send", NOON)
    db.session.commit()
    assert "203.0.113.7" in desk("auditor").get("/admin/").text


def test_a_quiet_desk_shows_no_alarms(desk, app):
    assert "要人处理" not in desk("manager").get("/admin/").text


def test_a_manager_settles_one_and_the_log_says_so(desk, rung):
    staff = desk("manager")
    answer = staff.post(f"/admin/alarms/{rung['wechat-operator']}/settle")
    assert answer.status_code == 302
    page = staff.get("/admin/").text
    assert "有2条要人处理" in page and "标成已处理了" in page and "微信拒绝了" not in page
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.verb == "alarm.settled")).one()
    assert (entry.actor, entry.subject) == ("staff:xiaoli", f"alarm:{rung['wechat-operator']}")
    db.session.rollback()
    assert "标成了“已处理”：微信拒绝了发通知" in staff.get("/admin/log").text
    assert audit.verify_chain() is None


def test_settling_twice_is_one_deed_and_an_unknown_one_is_refused(desk, rung):
    staff = desk("manager")
    for _ in range(2):
        assert staff.post(f"/admin/alarms/{rung['storage']}/settle").status_code == 302
    assert len(db.session.scalars(select(AuditEntry).where(AuditEntry.verb == "alarm.settled")).all()) == 1
    db.session.rollback()
    assert staff.post("/admin/alarms/99999/settle").status_code == 404


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_others_see_it_and_leave_the_button_to_a_manager(desk, rung, role):
    staff = desk(role)
    page = staff.get("/admin/").text
    assert "有3条要人处理" in page and "/settle" not in page and "请活动管理员点" in page
    assert staff.post(f"/admin/alarms/{rung['storage']}/settle").status_code == 403
    db.session.rollback()
    assert db.session.get_one(Alarm, rung["storage"]).settled_at is None


def test_the_api_says_and_does_the_same(client, rung):
    manager, reviewer = factories.make_staff(), factories.make_staff("xiaozhou", "reviewer", "小周")
    heads = [factories.staff_bearer(who) for who in (manager, reviewer)]
    listed = client.get("/api/v1/staff/alarms", headers=heads[1]).json
    assert [(a["kind"], a["count"]) for a in listed] == [("wechat-operator", 3), ("callback-plaintext", 1), ("storage", 1)]
    assert set(listed[0]) == {"id", "kind", "what", "todo", "first_at", "last_at", "count"}
    url = f"/api/v1/staff/alarms/{listed[0]['id']}/settled"
    assert client.post(url, headers=heads[1]).status_code == 403
    assert client.post(url, headers=heads[0]).json["kind"] == "wechat-operator"
    assert client.post("/api/v1/staff/alarms/99999/settled", headers=heads[0]).json["type"] == "/problems/no-such-alarm"
    assert [a["kind"] for a in client.get("/api/v1/staff/alarms", headers=heads[0]).json] == ["callback-plaintext", "storage"]
    assert client.get("/api/v1/staff/alarms").status_code == 401
