"""The queue: oldest first, one decision each, no grade and no full phone in sight."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from tests.admin.conftest import send, votes
from wxbackend.extensions import db
from wxbackend.notices.models import Notice
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Submission
from wxbackend.tickets import service as tickets

QUEUE = "/admin/campaigns/futian-2021-reform/review"
DAY = "2022-01-06"


@pytest.fixture
def amei(app):
    return factories.make_voter("阿美")


def decide(staff, sent: Submission, **form: str):
    answer = staff.post(f"/admin/submissions/{sent.id}/decision", **form)
    return answer, db.session.get_one(Submission, sent.id)


def test_the_oldest_comes_first(desk, campaign, amei):
    chen = factories.make_voter("老陈")
    send(campaign, chen, at=factories.NOON - timedelta(hours=1), phone="13800000009")
    send(campaign, amei, at=factories.NOON - timedelta(hours=3), phone="13800000001")
    page = desk("reviewer").get(QUEUE).text
    assert "第 <b>1</b> 张，共 2 张" in page and "138****0001" in page and "张*三" in page


def test_the_page_holds_no_grade_no_phone_and_no_openid(desk, campaign, amei):
    votes(campaign, amei)
    send(campaign, amei)
    page = desk("reviewer").get(QUEUE).text
    assert "13800000000" not in page and amei.identity.openid not in page
    assert not any(f">{grade}<" in page for grade in "优良中差")


def test_an_empty_queue_says_so(desk, campaign):
    assert "没有待审截图" in desk("reviewer").get(QUEUE).text


def test_a_short_code_of_the_sender_names_the_day(desk, campaign, amei):
    receipt = votes(campaign, amei)[1]
    send(campaign, amei)
    page = desk("reviewer").get(f"{QUEUE}?code={receipt.code.lower()}").text
    assert "有效，是本人1月5日（周三）的凭证" in page
    assert '<option value="2022-01-05" selected>' in page


def test_a_short_code_of_somebody_else_does_not_tell_whose_it_is(desk, campaign, amei):
    foreign = votes(campaign, factories.make_voter("路人"))[0]
    votes(campaign, amei)
    send(campaign, amei)
    page = desk("reviewer").get(f"{QUEUE}?code={foreign.code}").text
    assert "不是这位市民的短码" in page and "路人" not in page


def test_approving_gives_the_ticket_of_the_chosen_day_and_goes_on(desk, campaign, amei):
    votes(campaign, amei)
    first, second = send(campaign, amei), send(campaign, amei, "black")
    answer, sent = decide(desk("reviewer"), first, decision="approve", day=DAY)
    assert answer.location.endswith(f"{QUEUE}?id={second.id}")
    assert (sent.state, [t.day.isoformat() for t in tickets.of(campaign, amei.person_id)]) == ("approved", [DAY])


def test_a_day_with_a_ticket_is_not_offered_again(desk, campaign, amei):
    votes(campaign, amei)
    submissions.tap(campaign, factories.enter(campaign, amei).person_id, None, factories.NOON)
    send(campaign, amei)
    assert f'<option value="{DAY}"' not in desk("reviewer").get(QUEUE).text


def test_approving_without_a_day_asks_for_one(desk, campaign, amei):
    votes(campaign, amei)
    answer, sent = decide(desk("reviewer"), send(campaign, amei), decision="approve", day="")
    assert (answer.status_code, sent.state) == (422, "pending")
    assert "哪一天" in answer.text


def test_a_day_without_a_ballot_cannot_be_approved(desk, campaign, amei):
    votes(campaign, amei, days=1)
    answer, sent = decide(desk("reviewer"), send(campaign, amei), decision="approve", day="2022-01-05")
    assert (answer.status_code, sent.state) == (409, "pending")


def test_rejecting_needs_one_of_the_reasons(desk, campaign, amei):
    staff, waiting = desk("reviewer"), send(campaign, amei)
    assert decide(staff, waiting, decision="reject")[0].status_code == 422
    assert decide(staff, waiting, decision="reject", reason="because")[0].status_code == 422
    answer, sent = decide(staff, waiting, decision="reject", reason="not-ours", note="这是别的页面")
    assert (answer.status_code, sent.state, sent.reason, sent.note) == (302, "rejected", "not-ours", "这是别的页面")
    assert "这是别的页面" in db.session.query(Notice).one().text   # what the form says goes to the sender does


def test_what_somebody_decided_is_not_decided_again(desk, campaign, amei):
    staff, waiting = desk("reviewer"), send(campaign, amei)
    decide(staff, waiting, decision="reject", reason="edited")
    answer, sent = decide(staff, waiting, decision="approve", day=DAY)
    assert (answer.status_code, sent.state) == (409, "rejected")


def test_a_vote_held_elsewhere_counts_for_the_day_it_arrived_or_another(desk, app, amei):
    campaign = factories.make_campaign("external")
    page = desk("reviewer")
    waiting = send(campaign, amei, at=factories.NOON)
    shown = page.get(f"/admin/campaigns/{campaign.slug}/review").text
    assert f'<option value="{DAY}" selected>' in shown and '<option value="2022-01-04">' in shown and "2022-01-07" not in shown
    _, sent = decide(page, waiting, decision="approve", day="2022-01-05")
    assert (sent.state, sent.day.isoformat()) == ("approved", "2022-01-05")


def test_late_evidence_of_a_vote_held_elsewhere_is_offered_the_last_day(desk, app, amei):
    campaign = factories.make_campaign("external")
    send(campaign, amei, at=campaign.closes_at + timedelta(hours=20))
    assert '<option value="2022-01-08" selected>' in desk("reviewer").get(f"/admin/campaigns/{campaign.slug}/review").text


def test_the_picture_is_for_staff_only_and_kept_nowhere(desk, app, campaign, amei):
    path = f"/admin/submissions/{send(campaign, amei).id}/image"
    assert app.test_client().get(path).status_code == 302
    answer = desk("auditor").get(path)
    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (200, "image/jpeg", "no-store")


def test_the_same_file_from_another_person_is_shown_not_judged(desk, campaign, amei):
    send(campaign, factories.make_voter("路人"), phone="13800000009", at=factories.NOON - timedelta(hours=1))
    mine = send(campaign, amei)
    page = desk("reviewer").get(f"{QUEUE}?id={mine.id}").text
    assert "同一个图片文件还有别人发过" in page and "138****0009" not in page


def test_the_api_decides_like_the_page(client, campaign, amei, at):
    at(factories.NOON)
    votes(campaign, amei)
    staff = factories.staff_bearer(factories.make_staff())
    number = send(campaign, amei).id
    listed = client.get("/api/v1/staff/campaigns/futian-2021-reform/submissions?state=pending", headers=staff).json
    assert [(s["id"], s["name"], s["phone"], s["has_image"]) for s in listed] == [(number, "张*三", "138****0000", True)]
    answer = client.post(f"/api/v1/staff/submissions/{number}/decision", json={"decision": "approve", "day": DAY}, headers=staff)
    assert (answer.status_code, answer.json["state"], answer.json["day"]) == (200, "approved", DAY)
    assert client.get(f"/api/v1/staff/submissions/{number}/image", headers=staff).headers["Cache-Control"] == "no-store"
    wrong = client.post(f"/api/v1/staff/submissions/{number}/decision", json={"decision": "perhaps"}, headers=staff)
    assert (wrong.status_code, wrong.json["errors"][0]["pointer"]) == (422, "#/decision")
