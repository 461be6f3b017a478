"""The draw over HTTP: what anybody reads, what two members of staff do, and the command."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from flask.testing import FlaskClient

from tests.draws.conftest import BULLETIN, DRAWN, FREEZE, NUMBERS, OPENS
from wxbackend.accounts import service as accounts
from wxbackend.draws import service as draws
from wxbackend.draws.cli import draws_cli
from wxbackend.draws.verify import verify
from wxbackend.extensions import db

BODY = {"numbers": NUMBERS, "evidence_url": BULLETIN}
NUMBERS_URL, API = "/api/v1/staff/draws/reform-2021-1/numbers", "/api/v1/draws/reform-2021-1"
PAGE, LIST = "/d/reform-2021-1", "/d/reform-2021-1/list.txt"


@pytest.fixture
def client(app, campaign) -> FlaskClient:
    app.extensions["clock"].fixed = DRAWN
    return app.test_client()


def at_desk(staff) -> dict[str, str]:
    token, _ = accounts.open_session(staff, DRAWN)
    db.session.commit()
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def frozen(campaign) -> None:
    draws.freeze(campaign, FREEZE)
    db.session.commit()


@pytest.fixture
def drawn(campaign, desk, frozen) -> str:
    draw = draws.of(campaign)
    for staff in (desk.xiaoli, desk.laochen):
        draws.enter_numbers(draw, staff, NUMBERS, BULLETIN, DRAWN)
    db.session.commit()
    return draws.transcript(draw)


def test_the_whole_draw_by_api(client, desk):
    first, second = at_desk(desk.xiaoli), at_desk(desk.laochen)
    frozen = client.post("/api/v1/staff/campaigns/reform-2021/freeze", headers=first)
    assert frozen.status_code == 201 and frozen.json["id"] == "reform-2021-1" and len(frozen.json["root"]) == 64
    assert client.post("/api/v1/staff/campaigns/reform-2021/freeze", headers=first).json == frozen.json
    assert client.post(NUMBERS_URL, json=BODY, headers=first).json["outcome"] == "sealed"
    standing = client.get("/api/v1/staff/draws/reform-2021-1", headers=second).json
    assert [one["name"] for one in standing["entered"]] == ["小李"] and "03" not in json.dumps(standing["entered"][0]["name"])
    drawn = client.post(NUMBERS_URL, json=BODY, headers=second).json
    assert drawn["outcome"] == "drawn" and drawn["draw"]["state"] == "drawn"
    answer = client.get(API)
    assert answer.mimetype == "application/json" and verify(answer.json)
    assert client.get(API).data == answer.data


@pytest.mark.parametrize("method, url", [
    ("post", "/api/v1/staff/campaigns/reform-2021/freeze"), ("post", NUMBERS_URL), ("get", "/api/v1/staff/draws/reform-2021-1"),
    ("post", "/api/v1/staff/campaigns/reform-2021/exclusions"),
])
def test_a_stranger_does_none_of_it(client, frozen, method, url):
    assert getattr(client, method)(url, json=BODY, headers={"Authorization": "Bearer x"}).status_code == 401
    assert getattr(client, method)(url, json=BODY).status_code in (401, 403)


def test_a_reviewer_types_no_numbers(client, desk, frozen):
    answer = client.post(NUMBERS_URL, json=BODY, headers=at_desk(desk.aming))
    assert (answer.status_code, answer.json["type"]) == (403, "/problems/numbers-not-yours")


@pytest.mark.parametrize("verb, body", [("freeze", None), ("exclusions", {"phones": ["13800000001"], "reason": "staff"})])
def test_only_a_manager_freezes_or_excludes(client, desk, frozen, verb, body):
    for colleague in (desk.aming, desk.laochen):
        answer = client.post(f"/api/v1/staff/campaigns/reform-2021/{verb}", json=body, headers=at_desk(colleague))
        assert (answer.status_code, answer.json["type"]) == (403, "/problems/not-your-task")


@pytest.mark.parametrize("body", [
    {}, {"numbers": NUMBERS}, {"evidence_url": BULLETIN}, BODY | {"evidence_url": "javascript:alert(1)"}, BODY | {"winner": "阿美"},
    BODY | {"numbers": []}, BODY | {"numbers": "ssq"},
    *[BODY | {"numbers": [{"source": "ssq", "issue": "2022005", "groups": [first, [6]]}]}
      for first in ([3, 8, 15, 21, 27, None], [[3], 8, 15, 21, 27, 33], [3.0, 8, 15, 21, 27, 33], {})],
], ids=str)
def test_numbers_of_a_wrong_shape_are_refused_with_their_place(client, desk, frozen, body):
    answer = client.post(NUMBERS_URL, json=body, headers=at_desk(desk.xiaoli))
    assert answer.status_code == 422 and answer.json["errors"]


def test_the_same_person_hears_that_a_colleague_is_needed(client, desk, frozen):
    headers = at_desk(desk.xiaoli)
    client.post(NUMBERS_URL, json=BODY, headers=headers)
    answer = client.post(NUMBERS_URL, json=BODY, headers=headers)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/second-person-needed")


def test_too_early_says_when(client, app, desk):
    app.extensions["clock"].fixed = OPENS
    answer = client.post("/api/v1/staff/campaigns/reform-2021/freeze", headers=at_desk(desk.xiaoli))
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/not-yet") and "1月11日（周二）18:00" in answer.json["title"]


def test_exclusions_are_taken_before_the_freeze_only(client, app, desk):
    url, body = "/api/v1/staff/campaigns/reform-2021/exclusions", {"phones": ["13800000001"], "reason": "staff"}
    assert client.post(url, json=body, headers=at_desk(desk.xiaoli)).json["type"] == "/problems/exclusion-too-late"
    app.extensions["clock"].fixed = OPENS
    assert client.post(url, json=body, headers=at_desk(desk.xiaoli)).json == {"new": 1}
    assert client.post(url, json=body | {"phones": ["1380000000"]}, headers=at_desk(desk.xiaoli)).status_code == 422


@pytest.mark.parametrize("url", ["/api/v1/draws/nothing-1", "/d/nothing-1", "/d/nothing-1/list.txt", API, PAGE, LIST])
def test_what_is_not_frozen_is_not_there(client, url):
    assert client.get(url).status_code == 404


def test_the_list_file_has_the_published_hash(client, frozen):
    body = client.get(LIST)
    assert body.mimetype == "text/plain" and hashlib.sha256(body.data).hexdigest() == client.get(API).json["list_sha256"]


def test_before_the_draw_the_list_is_public_and_nothing_more(client, desk, frozen):
    client.post(NUMBERS_URL, json=BODY, headers=at_desk(desk.xiaoli))
    document, page = client.get(API).json, client.get(PAGE).text
    assert document["state"] == "frozen" and len(document["entrants"]) == document["tickets"] == 50
    assert not {"result", "entropy", "secret", "evidence", "seed"} & document.keys()
    assert document["root"][:8] in page and "开始验" not in page and "03 08" not in page and BULLETIN not in page


def test_the_page_shows_what_the_transcript_says(client, drawn):
    page, result = client.get(PAGE).text, json.loads(drawn)["result"]

    def shown(mark: str) -> list[str]:
        cells = re.findall(rf"<(\w+)[^>]* {mark}>(.*?)</\1>(?!</span>)", page, flags=re.S)
        return [re.sub(r"<[^>]*>|\s", "", cell) for _, cell in cells]

    assert [code[:16] for code in shown("data-winner")] == [row["ticket"] for row in result["winners"]]
    assert [code[:16] for code in shown("data-alternate")] == [row["ticket"] for row in result["alternates"]]
    assert shown("data-root") == [result["root"]]
    assert "红球 03 08 15 21 27 33，蓝球 06" in page and BULLETIN in page and "重抽" not in page
    assert f"{result['seed']}:{result['winners'][0]['ticket']}" in page


def test_no_name_phone_or_reason_behind_the_mask_is_public(client, drawn):
    for url in (PAGE, LIST, API):
        text = client.get(url).text
        assert "张小三" not in text and "小李" not in text and not re.search(r"(?<![0-9a-f])1[3-9]\d{9}(?![0-9a-f])", text)


def test_no_route_draws_again_or_names_a_winner(app):
    changing = {rule.rule for rule in app.url_map.iter_rules() if rule.methods - {"GET", "HEAD", "OPTIONS"}}
    assert {url for url in changing if re.search("/draws?/|freeze|exclu|winner|award|seed|numbers", url)} == {
        "/api/v1/staff/campaigns/<slug>/freeze", "/api/v1/staff/campaigns/<slug>/exclusions", "/api/v1/staff/draws/<draw_id>/numbers",
        "/admin/campaigns/<slug>/freeze", "/admin/campaigns/<slug>/exclusions", "/admin/draws/<public_id>/numbers"}


# ---- flask draws verify ----

def test_the_command_accepts_what_the_api_gives(app, client, drawn, tmp_path):
    file = tmp_path / "transcript.json"
    file.write_bytes(client.get(API).data)
    said = app.test_cli_runner().invoke(draws_cli, ["verify", str(file)])
    assert said.exit_code == 0 and said.output.count("✓") == 9


@pytest.mark.parametrize("tear, path", [
    (lambda raw: raw.replace(b'"rank": 3', b'"rank": 4'), "result.winners[2].rank"),
    (lambda raw: raw[:-5], "transcript"),
    (lambda raw: b"\xff", "transcript"),
    (lambda raw: b"[]", "transcript"),
])
def test_the_command_names_the_first_difference_in_one_line(app, drawn, tmp_path, tear, path):
    file = tmp_path / "transcript.json"
    file.write_bytes(tear(drawn.encode()))
    said = app.test_cli_runner().invoke(draws_cli, ["verify", str(file)])
    assert said.exit_code == 1 and said.stderr.startswith(f"✗ DIFFERS {path} 对不上：") and said.stderr.count("\n") == 1
    assert "Traceback" not in said.output


def test_the_command_without_a_file_says_so(app):
    said = app.test_cli_runner().invoke(draws_cli, ["verify", "nowhere.json"])
    assert said.exit_code == 2 and "nowhere.json" in said.output
