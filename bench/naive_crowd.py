"""Voters of the naive build, in its own tables; new ones for every vote."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import redis
from flask import Flask
from sqlalchemy import func, insert, select

from bench import naive
from bench.crowd import GRADES, Guest, Vote
from bench.wire import Ask, request

ANSWER, CAPTCHA_SECONDS = "362", 600
ROWS = 500   # in one statement


class NaiveCrowd:
    def __init__(self, app: Flask, redis_url: str) -> None:
        self.app, self._redis = app, redis.Redis.from_url(redis_url)
        with self.app.app_context():
            naive.prepare()

    def votes(self, count: int) -> list[Vote]:
        """`count` new persons with a session and a captcha each; a vote is found again by its person's number."""
        with self.app.app_context():
            first = 1 + (naive.db.session.scalar(select(func.max(naive.Person.id))) or 0)
            people = [(n, secrets.token_hex(16), secrets.token_hex(16)) for n in range(first, first + count)]
            for start in range(0, count, ROWS):
                self._bring(people[start:start + ROWS])
            naive.db.session.remove()
        return [_vote(*person) for person in people]

    def take(self, count: int, at_hand: bool = True) -> list[Guest]:
        raise NotImplementedError("the naive build issues no captchas")

    def counted(self) -> tuple[int, int]:
        """(ballots, sum of the tally) in the database now."""
        with self.app.app_context(), naive.db.engine.connect() as connection:
            ballots = connection.scalar(select(func.count()).select_from(naive.Ballot)) or 0
            return ballots, int(connection.scalar(select(func.coalesce(func.sum(naive.Tally.count), 0))) or 0)

    def missing(self, hashes: list[str]) -> int:
        """How many of these acknowledged votes are not in the box."""
        with self.app.app_context(), naive.db.engine.connect() as connection:
            kept = {str(person_id) for person_id in connection.scalars(select(naive.Ballot.person_id))}
        return len(set(hashes) - kept)

    def _bring(self, people: Sequence[tuple[int, str, str]]) -> None:
        ends = datetime.now(UTC) + timedelta(days=30)
        naive.db.session.execute(insert(naive.Person), [{"id": n, "openid": "o" + token[:27]} for n, token, _ in people])
        naive.db.session.execute(insert(naive.Login), [{"token": token, "person_id": n, "expires_at": ends} for n, token, _ in people])
        naive.db.session.commit()
        with self._redis.pipeline(transaction=False) as pipeline:
            for _n, _token, captcha_id in people:
                pipeline.set(naive.captcha_key(captcha_id), ANSWER, ex=CAPTCHA_SECONDS)
            pipeline.execute()


def _vote(n: int, token: str, captcha_id: str) -> Vote:
    body = {"grade": GRADES[n % 4], "captcha_id": captcha_id, "captcha_answer": ANSWER}
    return Vote(Ask("vote", request("POST", "/vote", {"Authorization": f"Bearer {token}"}, data=body)), str(n))
