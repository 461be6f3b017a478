"""Races against real server processes, and a crash in the middle of a rush."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask

from tests.conftest import emptied_database
from tests.factories import make_campaign, make_voter, solved_captcha, token_for
from tests.journeys.servers import Server, running, start, wait_until_ready
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.extensions import db, settings

GRADES = itertools.cycle("优良中差")


def open_now() -> dict[str, Any]:
    """A campaign whose window holds the wall's clock: the servers read no other."""
    now = datetime.now(UTC)
    instants = {"opens_at": now - timedelta(days=2), "closes_at": now + timedelta(days=2), "evidence_until": now + timedelta(days=3),
                "freeze_at": now + timedelta(days=5)}
    return {"window": {name: instant.isoformat() for name, instant in instants.items()}}


def post_vote(server: Server, token: str, captcha: tuple[str, str], grade: str) -> requests.Response:
    body = {"grade": grade, "captcha_id": captcha[0], "captcha_answer": captcha[1]}
    return requests.post(f"{server.url}/api/v1/campaigns/futian-2021-reform/ballots", json=body,
                         headers={"Authorization": f"Bearer {token}"}, timeout=60)


def at_once(calls: list[Any]) -> list[requests.Response]:
    """All calls released by one barrier."""
    barrier = threading.Barrier(len(calls))

    def go(call: Any) -> requests.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(go, calls))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def shared_app(request, make_app, redis_url, tmp_path_factory):
    """An app on a database and a Redis that other processes use, too."""
    url = "" if request.param == "sqlite" else emptied_database(request.param, tmp_path_factory)
    app = make_app(database_url=url, redis_url=redis_url)
    with app.app_context():
        yield app
        db.session.remove()


def test_eight_requests_at_once_leave_one_ballot_and_eight_equal_receipts(shared_app: Flask):
    is_server = bool(settings.database_url)
    campaign = make_campaign(**open_now())
    with running(shared_app.extensions["settings"], 8 if is_server else 2) as servers:
        for n, count in enumerate((1, 2, 8) if is_server else (1, 2)):
            race_with_eight_captchas(campaign, f"阿美{n}", servers[:count])
            race_with_one_captcha(campaign, f"老陈{n}", servers[:count])
    db.session.rollback()
    assert ballots.recount(campaign) == []


def race_with_eight_captchas(campaign, name: str, servers: list[Server]) -> None:
    voter, now = make_voter(name), datetime.now(UTC)
    token, captchas = token_for(voter), [solved_captcha(campaign, voter, now) for _ in range(8)]
    answers = at_once([lambda s=s, c=c, g=next(GRADES): post_vote(s, token, c, g)
                       for s, c in zip(itertools.cycle(servers), captchas, strict=False)])
    assert sorted(a.status_code for a in answers) == [201] + [409] * 7, [a.text[:200] for a in answers]
    one_ballot_one_receipt(voter.person_id, answers)


def race_with_one_captcha(campaign, name: str, servers: list[Server]) -> None:
    """A double tap, times four: one request, sent eight times."""
    voter = make_voter(name)
    token, captcha = token_for(voter), solved_captcha(campaign, voter, datetime.now(UTC))
    answers = at_once([lambda s=s: post_vote(s, token, captcha, "良") for s in itertools.islice(itertools.cycle(servers), 8)])
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201], [a.text[:200] for a in answers]
    one_ballot_one_receipt(voter.person_id, answers)


def one_ballot_one_receipt(person_id: int, answers: list[requests.Response]) -> None:
    db.session.rollback()
    assert len({a.json()["receipt_code"] for a in answers}) == 1
    assert db.session.query(Ballot).filter_by(person_id=person_id).count() == 1


def test_after_kill_9_in_a_rush_nothing_acknowledged_is_missing(shared_app: Flask):
    campaign, now = make_campaign(**open_now()), datetime.now(UTC)
    crowd = [(make_voter(f"市民{n}")) for n in range(60)]
    tickets = [(token_for(v), solved_captcha(campaign, v, now)) for v in crowd]
    server = start(shared_app.extensions["settings"])
    acknowledged: dict[str, str] = {}
    try:
        wait_until_ready([server])

        def vote(n: int) -> None:
            try:
                answer = post_vote(server, *tickets[n], next(GRADES))
            except requests.RequestException:
                return   # the crash: nobody was told anything
            if answer.status_code == 201:
                acknowledged[tickets[n][0]] = answer.json()["receipt_code"]
            if len(acknowledged) == 15:
                server.kill()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(vote, range(len(tickets))))
        assert len(acknowledged) >= 15
        db.session.rollback()
        assert ballots.recount(campaign) == []
        server = start(shared_app.extensions["settings"], server.port)
        wait_until_ready([server])
        for token, code in acknowledged.items():
            mine = requests.get(f"{server.url}/api/v1/me/receipts", headers={"Authorization": f"Bearer {token}"}, timeout=30).json()
            assert [r["receipt_code"] for r in mine] == [code]
    finally:
        if server.process.poll() is None:
            server.kill()
