"""What counts is decided, kept for ever and taken back only by a later word; the tally moves with it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.factories import NOON, cast, make_campaign, make_voter
from wxbackend import audit
from wxbackend.accounts import service as accounts
from wxbackend.audit.models import AuditEntry
from wxbackend.ballots import decisions
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db

RULE, BY_RULE, BY_LI = "mix-shift/1", "system:mix-shift", "staff:xiaoli"
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def campaign(any_app):
    campaign = make_campaign()
    cast(make_campaign(slug="another-campaign"), make_voter("路人"))
    cast(campaign, make_voter("路人"))
    return campaign


@pytest.fixture
def hers(campaign) -> int:
    """阿美's ballot."""
    return in_the_box(campaign, "阿美", "良")


def in_the_box(campaign, name: str, grade: str = "良", at=NOON) -> int:
    receipt = cast(campaign, make_voter(name), grade, at).receipt
    return db.session.query(Ballot.id).filter_by(receipt_id=receipt.receipt_id).scalar()


def quarantine(*ids: int, actor: str = BY_RULE) -> list[int]:
    return decided(decisions.quarantine(ids, "burst", RULE, actor, NOON))


def release(*ids: int) -> list[int]:
    return decided(decisions.release(ids, "cleared", "", BY_LI, LATER))


def reject(*ids: int) -> list[int]:
    return decided(decisions.reject(ids, "bought", "", BY_LI, LATER))


def decided(ids: list[int]) -> list[int]:
    db.session.commit()
    return ids


def good(campaign) -> int:
    """How many 良 count; the recount agrees."""
    assert ballots.recount(campaign) == []
    return ballots.tally(campaign.subjects[0])[Grade.GOOD]


def words(ballot: int) -> list[tuple[int, str]]:
    query = db.session.query(BallotDecision.n, BallotDecision.verdict).filter_by(ballot_id=ballot).order_by(BallotDecision.id)
    return [tuple(row) for row in query]


def test_a_ballot_set_aside_does_not_count_until_it_is_released(campaign, hers):
    assert good(campaign) == 1
    assert quarantine(hers) == [hers] and good(campaign) == 0
    assert release(hers) == [hers] and good(campaign) == 1
    assert reject(hers) == [hers] and good(campaign) == 0
    assert release(hers) == [hers] and good(campaign) == 1
    assert words(hers) == [(1, "quarantined"), (2, "released"), (3, "rejected"), (4, "released")]


def test_a_rejected_ballot_is_no_second_time_taken_from_the_tally(campaign, hers):
    quarantine(hers)
    assert reject(hers) == [hers] and good(campaign) == 0


def test_deciding_the_same_again_changes_nothing(campaign, hers):
    for verb in (quarantine, release):
        assert verb(hers) == [hers]
        before = words(hers), db.session.query(AuditEntry).count(), good(campaign)
        assert verb(hers) == []
        assert (words(hers), db.session.query(AuditEntry).count(), good(campaign)) == before


@pytest.mark.parametrize("judge", [release, reject])
def test_what_people_decided_no_rule_takes_up_again(campaign, hers, judge):
    quarantine(hers)
    judge(hers)
    before = words(hers)
    assert quarantine(hers) == [] and quarantine(hers, actor=BY_LI) == [] and words(hers) == before


@pytest.mark.parametrize("judge", [release, reject])
def test_nothing_is_released_or_rejected_that_was_not_set_aside(campaign, hers, judge):
    """One such ballot among others, and none of them is decided."""
    other = in_the_box(campaign, "老陈")
    quarantine(other)
    with pytest.raises(decisions.NotQuarantined):
        judge(other, hers)
    db.session.rollback()
    assert words(hers) == [] and words(other) == [(1, "quarantined")] and good(campaign) == 1


def test_a_call_decides_many_and_leaves_one_line_in_the_log(campaign, hers):
    others = [in_the_box(campaign, f"市民{n}", "良" if n % 2 else "优") for n in range(5)]
    assert quarantine(*others, hers, hers) == sorted([hers, *others])
    entry = db.session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
    assert (entry.actor, entry.verb, entry.subject, entry.why) == (BY_RULE, "ballots.quarantined", f"campaign:{campaign.slug}", "burst")
    assert json.loads(entry.facts) == {"ballots": 6, "rule": RULE} and audit.verify_chain() is None
    assert good(campaign) == 0 and ballots.tally(campaign.subjects[0])[Grade.EXCELLENT] == 1   # 路人's


def test_more_ballots_than_one_statement_takes(campaign, hers, monkeypatch):
    monkeypatch.setattr(decisions, "AT_ONCE", 2)
    ids = [hers, *(in_the_box(campaign, f"市民{n}") for n in range(4))]
    assert quarantine(*reversed(ids)) == ids and good(campaign) == 0
    assert release(*ids) == ids and good(campaign) == 5


def test_ballots_of_two_campaigns_are_two_decisions(campaign, hers):
    strangers = db.session.query(Ballot.id).filter(Ballot.campaign_id != campaign.id).scalar()
    with pytest.raises(ValueError, match="one campaign"):
        quarantine(hers, strangers)
    with pytest.raises(decisions.BallotUnknown):
        quarantine(hers, 10_000)
    assert quarantine() == []
    db.session.rollback()
    assert good(campaign) == 1


def twice(campaign, first: str, second: str) -> tuple[int, int]:
    """阿美 votes as two persons, the second an hour later."""
    return in_the_box(campaign, "阿美", first), in_the_box(campaign, "阿美的旧号", second, LATER)


def become_one(at=LATER) -> None:
    accounts.merge(make_voter("阿美").person_id, make_voter("阿美的旧号").person_id, at, "unionid")
    db.session.commit()


def test_a_void_by_a_merge_is_a_decision_and_final(campaign):
    first, second = twice(campaign, "良", "良")
    become_one()
    assert words(second) == [(1, "voided")] and words(first) == [] and good(campaign) == 1
    word = db.session.query(BallotDecision).filter_by(ballot_id=second).one()
    assert (word.reason, word.actor, word.at, word.campaign_id) == ("merged", "system:merge", LATER, campaign.id)
    for verb in (quarantine, release, reject):
        assert verb(second) == []
    assert words(second) == [(1, "voided")] and good(campaign) == 1


@pytest.mark.parametrize("verbs", [(quarantine,), (quarantine, reject), (quarantine, release), (quarantine, release, reject)])
def test_a_void_takes_away_only_what_was_counted(campaign, verbs):
    _, second = twice(campaign, "差", "良")
    for verb in verbs:
        verb(second)
    become_one()
    assert good(campaign) == 0 and words(second)[-1] == (len(verbs) + 1, "voided")


def test_a_second_vote_does_not_stand_in_for_a_first_one_that_was_rejected(campaign):
    first, second = twice(campaign, "良", "良")
    quarantine(first)
    reject(first)
    become_one()
    assert good(campaign) == 0 and words(second) == [(1, "voided")]
    assert release(first) == [first] and good(campaign) == 1


def test_nothing_a_decision_gives_out_holds_a_grade(campaign, hers):
    """Neither what it returns, nor the audit, nor its own table."""
    assert quarantine(hers) == [hers]
    assert not any("grade" in column.name for column in BallotDecision.__table__.columns)
    entries = db.session.query(AuditEntry).filter(AuditEntry.verb.startswith("ballots.")).all()
    assert entries and not [e for e in entries for g in Grade if g.value in e.facts + e.why]
