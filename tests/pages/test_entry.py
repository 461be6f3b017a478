"""Entering the draw, tapping, 我的, and a vote held elsewhere."""

from __future__ import annotations

import io

from PIL import Image

from tests import factories
from tests.factories import NOON
from tests.pages.conftest import Form, send
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

URL = "/c/futian-2021-reform"
FILLED = {"name": "王小梅", "phone": "138 0000 0000", "age_band": "18+", "consent": "draw"}


def text_of(response) -> str:
    return response.get_data(as_text=True)


def voted(campaign, name="阿美", at=NOON):
    voter = factories.make_voter(name)
    factories.cast(campaign, voter, at=at)
    return voter


def test_entering_from_the_success_page_gives_that_days_ticket(campaign, amei):
    voter = voted(campaign)
    assert URL + "/enter?day=2022-01-06" in text_of(amei.get(URL + "/receipts/latest"))
    assert send(amei, URL + "/enter?day=2022-01-06", **FILLED).location == URL + "/mine"
    assert [t.day.isoformat() for t in tickets.of(campaign, voter.person_id)] == ["2022-01-06"]
    assert submissions.entrant(campaign, voter.person_id).consents == ["draw"]


def test_no_consent_is_ticked_beforehand(campaign, amei):
    assert "consent" not in Form(text_of(amei.get(URL + "/enter"))).values


def test_faults_stand_beside_their_fields_and_what_was_typed_stays(campaign, amei):
    voted(campaign)
    refused = send(amei, URL + "/enter", name="王小梅", phone="138 0000 000", age_band="<14", g_name="", g_phone="13900000000")
    page = text_of(refused)
    assert refused.status_code == 422 and "还有4处要改一改" in page
    for said in ("少了一位，手机号是11位数字", "请家长填上姓名", "要家长同意，孩子才能参加", "要参加抽奖，请先勾上这一条"):
        assert said in page
    typed = Form(page).values
    assert (typed["name"], typed["phone"], typed["age_band"], typed["g_phone"]) == ("王小梅", "138 0000 000", "<14", "13900000000")


def test_a_child_enters_with_its_guardian(campaign, amei):
    voter = voted(campaign)
    child = FILLED | {"age_band": "<14", "g_name": "王大梅", "g_phone": "13900000000", "g_ok": "1"}
    assert send(amei, URL + "/enter", **child).status_code == 303
    assert submissions.entrant(campaign, voter.person_id).age_band == "<14"


def test_one_tap_on_a_later_day(campaign, amei, at):
    voter = voted(campaign)
    send(amei, URL + "/enter", **FILLED)
    later = at(NOON.replace(day=7))
    voted(campaign, at=later)
    assert send(amei, URL + "/receipts/latest", to=URL + "/tap").location == URL + "/mine"
    assert len(tickets.of(campaign, voter.person_id)) == 2
    assert "今天的签号记上了" in text_of(amei.get(URL + "/receipts/latest"))


def test_a_tap_of_somebody_not_entered_leads_to_the_form(campaign, amei):
    voted(campaign)
    token = Form(text_of(amei.get(URL + "/enter"))).values["csrf_token"]
    assert amei.post(URL + "/tap", data={"csrf_token": token, "day": "2022-01-06"}).location == URL + "/enter?day=2022-01-06"


def test_mine_shows_days_tickets_and_masked_data_only(campaign, amei, at):
    voted(campaign, at=NOON.replace(day=5))
    at(NOON.replace(day=5))
    send(amei, URL + "/enter", **FILLED)
    at(NOON)
    voted(campaign)
    page = text_of(amei.get(URL + "/mine"))
    assert "投了2天，有1个签号" in page and "王*梅" in page and "138****0000" in page
    assert "王小梅" not in page and "13800000000" not in page
    for said in ("没有投", "有签号", "已投，还没签号", "还没到"):
        assert f'<span class="sr">{said}</span>' in page


def test_leaving_the_draw_takes_name_phone_and_tickets_away(campaign, amei):
    voter = voted(campaign)
    send(amei, URL + "/enter", **FILLED)
    assert send(amei, URL + "/mine", to=URL + "/withdraw").location == URL + "/mine?left=1"
    assert submissions.entrant(campaign, voter.person_id) is None and tickets.of(campaign, voter.person_id) == []
    assert "138****0000" not in text_of(amei.get(URL + "/mine"))


def test_name_and_phone_are_set_right(campaign, amei):
    voter = voted(campaign)
    send(amei, URL + "/enter", **FILLED)
    assert send(amei, URL + "/mine", to=URL + "/correct", name="王", phone="1").status_code == 422
    assert send(amei, URL + "/mine", to=URL + "/correct", name="王晓梅", phone="13900000001").status_code == 303
    assert submissions.named(submissions.entrant(campaign, voter.person_id)).masked_phone == "139****0001"


def test_a_vote_held_elsewhere_takes_screenshots_on_its_page(app, amei, at):
    at(NOON)
    campaign = factories.make_campaign(mode="external")
    url, person_id = f"/c/{campaign.slug}", factories.make_voter("阿美").person_id
    assert "填姓名、手机号" in text_of(amei.get(url)) and "grade" not in Form(text_of(amei.get(url))).names
    assert send(amei, url + "/enter", **FILLED | {"consent": ["draw", "show-name"]}).location == url
    picture = io.BytesIO()
    Image.new("RGB", (390, 844), "white").save(picture, "PNG")
    sent = send(amei, url, to=url + "/submissions", image=(io.BytesIO(picture.getvalue()), "shot.png"))
    assert sent.location == url + "/mine" and [s.state for s in submissions.of(campaign, person_id)] == ["pending"]
    assert "今天的截图收到了" in text_of(amei.get(url)) and "等核对" in text_of(amei.get(url + "/mine"))
    assert submissions.entrant(campaign, person_id).consents == ["draw", "show-name"]


def test_a_forgotten_picture_is_asked_for(app, amei, at):
    at(NOON)
    url = f"/c/{factories.make_campaign(mode='external').slug}"
    send(amei, url + "/enter", **FILLED)
    refused = send(amei, url, to=url + "/submissions", image=None)
    assert refused.status_code == 422 and "还没有选截图" in text_of(refused)


def test_after_the_last_evidence_the_form_says_so(campaign, amei, at):
    voted(campaign)
    at(campaign.evidence_until)
    assert "参加抽奖的时间过了" in text_of(amei.get(URL + "/enter")) and "参加抽奖的时间过了" in text_of(amei.get(URL + "/receipts/latest"))
