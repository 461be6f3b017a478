"""One person, one day, one ballot."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from tests.factories import NOON, cast, make_campaign, make_voter, solved_captcha
from wxbackend import captcha, store
from wxbackend.ballots import admission, batches
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db


@pytest.fixture
def campaign(any_app):
    make_campaign(slug="another-campaign")   # noise: nothing may leak from one campaign into another
    return make_campaign()


@pytest.fixture
def amei(any_app):
    return make_voter("阿美")


def test_a_vote_is_counted_once_and_carries_a_receipt(campaign, amei):
    outcome = cast(campaign, amei, "良")
    assert outcome.is_new and outcome.receipt.day == NOON.date()
    assert ballots.tally(campaign.subjects[0]) == {Grade.EXCELLENT: 0, Grade.GOOD: 1, Grade.FAIR: 0, Grade.POOR: 0}
    assert ballots.recount(campaign) == []


def test_the_second_vote_of_a_day_meets_the_first_ones_receipt(campaign, amei):
    first = cast(campaign, amei)
    with pytest.raises(ballots.AlreadyVoted) as refused:
        cast(campaign, amei, "差", NOON + timedelta(hours=3))
    assert refused.value.facts["receipt_code"] == first.receipt.code
    assert db.session.query(Ballot).count() == 1


def test_whoever_has_voted_today_spends_no_captcha(campaign, amei):
    cast(campaign, amei)
    captcha_id, answer = solved_captcha(campaign, amei, NOON)
    with pytest.raises(ballots.AlreadyVoted):
        ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, answer, NOON)
    captcha.redeem(captcha_id, answer, amei.person_key, campaign.slug, "vote", NOON)


def test_the_same_request_again_gets_the_same_receipt(campaign, amei):
    captcha_id, answer = solved_captcha(campaign, amei, NOON)
    one, two = (ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, answer, NOON) for _ in range(2))
    assert one.is_new and not two.is_new and one.receipt.receipt_id == two.receipt.receipt_id
    assert sum(ballots.tally(campaign.subjects[0]).values()) == 1


def test_a_request_whose_answer_was_lost_finds_its_ballot_after_the_close(campaign, amei):
    last = campaign.closes_at - timedelta(seconds=1)
    captcha_id, answer = solved_captcha(campaign, amei, last)
    subject = campaigns.subject_of(campaign, None)
    one, two = (ballots.cast(campaign, subject, amei, "优", captcha_id, answer, moment) for moment in (last, campaign.closes_at))
    assert one.receipt.receipt_id == two.receipt.receipt_id and not two.is_new
    with pytest.raises(ballots.CampaignClosed):
        ballots.cast(campaign, subject, amei, "优", "r" + "0" * 32, answer, campaign.closes_at)


def test_a_replay_after_midnight_is_still_yesterdays_ballot(campaign, amei):
    before = NOON.replace(hour=23, minute=59, second=59)
    captcha_id, answer = solved_captcha(campaign, amei, before)
    one = ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, answer, before)
    two = ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, answer, before + timedelta(seconds=2))
    assert (two.is_new, two.receipt.day) == (False, one.receipt.day)


def test_after_midnight_there_is_a_new_vote(campaign, amei):
    cast(campaign, amei, at=NOON.replace(hour=23, minute=59, second=59))
    assert cast(campaign, amei, at=NOON.replace(hour=0) + timedelta(days=1)).is_new


def test_the_closing_minute_is_outside(campaign, amei):
    cast(campaign, amei, at=campaign.closes_at - timedelta(microseconds=1))
    with pytest.raises(ballots.CampaignClosed):
        cast(campaign, make_voter("老陈"), at=campaign.closes_at)
    with pytest.raises(ballots.CampaignNotOpen):
        cast(campaign, amei, at=campaign.opens_at - timedelta(microseconds=1))


def test_a_wrong_answer_costs_the_captcha_and_not_the_vote(campaign, amei):
    captcha_id, answer = solved_captcha(campaign, amei, NOON)
    with pytest.raises(captcha.CaptchaWrong):
        ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, "000", NOON)
    with pytest.raises(captcha.CaptchaExpired):
        ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, answer, NOON)
    assert cast(campaign, amei).is_new


def test_a_strangers_captcha_does_not_serve_and_is_not_burnt(campaign, amei):
    captcha_id, answer = solved_captcha(campaign, amei, NOON)
    stranger = make_voter("路人")
    with pytest.raises(captcha.CaptchaExpired):
        ballots.cast(campaign, campaign.subjects[0], stranger, "优", captcha_id, answer, NOON)
    assert ballots.cast(campaign, campaign.subjects[0], amei, "优", captcha_id, answer, NOON).is_new


def test_a_batch_answers_each_vote_in_order(campaign, amei):
    chen, subject = make_voter("老陈"), campaign.subjects[0]

    def vote(voter, captcha_hash):
        return ballots.Vote(campaign.id, subject.id, f"s{subject.id}", voter.person_id, NOON.date(), Grade.FAIR, captcha_hash, "", "h5")

    votes = [vote(chen, "a"), vote(amei, "b"), vote(chen, "c"), vote(amei, "b")]
    outcomes = ballots.cast_many(votes, NOON)
    assert [type(o).__name__ for o in outcomes] == ["Outcome", "Outcome", "AlreadyVoted", "Outcome"]
    assert [outcomes[i].is_new for i in (0, 1, 3)] == [True, True, False]
    assert ballots.tally(subject)[Grade.FAIR] == 2 and ballots.recount(campaign) == []


def test_a_batch_tried_again_after_a_lost_commit_counts_once(campaign, amei, monkeypatch):
    subject = campaign.subjects[0]
    vote = ballots.Vote(campaign.id, subject.id, f"s{subject.id}", amei.person_id, NOON.date(), Grade.GOOD, "x", "", "h5")
    write, lost = batches.write, []

    def write_and_lose_the_answer(*batch):
        kept = write(*batch)
        if not lost:
            lost.append(True)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        return kept

    monkeypatch.setattr(batches, "write", write_and_lose_the_answer)
    assert ballots.cast_many([vote], NOON)[0].is_new
    assert ballots.tally(subject)[Grade.GOOD] == 1 and ballots.recount(campaign) == []


def test_recount_names_a_counter_that_was_changed(campaign, amei):
    cast(campaign, amei)
    db.session.execute(db.text("UPDATE tally SET count = count + 1"))
    differences = ballots.recount(campaign)
    assert [(d.grade, d.shown, d.counted) for d in differences] == [("优", 2, 1)]


def test_a_ballot_cannot_be_changed_or_deleted_in_the_database(campaign, amei):
    cast(campaign, amei)
    for statement in ("UPDATE ballot SET grade = '差'", "DELETE FROM ballot"):
        with pytest.raises(Exception, match="never changes"):
            db.session.execute(db.text(statement))
        db.session.rollback()
    assert db.session.query(Ballot.grade).scalar() == "优"


def test_the_receipt_of_somebody_else_is_not_found_by_its_code(campaign, amei):
    receipt = cast(campaign, amei).receipt
    assert ballots.by_code(campaign, amei.person_id, receipt.code.lower()).receipt_id == receipt.receipt_id
    assert ballots.by_code(campaign, make_voter("路人").person_id, receipt.code) is None


def test_a_tampered_token_is_unknown(campaign, amei):
    receipt = cast(campaign, amei).receipt
    assert ballots.read_token(receipt.token).receipt_id == receipt.receipt_id
    for token in (receipt.token[:-1] + ("0" if receipt.token[-1] != "0" else "1"), "0" * 24, "", "x" * 500, "中" * 24):
        with pytest.raises(ballots.ReceiptUnknown):
            ballots.read_token(token)


def test_nobody_waits_for_a_captcha_that_was_never_made(campaign, amei):
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(captcha.CaptchaExpired):
            ballots.cast(campaign, campaign.subjects[0], amei, "优", "r" + "0" * 32, "234", NOON)
    assert time.monotonic() - began < 2.5   # three seconds of a server thread are too dear for a made-up id


def test_without_redis_tries_are_still_counted(campaign, amei, monkeypatch):
    def away(_limits):
        raise store.StoreAway("away")

    monkeypatch.setattr(store, "take", away)
    assert [admission._count(amei.person_key, NOON) for _ in range(admission.TRIES_A_MINUTE)] == [True] * admission.TRIES_A_MINUTE
    with pytest.raises(captcha.TooOften):
        admission._count(amei.person_key, NOON)
