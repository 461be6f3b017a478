"""One person, three doors: mini program, web login, a message to the account. However she comes, she has one vote a day."""

from __future__ import annotations

import html
import itertools
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from tests.factories import NOON, make_campaign
from tests.journeys.conftest import ANSWER, World
from wxbackend.accounts.models import Person, PersonMerge
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.tickets import service as tickets

SLUG = "futian-2021-reform"


def open_campaign(world: World, **changes) -> None:
    world.at(NOON)
    with world.app.app_context():
        make_campaign(**changes)
        make_campaign(slug="futian-2022-other", title="别的活动", content={"keyword": "别的"})   # noise
        db.session.remove()


def by_mini_program(world: World, person: dict) -> tuple[int, str]:
    """(status, receipt code) of a vote in the mini program."""
    answer = world.mini(person).vote(SLUG, "优")
    return answer.status_code, answer.json().get("receipt_code", "")


def by_web_login(world: World, person: dict) -> tuple[int, str]:
    return on_the_page(world, world.phone(person), f"{world.url}/c/{SLUG}?s=article")


def by_message(world: World, person: dict, word: str = "投票") -> tuple[int, str]:
    """Keyword in the chat, link in the reply, 开始."""
    world.sim("send", person=person["id"], text=word)
    link = re.search(r'href="([^"]+/e/[^"]+)"', world.heard(person)[-1])[1]
    phone = world.phone(person)
    door = phone.get(link, timeout=20)
    assert door.ok and "开始" in door.text, door.text[:300]
    came = phone.post(link, data=hidden(door.text), timeout=20)
    return on_the_page(world, phone, came.url)


def on_the_page(world: World, phone: requests.Session, url: str) -> tuple[int, str]:
    page = phone.get(url, timeout=20)
    if "captcha_id" in page.text:
        page = phone.post(f"{world.url}/c/{SLUG}", data=hidden(page.text) | {"grade": "良", "captcha_answer": ANSWER}, timeout=20)
    code = re.search(r"([0-9A-Z]{4}-[0-9A-Z]{4})<", page.text)
    return (201 if "/receipts/" in page.url else 409 if "今天已经投过" in page.text else page.status_code), code[1] if code else ""


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


DOORS = {"mini program": by_mini_program, "web login": by_web_login, "message": by_message}


def consent(page: str) -> str:
    """Where 允许 leads on WeChat's own page."""
    return re.search(r'href="(/connect/oauth2/agree/[^"]+)"', page)[1]


def standing(world: World) -> tuple[int, int]:
    """(live, void) ballots; the tally agrees with a recount."""
    with world.app.app_context():
        rows = list(db.session.query(Ballot.void_no))
        assert ballots.recount(campaigns.by_slug(SLUG)) == []
        db.session.remove()
    return sum(r.void_no == 0 for r in rows), sum(r.void_no > 0 for r in rows)


@pytest.mark.parametrize("order", list(itertools.permutations(DOORS)), ids=" then ".join)
def test_one_person_by_all_three_doors_on_one_day_has_one_vote(small_world: World, order):
    world = small_world
    open_campaign(world)
    amei, chen = world.person("阿美"), world.person("老陈")
    by_mini_program(world, chen)
    status, first = DOORS[order[0]](world, amei)
    assert status == 201
    for name in order[1:]:
        assert DOORS[name](world, amei) == (409, first), name
    world.work()
    assert standing(world) == (2, 0)
    with world.app.app_context():
        assert db.session.query(Person).filter_by(merged_into_id=None).count() == 2


def test_the_same_on_every_engine_and_the_next_day(world: World):
    """She takes part by the mini program; found out to be one, she has her receipts and tickets behind every door."""
    open_campaign(world)
    amei = world.person("阿美")
    world.phone(amei).get(f"{world.url}/c/{SLUG}/rules", timeout=20)
    status, first = by_mini_program(world, amei)
    mini = world.mini(amei)
    entry = {"name": "张三", "phone": "13800000000", "age_band": "18+", "consents": ["draw"]}
    assert status == 201 and mini("POST", f"/campaigns/{SLUG}/entries", json=entry).status_code == 201
    world.at(NOON + timedelta(minutes=5))
    assert by_message(world, amei) == (409, first) and by_web_login(world, amei) == (409, first)
    world.at(NOON + timedelta(days=1))
    assert by_message(world, amei)[0] == 201 and by_mini_program(world, amei)[0] == 409
    with world.app.app_context():
        merged = db.session.query(PersonMerge).one()
        person = db.session.query(Person).filter_by(merged_into_id=None).one()
        assert merged.kept_id == person.id and len(tickets.of(campaigns.by_slug(SLUG), person.id)) == 1
        assert "优" not in str(merged.facts) and "良" not in str(merged.facts)
    assert standing(world) == (2, 0)


