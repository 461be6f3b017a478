"""Several decide on the same ballots while their voters vote and become one: each ballot counts once or not at all."""

from __future__ import annotations

from functools import partial

import pytest

from tests.accounts.test_merge_races import at_once, patiently, vote
from tests.factories import NOON, make_campaign, make_voter
from wxbackend import audit
from wxbackend.accounts import service as accounts
from wxbackend.ballots import decisions
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db

ROUNDS = 4
PEOPLE = 6


@pytest.fixture
def app(make_app, engine_url):
    app = make_app(database_url=engine_url)
    with app.app_context():
        yield app


def ballots_of(campaign, *names: str) -> list[int]:
    """A ballot each, all 良."""
    persons = [make_voter(name).person_id for name in names]
    for name, person in zip(names, persons, strict=True):
        vote(campaign, person, name.encode().hex(), Grade.GOOD)()
    return [ballot for (ballot,) in db.session.query(Ballot.id).filter(Ballot.person_id.in_(persons)).order_by(Ballot.id)]


def words() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for ballot, verdict in db.session.query(BallotDecision.ballot_id, BallotDecision.verdict).order_by(BallotDecision.id):
        found.setdefault(ballot, []).append(verdict)
    return found


def test_several_who_decide_the_same_at_once_decide_it_once(app):
    campaign = make_campaign()
    for n in range(ROUNDS):
        ids = ballots_of(campaign, *(f"市民{n}-{k}" for k in range(PEOPLE)))
        said = at_once(app, *(partial(decisions.quarantine, order, "burst", "", f"system:rule{k}", NOON)
                              for k, order in enumerate((ids, ids[::-1], ids[2:], ids[:3]))))
        assert sorted(ballot for one in said for ballot in one) == ids, said   # each is set aside by one of them
        verbs = (decisions.release, decisions.reject, decisions.release)
        said = at_once(app, *(partial(verb, ids, "looked at", "", f"staff:{k}", NOON) for k, verb in enumerate(verbs)))
        assert not [one for one in said if isinstance(one, Exception)], said
        assert ballots.recount(campaign) == [] and len({words()[ballot][-1] for ballot in ids}) == 1
        db.session.rollback()
    assert audit.verify_chain() is None


def test_decisions_and_a_merge_at_once_count_a_ballot_once_at_most(app):
    """Each person votes with two names; while they become one, both ballots are set aside and released, and the first votes again."""
    campaign = make_campaign()
    for n in range(ROUNDS):
        ids = ballots_of(campaign, f"阿美{n}", f"阿美{n}的旧号", f"路人{n}")
        persons = [make_voter(name).person_id for name in (f"阿美{n}", f"阿美{n}的旧号")]
        if n % 2:
            decisions.quarantine(ids, "burst", "", "system:rule", NOON)
            db.session.commit()
        verb = decisions.release if n % 2 else decisions.quarantine
        deeds = (partial(verb, ids, "burst", "", "system:rule", NOON), partial(accounts.merge, *persons, NOON, "unionid"),
                 vote(campaign, persons[1], f"x{n}", Grade.GOOD), partial(verb, ids[::-1], "burst", "", "staff:xiaoli", NOON))
        said = at_once(app, *(partial(patiently, deed) for deed in deeds))
        assert not [one for one in said if isinstance(one, Exception)], said
        assert said[2] == "AlreadyVoted" and ballots.recount(campaign) == []
        voided = [ballot for (ballot,) in db.session.query(Ballot.id).filter(Ballot.id.in_(ids), Ballot.void_no > 0)]
        assert len(voided) == 1 and words()[voided[0]][-1] == "voided"
        assert ballots.tally(campaign.subjects[0])[Grade.GOOD] == sum(words().get(b, ["released"])[-1] == "released" for b in all_ids())
        db.session.rollback()


def all_ids() -> list[int]:
    return [ballot for (ballot,) in db.session.query(Ballot.id)]
