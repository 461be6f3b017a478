"""The same journey with a thumb: Chromium at 390×844, screenshots kept as artefacts."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.conftest import ARTEFACTS
from tests.factories import NOON, PASSWORD, make_campaign, make_staff
from tests.journeys.conftest import ANSWER, WECHAT_BROWSER, World
from tests.journeys.test_api import plain_picture

SLUG, EXTERNAL = "futian-2021-reform", "futian-2021-streets"
PHONE = {"width": 390, "height": 844}
PAGE_BYTES = 30_000


@pytest.fixture
def world(small_world: World) -> World:
    with small_world.app.app_context():
        make_campaign(), make_campaign("external")
        make_staff("zhoumin", "manager", "周敏"), make_staff("hejing", "auditor", "何静")
    small_world.at(NOON)
    return small_world


class Eyes:
    """A page with its artefacts, its transferred bytes and whatever the console complained about."""

    def __init__(self, browser: Browser, world: World, person: dict[str, Any] | None = None, name: str = "staff", **how: Any):
        self.context = browser.new_context(viewport=how.pop("viewport", PHONE), **({"user_agent": WECHAT_BROWSER} if person else {}), **how)
        if person:
            self.context.add_cookies([{"name": "sim_person", "value": person["id"], "url": world.url}])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.name, self.complaints = name, []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "favicon" not in message.text:
            self.complaints.append(message.text)

    def keep(self, what: str, full: bool = True) -> bytes:
        ARTEFACTS.mkdir(exist_ok=True)
        return self.page.screenshot(path=ARTEFACTS / f"{self.name}-{what}.png", full_page=full)


def choose_and_submit(page: Page, grade: str, answer: str) -> None:
    page.get_by_text(grade, exact=True).first.click()
    page.locator("input[name=captcha_answer]").fill(answer)
    page.get_by_role("button", name="提交").click()


def test_the_journey_in_the_browser(world: World, chromium: Browser):
    amei = world.person("阿美")
    eyes = Eyes(chromium, world, amei, "citizen")
    page, sizes = eyes.page, []
    page.on("response", lambda r: sizes.append(len(r.body())) if r.status == 200 and r.url.startswith(world.url) else None)
    page.goto(f"{world.url}/c/{SLUG}?s=article")
    expect(page.get_by_role("heading", name="文化馆总分馆制建设")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert sum(sizes) <= PAGE_BYTES, sizes
    page.mouse.wheel(0, 4000)
    eyes.keep("1-vote")

    choose_and_submit(page, "良", "999")
    expect(page.get_by_text("没对上，已换了一张新的")).to_be_visible()
    assert page.locator("input[name=grade]:checked").get_attribute("value") == "良"
    eyes.keep("2-wrong-captcha")
    choose_and_submit(page, "良", ANSWER)
    expect(page.get_by_role("heading", name="投票成功")).to_be_visible()
    screenshot = eyes.keep("3-success", full=False)
    assert "良" not in page.inner_text("body")

    page.goto(f"{world.url}/c/{SLUG}")
    expect(page.get_by_role("heading", name="今天已经投过啦")).to_be_visible()
    eyes.keep("4-already")

    # the picture Chromium took is the evidence
    world.sim("send", person=amei["id"], image_base64=base64.b64encode(screenshot).decode())
    world.sim("send", person=amei["id"], text="张三 13800000000")
    world.work()
    assert "1月6日（周四）这天算上了" in world.heard(amei)[-1]
    page.goto(f"{world.url}/c/{SLUG}/mine")
    expect(page.get_by_text("有1个签号")).to_be_visible()
    eyes.keep("5-mine")
    assert [c for c in eyes.complaints if "422" not in c] == []

    staff_reviews(world, chromium)
    world.at(NOON.replace(day=11, hour=18))
    world.work()
    world.at(NOON.replace(day=11, hour=21, minute=30))
    for username in ("zhoumin", "hejing"):
        enter_numbers(world, chromium, username)
    anybody_verifies(world, chromium)


def staff_reviews(world: World, chromium: Browser) -> None:
    outsider = world.person("外投者")
    world.sim("send", person=outsider["id"], image_base64=base64.b64encode(plain_picture()).decode())
    world.sim("send", person=outsider["id"], text="赵六 13800000003")
    world.work()
    eyes = Eyes(chromium, world, name="staff", viewport={"width": 1280, "height": 800})
    page = eyes.page
    log_in(page, world, "zhoumin")
    expect(page.get_by_text("截图待审").first).to_be_visible()
    eyes.keep("1-home")
    page.goto(f"{world.url}/admin/campaigns/{EXTERNAL}/review")
    expect(page.get_by_text("赵*").first).to_be_visible()
    eyes.keep("2-review")
    page.keyboard.press("a")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("没有待审").first).to_be_visible()
    eyes.keep("3-reviewed")
    world.work()
    assert any("算上了" in text or "通过" in text for text in world.heard(outsider)[-1:])
    for path, name in ((f"/admin/campaigns/{SLUG}", "4-overview"), ("/admin/campaigns/new", "5-new"), ("/admin/log", "6-log")):
        page.goto(world.url + path)
        eyes.keep(name)
    assert eyes.complaints == []


def log_in(page: Page, world: World, username: str) -> None:
    page.goto(f"{world.url}/admin/")
    page.locator("input[name=username]").fill(username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/admin/")


def enter_numbers(world: World, chromium: Browser, username: str) -> None:
    eyes = Eyes(chromium, world, name=f"draw-{username}", viewport={"width": 1280, "height": 800})
    page = eyes.page
    log_in(page, world, username)
    page.goto(f"{world.url}/admin/campaigns/{SLUG}/draw")
    eyes.keep("1-before")
    for field, number in zip(page.locator(".balls input").all(), ("03", "08", "15", "21", "27", "33", "06"), strict=True):
        field.fill(number)
    page.locator("input[type=url]").fill("https://example.org/bulletin")
    page.get_by_role("button", name="提交我录的号码").click()
    page.wait_for_load_state("networkidle")
    eyes.keep("2-after")
    assert eyes.complaints == []


def anybody_verifies(world: World, chromium: Browser) -> None:
    eyes = Eyes(chromium, world, name="public")
    page = eyes.page
    page.goto(f"{world.url}/d/{SLUG}-1")
    page.get_by_role("button", name="开始验").click()
    expect(page.get_by_text("全都对上了")).to_be_visible()
    eyes.keep("1-verified")
    for path, name in ((f"/w/{SLUG}-1", "2-winners"), (f"/c/{SLUG}/results", "3-results"), (f"/c/{SLUG}/rules", "4-rules"),
                       (f"/c/{SLUG}/privacy", "5-privacy"), ("/", "6-index")):
        page.goto(world.url + path)
        eyes.keep(name)
    assert eyes.complaints == []


def test_the_vote_works_with_scripts_off(world: World, chromium: Browser):
    eyes = Eyes(chromium, world, world.person("老陈"), "no-script", java_script_enabled=False)
    page = eyes.page
    page.goto(f"{world.url}/c/{SLUG}?s=article")
    page.locator("label").filter(has_text="优").click()
    page.get_by_role("button", name="换一种").click()
    expect(page.locator("label[for=cap]")).to_contain_text("得数")
    assert page.locator("input[name=grade]:checked").get_attribute("value") == "优"
    page.get_by_role("button", name="换一种").click()
    page.locator("input[name=captcha_answer]").fill(ANSWER)
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("heading", name="投票成功")).to_be_visible()
    eyes.keep("1-success")


def test_outside_wechat_the_page_says_how_to_come_in(world: World, chromium: Browser):
    eyes = Eyes(chromium, world, name="outside")
    eyes.page.goto(f"{world.url}/c/{SLUG}")
    expect(eyes.page.get_by_role("heading", name="请在微信中打开")).to_be_visible()
    eyes.keep("1-not-wechat")


def test_the_day_changes_at_local_midnight_in_the_browser(world: World, chromium: Browser):
    eyes = Eyes(chromium, world, world.person("阿美"), "midnight")
    for instant in (NOON.replace(hour=23, minute=59, second=59), NOON.replace(hour=0) + timedelta(days=1)):
        world.at(instant)
        eyes.page.goto(f"{world.url}/c/{SLUG}")
        choose_and_submit(eyes.page, "中", ANSWER)
        expect(eyes.page.get_by_role("heading", name="投票成功")).to_be_visible()
    world.at(NOON.replace(day=8, hour=9))
    eyes.page.goto(f"{world.url}/c/{SLUG}")
    expect(eyes.page.get_by_role("heading", name="投票已经截止")).to_be_visible()
    eyes.keep("1-closed")


@pytest.mark.parametrize("has_script", [True, False])
def test_enter_in_the_captchas_field_casts_the_vote(world: World, chromium: Browser, has_script: bool):
    """Enter presses a form's first button, and swapping the picture must not be that; the one it presses nobody sees."""
    eyes = Eyes(chromium, world, world.person("阿美"), "enter", java_script_enabled=has_script)
    page = eyes.page
    page.goto(f"{world.url}/c/{SLUG}")
    for button in page.locator("form#vote > button[aria-hidden]").all():
        box = button.bounding_box()
        assert box is not None and box["width"] <= 1 and box["height"] <= 1
    page.get_by_text("优", exact=True).first.click()
    page.locator("input[name=captcha_answer]").fill(ANSWER)
    page.locator("input[name=captcha_answer]").press("Enter")
    expect(page.get_by_role("heading", name="投票成功")).to_be_visible()
