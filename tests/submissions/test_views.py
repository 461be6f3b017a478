"""Taking part by API, and what the server holds of the caller."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from tests.factories import NOON, cast, make_voter
from tests.submissions.pictures import encoded, screenshot
from wxbackend.submissions.models import Entrant, Submission

ENTRY = {"name": "张小三", "phone": "13800000000", "age_band": "18+", "consents": ["draw", "show-name"]}


@pytest.fixture
def receipt(site):
    """阿美 has voted today; 老陈, too."""
    with site.inside():
        cast(site.campaign(), make_voter("老陈"))
        found = cast(site.campaign(), make_voter("阿美")).receipt
        shot, url = encoded(screenshot(found)), found.url
    return shot, url


def enter(site, **changes):
    return site.client.post(site.api("/entries"), json={k: v for k, v in (ENTRY | changes).items() if v is not None}, headers=site.amei)


def send(site, raw: bytes, **changes):
    form = {"name": "张小三", "phone": "13800000000", "consents": "draw", "image": (io.BytesIO(raw), "../../etc/passwd")} | changes
    return site.post(site.api("/submissions"), form, content_type="multipart/form-data")


def test_the_first_entry_names_somebody_the_next_is_one_tap(site, receipt):
    first = enter(site)
    assert first.status_code == 201 and (first.json["state"], first.json["day"], first.json["channel"]) == ("approved", "2022-01-06", "tap")
    assert enter(site, name=None, phone=None, age_band=None, consents=None).json["id"] == first.json["id"]
    assert len(site.client.get("/api/v1/me/tickets", headers=site.amei).json) == 1


def test_a_tap_without_a_name_is_asked_for_it(site, receipt):
    answer = site.client.post(site.api("/entries"), json={}, headers=site.amei)
    assert answer.status_code == 409 and answer.json["type"] == "/problems/not-entered"


def test_a_screenshot_with_name_and_phone(site, receipt):
    answer = send(site, receipt[0])
    assert answer.status_code == 201 and (answer.json["state"], answer.json["day"]) == ("approved", "2022-01-06")
    assert not {"name", "phone", "image_name", "image_sha256", "person_id"} & set(answer.json)


def test_a_screenshot_needs_consent_a_picture_and_a_name(site, receipt):
    assert [e["pointer"] for e in send(site, receipt[0], consents="").json["errors"]] == ["#/consents"]
    assert {e["pointer"] for e in send(site, receipt[0], name="", phone="1").json["errors"]} >= {"#/name"}
    form = {"name": "张三", "phone": "13800000000", "consents": "draw"}
    answer = site.post(site.api("/submissions"), form, content_type="multipart/form-data")
    assert answer.status_code == 422 and answer.json["errors"][0]["pointer"] == "#/image"
    assert send(site, b"<html>").json["type"] == "/problems/image-unreadable"
    assert site.count(Entrant) == site.count(Submission) == 0


def test_evidence_needs_somebody(site, receipt):
    assert site.client.post(site.api("/entries"), json=ENTRY).status_code == 401
    form = {"image": (io.BytesIO(receipt[0]), "a.png")}
    assert site.post(site.api("/submissions"), form, headers={}, content_type="multipart/form-data").status_code == 401


def test_pictures_have_no_address(site, receipt):
    send(site, receipt[0])
    with site.inside():
        (name,) = (path.name for path in (site.db_file.parent / "evidence").iterdir())
    for path in (f"/evidence/{name}", f"/static/evidence/{name}", f"/instance/evidence/{name}", f"/static/../evidence/{name}"):
        assert site.client.get(path).status_code == 404


def test_everything_about_oneself_to_see_and_to_take_along(site, receipt):
    enter(site)
    data = site.client.get("/api/v1/me/data", headers=site.amei).json["campaigns"]
    assert len(data) == 1 and (data[0]["entry"]["name"], data[0]["entry"]["phone"]) == ("张*三", "138****0000")
    assert (len(data[0]["receipts"]), len(data[0]["submissions"]), len(data[0]["tickets"])) == (1, 1, 1)
    assert site.client.get("/api/v1/me/data", headers=site.chen).json["campaigns"][0]["entry"] is None
    assert "优" not in str(data)


def test_one_sees_ones_own_and_nobody_elses(site, receipt):
    enter(site)
    theirs = site.client.get("/api/v1/me/data", headers=site.chen).text
    assert "张小三" not in theirs and "13800000000" not in theirs and receipt[1] not in theirs
    assert site.client.get("/api/v1/me/tickets", headers=site.chen).json == []


def test_a_name_is_set_right_by_api(site, receipt):
    enter(site)
    answer = site.client.patch("/api/v1/me/data", json={"campaign": site.slug, "name": "张三", "phone": "13900000000"}, headers=site.amei)
    assert answer.json["entry"]["phone"] == "139****0000"
    bad = site.client.patch("/api/v1/me/data", json={"campaign": site.slug, "name": "张三", "phone": "139"}, headers=site.amei)
    assert bad.status_code == 422 and bad.json["errors"][0]["pointer"] == "#/phone"


def test_leaving_by_api_deletes(site, receipt):
    send(site, receipt[0])
    assert site.client.delete("/api/v1/me/data", json={"campaign": site.slug}, headers=site.amei).status_code == 204
    data = site.client.get("/api/v1/me/data", headers=site.amei).json["campaigns"][0]
    assert (data["entry"], data["tickets"], len(data["receipts"])) == (None, [], 1)
    assert list((site.db_file.parent / "evidence").iterdir()) == []
    again = site.client.delete("/api/v1/me/data", json={"campaign": site.slug}, headers=site.amei)
    assert again.status_code == 409 and again.json["type"] == "/problems/not-entered"


def test_no_answer_about_oneself_carries_an_openid_or_a_grade(site, receipt):
    enter(site)
    for path in ("/api/v1/me", "/api/v1/me/receipts", "/api/v1/me/tickets", "/api/v1/me/data"):
        answer = site.client.get(path, headers=site.amei).text
        assert not re.search(r"\bo[0-9a-f]{27}\b|openid|unionid|优|person", answer), path


def test_a_second_person_with_one_picture_goes_to_the_staff(site, receipt):
    form = {"name": "老陈", "phone": "13900000000", "consents": "draw", "image": (io.BytesIO(receipt[0]), "a.png")}
    answer = site.post(site.api("/submissions"), form, headers=site.chen, content_type="multipart/form-data")
    assert answer.status_code == 201 and answer.json["state"] == "pending"


def test_too_late_by_api(site, receipt):
    with site.inside():
        site.now(site.campaign().evidence_until)
    for answer in (enter(site), send(site, encoded(Image.new("L", (9, 9))))):
        assert answer.status_code == 409 and answer.json["type"] == "/problems/entry-closed"
    site.now(NOON)
