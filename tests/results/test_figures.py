"""The results page reads counters, never ballots; how many people voted is counted now and then, and says when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from tests.factories import NOON, cast, make_campaign, make_voter
from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.ballots import decisions
from wxbackend.ballots.models import Ballot, Tally
from wxbackend.extensions import db
from wxbackend.results import service as results
from wxbackend.results import turnout
from wxbackend.results.tasks import next_count

MINUTE = timedelta(minutes=1)


@pytest.fixture
def campaign(any_app):
    cast(make_campaign(slug="another-campaign"), make_voter("路人"))
    return make_campaign(results="live")


def people(campaign, at: datetime) -> tuple[int | None, datetime | None]:
    figures = results.figures(campaign, at)
    return figures.people, figures.people_at


def test_people_are_counted_at_an_instant_that_is_told(campaign):
    assert people(campaign, NOON) == (None, None)
    for name in ("阿美", "老陈"):
        cast(campaign, make_voter(name))
    cast(campaign, make_voter("阿美"), at=NOON + timedelta(days=1))
    at = NOON + timedelta(days=1, minutes=5)
    jobs.run_due(at)
    assert people(campaign, at) == (2, at) and results.figures(campaign, at).ballots == 3
    cast(campaign, make_voter("路人"), at=at)
    assert people(campaign, at) == (2, at) and results.figures(campaign, at).ballots == 4
    jobs.run_due(at + 10 * MINUTE)
    assert people(campaign, at)[0] == 3


def test_whoever_has_no_ballot_that_counts_is_not_counted(campaign):
    first, second = (make_voter(name) for name in ("阿美", "阿美的旧号"))
    for voter in (first, second, make_voter("老陈")):
        cast(campaign, voter)
    assert turnout.people(campaign) == 3
    accounts.merge(first.person_id, second.person_id, NOON, "unionid")
    chens = db.session.query(Ballot.id).filter_by(person_id=make_voter("老陈").person_id).scalar()
    decisions.quarantine([chens], "burst", "", "system:x", NOON)
    db.session.commit()
    assert turnout.people(campaign) == 1


def test_people_are_counted_again_until_the_list_is_frozen():
    closes_at, freeze_at = NOON + timedelta(days=1), NOON + timedelta(days=3)
    for at, following in ((NOON, NOON + 10 * MINUTE), (closes_at - 5 * MINUTE, closes_at + MINUTE), (closes_at, closes_at + MINUTE),
                          (closes_at + MINUTE, closes_at + 61 * MINUTE), (freeze_at, None)):
        assert next_count(closes_at, freeze_at, at) == following, at


def test_counting_people_holds_no_voter_up(app):
    """SQLite has one writer: what the worker reads for long it reads without the write lock."""
    campaign = make_campaign()
    cast(campaign, make_voter("阿美"))
    db.session.commit()
    asked = [statement for statement, _ in statements(lambda: turnout.people(campaign))]
    long_look = next(n for n, statement in enumerate(asked) if "count(distinct" in statement.lower())
    assert asked[long_look - 1] == "BEGIN"


def statements(look) -> list[tuple[str, Any]]:
    """What a look sends to the database."""
    seen: list[tuple[str, Any]] = []

    def see(_connection, _cursor, statement, parameters, *_):
        seen.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", see)
    try:
        look()
    finally:
        event.remove(db.engine, "before_cursor_execute", see)
    return seen


def others_counters() -> None:
    """Two thousand counters of other campaigns, so that the way to ours is a choice."""
    rows = [{"subject_id": 1000 + n // 4, "day": NOON.date(), "grade": "优良中差"[n % 4], "shard": "0", "count": 1} for n in range(2000)]
    db.session.execute(insert(Tally), rows)
    db.session.commit()
    analyse = {"sqlite": "ANALYZE tally", "postgresql": "ANALYZE tally", "mysql": "ANALYZE TABLE tally"}[db.engine.dialect.name]
    db.session.execute(text(analyse))
    db.session.commit()


def goes_by_the_key(statement: str, values: Any) -> bool:
    """Whether the database reads the counters by the beginning of their primary key, by its own account."""
    explain = "EXPLAIN QUERY PLAN " if db.engine.dialect.name == "sqlite" else "EXPLAIN "
    rows = db.session.connection().exec_driver_sql(explain + statement, values).mappings().all()
    if db.engine.dialect.name == "mysql":
        return [(row["key"], row["type"]) for row in rows] == [("PRIMARY", "range")]
    told = "\n".join(str(dict(row)) for row in rows)
    if db.engine.dialect.name == "postgresql":
        return "pk_tally" in told and "Index Cond: (subject_id = ANY" in told and "Seq Scan" not in told
    return "SEARCH tally USING INDEX sqlite_autoindex_tally_1 (subject_id=?" in told and "SCAN" not in told


@pytest.mark.parametrize("when", ["live", "after the close"])
def test_results_read_the_counters_by_their_key_and_no_ballot(any_app, when):
    campaign = make_campaign(results="live", subjects=[{"key": f"s{n}", "title": f"项目{n}"} for n in range(3)])
    for name in ("阿美", "老陈"):
        cast(campaign, make_voter(name))
    others_counters()
    at = NOON if when == "live" else campaign.closes_at
    assert len(campaign.subjects) == 3
    asked = [one for one in statements(lambda: results.figures(campaign, at)) if one[0].startswith("SELECT")]
    assert not [statement for statement, _ in asked if "ballot" in statement]
    counters = [one for one in asked if "FROM tally" in one[0]]
    assert len(counters) == 1 and len(asked) == 2   # and the row that says how many people
    assert goes_by_the_key(*counters[0])


def test_the_api_says_when_people_were_counted(campaign, client_of, at_noon):
    cast(campaign, make_voter("阿美"))
    url = f"/api/v1/campaigns/{campaign.slug}/results"
    assert client_of.get(url).json | {"subjects": []} == {"people": None, "people_at": None, "ballots": 1, "subjects": []}
    jobs.run_due(NOON)
    body = client_of.get(url).json
    assert (body["people"], datetime.fromisoformat(body["people_at"])) == (1, NOON)
    page = client_of.get(f"/c/{campaign.slug}/results").text
    assert "有效票1张。截至1月6日（周四）12:00，有1人投过" in page


@pytest.fixture
def client_of(any_app):
    return any_app.test_client()


@pytest.fixture
def at_noon(any_app):
    any_app.extensions["clock"].fixed = NOON
