"""One installation at work: database, Redis, server processes, and our own view of the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from bench import seed
from bench.drills.crowd import Vote, votes_of
from bench.parts import App, Given, PartMissing, own_app, own_database, own_redis
from bench.parts.databases import Database
from bench.parts.redis import Redis
from wxbackend import clock, create_app
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db

ENGINES = ("sqlite", "postgresql", "mariadb")
FRONTS = {"loop": ("rsgi", "wxbackend.front:create"), "threads": ("wsgi", "app:create_app")}
WORKERS, THREADS = 2, 16
LONG_WAY_ONE_IN = 5


@dataclass
class Site:
    """`database` is None on SQLite, which is a file of the app's. Our own view is `product`, whose context is pushed."""

    engine: str
    app: App
    redis: Redis
    database: Database | None
    product: Flask
    zone: ZoneInfo

    @property
    def campaign(self) -> Campaign:
        """Reading it begins a transaction, which on SQLite holds up every vote: roll back soon."""
        return campaigns.by_slug(seed.SLUG)

    @property
    def today(self) -> date:
        return self.now().astimezone(self.zone).date()

    def now(self) -> datetime:
        """By the product's clock, which some drills move."""
        return clock.now()

    def votes(self, count: int, in_sql: bool = False, all_at_hand: bool = False) -> list[Vote]:
        """So many new people, each with a captcha solved; `in_sql` keeps the captchas where they are kept while Redis is away.

        Most have their session at hand in Redis and are admitted in batches; every fifth goes the long way, unless `all_at_hand`.
        """
        people = seed.citizens(count, self.now())
        seed.at_hand([citizen for n, citizen in enumerate(people) if all_at_hand or n % LONG_WAY_ONE_IN], self.now())
        return votes_of(people, (seed.solved_in_sql if in_sql else seed.solved)(people, self.now()))

    def again(self, votes: list[Vote]) -> list[Vote]:
        """The same people, each with a fresh captcha."""
        people = [vote.citizen for vote in votes]
        return votes_of(people, seed.solved(people, self.now()))

    def look_afresh(self) -> None:
        """Our own connections may have died with the database."""
        db.session.remove()
        db.engine.dispose()


@contextmanager
def site(engine: str, front: str = "loop", *, small_disk: str = "", **settings: Any) -> Iterator[Site]:
    """A running installation with one open campaign. `small_disk` ("256m"): the database's data lie on a disk of that size."""
    interface, target = FRONTS[front]
    with ExitStack() as parts:
        redis, database = parts.enter_context(own_redis()), parts.enter_context(own_database(engine, small_disk))
        if isinstance(redis, Given) or isinstance(database, Given):
            raise PartMissing("drills kill their servers: run them without BENCH_DATABASE_URL and BENCH_REDIS_URL")
        app = parts.enter_context(own_app(database.url if database else "", redis.url, threads=THREADS, workers=WORKERS,
                                          interface=interface, target=target, size="" if database else small_disk, **settings))
        product = create_app(app.settings)
        parts.enter_context(product.app_context())
        zone = ZoneInfo(seed.open_campaign(seed.now()).zone)
        db.session.rollback()
        try:
            yield Site(engine, app, redis, database, product, zone)
        finally:
            db.session.remove()
            db.engine.dispose()
