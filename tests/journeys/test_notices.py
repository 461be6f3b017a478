"""Telling a result by each channel, against a WeChat as strict as the real one: windows, credits, followers, and its reports afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulator.settings import Config
from tests import factories
from tests.factories import NOON
from wxbackend.accounts import service as accounts
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db, settings
from wxbackend.notices import service as notices
from wxbackend.notices.models import Notice, NoticeAttempt, NoticeCredit

SLUG = "futian-2021-reform"
FACTS = {"title": "2021年福田区改革项目网络评议", "result": "中奖", "prize": "青年文化盲盒", "at": "2022年1月11日 21:30",
         "tip": "点开看怎么领"}
CONFIG = Config()


@pytest.fixture
def world(make_world):
    mini = {name: getattr(CONFIG, name) for name in ("miniprogram_token", "miniprogram_aes_key", "notice_template", "account_template")}
    world = make_world("", **mini)
    world.at(NOON)
    with world.app.app_context():
        factories.make_campaign()
        db.session.remove()
    return world


def tell(world, person, app: str = "account") -> None:
    with world.app.app_context():
        appid = settings.account_appid if app == "account" else settings.miniprogram_appid
        identity = accounts.find_identity(appid, person["openids"][appid])
        notices.tell(identity.person_id, "result", "您中奖了，恭喜！", world.now(), data=FACTS, url=f"{world.url}/c/{SLUG}/mine",
                     campaign=campaigns.by_slug(SLUG))
        db.session.commit()
        db.session.remove()
    world.work()
    world.sim("settle")
    world.work()


def fates(world) -> tuple[list[str], list[tuple[str, str, int | None, str, str]]]:
    with world.app.app_context():
        turns = [(a.channel, a.state, a.errcode, a.why, a.outcome) for a in db.session.query(NoticeAttempt).order_by(NoticeAttempt.id)]
        states = [n.state for n in db.session.query(Notice).order_by(Notice.id)]
        db.session.remove()
    return states, turns


def outbox(world, person):
    return world.http.get(f"{world.simulated}/_sim/outbox", params={"person": person["id"]}, timeout=20).json()


def test_within_48_hours_the_chat_carries_it(world):
    amei = world.person("阿美")
    world.sim("send", person=amei["id"], text="你好")
    tell(world, amei)
    assert fates(world) == (["sent"], [("customer", "sent", None, "", "")])
    assert [m["text"] for m in outbox(world, amei)["messages"] if m["via"] == "customer"] == ["您中奖了，恭喜！"]


def test_a_week_later_a_follower_gets_the_template_and_its_end_is_known(world):
    amei = world.person("阿美")
    world.sim("send", person=amei["id"], text="你好")
    world.at(NOON + timedelta(days=7))
    tell(world, amei)
    assert fates(world) == (["sent"], [("customer", "skipped", None, "closed", ""), ("template", "sent", None, "", "success")])
    letter = next(m for m in outbox(world, amei)["messages"] if m["kind"] == "template")
    assert letter["card"]["url"].endswith(f"/c/{SLUG}/mine") and len(letter["card"]["rows"][0][1]) <= 20


def test_who_blocks_templates_is_known_not_to_be_reached(world):
    amei = world.person("阿美", blocks_templates=True)
    world.sim("send", person=amei["id"], text="你好")
    world.at(NOON + timedelta(days=7))
    tell(world, amei)
    assert fates(world) == (["refused"], [("customer", "skipped", None, "closed", ""),
                                          ("template", "refused", None, "user block", "failed:user block")])


def test_what_wechat_knows_better_is_believed(world):
    """She wrote, but left before our server heard of it: the chat is closed, and a template needs a follower."""
    amei = world.person("阿美")
    world.sim("send", person=amei["id"], text="你好")
    world.sim("person", person=amei["id"], follows=False)
    with world.app.app_context():
        identity = accounts.find_identity(settings.account_appid, amei["openids"][settings.account_appid])
        notices.heard(identity, "text", NOON + timedelta(days=7))
        db.session.commit()
    world.at(NOON + timedelta(days=7))
    world.sim("send", person=world.person("路人")["id"], text="你好")   # WeChat looks at the clock again
    tell(world, amei)
    assert fates(world) == (["refused"], [("customer", "refused", 45015, "", ""), ("template", "refused", 43004, "", "")])


@pytest.mark.parametrize("told_by", ["page", "event", "both"])
def test_a_credit_collected_at_the_entry_is_spent_on_the_result(world, told_by):
    chen = world.person("老陈", follows=False)
    api = world.mini(chen)
    template_id = api("GET", f"/campaigns/{SLUG}").json()["notice_template"]
    if told_by == "page":
        world.sim("hold", on=True)   # the event comes much later
    world.sim("subscribe", person=chen["id"], template_id=template_id)
    if told_by != "event":
        body = {"campaign": SLUG, "template_id": template_id, "accepted": True}
        assert api("POST", "/me/notice-credits", json=body).status_code in (200, 201)
    if told_by != "page":
        world.sim("settle")
    with world.app.app_context():
        assert [c.state for c in db.session.query(NoticeCredit)] == ["available"]
        db.session.remove()
    world.at(NOON + timedelta(days=5))
    tell(world, chen, "miniprogram")
    assert fates(world) == (["sent"], [("subscribe", "sent", None, "", "success")])
    assert [m["kind"] for m in outbox(world, chen)["notices"]] == ["subscribe"]
    tell(world, chen, "miniprogram")   # one accept is one message
    assert fates(world)[0] == ["sent", "refused"] and len(outbox(world, chen)["notices"]) == 1


def test_a_credit_that_never_was_is_refused_by_wechat_and_counts_as_used(world):
    chen = world.person("老陈", follows=False)
    api = world.mini(chen)
    api("POST", "/me/notice-credits", json={"campaign": SLUG, "template_id": "SIM-NOTICE-DRAW", "accepted": True})
    tell(world, chen, "miniprogram")
    assert fates(world) == (["refused"], [("subscribe", "refused", 43101, "", "")])
    with world.app.app_context():
        assert [c.state for c in db.session.query(NoticeCredit)] == ["used"]


def test_an_outage_sends_nothing_twice(world):
    """WeChat is slow to death, then refuses connections, then is back: one message, or none that is known."""
    amei, chen = world.person("阿美"), world.person("老陈")
    for person in (amei, chen):
        world.sim("send", person=person["id"], text="你好")
    world.sim("fail-next", path="/cgi-bin/message/custom/send", errcode=-1, times=1)
    tell(world, amei)
    assert fates(world)[0] == ["unsure"]
    world.sim("fail-next", path="/cgi-bin/message/custom/send", errcode=45009, times=2)
    tell(world, chen)
    assert fates(world)[0] == ["unsure", "queued"]
    for hours in range(1, 6):
        world.at(NOON + timedelta(hours=hours))
        world.work()
    assert fates(world)[0] == ["unsure", "sent"]
    said = [m["text"] for person in (amei, chen) for m in outbox(world, person)["messages"] if m["via"] == "customer"]
    assert said == ["您中奖了，恭喜！"]
