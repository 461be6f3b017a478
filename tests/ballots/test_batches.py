"""One transaction a batch, spelled three times, with one outcome."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.factories import NOON, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.ballots import batches
from wxbackend.ballots import service as ballots
from wxbackend.ballots.box import Line
from wxbackend.ballots.models import Ballot, BallotBatch, Tally
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db


@pytest.fixture
def campaign(any_app):
    make_campaign(slug="another-campaign")
    return make_campaign()


def row(campaign, voter, n, **changes):
    subject = campaign.subjects[0]
    plain = {"receipt_id": f"R{n:015d}", "captcha_hash": f"{n:064x}", "campaign_id": campaign.id, "subject_id": subject.id,
             "quota_key": f"s{subject.id}", "person_id": voter.person_id, "day": NOON.date(), "grade": Grade.GOOD, "source_code": "article",
             "door": "h5", "degraded": False, "cast_at": NOON + timedelta(microseconds=n)}
    return batches.Row(**(plain | changes))


def write(rows, batch_id="b"):
    db.session.commit()
    with Line() as line:
        return batches.write(line.connection(), batch_id, rows, NOON)


def test_a_batch_is_stored_as_it_was_asked(campaign):
    amei, chen = make_voter("阿美"), make_voter("老陈")
    odd = row(campaign, chen, 2, source_code='a"b\\c,{}', degraded=True, grade=Grade.POOR)
    assert write([odd, row(campaign, amei, 1)]) == {"R000000000000001", "R000000000000002"}
    kept = {b.receipt_id: b for b in db.session.scalars(select(Ballot))}
    for asked in (odd, row(campaign, amei, 1)):
        ballot = kept[asked.receipt_id]
        assert {name: getattr(ballot, name) for name in batches.COLUMNS} == {
            name: getattr(asked, name) for name in batches.COLUMNS} | {"grade": asked.grade.value}
        assert ballot.void_no == 0
    assert db.session.scalar(select(BallotBatch.at)) == NOON


def test_of_two_by_one_person_the_first_goes_in_whether_in_one_batch_or_two(campaign):
    """The one that came first, in whatever order they lie: `cast_at` grows with the number here."""
    amei = make_voter("阿美")
    assert write([row(campaign, amei, 2), row(campaign, amei, 1)]) == {"R000000000000001"}
    assert write([row(campaign, amei, 3)], "c") == set()
    assert db.session.query(Ballot).count() == 1 and sum(db.session.scalars(select(Tally.count))) == 1


def test_a_spent_captcha_serves_nobody_else(campaign):
    write([row(campaign, make_voter("阿美"), 1)])
    assert write([row(campaign, make_voter("老陈"), 2, captcha_hash=f"{1:064x}")], "c") == set()


def test_a_batch_that_was_committed_before_is_refused_whole(campaign):
    write([row(campaign, make_voter("阿美"), 1)])
    with pytest.raises(IntegrityError):
        write([row(campaign, make_voter("老陈"), 2)])
    db.session.rollback()
    assert db.session.query(Ballot).count() == 1 and sum(db.session.scalars(select(Tally.count))) == 1


def test_whoever_was_merged_meanwhile_is_left_out(campaign):
    older, younger = make_voter("老陈", unionid=None), make_voter("阿美", unionid=None)
    accounts.merge(older.person_id, younger.person_id, NOON, "unionid")
    assert write([row(campaign, younger, 1), row(campaign, make_voter("路人"), 2)]) == {"R000000000000002"}


def test_a_batch_of_nobody_but_merged_ones_is_empty(campaign):
    older, younger = make_voter("老陈", unionid=None), make_voter("阿美", unionid=None)
    accounts.merge(older.person_id, younger.person_id, NOON, "unionid")
    assert write([row(campaign, younger, 1)]) == set()


def test_the_tally_moves_by_what_went_in(campaign):
    voters = [make_voter(f"市民{n}") for n in range(6)]
    grades = [Grade.GOOD, Grade.POOR, Grade.GOOD, Grade.EXCELLENT, Grade.GOOD, Grade.GOOD]
    rows = [row(campaign, v, n, grade=g) for n, (v, g) in enumerate(zip(voters, grades, strict=True))]
    write([*rows, row(campaign, voters[0], 99, grade=Grade.FAIR)])
    tomorrow = NOON.date() + timedelta(days=1)
    write([row(campaign, voters[0], 7, day=tomorrow)], "c")
    counts = {(t.day, t.grade): t.count for t in db.session.scalars(select(Tally))}
    assert counts == {(NOON.date(), "良"): 4, (NOON.date(), "差"): 1, (NOON.date(), "优"): 1, (tomorrow, "良"): 1}
    assert ballots.recount(campaign) == []


def test_an_instant_is_the_same_one_wherever_it_was_said(campaign):
    write([row(campaign, make_voter("阿美"), 1, cast_at=NOON), row(campaign, make_voter("老陈"), 2, cast_at=NOON.astimezone(UTC))])
    assert list(db.session.scalars(select(Ballot.cast_at))) == [NOON, NOON]
    assert isinstance(db.session.scalar(select(Ballot.cast_at)), datetime)


def test_persons_are_found_by_their_key_and_not_by_looking_through_all(campaign):
    """The plan that read a whole day for each batch cost more than the vote (performance page, part 1, 3)."""
    for n in range(30):
        make_voter(f"市民{n}")
    engine = db.engine.dialect.name
    if engine == "postgresql":
        db.session.execute(text("SET enable_seqscan = off"))   # thirty rows are read whole; what is asked is whether the key serves
        columns = [batches._array([getattr(row(campaign, make_voter("市民1"), 1), name)]) for name in batches.COLUMNS]
        plan = db.session.connection().exec_driver_sql("EXPLAIN " + batches.POSTGRESQL, (*columns, "{1,2}", "b", NOON, "0"))
        said = "\n".join(line for (line,) in plan)
        assert "pk_person" in said, said
    elif engine == "sqlite":
        plan = db.session.connection().exec_driver_sql("EXPLAIN QUERY PLAN " + batches.SQLITE_PUT, (json.dumps([]),))
        said = "\n".join(line[3] for line in plan)
        assert "SEARCH person USING INTEGER PRIMARY KEY" in said, said
    else:
        plan = db.session.connection().exec_driver_sql("EXPLAIN " + batches.MARIADB_HOLD.format(marks="%s, %s"), (1, 2))
        assert all(line.key == "PRIMARY" for line in plan)
