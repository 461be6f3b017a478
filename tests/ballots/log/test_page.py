"""A phone recomputes where its voter's line stands, under the page's real policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from tests.ballots.log.conftest import HOUR, entered
from tests.factories import NOON, make_voter, token_for
from wxbackend.ballots.log import service as log
from wxbackend.ballots.receipts import receipts_of

WECHAT = "Mozilla/5.0 (Linux; Android 10) MicroMessenger/8.0"
CHECKED = "已核验 ✓ 您的手机自己算过，这一行在账本里。"
DIFFERS = "没对上。请截图发到公众号聊天里，或打监督电话。"


@pytest.fixture
def address(app, campaign) -> Iterator[str]:
    app.extensions["clock"].fixed = NOON + 3 * HOUR
    entered(campaign)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


@pytest.fixture
def phone(address, chromium) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, user_agent=WECHAT)
    context.add_cookies([{"name": "wxv", "value": token_for(make_voter("阿美")), "url": address}])
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    yield page
    context.close()


def test_the_receipt_shows_the_line_only_when_asked_and_checks_it_then(phone, address, campaign):
    asked = []
    phone.on("request", lambda r: asked.append(r.url) if "/log/proof" in r.url else None)
    phone.goto(f"{address}/c/{campaign.slug}/receipts/2022-01-06")
    seq = log.own(receipts_of(campaign, make_voter("阿美").person_id)[0]).seq
    line = phone.get_by_text(f"您的票在账本第 {seq} 行")
    expect(line).to_be_hidden()
    assert asked == []
    phone.get_by_text("我的票入账本了吗").click()
    expect(line).to_be_visible()
    expect(phone.locator("[data-said]")).to_have_text(CHECKED)
    assert phone.complaints == []


def test_her_own_page_checks_at_once(phone, address, campaign):
    phone.goto(f"{address}/campaigns/{campaign.slug}/log/mine")
    expect(phone.locator("[data-proof] [data-said]")).to_have_text(CHECKED)
    assert phone.complaints == []


@pytest.mark.parametrize("change", [
    lambda answer: answer["proof"].pop(), lambda answer: answer.update(data=answer["data"].replace("2022-01-06", "2022-01-05")),
    lambda answer: answer["head"].update(body=answer["head"]["body"].replace('"size":32', '"size":33')),
    lambda answer: answer.update(seq=answer["seq"] + 1),
])
def test_an_answer_that_does_not_fit_is_caught(phone, address, campaign, change):
    def tampered(route) -> None:
        answer = route.fetch().json()
        change(answer)
        route.fulfill(json=answer)

    phone.route("**/log/proof*", tampered)
    phone.goto(f"{address}/campaigns/{campaign.slug}/log/mine")
    expect(phone.locator("[data-proof] [data-said]")).to_have_text(DIFFERS)


def test_no_network_is_said_kindly(phone, address, campaign):
    phone.route("**/log/proof*", lambda route: route.abort())
    phone.goto(f"{address}/campaigns/{campaign.slug}/log/mine")
    expect(phone.locator("[data-proof] [data-said]")).to_have_text("没取到，请看看网络，再打开一次。")


def test_without_script_the_number_stands_there_with_what_to_do(address, chromium, campaign):
    context = chromium.new_context(java_script_enabled=False, user_agent=WECHAT)
    context.add_cookies([{"name": "wxv", "value": token_for(make_voter("阿美")), "url": address}])
    page = context.new_page()
    page.goto(f"{address}/campaigns/{campaign.slug}/log/mine")
    expect(page.get_by_text("这台手机没开脚本，不能当场核验，可以下载账本来对。")).to_be_visible()
    context.close()


def test_the_public_page_fits_a_small_phone(address, chromium, campaign):
    page = chromium.new_page(viewport={"width": 320, "height": 700})
    page.goto(f"{address}/campaigns/{campaign.slug}/log")
    expect(page.locator("[data-mark]")).to_have_text(log.latest(campaign).mark)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()
