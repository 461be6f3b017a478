"""The draw's desk: excluded before, typed by two, drawn once, exported as text."""

from __future__ import annotations

import io
from datetime import timedelta
from urllib.parse import unquote

import openpyxl
import pytest

from tests import factories
from wxbackend.draws import service as draws
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions

BASE = "/admin/campaigns/futian-2021-reform"
NUMBERS = {"n0g0": ["03", "08", "15", "21", "27", "33"], "n0g1": ["06"], "evidence_url": "https://www.cwl.gov.cn/bulletin"}


@pytest.fixture
def entered(campaign):
    """Two people with a ticket each; one has a name that a spreadsheet would run."""
    for name, phone in (("阿美", "13800000000"), ("老陈", "13800000001")):
        voter = factories.make_voter(name)
        factories.cast(campaign, voter)
        factories.enter(campaign, voter, name, phone)
        submissions.tap(campaign, voter.person_id, None, factories.NOON)
    db.session.commit()
    return campaign


@pytest.fixture
def frozen(entered, at):
    at(entered.freeze_at)
    draw = draws.freeze(entered, entered.freeze_at)
    db.session.commit()
    at(entered.freeze_at + timedelta(hours=4))
    return draw


def draw_it(desk, draw):
    for role in ("manager", "auditor"):
        staff = desk(role).at(draw.frozen_at + timedelta(hours=4))
        answer = staff.post(f"/admin/draws/{draw.public_id}/numbers", **NUMBERS)
        assert answer.status_code == 302
    return staff


def test_phones_are_excluded_before_the_freeze_and_shown_masked(desk, entered):
    staff = desk("manager")
    assert staff.post(BASE + "/exclusions", phones="138 0000 0001\n13900000000", reason="staff").status_code == 302
    page = staff.get(BASE + "/draw").text
    assert "排除名单加了2个号码" in page and "138****0001" in page and "13900000000" not in page and "还没有人用这个号码报名" in page
    assert staff.post(BASE + "/exclusions", phones="1390", reason="staff").status_code == 422
    assert staff.post(BASE + "/exclusions", phones="13900000001", reason="rival").status_code == 422


def test_nobody_is_excluded_after_the_freeze(desk, frozen):
    staff = desk("manager").at(frozen.frozen_at)
    assert staff.post(BASE + "/exclusions", phones="13900000000", reason="staff").status_code == 409
    assert "加入名单" not in staff.get(BASE + "/draw").text


def test_nothing_is_frozen_before_its_time(desk, entered):
    assert desk("manager").post(BASE + "/freeze").status_code == 409


def test_a_frozen_list_shows_counts_and_fingerprint(desk, frozen):
    page = desk("auditor").get(BASE + "/draw").text
    assert "进行到第4步" in page and f'title="{frozen.root}"' in page and "双色球第2022005期" in page


def test_the_first_entry_stays_sealed_and_its_typist_is_not_the_second(desk, frozen):
    staff = desk("manager")
    staff.post(f"/admin/draws/{frozen.public_id}/numbers", **NUMBERS)
    page = staff.get(BASE + "/draw").text
    assert "您这一份封着" in page and "提交我录的号码" not in page and "33" not in page.split('class="pair"')[1].split("排除名单")[0]
    assert staff.post(f"/admin/draws/{frozen.public_id}/numbers", **NUMBERS).status_code == 409


def test_wrong_numbers_come_back_with_a_sentence_and_stay_typed(desk, frozen):
    staff = desk("manager")
    answer = staff.post(f"/admin/draws/{frozen.public_id}/numbers", **(NUMBERS | {"n0g1": ["17"]}))
    assert answer.status_code == 422 and "01到16之间" in answer.text and 'value="27"' in answer.text
    assert staff.post(f"/admin/draws/{frozen.public_id}/numbers", **(NUMBERS | {"evidence_url": "没有"})).status_code == 422


def test_two_equal_entries_draw_at_once(desk, frozen):
    page = draw_it(desk, frozen).get(BASE + "/draw").text
    assert "进行到第6步" in page and "红球 03 08 15 21 27 33，蓝球 06" in page
    assert "138****0000" in page and "138****0001" in page and "13800000000" not in page
    assert "提交我录的号码" not in page and "重抽”" in page   # the sentence that there is none


def test_the_winners_file_is_text_in_every_cell_and_named_by_day(desk, frozen):
    entrant = next(e for e in submissions.entrants(frozen.campaign).values())
    draw_it(desk, frozen)
    manager = desk("manager")
    answer = manager.get(f"/admin/draws/{frozen.public_id}/winners.xlsx")
    assert answer.headers["Cache-Control"] == "no-store"
    assert unquote(answer.headers["Content-Disposition"]).endswith("2021年福田区改革项目网络评议_中奖名单_20220111.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    rows = list(sheet.iter_rows(min_row=2, max_row=3))
    assert all(cell.data_type == "s" and cell.number_format == "@" for row in rows for cell in row if cell.value)
    assert {row[5].value for row in rows} == {"13800000000", "13800000001"}
    assert submissions.named(entrant).name in {row[4].value for row in rows}
    assert "带完整手机号" in manager.get("/admin/log?what=data").text


def test_there_is_no_file_before_the_draw(desk, frozen):
    staff = desk("manager")
    assert staff.get(f"/admin/draws/{frozen.public_id}/winners.xlsx").status_code == 409
    assert staff.get("/admin/draws/nowhere/winners.xlsx").status_code == 404
