"""The draw's page in a real browser, under its real policy: a phone recomputes the draw and looks a ticket up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from werkzeug.serving import make_server

from tests.draws.conftest import BULLETIN, DRAWN, FREEZE, NUMBERS
from wxbackend.draws import service as draws
from wxbackend.extensions import db


@pytest.fixture
def address(app, campaign, desk) -> Iterator[str]:
    app.extensions["clock"].fixed = DRAWN
    draw = draws.freeze(campaign, FREEZE)
    for staff in (desk.xiaoli, desk.laochen):
        draws.enter_numbers(draw, staff, NUMBERS, BULLETIN, DRAWN)
    db.session.commit()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/d/{draw.public_id}"
    server.shutdown()


@pytest.fixture
def phone(address, chromium) -> Iterator:
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(address)
    yield page
    page.close()


def pressed(phone) -> str:
    """What is said after 开始验."""
    phone.click("#v-go")
    phone.wait_for_selector("#v-say.good, #v-say.bad")
    return phone.inner_text("#v-say")


def test_a_phone_finds_everything_as_published_and_a_ticket_in_its_place(phone, campaign):
    assert pressed(phone) == "五步全都对上了，您算的和公示的一样。"
    assert phone.locator(".checks li.ok").count() == 5
    sixth = draws.awards(draws.of(campaign))[5]
    phone.fill("#tk", f" {sixth.ticket_id[:4].upper()} {sixth.ticket_id[4:]}")
    phone.press("#tk", "Enter")
    assert phone.inner_text("#tk-say") == "这个签号排在第6位，前5位中奖，这次差1位，是候补第1位。"
    phone.fill("#tk", "12")
    phone.press("#tk", "Enter")
    assert phone.inner_text("#tk-say") == "签号是16位，请对着“我的”再看一眼。"


def test_a_winner_on_the_page_who_is_not_in_the_record_is_caught(phone):
    phone.evaluate("document.querySelector('[data-winner] .code').textContent = '0000 0000 0000 0000'")
    assert pressed(phone).startswith("第5步没对上")
    assert phone.locator(".checks li.ok").count() == 4


@pytest.mark.parametrize("step, tamper", [
    (1, lambda d: d["rules"]["tiers"][0].update(count=6)), (2, lambda d: d["entrants"].append("f" * 16 + " " + "e" * 16)),
    (3, lambda d: d.update(entropy="ssq:2022005=03.08.15.21.27.32./06./")),
    (5, lambda d: d["result"]["winners"][0].update(person="0" * 16)),
])
def test_a_record_tampered_with_fails_at_its_step(phone, campaign, step, tamper):
    record = json.loads(draws.transcript(draws.of(campaign)))
    tamper(record)
    phone.route("**/api/v1/draws/*", lambda route: route.fulfill(json=record))
    assert pressed(phone) == f"第{step}步没对上。请截图发到公众号聊天里，或打监督电话。"


def test_no_network_is_said_kindly_and_can_be_tried_again(phone):
    phone.route("**/api/v1/draws/*", lambda route: route.abort())
    phone.click("#v-go")
    phone.wait_for_function("document.getElementById('v-say').textContent === '记录没取到，请看看网络，再点一次。'")
    phone.unroute("**/api/v1/draws/*")
    assert pressed(phone).startswith("五步全都对上了")
