"""Ballots follow a merge: one of a day counts, the others are voided, votes under way find who she is now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.accounts.conftest import HOUR, U, learn, log
from tests.factories import NOON, cast, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.ballots import receipts
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db, settings


def void_numbers(campaign) -> list[tuple[int, int, str]]:
    found = db.session.query(Ballot).filter_by(campaign_id=campaign.id).order_by(Ballot.id)
    return [(b.person_id, b.void_no, b.grade) for b in found]


def test_the_earlier_ballot_of_a_day_stays_and_the_later_is_voided(campaign, account, mini):
    first, second = cast(campaign, account, "差"), cast(campaign, mini, "优", NOON + HOUR)
    learn(account)
    live = receipts.receipts_of(campaign, account.person_id)
    assert [r.receipt_id for r in live] == [first.receipt.receipt_id]
    assert void_numbers(campaign)[1:] == [(account.person_id, 0, "差"), (account.person_id, 1, "优")]
    assert ballots.tally(campaign.subjects[0])[Grade.POOR] == 1 and ballots.tally(campaign.subjects[0])[Grade.EXCELLENT] == 1   # 路人's
    assert ballots.recount(campaign) == []
    with pytest.raises(receipts.ReceiptVoided):
        ballots.read_token(second.receipt.token)


def test_earlier_is_by_the_clock_and_not_by_who_stays(campaign, account, mini):
    first = cast(campaign, mini, "优")
    cast(campaign, account, "差", NOON + HOUR)
    learn(account)
    assert [r.receipt_id for r in receipts.receipts_of(campaign, account.person_id)] == [first.receipt.receipt_id]
    assert ballots.recount(campaign) == [] and ballots.tally(campaign.subjects[0])[Grade.POOR] == 0


def test_ballots_of_different_days_all_stay(campaign, account, mini):
    cast(campaign, account, at=NOON - timedelta(days=1))
    cast(campaign, mini, "良")
    learn(mini)
    learn(account)
    assert [r.day for r in receipts.receipts_of(campaign, account.person_id)] == [NOON.date(), NOON.date() - timedelta(days=1)]
    assert ballots.recount(campaign) == [] and log()[0].facts["ballots_voided"] == []


def test_a_third_ballot_of_the_day_gets_the_next_free_number(campaign, account, mini):
    third = make_voter("阿美的旧号")
    for n, voter in enumerate((third, mini, account)):
        cast(campaign, voter, at=NOON + n * HOUR)
    learn(account, NOON + 4 * HOUR)
    accounts.merge(third.person_id, account.person_id, NOON + 5 * HOUR, "unionid")
    db.session.commit()
    numbers = sorted(n for person, n, _ in void_numbers(campaign) if person == account.person_id)
    assert numbers == [0, 1, 2] and ballots.recount(campaign) == []
    assert receipts.receipts_of(campaign, account.person_id)[0].cast_at == NOON


def test_one_vote_a_day_for_the_whole_campaign_voids_across_subjects(any_app):
    subjects = [{"key": "one", "title": "项目一"}, {"key": "two", "title": "项目二"}]
    campaign = make_campaign(quota="campaign", subjects=subjects)
    account, mini = make_voter("阿美"), make_voter("阿美", settings.miniprogram_appid, U)
    one, two = campaign.subjects
    ballots.cast_many([vote(campaign, account, "a", one)], NOON)
    ballots.cast_many([vote(campaign, mini, "b", two)], NOON + HOUR)
    learn(account)
    assert (sum(ballots.tally(one).values()), sum(ballots.tally(two).values())) == (1, 0) and ballots.recount(campaign) == []


def vote(campaign, voter, mark, subject=None, day=None, person_id=None):
    subject = subject or campaign.subjects[0]
    return ballots.Vote(campaign.id, subject.id, ballots.quota_key(campaign, subject), person_id or voter.person_id, day or NOON.date(),
                        Grade.GOOD, mark.ljust(64, "0"), "", voter.door)


def test_a_vote_whose_voter_was_merged_meanwhile_is_cast_by_who_she_is_now(campaign, account, mini):
    """The request read the person before the merge and writes after it."""
    late, gone = vote(campaign, mini, "late"), mini.person_id
    learn(account)
    (outcome,) = ballots.cast_many([late], NOON)
    assert outcome.is_new and outcome.receipt.person_id == account.person_id != gone
    assert db.session.query(Ballot).filter_by(person_id=gone).count() == 0


def test_a_late_vote_meets_the_vote_of_who_she_is_now(campaign, account, mini):
    late = vote(campaign, mini, "late")
    first = cast(campaign, account)
    learn(account)
    (outcome,) = ballots.cast_many([late], NOON + HOUR)
    assert isinstance(outcome, ballots.AlreadyVoted) and outcome.receipt.receipt_id == first.receipt.receipt_id
    assert ballots.recount(campaign) == []


def test_a_request_repeated_after_its_ballot_was_voided_gets_the_receipt_that_counts(campaign, account, mini):
    first = cast(campaign, account)
    voided = vote(campaign, mini, "again")
    ballots.cast_many([voided], NOON + HOUR)
    learn(account)
    (again,) = ballots.cast_many([voided], NOON + 3 * HOUR)
    assert not isinstance(again, ballots.AlreadyVoted) and again.receipt.receipt_id == first.receipt.receipt_id


def test_a_voided_receipt_in_a_picture_or_typed_still_shows_that_day(campaign, account, mini):
    first, second = cast(campaign, account), cast(campaign, mini, at=NOON + HOUR)
    learn(account)
    assert receipts.evidence(second.receipt.token).receipt_id == first.receipt.receipt_id
    assert ballots.by_code(campaign, account.person_id, second.receipt.code).receipt_id == first.receipt.receipt_id


def test_a_merge_changes_person_and_void_number_and_nothing_else_of_a_ballot(campaign, account, mini):
    cast(campaign, account)
    cast(campaign, mini, "优", NOON + HOUR)
    columns = [c for c in Ballot.__table__.c if c.name not in ("person_id", "void_no")]
    before = db.session.query(*columns).order_by(Ballot.id).all()
    learn(account)
    assert db.session.query(*columns).order_by(Ballot.id).all() == before
