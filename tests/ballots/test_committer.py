"""Votes that wait together are served together, and each is told its own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from tests.factories import NOON, make_campaign, make_voter, solved_captcha, token_for
from wxbackend import captcha, store
from wxbackend.accounts import service as accounts
from wxbackend.ballots import admission, batches, box, committer
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot, BallotBatch
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db


@pytest.fixture
def campaign(any_app):
    any_app.extensions["clock"].fixed = NOON
    make_campaign(slug="another-campaign")   # noise
    make_campaign()
    return campaigns.live("futian-2021-reform")


def ask(campaign, voter, grade="优", answer="", captcha_id="", at=NOON):
    made, right = solved_captcha(campaign, voter, NOON)
    return ballots.Ask(campaign, campaign.subjects[0], grade, captcha_id or made, answer or right, at)


@pytest.fixture
def cast(any_app):
    """Cast in a thread of its own, as a request: its outcome, or what was raised."""
    def one(ask, token):
        with any_app.app_context():
            try:
                return committer.cast(ask, token)
            except Exception as e:
                return e

    with ThreadPoolExecutor(16) as pool:
        yield lambda ask, token: pool.submit(one, ask, token)


@pytest.fixture
def held(monkeypatch):
    """The committer stops at each batch until `go` is set; `sizes` tells how many votes each had."""
    class Held:
        go, sizes, arrived = threading.Event(), [], threading.Event()

    write = batches.write

    def wait_first(connection, batch_id, rows, at):
        Held.sizes.append(len(rows))
        Held.arrived.set()
        Held.go.wait(20)
        return write(connection, batch_id, rows, at)

    Held.go.clear()
    Held.sizes.clear()
    Held.arrived.clear()
    monkeypatch.setattr(batches, "write", wait_first)
    yield Held
    Held.go.set()


def people(count):
    voters = [make_voter(f"市民{n}") for n in range(count)]
    return [(voter, token_for(voter)) for voter in voters]


def with_the_page_before_them(campaign, count):
    """(people, their asks): their sessions are in Redis, and nothing is left open here."""
    crowd = people(count)
    asks = [(ask(campaign, voter), token) for voter, token in crowd]
    for _, token in crowd:
        accounts.voter_of(token, NOON)
    db.session.commit()
    return crowd, asks


def test_who_waits_together_is_committed_together(campaign, cast, held):
    crowd, asks = with_the_page_before_them(campaign, 9)
    first = cast(*asks[0])
    assert held.arrived.wait(10)
    others = [cast(*one) for one in asks[1:]]
    until_waiting(8)
    held.go.set()
    outcomes = [future.result(20) for future in (first, *others)]
    assert all(o.is_new for o in outcomes), outcomes
    assert held.sizes == [1, 8]
    assert [o.receipt.person_id for o in outcomes] == [voter.person_id for voter, _ in crowd]
    assert db.session.query(BallotBatch).count() == 2 and ballots.recount(campaigns.by_slug(campaign.slug)) == []


def until_waiting(count):
    from flask import current_app
    queue = current_app.extensions[committer.EXTENSION]._waiting
    for _ in range(400):
        if len(queue) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{len(queue)} wait")


def test_a_vote_alone_waits_for_nobody(campaign, cast):
    (voter, token), = people(1)
    assert cast(ask(campaign, voter), token).result(10).is_new


def test_each_in_a_batch_is_told_its_own(campaign, cast, held):
    """New, the same again, already voted, a wrong answer, a made-up captcha, nobody, too late: one after the other through one queue."""
    (amei, amei_token), (chen, chen_token), (lin, lin_token) = people(3)
    twice, wrong = ask(campaign, amei), ask(campaign, chen, answer="000")
    made_up = ask(campaign, lin, captcha_id="r" + "0" * 32)
    late = ask(campaign, lin, at=campaign.closes_at)
    db.session.commit()
    held.go.set()
    assert cast(twice, amei_token).result(10).is_new
    said = [cast(*one).result(10) for one in (
        (twice, amei_token), (ask(campaign, amei, "差"), amei_token), (wrong, chen_token), (made_up, lin_token), (twice, "nobody"),
        (late, lin_token))]
    assert not said[0].is_new
    assert [type(one) for one in said[1:]] == [
        ballots.AlreadyVoted, captcha.CaptchaWrong, captcha.CaptchaExpired, accounts.NotLoggedIn, ballots.CampaignClosed]
    assert cast(ask(campaign, chen), chen_token).result(10).is_new, "a wrong answer costs the picture, never the vote"


def test_a_double_tap_is_one_vote_and_two_equal_receipts(campaign, cast):
    (voter, token), = people(1)
    both = ask(campaign, voter)
    db.session.commit()
    outcomes = [future.result(20) for future in [cast(both, token) for _ in range(2)]]
    assert sorted(o.is_new for o in outcomes) == [False, True]
    assert len({o.receipt.receipt_id for o in outcomes}) == 1


def test_a_poisoned_vote_fails_alone(campaign, cast, held):
    crowd, asks = with_the_page_before_them(campaign, 4)
    write = batches.write

    def refuse_one(connection, batch_id, rows, at):
        if any(row.person_id == crowd[2][0].person_id for row in rows):
            raise ValueError("a value the database does not take")
        return write(connection, batch_id, rows, at)

    batches.write = refuse_one   # `held` put its own there and takes it away again
    first = cast(*asks[0])
    assert held.arrived.wait(10)
    others = [cast(*one) for one in asks[1:]]
    until_waiting(3)
    held.go.set()
    outcomes = [future.result(20) for future in (first, *others)]
    assert [type(o).__name__ for o in outcomes] == ["Outcome", "Outcome", "ValueError", "Outcome"]
    assert db.session.query(Ballot).count() == 3


def test_a_full_queue_says_so_at_once_and_spends_nothing(campaign, cast, held, any_app):
    queue = any_app.extensions[committer.EXTENSION]
    queue._most_waiting = 2
    try:
        _, asks = with_the_page_before_them(campaign, 4)
        first = cast(*asks[0])
        assert held.arrived.wait(10)
        waiting = [cast(*one) for one in asks[1:3]]
        until_waiting(2)
        refused = cast(*asks[3]).result(5)   # while the others still wait
        assert isinstance(refused, ballots.TooManyAtOnce) and refused.headers["Retry-After"] == "3"
        held.go.set()
        assert all(future.result(20).is_new for future in (first, *waiting))
        assert cast(*asks[3]).result(20).is_new, "the same captcha still serves"
    finally:
        queue._most_waiting = 256


def test_whoever_stops_waiting_is_not_served_afterwards(campaign, cast, held, monkeypatch):
    monkeypatch.setattr(committer, "PATIENCE_SECONDS", 0.3)
    crowd, asks = with_the_page_before_them(campaign, 2)
    first = cast(*asks[0])
    assert held.arrived.wait(10)
    second = cast(*asks[1])
    assert isinstance(second.result(10), ballots.DatabaseLost) and isinstance(first.result(10), ballots.DatabaseLost)
    held.go.set()
    monkeypatch.setattr(committer, "PATIENCE_SECONDS", 10)
    again = [cast(*one).result(20) for one in asks]
    assert [o.is_new for o in again] == [False, True], "the first was written after all and is found; the second was left alone"


def test_a_database_that_is_lost_tells_everybody_and_comes_back(campaign, cast, monkeypatch):
    crowd, asks = with_the_page_before_them(campaign, 3)
    write, is_away = batches.write, [True]

    def away(*batch):
        if is_away:
            raise OperationalError("INSERT", {}, Exception("connection refused"))
        return write(*batch)

    monkeypatch.setattr(batches, "write", away)
    said = [future.result(20) for future in [cast(*one) for one in asks]]
    assert [type(one) for one in said] == [ballots.DatabaseLost] * 3
    assert len({id(one) for one in said}) == 3, "each adds a captcha of her own to what she is told"
    is_away.clear()
    fresh = [cast(ask(campaign, voter), token).result(20) for voter, token in crowd]
    assert all(o.is_new for o in fresh)


def test_without_redis_votes_are_still_committed_together_and_marked(campaign, cast, monkeypatch):
    (voter, token), = people(1)
    for verb in ("admit", "take", "get", "put", "put_once", "pop_once"):
        monkeypatch.setattr(store, verb, lambda *_: (_ for _ in ()).throw(store.StoreAway("away")))
    once = ask(campaign, voter)
    assert once.captcha_id.startswith("s")
    db.session.commit()
    assert cast(once, token).result(10).is_new
    assert db.session.query(Ballot.degraded).scalar() is True


def test_a_voter_redis_does_not_know_goes_the_long_way_once(campaign, cast):
    (voter, token), = people(1)
    assert store.get(accounts.session_name_of(token)) is None
    assert cast(ask(campaign, voter), token).result(10).is_new
    assert store.get(accounts.session_name_of(token))


def test_a_merge_between_admission_and_commit_keeps_one_vote(campaign, cast, held):
    """Held in the committer, the voter turns out to be somebody older who has voted today."""
    older, younger = make_voter("老陈"), make_voter("阿美")
    token = token_for(younger)
    accounts.voter_of(token, NOON)
    held.go.set()
    assert ballots.cast(campaign, campaign.subjects[0], older, "良", *solved_captcha(campaign, older, NOON), NOON).is_new
    held.go.clear()
    held.arrived.clear()
    waiting = cast(ask(campaign, younger), token)
    assert held.arrived.wait(10)
    accounts.merge(older.person_id, younger.person_id, NOON, "unionid")
    db.session.commit()
    held.go.set()
    said = waiting.result(20)
    assert isinstance(said, ballots.AlreadyVoted) and said.receipt.person_id == older.person_id
    assert db.session.query(Ballot).count() == 1


def test_stopping_serves_whoever_waits_and_a_later_vote_starts_anew(campaign, cast, held, any_app):
    _, asks = with_the_page_before_them(campaign, 3)
    first = cast(*asks[0])
    assert held.arrived.wait(10)
    second = cast(*asks[1])
    until_waiting(1)
    stopping = threading.Thread(target=committer.stop, args=(any_app,))
    stopping.start()
    held.go.set()
    stopping.join(20)
    assert first.result(1).is_new and second.result(1).is_new
    assert any_app.extensions[committer.EXTENSION]._thread is None
    assert cast(*asks[2]).result(10).is_new


@pytest.mark.parametrize(("change", "is_plain"), [
    ({}, True), ({"grade": "好"}, False), ({"captcha_id": "s" + "0" * 32}, False), ({"captcha_id": "r"}, False),
    ({"captcha_id": "中" * 33}, False)])
def test_only_a_plain_ask_is_asked_in_a_batch(campaign, change, is_plain):
    plain = {"grade": "优", "captcha_id": "r" + "0" * 32} | change
    assert admission.is_plain(ballots.Ask(campaign, campaign.subjects[0], plain["grade"], plain["captcha_id"], "1", NOON)) is is_plain
    assert not admission.is_plain(ballots.Ask(campaign, campaign.subjects[0], "优", "r" + "0" * 32, "1", campaign.closes_at))


def test_a_committer_that_falls_is_replaced_by_the_next_vote(campaign, cast, any_app, monkeypatch):
    """A full disk may fail anything, the log of the failure included."""
    (amei, amei_token), (chen, chen_token) = people(2)
    first, second = ask(campaign, amei), ask(campaign, chen)
    db.session.commit()

    def falls(*_):
        raise SystemExit

    monkeypatch.setattr(committer, "PATIENCE_SECONDS", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(committer, "_serve", falls)
        patch.setattr(threading, "excepthook", lambda *_: None)
        assert isinstance(cast(first, amei_token).result(10), ballots.DatabaseLost)
    monkeypatch.setattr(committer, "PATIENCE_SECONDS", 10)
    assert cast(second, chen_token).result(20).is_new


def test_a_wrong_answer_leaves_no_sign_that_a_vote_is_on_its_way(campaign, cast):
    """Else the same request again would wait for it, and hold a thread meanwhile."""
    (voter, token), = people(1)
    accounts.voter_of(token, NOON)
    wrong = ask(campaign, voter, answer="000")
    db.session.commit()
    assert isinstance(cast(wrong, token).result(10), captcha.CaptchaWrong)
    assert store.get(admission._flag_of(wrong, voter.person_key)) is None
    assert cast(ask(campaign, voter), token).result(10).is_new
    assert store.get(admission._flag_of(wrong, voter.person_key))


def test_a_session_kept_by_another_version_is_asked_for_again(campaign, cast):
    (amei, amei_token), (chen, chen_token) = people(2)
    accounts.voter_of(chen_token, NOON)
    store.put(accounts.session_name_of(amei_token), amei.person_key + "|of|another|shape", 60)
    db.session.commit()
    assert cast(ask(campaign, chen), chen_token).result(10).is_new
    (none,) = admission.admit_many([(ask(campaign, amei), accounts.session_name_of(amei_token))])
    assert none is None


def test_a_database_that_answers_nothing_after_the_commit_counts_once(campaign, monkeypatch):
    """The COMMIT arrives, its answer is lost, and so is the look whether it did: nothing is sent again under another name."""
    voters = [make_voter(f"市民{n}") for n in range(2)]
    subject = campaign.subjects[0]
    votes = [ballots.Vote(campaign.id, subject.id, f"s{subject.id}", v.person_id, NOON.date(), Grade.GOOD, f"c{n}", "", "h5")
             for n, v in enumerate(voters)]
    write, lost = batches.write, []

    def write_and_lose(*batch):
        kept = write(*batch)
        if not lost:
            lost.append(True)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        return kept

    monkeypatch.setattr(batches, "write", write_and_lose)
    monkeypatch.setattr(box, "_looking", lambda: (_ for _ in ()).throw(OperationalError("SELECT", {}, Exception("no connection"))))
    with pytest.raises(ballots.DatabaseLost):
        ballots.cast_many(votes, NOON)
    monkeypatch.undo()
    again = [replace(vote, receipt_id=f"AGAIN{n:011d}") for n, vote in enumerate(votes)]   # as a request makes its vote anew
    assert [o.is_new for o in ballots.cast_many(again, NOON)] == [False, False]
    assert ballots.recount(campaigns.by_slug(campaign.slug)) == []


def test_what_the_database_refuses_of_one_vote_is_that_votes_alone(campaign):
    voters = [make_voter(f"市民{n}") for n in range(3)]
    subject = campaign.subjects[0]
    votes = [ballots.Vote(campaign.id, subject.id, f"s{subject.id}", v.person_id, NOON.date(), Grade.GOOD, f"c{n}", "",
                          None if n == 1 else "h5")   # type: ignore[arg-type]
             for n, v in enumerate(voters)]
    began = time.monotonic()
    outcomes = ballots.cast_many(votes, NOON)
    assert [isinstance(o, ballots.Outcome) for o in outcomes] == [True, False, True] and not isinstance(outcomes[1], ballots.DatabaseLost)
    assert time.monotonic() - began < 10, "on SQLite nobody waits for his own lock"
    assert ballots.recount(campaigns.by_slug(campaign.slug)) == []


def test_where_no_thread_can_be_had_the_next_vote_tries_again(campaign, cast, monkeypatch):
    _, asks = with_the_page_before_them(campaign, 2)
    with monkeypatch.context() as starved:
        starved.setattr(committer.threading.Thread, "start", lambda _thread: (_ for _ in ()).throw(RuntimeError("can't start new thread")))
        with pytest.raises(ballots.TooManyAtOnce):
            committer.cast(*asks[0])
    assert [cast(*one).result(20).is_new for one in asks] == [True, True]
