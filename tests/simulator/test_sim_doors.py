"""A newcomer with a thumb: the whole journey on the phone's page, by each of the three doors, on the real product."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import ARTEFACTS
from tests.journeys.conftest import ANSWER, World, make_world  # noqa: F401  the fixture
from tests.simulator.test_sim_mini import SHARED, SLUG, opened


@pytest.fixture
def world(make_world) -> World:  # noqa: F811
    """As the demo: its pages may stand in the phone's frame."""
    return opened(make_world("", environment="demo", **SHARED))


@pytest.fixture
def hand(chromium: Browser, world: World):
    """The demo's page on a small screen; complaints of the console end the test."""
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") and "favicon" not in m.text else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.goto(world.simulated + "/")
    yield page
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / "simulated-phone.png")
    context.close()
    assert complaints == []


def choose_and_submit(where) -> None:
    where.get_by_text("良", exact=True).first.click()
    where.locator("input[name=captcha_answer]").fill(ANSWER)
    where.get_by_role("button", name="提交").click()


def door(page: Page, button: str) -> None:
    page.get_by_role("link", name="三种进法").first.click()
    page.locator(".doors").get_by_role("link", name=button).or_(page.locator(".doors").get_by_role("button", name=button)).click()


def test_through_the_article_and_web_login(hand: Page, world: World):
    door(hand, "打开文章")
    hand.get_by_text("长按识别，就能投票").click()
    site = hand.frame_locator("iframe.page")
    choose_and_submit(site)
    expect(site.get_by_role("heading", name="投票成功")).to_be_visible()
    hand.get_by_role("button", name="截屏").click()
    hand.locator(".album").get_by_role("button", name="发送").click()
    expect(hand.locator("li.it .b").last).to_contain_text("姓名")
    hand.locator("#say").fill("张三 13800000000")
    hand.locator("form.ask").get_by_role("button", name="发送").click()
    expect(hand.locator("li.it .b").nth(1)).to_be_visible()
    world.work()
    expect(hand.locator("li.it .b").last).to_contain_text("1个签号", timeout=10_000)   # it appears by itself


def test_through_the_mini_program_and_never_twice(hand: Page, world: World):
    door(hand, "打开小程序")
    choose_and_submit(hand.locator(".mini"))
    expect(hand.get_by_role("heading", name="投票成功")).to_be_visible()
    hand.get_by_label("姓名").first.fill("王小梅")
    hand.get_by_label("手机号").first.fill("13800000000")
    hand.get_by_text("已满18周岁").click()
    hand.get_by_text("同意用姓名和手机号办理这次抽奖").click()
    hand.get_by_role("button", name="参加抽奖").click()
    expect(hand.get_by_role("heading", name="您有1个签号")).to_be_visible()
    hand.get_by_role("link", name="中奖时提醒我").click()
    hand.get_by_role("button", name="允许").click()
    expect(hand.get_by_text("中了奖就告诉您")).to_be_visible()

    hand.goto(world.simulated + f"/article/{SLUG}")   # the other door, the same day, the same person
    hand.get_by_text("长按识别，就能投票").click()
    expect(hand.frame_locator("iframe.page").get_by_role("heading", name="今天已经投过啦")).to_be_visible()


def test_through_a_keyword_in_the_chat(hand: Page):
    door(hand, "发“改革评议”")
    hand.locator("li.it .b a").last.click()
    site = hand.frame_locator("iframe.page")
    site.get_by_role("button", name="开始").or_(site.get_by_role("button", name="提交")).first.wait_for()
    if site.get_by_role("button", name="开始").count():
        site.get_by_role("button", name="开始").click()
    choose_and_submit(site)
    expect(site.get_by_role("heading", name="投票成功")).to_be_visible()


def test_who_does_not_follow_is_led_to_do_so(hand: Page):
    hand.goto(hand.url + "#people")
    hand.get_by_text("阿芳").click()
    hand.get_by_role("button", name="关注公众号").click()
    expect(hand.locator("li.it .b").first).to_contain_text("小文文")
