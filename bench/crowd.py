"""The voters of one installation, as votes ready to be sent: every one has a person, a session and a captcha of its own.

When all persons have voted, the next campaign opens and they come again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import func, select

from bench import seed
from bench.seed import Citizen
from bench.wire import Ask, request
from config.settings import Settings
from wxbackend import captcha, create_app
from wxbackend.ballots import committer
from wxbackend.ballots.models import Ballot, Tally
from wxbackend.extensions import db

GRADES = "优良中差"
LOOKED_FOR_AT_ONCE = 1_000


class Guest(NamedTuple):
    """Somebody who may vote now, and in which campaign."""

    citizen: Citizen
    slug: str


class Vote(NamedTuple):
    """A vote ready to be sent; by `captcha_hash` its ballot is found."""

    ask: Ask
    captcha_hash: str


class Crowd:
    """Seen through an app of our own over the same database and Redis. `changes` are the campaigns' (results="live")."""

    def __init__(self, settings: Settings, persons: int, **changes: Any) -> None:
        self.app, self._changes = create_app(settings), changes
        with self.app.app_context():
            self._guests = self._come(seed.citizens(persons, seed.now()))
            db.session.remove()

    def take(self, count: int, at_hand: bool = True) -> list[Guest]:
        """`count` persons who have not voted where they come to. `at_hand`: their sessions are in Redis, as after they opened the page."""
        with self.app.app_context():
            guests = list(islice(self._guests, count))
            if at_hand:
                seed.at_hand([guest.citizen for guest in guests], seed.now())
            db.session.remove()
        return guests

    def votes(self, count: int) -> list[Vote]:
        """`count` votes whose captchas were put into Redis now, by people who have the page before them."""
        guests = self.take(count)
        with self.app.app_context():
            known = {slug: iter(seed.solved([g.citizen for g in guests if g.slug == slug], seed.now(), slug))
                     for slug in dict.fromkeys(g.slug for g in guests)}
        return [self._vote(n, guest, next(known[guest.slug])) for n, guest in enumerate(guests)]

    def counted(self) -> tuple[int, int]:
        """(ballots, sum of the tally) in the database now."""
        with self.app.app_context(), db.engine.connect() as connection:
            ballots = connection.scalar(select(func.count()).select_from(Ballot)) or 0
            return ballots, int(connection.scalar(select(func.coalesce(func.sum(Tally.count), 0))) or 0)

    def missing(self, hashes: list[str]) -> int:
        """How many of these acknowledged votes are not in the box."""
        found = 0
        with self.app.app_context(), db.engine.connect() as connection:
            for start in range(0, len(hashes), LOOKED_FOR_AT_ONCE):
                some = hashes[start:start + LOOKED_FOR_AT_ONCE]
                found += connection.scalar(select(func.count()).where(Ballot.captcha_hash.in_(some))) or 0
        return len(hashes) - found

    def close(self) -> None:
        committer.stop(self.app)   # it has a connection of its own where our own app cast a vote
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    def _come(self, citizens: list[Citizen]) -> Iterator[Guest]:
        while True:
            slug = "bench-" + secrets.token_hex(6)
            seed.open_campaign(seed.now(), slug=slug, **self._changes)
            for citizen in citizens:
                yield Guest(citizen, slug)

    @staticmethod
    def _vote(n: int, guest: Guest, solved: seed.Solved) -> Vote:
        return Vote(Ask("vote", vote_request(guest, GRADES[n % 4], solved.captcha_id, solved.answer)), captcha.mac_of(solved.captcha_id))


def vote_request(guest: Guest, grade: str, captcha_id: str, answer: str) -> bytes:
    body = {"grade": grade, "captcha_id": captcha_id, "captcha_answer": answer, "source": "article"}
    return request("POST", f"/api/v1/campaigns/{guest.slug}/ballots", guest.citizen.headers, data=body)
