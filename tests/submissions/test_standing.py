"""What became of a day's vote, in one look."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.factories import NOON, cast, enter, make_campaign, make_voter
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.submissions import standing
from wxbackend.submissions.models import Submission
from wxbackend.submissions.standing import Standing
from wxbackend.tickets import service as tickets

DAY, NEXT = date(2022, 1, 6), date(2022, 1, 7)
NOTHING = Standing(None, False, False)


@pytest.fixture
def campaign(any_app):
    other, stranger = make_campaign(slug="futian-2022-other"), make_voter("路人")
    campaign = make_campaign()
    for one in (other, campaign):   # noise: somebody else here, the same person there
        cast(one, stranger)
        enter(one, stranger, "李四", "13900000000")
        submissions.tap(one, stranger.person_id, DAY, NOON)
    enter(other, make_voter(), "张三")
    db.session.commit()
    return campaign


@pytest.fixture
def amei(campaign):
    return make_voter().person_id


def sent(campaign, person_id, day, state="pending", evidence_at=NOON):
    db.session.add(Submission(campaign_id=campaign.id, person_id=person_id, channel="chat", state=state, day=day, evidence_at=evidence_at,
                              arrived_at=evidence_at, source_key=f"chat:{person_id}:{day}:{state}:{evidence_at.isoformat()}"))
    db.session.flush()


def test_a_vote_alone_is_nothing_yet(campaign, amei):
    cast(campaign, make_voter())
    assert standing.of_day(campaign, amei, DAY) == NOTHING


def test_entered_and_tapped_it_has_its_days_ticket(campaign, amei):
    cast(campaign, make_voter())
    enter(campaign, make_voter())
    assert standing.of_day(campaign, amei, DAY) == Standing(None, False, True)
    submissions.tap(campaign, amei, DAY, NOON)
    ticket = tickets.of(campaign, amei)[0]
    assert standing.of_day(campaign, amei, DAY) == Standing(ticket.ticket_id, False, True)
    assert standing.of_day(campaign, amei, NEXT) == Standing(None, False, True)
    tickets.revoke(ticket, "test", NOON)
    assert standing.of_day(campaign, amei, DAY).ticket_id is None


@pytest.mark.parametrize("state, waits", [("pending", True), ("arriving", True), ("waiting", False), ("rejected", False),
                                          ("dropped", False)])
def test_a_picture_that_waits_to_be_looked_at(campaign, amei, state, waits):
    sent(campaign, amei, DAY, state)
    assert standing.of_day(campaign, amei, DAY) == Standing(None, waits, False)
    assert standing.of_day(campaign, amei, NEXT) == NOTHING


@pytest.mark.parametrize("hours, of_this_day", [(-12, True), (-12.01, False), (11.99, True), (12, False)])
def test_a_picture_without_a_day_is_of_the_local_day_it_came(campaign, amei, hours, of_this_day):
    sent(campaign, amei, None, evidence_at=NOON + timedelta(hours=hours))
    assert standing.of_day(campaign, amei, DAY).is_sent is of_this_day


def test_whoever_withdrew_has_not_entered(campaign, amei):
    enter(campaign, make_voter())
    submissions.withdraw(campaign, amei, NOON)
    assert standing.of_day(campaign, amei, DAY).has_entered is False