def test_who_does_not_follow_is_asked_once_and_has_one_vote_all_the_same(small_world: World):
    """Silent login tells no unionid and the account knows followers alone: one tap, before the first vote."""
    world = small_world
    open_campaign(world)
    fang = world.person("阿芳", follows=False)
    phone = world.phone(fang)
    page = phone.get(f"{world.url}/c/{SLUG}?s=article", timeout=20)
    assert page.status_code == 403 and "确认是我" in page.text
    asked = phone.get(world.url + html.unescape(re.search(r'href="(/login/h5[^"]+)"', page.text)[1]), timeout=20)
    allowed = phone.get(requests.compat.urljoin(asked.url, consent(asked.text)), timeout=20)
    assert on_the_page(world, phone, allowed.url)[0] == 201
    assert by_mini_program(world, fang)[0] == 409
    assert standing(world) == (1, 0)


def test_late_binding_merges_what_was_two(make_world):
    """Two people to us while the apps were not bound; from the day they are, one, with her receipts behind both doors."""
    world = make_world("", apps_bound=False)
    world.sim("config", apps_bound=False)
    open_campaign(world)
    amei = world.person("阿美")
    status, first = by_web_login(world, amei)
    assert status == 201 and world.mini(amei)("GET", "/me/receipts").json() == []
    world.app.extensions["settings"] = replace(world.app.extensions["settings"], apps_bound=True)
    world.sim("config", apps_bound=True)
    world.at(NOON + timedelta(days=1))
    mini = world.mini(amei)
    assert by_message(world, amei)[0] == 201
    world.work()
    assert [r["receipt_code"] for r in mini("GET", "/me/receipts").json()][-1] == first
    with world.app.app_context():
        assert db.session.query(PersonMerge).count() == 1
    assert standing(world) == (2, 0)


def test_where_the_apps_are_not_bound_one_door_is_open(make_world):
    world = make_world("", apps_bound=False)
    world.sim("config", apps_bound=False)
    open_campaign(world)
    amei = world.person("阿美")
    refused = world.mini(amei)("POST", f"/campaigns/{SLUG}/ballots", json={"grade": "优", "captcha_id": "x", "captcha_answer": "x"})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/wrong-door") and "公众号" in refused.json()["title"]
    assert by_message(world, amei)[0] == 201
    assert by_web_login(world, amei)[0] == 409
    assert standing(world) == (1, 0)


def test_a_subscription_account_has_the_message_door_alone(make_world):
    """订阅号: no web login; the campaign's page shows the account's code and what to send, and what is sent there brings the link."""
    world = make_world("", account_kind="subscription", account_qr="http://weixin.qq.com/r/simulated-account")
    world.sim("config", account_kind="subscription")
    open_campaign(world)
    amei = world.person("阿美")
    page = world.phone(amei).get(f"{world.url}/c/{SLUG}?s=article", timeout=20)
    word = re.search(r'<b class="code">([^<]+)</b>', page.text)[1]
    assert page.status_code == 401 and re.search("[0-9]$", word) and 'class="qr"' in page.text
    assert by_message(world, amei, word)[0] == 201 and standing(world) == (1, 0)
    with world.app.app_context():
        assert [(b.door, b.source_code) for b in db.session.query(Ballot)] == [("link", "article")]


def test_the_channel_behind_the_keyword_is_counted(small_world: World):
    world = small_world
    open_campaign(world)
    amei = world.person("阿美")
    with world.app.app_context():
        keyword = campaigns.by_slug(SLUG).content["keyword"]
    world.sim("send", person=amei["id"], text=f"{keyword}-article")
    link = re.search(r'href="([^"]+/e/[^"]+)"', world.heard(amei)[-1])[1]
    phone = world.phone(amei)
    came = phone.post(link, data=hidden(phone.get(link, timeout=20).text), timeout=20)
    assert on_the_page(world, phone, came.url)[0] == 201
    with world.app.app_context():
        assert [b.source_code for b in db.session.query(Ballot)] == ["article"]


def test_who_follows_or_taps_the_menu_gets_the_link(small_world: World):
    world = small_world
    open_campaign(world)
    amei = world.person("阿美", follows=False)
    world.sim("follow", person=amei["id"])
    assert "/e/" in world.heard(amei)[-1]
    world.sim("click", person=amei["id"], key="vote")
    assert "/e/" in world.heard(amei)[-1]
    world.sim("scan", person=amei["id"], scene=f"{SLUG}.article")
    assert "/e/" in world.heard(amei)[-1]


def test_a_preview_is_explained_and_leads_back(small_world: World):
    world = small_world
    open_campaign(world)
    zhou = world.person("小周", snapshot=True)
    page = world.phone(zhou).get(f"{world.url}/c/{SLUG}?s=article", timeout=20)
    assert page.status_code == 403 and "预览" in page.text and "完整服务" in page.text
