"""The mini program's pages on the real product: vote, take part, ask to be told. With scripts off, as plain forms."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import requests
from sqlalchemy import text

from simulator import Config
from tests.factories import NOON, make_campaign
from tests.journeys.conftest import ANSWER, World, make_world  # noqa: F401  the fixture
from wxbackend.accounts.tokens import look_again
from wxbackend.extensions import db

SLUG = "futian-2021-reform"
ENTRY = {"name": "王小梅", "phone": "13800000000", "age_band": "18+", "consent": ["draw", "notify"]}


class Screen:
    """阿美's mini program in a browser without scripts."""

    def __init__(self, world: World, person: str = "amei"):
        self.world, self.session = world, requests.Session()
        self.session.cookies.set("sim_person", person, domain="127.0.0.1")

    def look(self, path: str = f"/mini/c/{SLUG}") -> str:
        answer = self.session.get(self.world.simulated + path, timeout=20)
        assert answer.status_code == 200
        assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", answer.text)
        return answer.text

    def press(self, what: str, **form) -> str:
        return self.session.post(f"{self.world.simulated}/mini/c/{SLUG}/{what}", data=form, timeout=20).text

    def vote(self, answer: str = ANSWER, grade: str = "良", **form) -> str:
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.look()))
        return self.press("vote", **(hidden | {"grade": grade, "captcha_answer": answer} | form))


SHARED = {name: getattr(Config(), name) for name in ("miniprogram_token", "miniprogram_aes_key", "notice_template", "account_template")}


@pytest.fixture
def world(make_world):  # noqa: F811
    return opened(make_world("", **SHARED))


def opened(world: World) -> World:
    """The reference campaign on a Thursday at noon."""
    with world.app.app_context():
        make_campaign()
    world.at(NOON)
    return world


@pytest.fixture
def screen(world):
    return Screen(world)


def errors(page: str) -> list[str]:
    return re.findall(r'class="err">([^<]+)<', page)


def test_the_whole_way_through_the_mini_program(screen, world):
    assert "请输入图中" in screen.look() and "优" in screen.look()
    page = screen.vote("000")
    assert "没对上" in errors(page)[0] and 'value="良" required checked' in page   # the choice stays, the captcha is new
    page = screen.vote()
    code = re.search(r'class="code">([0-9A-Z]{4}-[0-9A-Z]{4})<', page)[1]
    assert "投票成功" in page and "良" not in page and "参加抽奖" in page

    page = screen.press("enter", **(ENTRY | {"phone": "1380000", "age_band": "18+"}))
    assert errors(page) and 'value="1380000"' in page   # what was typed stays
    page = screen.press("enter", **ENTRY)
    assert "收好啦" in page and "您有1个签号" in page

    assert "想给您发一次这样的消息" in screen.look(f"/mini/c/{SLUG}?ask=1")
    page = screen.press("notify", answer="accept", template_id="SIM-NOTICE-DRAW")
    assert "中了奖就告诉您" in page and "发到您的“服务通知”" in page
    assert "有1个签号" in screen.look("/mini/mine") and code in screen.look("/mini/mine")
    assert screen.session.post(f"{world.simulated}/mini/c/{SLUG}/shot", timeout=20).url.endswith("note=shot")


def test_the_next_day_is_one_tap(screen, world):
    screen.vote()
    screen.press("enter", **ENTRY)
    world.at(NOON.replace(hour=0) + timedelta(days=1))
    world.sim("advance-clock")   # looks at the product's clock
    assert "一键参加抽奖" in screen.vote()
    assert "您有2个签号" in screen.press("enter")


def test_another_captcha_keeps_the_choice(screen):
    def captcha(page):
        return re.search(r'name="captcha_id" value="([^"]+)"', page)[1]

    before = captcha(screen.look())
    assert captcha(screen.look()) == before   # looking again is no new captcha
    page = screen.vote(again="1")
    assert captcha(page) != before and 'value="良" required checked' in page
    assert "色的数字" in page
    other = screen.vote(other="1")
    assert captcha(other) != captcha(page) and "色的数字" not in other and 'value="良" required checked' in other
    assert "色的数字" in screen.vote(other="1")


def test_refusing_notices_is_no_obstacle(screen):
    screen.vote(), screen.press("enter", **ENTRY)
    page = screen.press("notify", answer="reject", template_id="SIM-NOTICE-DRAW")
    assert "没关系" in page and "中奖时提醒我" in page


def test_a_token_that_is_no_longer_taken_is_renewed_silently(screen, world):
    screen.look()
    with world.app.app_context():
        look_again(db.session.scalars(text("SELECT token_hash FROM voter_token")), NOON)
        db.session.execute(text("UPDATE voter_token SET expires_at = '2000-01-01 00:00:00'"))
        db.session.commit()
    seen = len(world.http.get(world.simulated + "/_sim/log", params={"path": "/sns/jscode2session"}, timeout=20).json()["requests"])
    assert "请输入图中" in screen.look()
    again = world.http.get(world.simulated + "/_sim/log", params={"path": "/sns/jscode2session"}, timeout=20).json()["requests"]
    assert len(again) == seen + 1


def test_what_the_product_refuses_is_said_in_its_words(screen, world):
    world.sim("fail-next", path="/sns/jscode2session", http=502, times=3)
    page = screen.look()
    assert errors(page) and "再试一次" in page
    screen.vote()
    world.at(NOON.replace(day=8, hour=9))
    world.sim("advance-clock")
    assert "投票已经截止" in screen.look()


def test_who_is_blocked_gets_a_sentence(screen, world):
    world.sim("person", person="amei", risk=4)
    assert errors(screen.look())


def test_each_person_has_a_mini_program_of_ones_own(screen, world):
    screen.vote()
    assert "投票成功" not in Screen(world, "laochen").look()
    assert "有1" not in Screen(world, "laochen").look("/mini/mine")
