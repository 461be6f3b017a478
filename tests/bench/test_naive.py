"""The opponent is honest: it does what a vote has to do."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import naive
from bench.crowd import Vote
from bench.naive_crowd import NaiveCrowd
from tests.databases import fresh_database


@pytest.fixture
def crowd(tmp_path, redis_url: str, monkeypatch):
    with fresh_database("postgresql", tmp_path) as url:
        for name, value in {"DATABASE_URL": url, "REDIS_URL": redis_url, "THREADS": "8"}.items():
            monkeypatch.setenv(name, value)
        crowd = NaiveCrowd(naive.create_app(), redis_url)
        yield crowd
        with crowd.app.app_context():
            naive.db.session.remove()
            naive.db.engine.dispose()


def send(crowd: NaiveCrowd, vote: Vote) -> int:
    head, _, body = vote.ask.raw.partition(b"\r\n\r\n")
    headers = dict(row.split(": ", 1) for row in head.decode().split("\r\n")[1:])
    return crowd.app.test_client().post("/vote", data=body, headers=headers).status_code


def test_a_vote_is_stored_and_counted(crowd: NaiveCrowd):
    votes = crowd.votes(3)
    assert [send(crowd, vote) for vote in votes[:2]] == [201, 201]
    assert crowd.counted() == (2, 2)
    assert crowd.missing([vote.captcha_hash for vote in votes]) == 1


def test_a_captcha_serves_once(crowd: NaiveCrowd):
    vote, = crowd.votes(1)
    assert [send(crowd, vote), send(crowd, vote)] == [201, 422]


def test_of_eight_taps_at_once_one_counts(crowd: NaiveCrowd):
    first, *others = crowd.votes(8)
    mine = [first, *(as_if_by(first, other) for other in others)]
    with ThreadPoolExecutor(8) as pool:
        said = Counter(pool.map(lambda vote: send(crowd, vote), mine))
    assert said == {201: 1, 409: 7} and crowd.counted() == (1, 1)


def as_if_by(person: Vote, vote: Vote) -> Vote:
    return person._replace(ask=vote.ask._replace(raw=vote.ask.raw.replace(_token(vote), _token(person))))


def _token(vote: Vote) -> bytes:
    return vote.ask.raw.split(b"Bearer ")[1].split(b"\r\n")[0]
