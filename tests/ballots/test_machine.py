"""Votes, replays, decisions, merges and crashes in every order: tally = recount = ballots = log, always.

A naive model keeps a list of ballots in memory; after each step the database is held against it. Steps and chances are the same in every
run (derandomized).
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from tests.ballots.faults import Faults, Killed, faults
from tests.conftest import inside
from tests.factories import NOON, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.ballots import decisions
from wxbackend.ballots import service as ballots
from wxbackend.ballots.log import counting, verify
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.waiting import Book
from wxbackend.ballots.models import Ballot, BallotDecision, Tally
from wxbackend.ballots.rules import new_receipt_id
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db

SUBJECTS = [{"key": "one", "title": "项目一"}, {"key": "two", "title": "项目二"}]
PEOPLE = 5
# What befalls a batch at its first and second try, and whether it is in the box afterwards.
PLANS = {(): True, ("before",): True, ("after",): True, ("before", "before"): False, ("before", "after"): True, ("after", "before"): True,
         ("killed before",): False, ("killed after",): True}
VERBS = {"quarantined": decisions.quarantine, "released": decisions.release, "rejected": decisions.reject}
_numbers = itertools.count(1)

people = st.integers(0, PEOPLE - 1)
votes = st.lists(st.tuples(people, st.integers(0, 1), st.sampled_from(list(Grade))), min_size=1, max_size=8)
some = st.lists(st.integers(0, 30), min_size=1, max_size=4)


@dataclass
class Known:
    """A ballot as it must be."""

    id: int
    receipt_id: str
    person: int
    key: str
    subject: str
    day: date
    grade: str
    cast_at: datetime
    is_void: bool = False
    words: list[str] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return not self.is_void and (not self.words or self.words[-1] == "released")

    @property
    def place(self) -> tuple[int, str, date]:
        return self.person, self.key, self.day


class Box(RuleBasedStateMachine):
    """One campaign of two subjects, five people who turn out to be fewer, and a database that fails now and then."""

    def __init__(self, database: Faults):
        super().__init__()
        self.database = database
        self.box: dict[str, Known] = {}      # by receipt
        self.voted: dict[str, ballots.Vote] = {}
        self.sent: list[ballots.Vote] = []
        self.now = NOON.replace(hour=23, minute=30) - timedelta(days=1)

    @initialize(quota=st.sampled_from(["subject", "campaign"]))
    def begin(self, quota):
        n = next(_numbers)
        self.campaign = make_campaign(slug=f"machine-{n}", quota=quota, subjects=SUBJECTS)
        self.people = [make_voter(f"{n}-{k}", unionid=None).person_id for k in range(PEOPLE)]
        self.into = {person: person for person in self.people}

    # What people do

    @rule(chosen=votes, plan=st.sampled_from([(), *PLANS]))
    def cast(self, chosen, plan):
        """Several votes as one batch; in a batch a person may be named twice, or by a name she has lost."""
        batch = [self.vote(who, which, grade) for who, which, grade in chosen]
        self.sent += batch
        self.put(batch, plan)

    @rule(who=people, which=st.integers(0, 1), grade=st.sampled_from(list(Grade)))
    def cast_one(self, who, which, grade):
        self.cast([(who, which, grade)], ())

    @precondition(lambda self: self.sent)
    @rule(which=some, plan=st.sampled_from([(), *PLANS]))
    def send_again(self, which, plan):
        """The same requests once more, whether they were answered or not: each with a receipt id of its own, for the day of today."""
        old = [self.sent[n % len(self.sent)] for n in dict.fromkeys(n % len(self.sent) for n in which)]
        self.put([replace(vote, day=self.campaign.day(self.now), receipt_id=new_receipt_id()) for vote in old], plan)

    @rule(minutes=st.sampled_from([1, 29, 31, 60 * 7, 60 * 24]))
    def time_passes(self, minutes):
        """Often over midnight: it is half past eleven at first."""
        self.now = min(self.now + timedelta(minutes=minutes), self.campaign.closes_at - timedelta(seconds=1))

    # What staff and rules decide

    @precondition(lambda self: self.box)
    @rule(which=some, verdict=st.sampled_from(sorted(VERBS)), crash=st.sampled_from(["", "", "before", "after"]))
    def decide(self, which, verdict, crash):
        """A crash before the COMMIT leaves nothing; one after it, and the same is asked once more."""
        known = sorted(self.box.values(), key=lambda b: b.id)
        asked = [known[n] for n in sorted({n % len(known) for n in which})]
        live = [b for b in asked if not b.is_void]
        changed = [b for b in live if not b.words] if verdict == "quarantined" else [b for b in live if b.words and b.words[-1] != verdict]
        ids = [b.id for b in asked]
        if verdict != "quarantined" and any(not b.words for b in live):
            with pytest.raises(decisions.NotQuarantined):
                VERBS[verdict](ids, "why", "", "staff:xiaoli", self.now)
            return db.session.rollback()
        assert VERBS[verdict](ids, "why", "rule/1", "system:rule", self.now) == [b.id for b in changed]
        if crash == "before":
            return db.session.rollback()
        db.session.commit()
        for ballot in changed:
            ballot.words.append(verdict)
        if crash == "after":
            assert VERBS[verdict](ids, "why", "rule/1", "system:rule", self.now) == []
            db.session.commit()

    # What turns out

    @rule(one=people, other=people, crash=st.booleans())
    def two_are_one(self, one, other, crash):
        stays = accounts.merge(self.people[one], self.people[other], self.now, "unionid")
        if crash:
            return db.session.rollback()
        db.session.commit()
        now = {self.into[self.people[one]], self.into[self.people[other]]}
        assert stays == min(now)
        self.into = {person: stays if into in now else into for person, into in self.into.items()}
        self.void_the_later(now, stays)

    @rule()
    def the_log_keeps_up(self):
        log.keep_up(self.campaign, self.now)

    # What must hold after every step

    @invariant()
    def the_database_holds_what_the_model_holds(self):
        rows = db.session.execute(select(Ballot).where(Ballot.campaign_id == self.campaign.id)).scalars()
        assert {b.receipt_id: (b.person_id, b.quota_key, b.day, b.grade, b.void_no > 0, b.cast_at) for b in rows} == {
            k.receipt_id: (k.person, k.key, k.day, k.grade, k.is_void, k.cast_at) for k in self.box.values()}
        words = select(BallotDecision.ballot_id, BallotDecision.verdict).where(BallotDecision.campaign_id == self.campaign.id)
        said: dict[int, list[str]] = {}
        for ballot, verdict in db.session.execute(words.order_by(BallotDecision.ballot_id, BallotDecision.n)):
            said.setdefault(ballot, []).append(verdict)
        assert said == {k.id: k.words for k in self.box.values() if k.words}

    @invariant()
    def nobody_has_two_live_ballots_of_one_day(self):
        live = Counter(known.place for known in self.box.values() if not known.is_void)
        assert not live or max(live.values()) == 1

    @invariant()
    def the_tally_is_what_a_child_would_count(self):
        assert ballots.recount(self.campaign) == []
        counters = select(Tally.subject_id, Tally.day, Tally.grade, func.sum(Tally.count)).where(
            Tally.subject_id.in_([s.id for s in self.campaign.subjects])).group_by(Tally.subject_id, Tally.day, Tally.grade)
        keys = {s.id: s.key for s in self.campaign.subjects}
        shown = {(keys[subject], day, grade): int(n) for subject, day, grade, n in db.session.execute(counters) if n}
        assert shown == self.counted()
        db.session.rollback()

    def teardown(self):
        """The vote is over and the log has caught up: it says the same."""
        if not hasattr(self, "campaign"):
            return
        log.keep_up(self.campaign, self.campaign.closes_at + timedelta(days=1))
        assert counting.count(self.campaign) == self.counted()
        assert list(verify.verify(Book.of(self.campaign))) == []
        db.session.rollback()

    # The model

    def counted(self) -> Counter[tuple[str, date, str]]:
        return Counter((k.subject, k.day, k.grade) for k in self.box.values() if k.counts)

    def vote(self, who: int, which: int, grade: Grade) -> ballots.Vote:
        subject, day, spent = self.campaign.subjects[which], self.campaign.day(self.now), f"{self.campaign.id}-{next(_numbers)}"
        key = ballots.quota_key(self.campaign, subject)
        return ballots.Vote(self.campaign.id, subject.id, key, self.people[who], day, grade, spent, "", "h5")

    def put(self, batch: list[ballots.Vote], plan: tuple[str, ...]) -> None:
        """Cast a batch under faults."""
        self.database.plan, answers = list(plan), None
        try:
            answers = ballots.cast_many(batch, self.now)
        except (ballots.DatabaseLost, Killed):
            assert plan
        finally:
            self.database.plan = []
            db.session.rollback()
        self.take_in(batch, answers is not None, PLANS[plan])
        for vote, answer in zip(batch, answers or [], strict=answers is not None):
            self.check(vote, answer)

    def take_in(self, batch: list[ballots.Vote], was_answered: bool, was_kept: bool) -> None:
        """A batch that is answered gained one ballot for every free place that was asked for. Of one that is not, the same or nothing;
        who had lost her name meanwhile is cast again in a batch of her own, which then may not have come to its turn."""
        ours = {vote.receipt_id: vote for vote in batch}
        rows = db.session.execute(select(Ballot.receipt_id, Ballot.id).where(Ballot.receipt_id.in_(list(ours))).order_by(Ballot.id)).all()
        spent = {vote.captcha_hash for vote in self.voted.values()}
        taken = {known.place for known in self.box.values() if not known.is_void}
        asked = [vote for vote in batch if vote.captcha_hash not in spent and self.place(vote) not in taken]
        first = {self.place(vote) for vote in asked if self.into[vote.person_id] == vote.person_id}
        gained = [self.place(ours[receipt]) for receipt, _ in rows]
        free = {self.place(vote) for vote in asked}
        assert len(gained) == len(set(gained)) and set(gained) <= free
        assert set(gained) >= (free if was_answered else first if was_kept else set())
        assert was_kept or not set(gained) & first
        for receipt, ballot in rows:
            self.enter(ballot, ours[receipt])

    def enter(self, ballot: int, vote: ballots.Vote) -> None:
        keys = {s.id: s.key for s in self.campaign.subjects}
        person, key, day = self.place(vote)
        self.box[vote.receipt_id] = Known(ballot, vote.receipt_id, person, key, keys[vote.subject_id], day, vote.grade.value, self.now)
        self.voted[vote.receipt_id] = vote

    def check(self, vote: ballots.Vote, answer: ballots.Outcome | Exception) -> None:
        """Who was told that her vote is in has a receipt that counts for her on that day."""
        if vote.receipt_id in self.box:
            assert isinstance(answer, ballots.Outcome) and answer.is_new
        mine = next((r for r, v in self.voted.items() if v.captcha_hash == vote.captcha_hash), None)
        assert isinstance(answer, ballots.Outcome if mine else ballots.AlreadyVoted)
        place = self.box[mine].place if mine else self.place(vote)
        standing = next(k for k in self.box.values() if k.place == place and not k.is_void)
        assert answer.receipt.receipt_id == standing.receipt_id

    def place(self, vote: ballots.Vote) -> tuple[int, str, date]:
        return self.into[vote.person_id], vote.quota_key, vote.day

    def void_the_later(self, now: set[int], stays: int) -> None:
        for known in self.box.values():
            if known.person in now:
                known.person = stays
        live: dict[tuple[int, str, date], Known] = {}
        for known in sorted(self.box.values(), key=lambda k: (k.cast_at, k.id)):
            if not known.is_void and live.setdefault(known.place, known) is not known:
                known.is_void = True
                known.words.append("voided")


def play(engine, examples: int, steps: int) -> None:
    profile = settings(derandomize=True, database=None, deadline=None, max_examples=examples, stateful_step_count=steps,
                       suppress_health_check=list(HealthCheck), phases=[Phase.generate], report_multiple_bugs=False)
    with faults(engine) as database, mock.patch.object(campaigns, "qr_png", lambda _url: b"drawn once is enough"):
        run_state_machine_as_test(lambda: Box(database), settings=profile)


def test_on_sqlite_the_tally_is_exact_whatever_happens(app):
    play(db.engine, examples=12, steps=30)


def test_on_the_servers_too(lent_app, server_url):
    with inside(lent_app(server_url)):
        play(db.engine, examples=4, steps=25)
