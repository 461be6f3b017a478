"""Tickets follow a merge: one a day is left, the first that counts."""

from __future__ import annotations

from datetime import timedelta

from tests.accounts.conftest import HOUR, learn, log, take_part
from tests.factories import NOON, cast
from wxbackend.extensions import db
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket


def test_one_ticket_a_day_is_left_the_one_granted_first(campaign, account, mini):
    take_part(campaign, mini, NOON)
    take_part(campaign, account, NOON + HOUR)
    cast(campaign, mini, at=NOON - timedelta(days=1))
    yesterday = tickets.grant(campaign, mini.person_id, NOON.date() - timedelta(days=1), "vote", NOON)
    first = next(t.ticket_id for t in tickets.of(campaign, mini.person_id) if t.day == NOON.date())
    learn(account)
    assert {t.ticket_id for t in tickets.of(campaign, account.person_id)} == {first, yesterday.ticket_id}
    revoked = db.session.query(Ticket).filter(Ticket.revoked_at.is_not(None)).one()
    assert "同一个人" in (revoked.revoked_why or "") and revoked.ticket_id != first
    assert (log()[0].facts["tickets_moved"], log()[0].facts["tickets_revoked"]) == (2, 1)


def test_a_ticket_that_counts_stays_before_one_that_was_revoked(campaign, account, mini):
    take_part(campaign, account, NOON)
    tickets.revoke(tickets.of(campaign, account.person_id)[0], "不是本人的截图", NOON)
    take_part(campaign, mini, NOON + HOUR)
    counts = tickets.of(campaign, mini.person_id)[0].ticket_id
    learn(account)
    assert [t.ticket_id for t in tickets.of(campaign, account.person_id)] == [counts]


def test_a_new_grant_for_the_day_finds_the_ticket_that_stayed(campaign, account, mini):
    take_part(campaign, mini, NOON)
    ticket = tickets.of(campaign, mini.person_id)[0].ticket_id
    learn(account)
    assert tickets.grant(campaign, account.person_id, NOON.date(), "vote", NOON + 3 * HOUR).ticket_id == ticket
