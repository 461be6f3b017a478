"""Reviewing without a mouse, in a real browser; and the same page with scripts off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from tests.admin.conftest import send, votes
from wxbackend.extensions import db
from wxbackend.submissions.models import Submission

QUEUE = "/admin/campaigns/futian-2021-reform/review"


@pytest.fixture
def queue(app, campaign):
    """Three screenshots in order of arrival, and the short code of the first sender."""
    app.extensions["clock"].fixed = factories.NOON
    factories.make_staff("xiaozhou", "reviewer", "小周")
    sent, code = [], ""
    for n, (name, colour) in enumerate((("阿美", "white"), ("老陈", "black"), ("路人", "red"))):
        voter = factories.make_voter(name)
        code = code or votes(campaign, voter, days=1)[0].code
        sent.append(send(campaign, voter, colour, factories.NOON - timedelta(hours=3 - n), f"1380000000{n}").id)
    db.session.rollback()   # SQLite lets one write; the browser's requests come from another thread
    return sent, code


def sign_in(chromium, live, **options):
    page = chromium.new_context(viewport={"width": 1280, "height": 800}, **options).new_page()
    page.set_default_timeout(10_000)
    page.goto(live + "/admin/login?next=" + QUEUE)
    page.fill("#u", "xiaozhou")
    page.fill("#p", factories.PASSWORD)
    page.click("button.primary")
    arrives(page, "张，共 3 张")
    return page


def states(sent: list[int]) -> list[tuple[str, str | None]]:
    found = [(s.state, s.reason) for s in (db.session.get_one(Submission, number) for number in sent)]
    db.session.rollback()
    return found


def arrives(page, text: str) -> None:
    """Wait until the page that says so is there with its script."""
    page.wait_for_selector(f"text={text}")
    page.wait_for_load_state("load")


def test_a_reviewer_decides_by_keyboard(chromium, live, queue):
    sent, code = queue
    page = sign_in(chromium, live)
    faults: list[str] = []
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)

    page.keyboard.press("j")
    arrives(page, "第 2 张，共 3 张")
    page.keyboard.press("k")
    arrives(page, "第 1 张，共 3 张")

    page.keyboard.press(" ")
    assert page.locator(".well.big").count() == 1
    page.keyboard.press(" ")
    assert page.locator(".well.big").count() == 0

    page.keyboard.press("c")
    page.keyboard.type("ar")                 # letters in a field are letters
    assert page.locator("details.no[open]").count() == 0
    page.fill("#sc", code)
    page.keyboard.press("Enter")
    arrives(page, "有效，是本人")
    page.keyboard.press("a")
    arrives(page, "已通过，1月6日（周四）的签号发了")
    arrives(page, "第 1 张，共 2 张")

    page.keyboard.press("r")
    page.keyboard.press("5")
    page.keyboard.press("Escape")            # thought better of it
    assert page.locator("details.no[open]").count() == 0
    page.keyboard.press("r")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    arrives(page, "没有通过，原因已经回给市民")
    arrives(page, "第 1 张，共 1 张")
    assert faults == []
    assert states(sent) == [("approved", None), ("rejected", "not-ours"), ("pending", None)]


def test_the_queue_works_with_scripts_off_and_on_a_phone(chromium, live, queue):
    sent, _code = queue
    page = sign_in(chromium, live, java_script_enabled=False)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.click("summary.danger")
    page.click("text=看得出改动过")
    page.click("text=确定")
    arrives(page, "没有通过")
    assert states(sent)[0] == ("rejected", "edited")
