"""The counters, and what a recount says of one that differs."""

from __future__ import annotations

from datetime import UTC, date, timedelta

import pytest
from sqlalchemy import text

from tests.ballots.test_decisions import become_one, in_the_box, quarantine, release, twice
from tests.factories import NOON, cast, make_campaign, make_voter
from wxbackend.ballots import explain, tally
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.ballots.tally import Cell
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db

TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def campaign(any_app):
    cast(make_campaign(slug="another-campaign"), make_voter("路人"))
    return make_campaign()


def test_one_look_reads_the_counters_of_all_subjects(any_app):
    campaign = make_campaign(subjects=[{"key": "one", "title": "项目一"}, {"key": "two", "title": "项目二"}])
    one, two = campaign.subjects
    amei, chen = make_voter("阿美").person_id, make_voter("老陈").person_id
    chosen = ((one, amei, Grade.GOOD), (one, chen, Grade.GOOD), (two, amei, Grade.POOR))
    ballots.cast_many([ballots.Vote(campaign.id, s.id, f"s{s.id}", person, NOON.date(), grade, f"{s.key}{person}", "", "h5")
                       for s, person, grade in chosen], NOON)
    quarantine(db.session.query(Ballot.id).filter_by(subject_id=one.id).first()[0])
    cells = tally.cells(campaign)
    assert cells == [Cell(one.id, NOON.date(), "良", 2, 1), Cell(two.id, NOON.date(), "差", 1, 1)]
    assert [tally.total(s, cells) for s in campaign.subjects] == [ballots.tally(s) for s in campaign.subjects]


def test_steps_show_what_was_cast_whatever_was_decided_since(campaign):
    """Somebody who sets one ballot aside and looks at the results page would know its grade."""
    subject, day = campaign.subjects[0], date(2022, 1, 5)
    before, after = [Cell(subject.id, day, "良", 12, 12)], [Cell(subject.id, day, "良", 12, 11)]
    assert tally.stepped(subject, before, NOON.date(), 10) == tally.stepped(subject, after, NOON.date(), 10)
    assert tally.total(subject, after)[Grade.GOOD] == 11   # after the close


def off_by(statement: str, **values) -> None:
    """Write to the database past the program."""
    db.session.execute(text(statement), values)
    db.session.commit()


def found(campaign) -> list[tuple]:
    return [(d.subject, d.day, d.grade, d.part, d.shown, d.counted) for d in ballots.recount(campaign)]


def causes(campaign) -> list[tuple]:
    (difference,) = ballots.recount(campaign)
    return [(c.what, c.at, c.actor, c.ballots, c.is_twice) for c in explain.causes(campaign, difference)]


def test_a_decision_that_was_not_taken_into_the_tally_is_named_with_its_ballots(campaign):
    one, two = in_the_box(campaign, "阿美"), in_the_box(campaign, "老陈")
    quarantine(in_the_box(campaign, "路人"))
    off_by("INSERT INTO ballot_decision (ballot_id, n, campaign_id, verdict, reason, rule, actor, at) "
           "SELECT id, 1, campaign_id, 'quarantined', 'burst', '', 'staff:xiaoli', cast_at FROM ballot WHERE id IN (:one, :two)",
           one=one, two=two)
    assert found(campaign) == [(campaign.subjects[0].key, NOON.date(), "良", "decided", -1, -3)]
    assert causes(campaign) == [("quarantined", NOON, "staff:xiaoli", (one, two), False)]


def test_a_decision_that_was_taken_into_the_tally_twice_is_named(campaign):
    one, two = in_the_box(campaign, "阿美"), in_the_box(campaign, "老陈")
    quarantine(one, two)
    release(one)
    off_by("UPDATE tally SET count = count + 1 WHERE shard = 'decided'")
    (cause,) = causes(campaign)
    assert (cause[0], cause[3], cause[4]) == ("released", (one,), True)


def test_a_void_that_was_not_taken_into_the_tally_is_named(campaign):
    _, second = twice(campaign, "良", "良")
    become_one()
    off_by("DELETE FROM tally WHERE shard = 'decided'")
    (cause,) = causes(campaign)
    assert (cause[0], cause[2], cause[3], cause[4]) == ("voided", "system:merge", (second,), False)


def test_a_void_nobody_wrote_down_is_named(campaign):
    one = in_the_box(campaign, "阿美")
    off_by("UPDATE ballot SET void_no = 1 WHERE id = :one", one=one)
    assert causes(campaign) == [("voided", None, "", (one,), False)]


def test_votes_that_were_not_counted_are_named_by_their_instant(campaign):
    one = in_the_box(campaign, "阿美", at=NOON + timedelta(minutes=1))
    in_the_box(campaign, "老陈", at=NOON + timedelta(minutes=2))
    in_the_box(campaign, "路人", "优")
    off_by("UPDATE tally SET count = count - 1 WHERE grade = '良'")
    told = causes(campaign)   # either of the two
    assert [(what, is_twice) for what, _, _, _, is_twice in told] == [("cast", False)] * 2 and told[0][3] == (one,)
    off_by("DELETE FROM tally WHERE grade = '良'")
    assert [(what, at, len(ids)) for what, at, _, ids, _ in causes(campaign)] == [("cast", None, 2)]


def test_nothing_is_blamed_for_a_counter_that_was_changed_by_hand(campaign):
    in_the_box(campaign, "阿美")
    off_by("UPDATE tally SET count = count + 7")
    assert causes(campaign) == []


def test_a_counter_without_ballots_is_found(campaign):
    in_the_box(campaign, "阿美")
    off_by("UPDATE tally SET day = :day WHERE subject_id = :subject", day=TOMORROW.date().isoformat(), subject=campaign.subjects[0].id)
    assert [(day, shown, counted) for _, day, _, _, shown, counted in found(campaign)] == [(NOON.date(), 0, 1), (TOMORROW.date(), 1, 0)]


def test_the_command_prints_differences_and_fails(campaign, any_app):
    one = in_the_box(campaign, "阿美")
    run = any_app.test_cli_runner().invoke
    right = run(args=["ballots", "recount", campaign.slug])
    assert right.exit_code == 0 and "the tally equals the ballots" in right.output
    quarantine(one)
    off_by("UPDATE tally SET count = 0 WHERE shard = 'decided'")
    wrong = run(args=["ballots", "recount", campaign.slug])
    assert wrong.exit_code == 1
    assert "culture-network 2022-01-06 良, decided: shown 0, counted -1\n  this accounts for it:\n" in wrong.output
    assert f"quarantined at {NOON.astimezone(UTC).isoformat()} by system:mix-shift, not in the counter: ballots {one}\n" in wrong.output


def test_the_command_owns_up_where_it_cannot_be_known(campaign, any_app):
    for n in range(explain.MOST + 1):
        in_the_box(campaign, f"市民{n}", at=NOON + timedelta(minutes=n))
    off_by("UPDATE tally SET count = count - 1 WHERE grade = '良'")
    said = any_app.test_cli_runner().invoke(args=["ballots", "recount", campaign.slug]).output
    assert "it cannot be told which" in said and "ballots " not in said.split("cannot be told")[0]


def test_a_recount_while_people_vote_sees_one_instant(campaign, monkeypatch):
    """Counters and ballots in two statements would differ by what was cast between them."""
    in_the_box(campaign, "阿美")
    execute, asked = db.session.execute, []
    monkeypatch.setattr(db.session, "execute", lambda *a, **kw: asked.append(str(a[0])) or execute(*a, **kw))
    assert ballots.recount(campaign) == []
    assert len([s for s in asked if "FROM tally" in s or "FROM ballot" in s]) == 1
