"""The demo's clock, its people and what it forgets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON, cast, enter, make_campaign, make_staff, make_voter
from wxbackend import clock
from wxbackend.campaigns.models import Campaign
from wxbackend.demo import seed
from wxbackend.demo.people import crowd
from wxbackend.draws import service as draws
from wxbackend.draws.models import Award
from wxbackend.draws.tasks import forget_when_over
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets


@pytest.fixture
def running(app):
    """A campaign whose days are now, on the clock that the demo moves."""
    start = clock.now()
    window = {"opens_at": start - timedelta(days=4), "closes_at": start + timedelta(days=2), "evidence_until": start + timedelta(days=3),
              "freeze_at": start + timedelta(days=5)}
    said = {name: instant.isoformat() for name, instant in window.items()}
    hosted, _ = make_campaign(window=said), make_campaign("external", window=said)
    return hosted


def test_the_clock_goes_to_midnight_to_the_close_and_past_the_freeze(app, client, running):
    for where, instant in (("tomorrow", None), ("before-close", running.closes_at - timedelta(minutes=1))):
        answer = client.post("/demo/clock", json={"to": where})
        assert answer.status_code == 200 and answer.json["campaigns"][0]["mode"] == "hosted"
        assert abs(clock.now() - (instant or clock.now())) < timedelta(seconds=5)
    assert client.post("/demo/clock", json={"to": "draw"}).status_code == 200
    campaign = db.session.get_one(Campaign, running.id)
    db.session.refresh(campaign)
    assert timedelta() <= campaign.frozen_at - campaign.freeze_at < timedelta(seconds=5), "sealed at its hour, not when the clock arrived"


def test_the_clock_does_not_go_back(app, client, running):
    client.post("/demo/clock", json={"to": "draw"})
    back = client.post("/demo/clock", json={"to": "before-close"})
    assert back.status_code == 409 and "往前" in back.get_data(as_text=True)


def test_the_clock_is_moved_from_this_machine_only_and_never_in_production(app, client, make_app):
    assert client.post("/demo/clock", data={"to": "tomorrow"}).status_code == 400
    assert client.get("/demo/clock", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 404
    https = dict.fromkeys(("public_url", "wechat_api_root", "wechat_open_root", "wechat_mp_root"), "https://wechat.example")
    production = make_app(environment="production", redis_url="redis://127.0.0.1:6379/0", **https)
    assert production.test_client().get("/demo/clock").status_code == 404
    with production.app_context(), pytest.raises(PermissionError):
        clock.move_to(NOON)


def test_the_crowd_is_the_same_every_time_and_its_phones_are_invented(app):
    import random
    one, two = (crowd(50, random.Random(seed.SEED)) for _ in range(2))
    assert one == two and all(c.phone.startswith("1380000") and len(c.phone) == 11 for c in one)


def test_the_filled_demo_has_ballots_of_every_day_and_a_queue(app, monkeypatch):
    monkeypatch.setattr(seed, "VOTERS", 40)
    lines: list[str] = []
    campaign = seed.fill(clock.now(), lines.append)
    assert len(lines) == 7 and submissions.queue(campaign)
    assert campaign.rules.published_at < campaign.opens_at
    assert len({t.day for t in tickets.live(campaign)}) >= 4


def test_whoever_did_not_win_is_forgotten_and_winners_stay(app, at):
    campaign = make_campaign(prizes=[{"tier": "box", "name": "盲盒", "count": 1}], boxes=None, alternates=0)
    people = [make_voter(name) for name in ("阿美", "老陈", "路人")]
    for n, voter in enumerate(people):
        cast(campaign, voter)
        enter(campaign, voter, "张三", f"1380000000{n}")
        submissions.tap(campaign, voter.person_id, None, NOON)
    draw = draws.freeze(campaign, campaign.freeze_at)
    numbers = [{"source": "ssq", "issue": "2022005", "groups": [[1, 2, 3, 4, 5, 6], [7]]}]
    for username in ("xiaoli", "xiaozhou"):
        draws.enter_numbers(draw, make_staff(username), numbers, "https://example.org", campaign.freeze_at + timedelta(hours=4))
    forget_when_over({"campaign": campaign.slug}, campaign.freeze_at + timedelta(days=39))
    winner = db.session.scalars(db.select(Award.person_id)).one()
    assert set(submissions.entrants(campaign)) == {winner}


def test_a_picture_of_yesterdays_receipt_left_undecided_counts_at_the_freeze(app):
    from tests.journeys.test_api import plain_picture
    campaign, amei = make_campaign(), make_voter()
    yesterday = cast(campaign, amei, at=NOON).receipt
    form = submissions.EntryForm("张三", "13800000000")
    sent = submissions.receive_upload(campaign, amei, plain_picture(), form, NOON + timedelta(days=1))
    assert sent.state == "pending"
    draw = draws.freeze(campaign, campaign.freeze_at)
    assert draw.tickets == 1 and [t.day for t in tickets.live(campaign)] == [yesterday.day]
