"""What is sealed stays where it was: a frozen list, its awards, and who may still leave."""

from __future__ import annotations

from datetime import timedelta

from tests.accounts.conftest import HOUR, learn, log, take_part
from tests.factories import NOON, cast, enter, make_voter
from wxbackend.draws import freeze as freezing
from wxbackend.draws import service as draws
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Entrant
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket


def frozen(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, phone="13800000005")
    draw = freezing.freeze(campaign, campaign.freeze_at)
    db.session.commit()
    return draw


def test_a_frozen_campaign_keeps_its_rows_and_she_sees_all_of_hers(campaign, account, mini):
    draw = frozen(campaign, account, mini)
    gone, lines = mini.person_id, draws.lines_of(draw)
    before = db.session.query(Ticket.id, Ticket.person_id, Ticket.revoked_at).order_by(Ticket.id).all()
    learn(account, campaign.freeze_at + HOUR)
    assert db.session.query(Ticket.id, Ticket.person_id, Ticket.revoked_at).order_by(Ticket.id).all() == before
    assert draws.lines_of(draw) == lines
    assert len(tickets.of(campaign, account.person_id)) == 2 and len(submissions.of(campaign, account.person_id)) == 2
    assert {e.person_id for e in submissions.entries_of(campaign, account.person_id)} == {account.person_id, gone}
    facts = log()[0].facts
    assert (facts["left_in_frozen_campaigns"], facts["left_entries"], facts["tickets_moved"], facts["tickets_revoked"]) == (1, 1, 0, 0)


def test_from_freeze_at_on_nothing_moves_though_the_worker_is_late(campaign, account, mini):
    """Else somebody who knows the numbers already could choose the list by letting two of hers become one, or not."""
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, phone="13800000005")
    before = {t.ticket_id for t in tickets.live(campaign)}
    learn(account, campaign.freeze_at)
    assert {t.ticket_id for t in tickets.live(campaign)} == before
    draw = freezing.freeze(campaign, campaign.freeze_at + HOUR)
    assert {line[:16] for line in draws.lines_of(draw)} == before


def test_late_evidence_of_somebody_merged_between_freeze_at_and_the_freeze_still_counts(campaign, account, mini):
    cast(campaign, mini)
    enter(campaign, mini)
    sent = submissions.open_from_chat(campaign, mini.person_id, "m1", "chat:1", NOON, NOON)
    sent.state, sent.day, sent.reading = "pending", NOON.date(), "no-receipt"
    db.session.commit()
    cast(campaign, account, at=NOON + HOUR)
    learn(account, campaign.freeze_at)
    draw = freezing.freeze(campaign, campaign.freeze_at + HOUR)
    assert draw.tickets == 2   # hers, and 路人's


def test_her_award_is_found_though_it_was_given_to_who_she_was(campaign, account, mini):
    draw = frozen(campaign, account, mini)
    draws.run(draw, "ssq:2022005=03.08.15.21.27.33./06./", campaign.freeze_at + HOUR)
    db.session.commit()
    gone = mini.person_id
    ranks = {a.person_id: a.rank for a in draws.awards(draw)}
    learn(account, campaign.freeze_at + 2 * HOUR)
    assert draws.award_of(draw, account.person_id).rank == min(ranks[account.person_id], ranks[gone])
    assert {a.person_id: a.rank for a in draws.awards(draw)} == ranks


def test_leaving_a_frozen_draw_deletes_every_name_she_gave(campaign, account, mini):
    frozen(campaign, account, mini)
    learn(account, campaign.freeze_at + HOUR)
    submissions.withdraw(campaign, account.person_id, campaign.freeze_at + 2 * HOUR)
    db.session.commit()
    assert [e.person_id for e in db.session.query(Entrant) if e.phone_sealed] == [make_voter("路人").person_id]


def test_forgetting_after_the_draw_keeps_the_winner_whoever_she_is_now(campaign, account, mini):
    frozen(campaign, account, mini)
    won, other = mini.person_id, account.person_id
    learn(account, campaign.freeze_at + HOUR)
    submissions.forget(campaign, {won}, campaign.freeze_at + timedelta(days=30))
    names = {e.person_id: bool(e.phone_sealed) for e in db.session.query(Entrant)}
    assert names[won] and not names[other]
