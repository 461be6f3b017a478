"""The freeze: who is in the list, and that nobody changes it any more."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DatabaseError

from tests.draws.conftest import FREEZE, VOTING, at_once, everywhere, make_campaign, make_voter
from wxbackend import jobs
from wxbackend.audit.models import AuditEntry
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import rules
from wxbackend.draws import service as draws
from wxbackend.draws.models import DrawLine
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

SECOND = timedelta(seconds=1)


def test_nothing_is_frozen_a_moment_too_early(campaign):
    with pytest.raises(draws.NotYet, match="1月11日（周二）18:00封存"):
        draws.freeze(campaign, FREEZE - timedelta(microseconds=1))
    with pytest.raises(draws.NotYet):
        draws.of(campaign)


def test_the_list_is_every_live_ticket_of_everybody_in_the_draw(campaign):
    draw = draws.freeze(campaign, FREEZE)
    lines = draws.lines_of(draw)
    assert [line[:16] for line in lines] == [ticket.ticket_id for ticket in tickets.live(campaign)]
    assert lines == sorted(lines) and len(set(lines)) == draw.tickets == 50 and draw.persons == 20
    assert (draw.root, draw.list_sha256) == (rules.list_root(lines), rules.list_sha256(lines))
    assert campaign.frozen_at == FREEZE and draw.public_id == "reform-2021-1"


def test_who_did_not_enter_withdrew_or_lost_a_ticket_is_not_in_it(campaign):
    bystander, leaver, loser = make_voter(campaign, 50, days=2, enters=False), make_voter(campaign, 51), make_voter(campaign, 52, days=2)
    submissions.erase(campaign, submissions.entrant(campaign, leaver.id), VOTING)
    tickets.revoke(tickets.of(campaign, loser.id)[0], "not-yours", VOTING)
    draw = draws.freeze(campaign, FREEZE)
    counts = select(DrawLine.person_id, func.count()).where(DrawLine.draw_id == draw.id).group_by(DrawLine.person_id)
    mine = dict(db.session.execute(counts).all())
    assert (mine.get(bystander.id), mine.get(leaver.id), mine[loser.id]) == (None, None, 1)


def test_one_phone_is_one_person_by_the_tag_of_whoever_came_first(campaign):
    first, second = make_voter(campaign, 60, days=2, phone="13900000000"), make_voter(campaign, 61, days=3, phone="13900000000")
    draw = draws.freeze(campaign, FREEZE)
    tags = set(db.session.scalars(select(DrawLine.person_tag).where(DrawLine.person_id.in_((first.id, second.id)))))
    assert tags == {tickets.person_tag(campaign.ticket_key, first.public_id)} and draw.persons == 21


def test_excluded_phones_leave_with_tag_and_class_of_reason_only(campaign, desk):
    cousin = make_voter(campaign, 70, days=2, phone="13900000001")
    assert draws.exclude(campaign, ["13900000001", "13900000002"], "relative", desk.laochen, VOTING) == 2
    assert draws.exclude(campaign, ["13900000001"], "staff", desk.laochen, VOTING) == 0
    draw = draws.freeze(campaign, FREEZE)
    assert draw.excluded == [{"person": tickets.person_tag(campaign.ticket_key, cousin.public_id), "reason": "relative"}]
    assert draw.persons == 20


def test_nobody_is_excluded_after_the_freeze(campaign, desk):
    with pytest.raises(draws.ExclusionTooLate):
        draws.exclude(campaign, ["13800000001"], "staff", desk.laochen, FREEZE)


def test_no_ticket_is_given_or_taken_after_the_freeze(campaign):
    draws.freeze(campaign, FREEZE)
    with pytest.raises(tickets.AlreadyFrozen):
        tickets.grant(campaign, make_voter(make_campaign("later"), 80).id, VOTING.date(), "vote", FREEZE + SECOND)
    with pytest.raises(tickets.AlreadyFrozen):
        tickets.revoke(tickets.live(campaign)[0], "not-yours", FREEZE + SECOND)


def test_the_worker_freezes_by_itself_when_the_instant_comes(campaign):
    jobs.run_due(FREEZE - SECOND)
    with pytest.raises(draws.NotYet):
        draws.of(campaign)
    jobs.run_due(FREEZE + SECOND)
    assert draws.of(campaign).frozen_at == FREEZE + SECOND


@everywhere
def test_of_freezes_at_once_one_makes_the_draw(app, campaign):
    campaign_id = campaign.id
    said = at_once(app, lambda: draws.freeze(db.session.get_one(Campaign, campaign_id), FREEZE).id)
    assert len(set(said)) == 1, said
    assert db.session.scalar(select(func.count()).select_from(DrawLine)) == 50
    assert db.session.scalar(select(func.count()).where(AuditEntry.verb == "draw.frozen")) == 1


@everywhere
def test_a_grant_racing_the_freeze_is_in_the_list_or_refused(app, campaign):
    owner, campaign_id = make_voter(campaign, 90).id, campaign.id
    db.session.commit()
    turn = itertools.count()

    def deed() -> Any:
        n, mine = next(turn), db.session.get_one(Campaign, campaign_id)
        if n == 3:
            return draws.freeze(mine, FREEZE).public_id
        return tickets.grant(mine, owner, VOTING.date(), "vote", FREEZE - SECOND, n=10 + n).ticket_id

    said = at_once(app, deed, times=8)
    refused = [one for one in said if isinstance(one, Exception)]
    assert "reform-2021-1" in said and all(isinstance(one, tickets.AlreadyFrozen) for one in refused), said
    listed = [line[:16] for line in draws.lines_of(draws.by_public_id("reform-2021-1"))]
    assert listed == [ticket.ticket_id for ticket in tickets.live(campaign)] and len(listed) == 51 + 7 - len(refused)


@everywhere
@pytest.mark.parametrize("change", [update(DrawLine).values(person_tag="0" * 16), delete(DrawLine)], ids=["update", "delete"])
def test_the_database_itself_keeps_the_frozen_list(app, campaign, change):
    draws.freeze(campaign, FREEZE)
    db.session.commit()
    with pytest.raises(DatabaseError):
        db.session.execute(change.where(DrawLine.position == 7).execution_options(synchronize_session=False))
    db.session.rollback()
