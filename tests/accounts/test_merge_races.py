"""Logins, votes and merges at one moment, on the three engines: no two live ballots of one person and day, none lost, the count right."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from tests.factories import NOON, enter, make_campaign, make_voter
from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity, Person, PersonMerge
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns.models import Campaign
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db, reads_only, settings
from wxbackend.submissions import service as submissions
from wxbackend.tickets.models import Ticket
from wxbackend.wechat import WxUser

ROUNDS = 5
TWO_OF_A_DAY = text(
    "SELECT count(*) FROM (SELECT b.quota_key, b.day, COALESCE(p.merged_into_id, p.id) AS who "
    "FROM ballot b JOIN person p ON p.id = b.person_id WHERE b.void_no = 0 "
    "GROUP BY b.quota_key, b.day, COALESCE(p.merged_into_id, p.id) HAVING count(*) > 1) twice")
MISCOUNTED = text(
    "SELECT (SELECT COALESCE(SUM(count), 0) FROM tally WHERE grade = '良') - "
    "(SELECT count(*) FROM ballot WHERE void_no = 0 AND grade = '良'), "
    "(SELECT COALESCE(SUM(count), 0) FROM tally WHERE grade = '优') - "
    "(SELECT count(*) FROM ballot WHERE void_no = 0 AND grade = '优')")


@pytest.fixture
def app(make_app, engine_url):
    app = make_app(database_url=engine_url)
    with app.app_context():
        yield app


def at_once(app: Any, *deeds: Callable[[], Any]) -> list[Any]:
    """Each deed in a thread, session and transaction of its own; results or exceptions, in order."""
    db.session.rollback()
    gate, said = threading.Barrier(len(deeds)), [None] * len(deeds)

    def go(n: int, deed: Callable[[], Any]) -> None:
        with app.app_context():
            gate.wait()
            try:
                said[n] = deed()
                db.session.commit()
            except Exception as e:
                db.session.rollback()
                said[n] = e
            finally:
                db.session.remove()

    threads = [threading.Thread(target=go, args=pair) for pair in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


@contextmanager
def watched(app: Any) -> Iterator[list[Any]]:
    """Looks again and again, each time at one snapshot: what it finds wrong is collected."""
    wrong: list[Any] = []
    over = threading.Event()

    def look() -> None:
        with app.app_context():
            reads_only.set(True)
            engine = db.engine if db.engine.dialect.name == "sqlite" else db.engine.execution_options(isolation_level="REPEATABLE READ")
            for looks in itertools.count(1):
                with engine.connect() as connection:
                    twice, counted = connection.execute(TWO_OF_A_DAY).scalar(), connection.execute(MISCOUNTED).one()
                    connection.rollback()
                if twice or any(counted):
                    wrong.append((looks, twice, tuple(counted)))
                if over.wait(0.002):
                    break

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield wrong
    finally:
        over.set()
        thread.join()


def login(appid: str, openid: str, unionid: str | None) -> Callable[[], int]:
    return lambda: accounts.login(WxUser(appid, openid, unionid), NOON).person_id


def vote(campaign: Campaign, person_id: int, mark: str, grade: Grade) -> Callable[[], Any]:
    """As a request does: the person was read before."""
    subject = campaign.subjects[0]
    key = ballots.quota_key(campaign, subject)
    one = ballots.Vote(campaign.id, subject.id, key, person_id, NOON.date(), grade, mark.ljust(64, "0"), "", "h5")
    return lambda: type(ballots.cast_many([one], NOON)[0]).__name__


def test_votes_of_both_doors_while_they_become_one(app):
    campaign = make_campaign()
    account_app, mini_app = settings.account_appid, settings.miniprogram_appid
    with watched(app) as wrong:
        for n in range(ROUNDS):
            account, mini = (login(account_app, f"oA{n}", None)(), login(mini_app, f"oM{n}", f"u{n}")())
            db.session.commit()
            said = at_once(app, vote(campaign, account, f"a{n}", Grade.GOOD), login(account_app, f"oA{n}", f"u{n}"),
                           vote(campaign, mini, f"m{n}", Grade.EXCELLENT), login(mini_app, f"oM{n}", f"u{n}"),
                           vote(campaign, mini, f"x{n}", Grade.GOOD), login(account_app, f"oA{n}", f"u{n}"))
            assert said[1] == said[5] == account and said[3] in (account, mini), said
            assert {said[0], said[2], said[4]} <= {"Outcome", "AlreadyVoted"}, said
    assert wrong == []
    jobs.run_due(NOON + timedelta(minutes=5))
    db.session.rollback()
    assert ballots.recount(campaign) == [] and db.session.scalar(TWO_OF_A_DAY) == 0
    live = db.session.query(Ballot).filter_by(void_no=0)
    assert live.count() == len({b.person_id for b in live}) == ROUNDS   # each human one, none lost
    assert db.session.query(Ballot).join(Person, Person.id == Ballot.person_id).filter(Person.merged_into_id.is_not(None)).count() == 0
    assert db.session.query(PersonMerge).filter_by(why="unionid").count() == ROUNDS


def test_two_logins_that_learn_the_same_unionid_at_once_are_one_person(app):
    """Neither has an owner to find: the unique key decides, and who lost is merged."""
    for n in range(ROUNDS):
        openids = [(settings.account_appid, f"oA{n}"), (settings.miniprogram_appid, f"oM{n}"), ("wxthird", f"oT{n}")]
        ids = [login(*who, None)() for who in openids]
        db.session.commit()
        said = at_once(app, *(login(*who, f"u{n}") for who in openids * 2))
        assert not [one for one in said if isinstance(one, Exception)], said
        now = {i.person_id for i in db.session.query(Identity).filter(Identity.openid.in_([openid for _, openid in openids]))}
        assert now == {min(ids)} and {accounts.surviving(one) for one in ids} == now
        assert db.session.query(Person).filter_by(unionid=f"u{n}").one().id == min(ids)
        db.session.rollback()


def test_merges_that_meet_in_the_middle_end_at_the_oldest(app):
    for n in range(ROUNDS):
        ids = [login("wxany", f"o{n}-{k}", None)() for k in range(4)]
        db.session.commit()
        pairs = [(ids[a], ids[b]) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
        said = at_once(app, *(partial(patiently, partial(accounts.merge, one, other, NOON, "unionid")) for one, other in pairs))
        assert not [one for one in said if isinstance(one, Exception)], said
        assert {accounts.surviving(one) for one in ids} == {ids[0]} and sorted(accounts.all_ids(ids[3])) == ids
        db.session.rollback()


def patiently(deed: Callable[[], Any]) -> Any:
    """As a login does where the database ends one of two that wait for each other."""
    for _ in range(5):
        try:
            return deed()
        except Exception as e:
            if not accounts._crossed(e):   # type: ignore[arg-type]
                raise
            db.session.rollback()
    raise AssertionError("never came through")


def test_taps_and_entries_while_two_become_one_leave_one_ticket_and_one_name(app):
    campaign = make_campaign()
    for n in range(ROUNDS):
        account, mini = make_voter(f"阿美{n}"), make_voter(f"阿美{n}", settings.miniprogram_appid, f"u{n}")
        openid, ids = account.identity.openid, (account.person_id, mini.person_id)
        for k, person_id in enumerate(ids):
            vote(campaign, person_id, f"v{n}-{k}", Grade.GOOD)()
        enter(campaign, account, "陈小美", "13800000001", NOON)
        form, campaign_id = submissions.EntryForm("陈小美", "13800000001"), campaign.id
        db.session.commit()

        def tap(person_id: int) -> str:
            mine = db.session.get_one(Campaign, campaign_id)   # noqa: B023
            submissions.enter(mine, person_id, form, NOON)     # noqa: B023
            return submissions.tap(mine, person_id, None, NOON).state

        said = at_once(app, lambda: tap(ids[0]), lambda: tap(ids[1]), login(settings.account_appid, openid, f"u{n}"),   # noqa: B023
                       lambda: tap(ids[1]), login(settings.account_appid, openid, f"u{n}"))                              # noqa: B023
        assert said[2] == said[4] == ids[0], said
        assert set(said[:2] + said[3:4]) == {"approved"}, said
        hers = db.session.query(Ticket).filter(Ticket.person_id.in_(ids), Ticket.revoked_at.is_(None)).all()
        assert [t.person_id for t in hers] == [ids[0]]
        assert [e.person_id for e in submissions.entries_of(campaign, ids[1])] == [ids[0]]
        db.session.rollback()
    assert ballots.recount(campaign) == []
