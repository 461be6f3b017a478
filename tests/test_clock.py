"""Days and deadlines belong to the campaign's zone, whatever zone the server's machine is set to."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from tests.factories import SHANGHAI, cast, make_campaign, make_voter
from wxbackend import clock
from wxbackend.ballots import service as ballots
from wxbackend.campaigns.rules import Phase, day_number, is_open, phase
from wxbackend.extensions import db

ZONES = ("UTC", "Asia/Shanghai", "America/New_York")
OPENS = datetime(2022, 1, 4, 10, tzinfo=SHANGHAI)
CLOSES = datetime(2022, 1, 8, 9, tzinfo=SHANGHAI)
# Shenzhen time · the day it belongs to, None where the vote is closed. 08:00 there is midnight in UTC.
INSTANTS = [
    ("2022-01-06T23:59:59", 0, date(2022, 1, 6)),
    ("2022-01-06T23:59:59", 900_000, date(2022, 1, 6)),
    ("2022-01-07T00:00:00", 0, date(2022, 1, 7)),
    ("2022-01-07T00:00:00", 1, date(2022, 1, 7)),
    ("2022-01-07T07:59:59", 999_999, date(2022, 1, 7)),
    ("2022-01-07T08:00:00", 0, date(2022, 1, 7)),
    ("2022-01-07T08:01:00", 0, date(2022, 1, 7)),
    ("2022-01-08T00:00:00", 0, date(2022, 1, 8)),
    ("2022-01-08T07:59:59", 999_999, date(2022, 1, 8)),
    ("2022-01-08T08:59:59", 999_000, date(2022, 1, 8)),
    ("2022-01-08T09:00:00", 0, None),
    ("2022-01-08T09:00:00", 1, None),
]


def instant(said: str, microsecond: int) -> datetime:
    """As the server has it: aware UTC."""
    return datetime.fromisoformat(said).replace(microsecond=microsecond, tzinfo=SHANGHAI).astimezone(UTC)


@pytest.fixture(params=ZONES)
def machine_zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_the_machines_zone_really_moves(machine_zone):
    assert datetime.fromtimestamp(0).astimezone().utcoffset() == datetime.fromtimestamp(0, ZoneInfo(machine_zone)).utcoffset()
    assert os.environ["TZ"] == machine_zone


@pytest.mark.parametrize(("said", "microsecond", "day"), INSTANTS)
def test_twelve_instants_as_rules(machine_zone, said, microsecond, day):
    at = instant(said, microsecond)
    assert is_open(OPENS, CLOSES, at) == (day is not None)
    assert clock.local_day(at, "Asia/Shanghai") == (day or date(2022, 1, 8))
    assert phase(OPENS, CLOSES, CLOSES + timedelta(days=1), None, CLOSES + timedelta(days=3), at) is (Phase.OPEN if day else Phase.EVIDENCE)


def test_twelve_instants_through_a_real_vote(machine_zone, app):
    """One person a moment: what the ballot box kept is the day of Shenzhen, and nothing after closing."""
    campaign = make_campaign()
    assert (campaign.opens_at, campaign.closes_at) == (OPENS, CLOSES)
    for n, (said, microsecond, day) in enumerate(INSTANTS):
        voter, at = make_voter(f"市民{n}"), instant(said, microsecond)
        if day is None:
            with pytest.raises(ballots.CampaignClosed):
                cast(campaign, voter, at=at)
        else:
            cast(campaign, voter, at=at)
            db.session.expire_all()
            assert [r.day for r in ballots.receipts_of(campaign, voter.person_id)] == [day]
            assert ballots.receipts_of(campaign, voter.person_id)[0].cast_at == at


def test_one_person_votes_once_in_the_whole_of_a_shenzhen_day(machine_zone, any_app):
    """07:59 and 08:01 are one day though UTC turns between them; 23:59:59.9 and 00:00 are two."""
    campaign, amei = make_campaign(), make_voter("阿美")
    for said, is_another_day in (("2022-01-06T00:00:00", True), ("2022-01-06T07:59:59", False), ("2022-01-06T08:00:00", False),
                                 ("2022-01-06T23:59:59", False), ("2022-01-07T00:00:00", True), ("2022-01-08T08:59:59", True)):
        if is_another_day:
            assert cast(campaign, amei, at=instant(said, 0)).is_new
        else:
            with pytest.raises(ballots.AlreadyVoted):
                cast(campaign, amei, at=instant(said, 900_000))
    assert [r.day_number for r in ballots.receipts_of(campaign, amei.person_id)] == [5, 4, 3]


def test_a_campaign_elsewhere_counts_its_own_days(app):
    campaign = make_campaign(zone="America/New_York")
    assert campaign.day(instant("2022-01-07T08:00:00", 0)) == date(2022, 1, 6)


def test_the_first_day_is_day_one():
    assert [day_number(date(2022, 1, 4), date(2022, 1, day)) for day in (4, 5, 8)] == [1, 2, 5]


@pytest.mark.parametrize(("at", "said"), [
    (datetime(2022, 1, 8, 1, tzinfo=UTC), "1月8日（周六）09:00"),
    (datetime(2022, 1, 8, 9, tzinfo=SHANGHAI), "1月8日（周六）09:00"),
    (datetime(2022, 1, 6, 16, tzinfo=UTC), "1月7日（周五）0点"),
    (datetime(2022, 1, 7, 0, 1, tzinfo=SHANGHAI), "1月7日（周五）00:01"),
    (datetime(2022, 12, 31, 23, 59, tzinfo=SHANGHAI), "12月31日（周六）23:59"),
])
def test_every_deadline_is_said_with_its_weekday(machine_zone, at, said):
    assert clock.say_time(at) == said


def test_the_clock_is_aware_and_moves_for_everybody(app, machine_zone):
    before = clock.now()
    assert before.tzinfo is not None and abs(before - datetime.now(UTC)) < timedelta(seconds=5)
    target = CLOSES - timedelta(minutes=1)
    clock.move_to(target)
    db.session.commit()
    assert timedelta() <= clock.now() - target < timedelta(seconds=5)
    app.extensions["clock"].forget()   # another process looks it up in SQL
    assert timedelta() <= clock.now() - target < timedelta(seconds=5)


def test_production_has_one_time(make_app):
    app = make_app(environment="production", public_url="https://vote.example", accept_embedded_redis=True)
    with app.app_context():
        db.session.add(clock.ClockOffset(id=1, offset_ms=86_400_000))   # somebody copied a demo's database
        db.session.commit()
        with pytest.raises(PermissionError):
            clock.move_to(CLOSES)
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_an_instant_without_a_zone_is_refused_rather_than_guessed(app):
    with pytest.raises(Exception, match="must know its zone"):
        make_voter("阿美").identity.first_seen_at = datetime(2022, 1, 8, 9)
        db.session.flush()
    db.session.rollback()


def test_the_moved_clock_is_read_while_the_caller_writes(app):
    """On SQLite her transaction holds the write lock: the clock must not wait for it, nor fall back to the wall."""
    moved = clock.move_to(datetime.now(UTC) + timedelta(days=3))
    db.session.commit()
    db.session.execute(text("SELECT 1"))   # a writing request's first look opens BEGIN IMMEDIATE
    app.extensions["clock"].forget()
    began = time.monotonic()
    assert clock.now() - moved < timedelta(seconds=5) and time.monotonic() - began < 2


def test_a_clock_that_cannot_be_read_keeps_its_offset(app):
    clock.move_to(datetime.now(UTC) + timedelta(days=3))
    db.session.commit()
    before = clock.now()
    db.session.execute(text("ALTER TABLE clock_offset RENAME TO elsewhere"))
    db.session.commit()
    app.extensions["clock"].forget()
    assert timedelta() <= clock.now() - before < timedelta(seconds=5)
