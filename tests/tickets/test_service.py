"""Chances: one for each person, day and activity; none any more once the list is frozen, whatever comes at the same moment."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.factories import NOON, cast, enter, make_campaign, make_voter
from wxbackend.campaigns import service as campaigns
from wxbackend.draws import freeze as freezing
from wxbackend.draws.models import DrawLine
from wxbackend.extensions import db
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket

DAY = NOON.date()


@pytest.fixture
def campaign(any_app):
    make_campaign(slug="futian-2022-other")   # noise
    return make_campaign()


@pytest.fixture
def amei(any_app):
    return make_voter("阿美")


def grant(campaign, voter, day=DAY, at=NOON, **kwargs):
    return tickets.grant(campaign, voter.person_id, day, "vote", at, **kwargs)


def test_the_same_evidence_again_is_the_same_ticket(campaign, amei):
    first, again = grant(campaign, amei), grant(campaign, amei, at=NOON + timedelta(hours=1))
    assert first.id == again.id and db.session.query(Ticket).count() == 1
    assert again.granted_at == NOON


def test_each_day_each_activity_each_person_each_campaign_has_its_own(campaign, amei):
    chen, other = make_voter("老陈"), campaigns.by_slug("futian-2022-other")
    grant(campaign, amei)
    grant(campaign, amei, DAY + timedelta(days=1))
    tickets.grant(campaign, amei.person_id, DAY, "quiz", NOON)
    grant(campaign, amei, n=2)
    grant(campaign, chen)
    grant(other, amei)
    assert [len(tickets.of(campaign, v.person_id)) for v in (amei, chen)] == [4, 1]
    assert len(tickets.live(campaign)) == 5 and len(tickets.live(other)) == 1
    assert len({t.ticket_id for t in tickets.live(campaign)}) == 5


def test_a_ticket_says_nothing_of_its_person_and_can_be_recomputed(campaign, amei):
    ticket = grant(campaign, amei)
    assert ticket.ticket_id == tickets.ticket_id(campaign.ticket_key, amei.person_key, DAY, "vote", 1)
    other = grant(campaigns.by_slug("futian-2022-other"), amei)
    assert ticket.ticket_id != other.ticket_id   # another campaign, another key
    assert tickets.person_tag(campaign.ticket_key, amei.person_key) != tickets.person_tag(other_key(), amei.person_key)


def other_key() -> bytes:
    return campaigns.by_slug("futian-2022-other").ticket_key


def test_a_ticket_by_the_protocols_words():
    """wxdraw/1, part 1: first 16 hex of HMAC-SHA256(k, "ticket|person|day|activity|n")."""
    said = hmac.new(b"k" * 32, b"ticket|p1|2022-01-06|vote|1", hashlib.sha256).hexdigest()[:16]
    assert tickets.ticket_id(b"k" * 32, "p1", DAY, "vote", 1) == said


def test_a_revoked_ticket_counts_no_more_and_comes_back_with_new_evidence(campaign, amei):
    ticket = grant(campaign, amei)
    tickets.revoke(ticket, "本人退出", NOON)
    assert tickets.of(campaign, amei.person_id) == tickets.live(campaign) == []
    assert (ticket.revoked_at, ticket.revoked_why) == (NOON, "本人退出")
    assert grant(campaign, amei).id == ticket.id and tickets.live(campaign) == [ticket]


def test_the_freezing_instant_is_too_late(campaign, amei):
    ticket = grant(campaign, amei, at=campaign.freeze_at - timedelta(microseconds=1))
    for too_late in (lambda: grant(campaign, make_voter("老陈"), at=campaign.freeze_at),
                     lambda: tickets.revoke(ticket, "why", campaign.freeze_at)):
        with pytest.raises(tickets.AlreadyFrozen):
            too_late()


def test_after_the_freeze_service_and_trigger_refuse(campaign, amei):
    cast(campaign, amei)
    enter(campaign, amei)
    ticket = grant(campaign, amei)
    other = grant(campaigns.by_slug("futian-2022-other"), amei)
    db.session.commit()
    freezing.freeze(campaign, campaign.freeze_at)
    db.session.commit()
    with pytest.raises(tickets.AlreadyFrozen):   # even with a clock that lies
        grant(campaign, make_voter("老陈"), at=NOON)
    for statement in ("UPDATE ticket SET revoked_why = 'x' WHERE id = :id", "DELETE FROM ticket WHERE id = :id",
                      "INSERT INTO ticket (campaign_id, person_id, ticket_id, day, activity, n, granted_at) "
                      "SELECT campaign_id, person_id, 'x', day, activity, 9, granted_at FROM ticket WHERE id = :id"):
        with pytest.raises(DBAPIError, match="is frozen"):
            db.session.execute(text(statement), {"id": ticket.id})
        db.session.rollback()
    tickets.revoke(other, "another campaign goes on", NOON)


def run_at_once(app, *deeds) -> list[object]:
    """Each deed in a thread and transaction of its own; what it returned or raised, in order."""
    outcomes: list[object] = [None] * len(deeds)
    gate = threading.Barrier(len(deeds))

    def do(n: int) -> None:
        with app.app_context():
            gate.wait()
            try:
                outcomes[n] = deeds[n]()
                db.session.commit()
            except Exception as e:
                db.session.rollback()
                outcomes[n] = e
            db.session.remove()

    threads = [threading.Thread(target=do, args=(n,)) for n in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_eight_grants_at_once_are_one_ticket(make_app, server_url):
    app = make_app(database_url=server_url)
    with app.app_context():
        slug, person_id = make_campaign().slug, make_voter("阿美").person_id
        db.session.remove()
    ids = run_at_once(app, *[lambda: tickets.grant(campaigns.by_slug(slug), person_id, DAY, "vote", NOON).id] * 8)
    assert len(set(ids)) == 1 and isinstance(ids[0], int), ids
    with app.app_context():
        assert db.session.query(Ticket).count() == 1


class Eve(NamedTuple):
    """A campaign with one entrant, its list about to be frozen, in plain values: each thread loads rows of its own."""

    app: Flask
    slug: str
    person_id: int
    freeze_at: datetime


@pytest.fixture
def eve(make_app, server_url) -> Eve:
    app = make_app(database_url=server_url)
    with app.app_context():
        campaign, amei = make_campaign(), make_voter("阿美")
        enter(campaign, amei)
        found = Eve(app, campaign.slug, amei.person_id, campaign.freeze_at)
        db.session.remove()
    return found


def test_a_freeze_waits_for_the_grant_under_way_and_takes_it_in(eve):
    app, slug, person_id, freeze_at = eve
    granted, seen = threading.Event(), []

    def slow_grant() -> None:
        tickets.grant(campaigns.by_slug(slug), person_id, DAY, "vote", freeze_at - timedelta(seconds=1))
        granted.set()
        time.sleep(0.4)
        seen.append("grant commits")

    def freeze_meanwhile() -> None:
        granted.wait(5)
        freezing.freeze(campaigns.by_slug(slug), freeze_at)
        seen.append("freeze commits")

    outcomes = run_at_once(app, slow_grant, freeze_meanwhile)
    assert (outcomes, seen) == ([None, None], ["grant commits", "freeze commits"])
    with app.app_context():
        assert db.session.query(DrawLine).count() == db.session.query(Ticket).count() == 1


def test_whoever_grants_behind_the_freeze_is_refused(eve):
    """With a clock just before the freeze, and the freeze already writing: nothing slips in behind the list."""
    app, slug, person_id, freeze_at = eve
    frozen = threading.Event()

    def slow_freeze() -> None:
        freezing.freeze(campaigns.by_slug(slug), freeze_at)
        frozen.set()
        time.sleep(0.3)

    def late_grant() -> None:
        frozen.wait(5)
        tickets.grant(campaigns.by_slug(slug), person_id, DAY, "vote", freeze_at - timedelta(seconds=1))

    outcomes = run_at_once(app, slow_freeze, late_grant)
    assert outcomes[0] is None and isinstance(outcomes[1], tickets.AlreadyFrozen), outcomes
    with app.app_context():
        assert db.session.query(Ticket).count() == db.session.query(DrawLine).count() == 0
