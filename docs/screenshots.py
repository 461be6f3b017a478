"""Retake the README's pictures from a running demo: ``python docs/screenshots.py < demo.log``.

Reads what the demo printed at its start (addresses, both passwords); INSTANCE_DIR names its folder. Needs playwright and Chromium.
The demo's clock is moved to the draw on the way, as from the simulated phone, so begin with a fresh one.
The captcha is for people: the ballot is put into the box by the service, everything else goes through the pages.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SLUG = "futian-2021-reform"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
NUMBERS = ["03", "08", "15", "21", "27", "33", "06"]   # invented: the demo's public drawing has not been held


@dataclass(frozen=True)
class Demo:
    """Where everything is, as the demo said: addresses, {username: password}."""

    app: str
    phone: str
    staff: dict[str, str]

    @classmethod
    def read(cls, said: str) -> Demo:
        phone = re.findall(r"simulated phone\s+(http\S+?)/\s", said)[-1]
        app = re.findall(r"staff site\s+(http\S+?)/admin/", said)[-1]
        return cls(app, phone, dict(re.findall(r"^\s+(\w+)  (\S+)\s+\(", said[said.rindex("staff site"):], re.M)))


def main() -> None:
    demo = Demo.read(sys.stdin.read())
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        phone = browser.new_context(viewport=PHONE, device_scale_factor=2, locale="zh-CN", timezone_id="Asia/Shanghai", has_touch=True)
        vote(phone.new_page(), demo)
        chat(phone.new_page(), demo)
        review(log_in(browser, demo, *next(iter(demo.staff.items()))), demo)
        draw(browser, phone.new_page(), demo)
        browser.close()
    print(f"{sum(f.stat().st_size for f in IMAGES.iterdir()) / 1e6:.2f} MB in {IMAGES}")


def vote(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.phone}/")
    page.goto(f"{demo.app}/c/{SLUG}?s=article")          # logs in through the simulated WeChat and comes back
    take(page, "vote")
    page.locator("label[for=g1]").click()
    page.locator("#vote h2").evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 24)")
    take(page, "ballot")
    cast_without_captcha(demo)
    page.goto(f"{demo.app}/c/{SLUG}/receipts/latest")
    take(page, "success")


def cast_without_captcha(demo: Demo) -> None:
    """阿美's ballot of today, put in beside the running server; her identity came from the login just made."""
    import requests

    from wxbackend import clock, create_app
    from wxbackend.accounts import service as accounts
    from wxbackend.accounts.service import Voter
    from wxbackend.ballots import service as ballots
    from wxbackend.campaigns import service as campaigns
    from wxbackend.campaigns.rules import Grade
    from wxbackend.extensions import settings

    people = requests.get(f"{demo.phone}/_sim/people", timeout=10).json()["people"]
    app = create_app()
    with app.app_context():
        openids = next(p for p in people if p["id"] == "amei")["openids"]
        identity = accounts.find_identity(settings.account_appid, openids[settings.account_appid])
        assert identity is not None, "nobody has logged in: is INSTANCE_DIR the demo's?"
        campaign, at, voter = campaigns.by_slug(SLUG), clock.now(), Voter.of(identity)
        subject = campaign.subjects[0]
        ballots.cast_many([ballots.Vote(campaign.id, subject.id, ballots.quota_key(campaign, subject), voter.person_id, campaign.day(at),
                                        Grade.EXCELLENT, secrets.token_hex(32), "article", "h5")], at)


def chat(page: Page, demo: Demo) -> None:
    """The screenshot goes to the account's chat, then name and phone; the account answers."""
    page.set_viewport_size(DESK)
    page.goto(f"{demo.phone}/open?url=/c/{SLUG}/receipts/latest")
    page.get_by_role("button", name="截屏").click()
    page.locator(".album").get_by_role("button", name="发送").click()
    page.locator("li.it .b").first.wait_for()
    page.locator("#say").fill("阿美 13800000000")
    page.locator("form.ask").get_by_role("button", name="发送").click()
    expect(page.locator("li.it .b").filter(has_text="签号").last).to_be_visible(timeout=15_000)
    time.sleep(4)                                        # the worker reads the picture and tells her
    page.goto(f"{demo.phone}/")
    page.locator(".scroll").evaluate("e => e.scrollTo(0, e.scrollHeight)")
    take(page, "phone")


def log_in(browser: Browser, demo: Demo, username: str, password: str) -> Page:
    context: BrowserContext = browser.new_context(viewport=DESK, locale="zh-CN", timezone_id="Asia/Shanghai")
    page = context.new_page()
    page.goto(f"{demo.app}/admin/login")
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill(password)
    page.locator("main button, form button").last.click()
    page.wait_for_url(f"{demo.app}/admin/")
    return page


def review(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.app}/admin/campaigns/{SLUG}/review")
    take(page, "review")


def draw(browser: Browser, page: Page, demo: Demo) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{demo.phone}/")
    page.get_by_role("button", name="到抽奖").click()
    until(lambda: page.goto(f"{demo.app}/d/{SLUG}-1").status == 200)   # the worker freezes the list
    for who in demo.staff.items():   # afresh: sessions of the staff last ten hours, and days have passed
        desk = log_in(browser, demo, *who)
        desk.goto(f"{demo.app}/admin/campaigns/{SLUG}/draw")
        if desk.locator("form#numbers").count():
            for field, number in zip(desk.locator("form#numbers .balls input").all(), NUMBERS, strict=True):
                field.fill(number)
            desk.locator("[name=evidence_url]").fill("https://www.example.org/ssq")
            desk.get_by_role("button", name="提交我录的号码").click()
    desk.goto(f"{demo.app}/admin/campaigns/{SLUG}/draw")
    take(desk, "draw-desk")
    page.goto(f"{demo.app}/d/{SLUG}-1")
    take(page, "draw")
    page.goto(f"{demo.app}/w/{SLUG}-1")
    take(page, "winners")


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            sys.exit("waited in vain; does the demo's worker run?")
        time.sleep(0.5)


def take(page: Page, name: str) -> None:
    """One picture, settled; 256 colours are enough for these pages and make them small."""
    page.wait_for_load_state("networkidle")
    time.sleep(0.6)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    width = {PHONE["width"] * 2: 585, DESK["width"] * 2: DESK["width"]}.get(image.width, image.width)
    image = image.resize((width, image.height * width // image.width), Image.Resampling.LANCZOS)
    image.quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)
    print(name, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    main()
