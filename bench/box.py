"""An installation whose ballot box holds so many ballots already, cast by people of long ago."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, insert

from bench import bulk, load, plans, seed
from bench.crowd import Crowd
from bench.figures import Figures
from bench.fronts import served
from bench.parts import own_database
from bench.sides import Sample, Voting
from bench.wire import Ask, Talk
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot, Tally
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db

STRANGERS = 1_000_000_000   # their numbers begin here: there is no foreign key, and nobody of them comes back
WORKERS, THREADS, LOOKERS = 2, 32, 8
BALLOTS = cast(Table, Ballot.__table__)


class Box:
    """`size` ballots, half of them of today, in the campaign the crowd votes in."""

    def __init__(self, stack: ExitStack, engine: str, size: int, redis: Any, persons: int) -> None:
        self.engine, self.size = engine, size
        self.database: Any = stack.enter_context(own_database(engine))
        url = self.database.url if self.database else ""
        self.app = stack.enter_context(served("known", database_url=url, redis_url=redis.url, workers=WORKERS, threads=THREADS,
                                              store_namespace=f"{engine}{size}"))
        self.crowd = Crowd(self.app.settings, persons, results="live")
        stack.callback(self.crowd.close)
        self.slug = self.crowd.take(1)[0].slug
        self._fill()
        self._side = Voting(f"{engine} {size}", self.app, {"database": self.database, "redis": redis}, self.crowd)
        self._samples: list[Sample] = []
        self._looks: list[Figures] = []

    def vote(self, connections: int, seconds: float) -> Sample:
        return self._side.measure(connections, seconds)

    def look(self, ask: Ask, seconds: float) -> Figures:
        def talk() -> Talk:
            while True:
                yield ask

        return load.closed(self.app.urls, talk, LOOKERS, seconds, warm_up=0.1)

    def keep(self, sample: Sample, looks: Figures) -> None:
        self._samples.append(sample)
        self._looks.append(looks)

    def figures(self) -> dict[str, Any]:
        """Of the rounds kept; the results page was looked at over eight connections."""
        made, votes, looks = self._plans(), self._samples, self._looks
        return {"ballots_before": self.size, "ballots_after": self.crowd.counted()[0],
                "votes_per_second": [one.rate for one in votes], "p99_ms": [one.p99_ms for one in votes],
                "cpu_us_per_vote": [one.cpu for one in votes], "lost": sum(one.lost for one in votes),
                "database_us_per_vote": [one.cpu_us["database"] for one in votes if "database" in one.cpu_us],
                "results_p50_ms": [one.ms(0.5, "results", [200]) for one in looks],
                "faults": [found for found in [*(one.faults for one in votes), *(one.faults("results", [200]) for one in looks)] if found],
                "plans": [asdict(plan) for plan in made],
                "scans": [f"{', '.join(plan.scans)}: {plan.statement}" for plan in made if plan.scans]}

    def _fill(self) -> None:
        """Today's half and yesterday's, with the counters that go with them."""
        with self.crowd.app.app_context():
            campaign, at, half = campaigns.by_slug(self.slug), seed.now(), self.size // 2
            today, common = campaign.day(at), _common(campaign, at)
            db.session.remove()   # SQLite has one writer
            for first, last, day in ((1, half, today), (half + 1, self.size, today - timedelta(days=1))):
                with db.engine.connect() as connection:
                    bulk.fill(connection, BALLOTS, common | _own(connection) | {"day": day}, first, last)
                    connection.execute(insert(Tally).values(
                        subject_id=common["subject_id"], day=day, grade=common["grade"], shard="bulk", count=last - first + 1))
                    connection.commit()

    def _plans(self) -> list[plans.Plan]:
        """Of a vote, answered by our own app, and of the results page."""
        app, (vote,) = self.crowd.app, self.crowd.votes(1)
        client = app.test_client()

        def requests() -> None:
            head, _, body = vote.ask.raw.partition(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            bearer = next(row for row in head.decode().split("\r\n") if row.startswith("Authorization")).partition(": ")[2]
            answer = client.post(path, data=body, headers={"Authorization": bearer, "Content-Type": "application/json"})
            assert answer.status_code == 201, answer.text
            assert client.get(f"/c/{self.slug}/results").status_code == 200

        return plans.plans_of(app, requests)


def _common(campaign: Campaign, at: datetime) -> dict[str, Any]:
    subject = campaign.subjects[0]
    return {"campaign_id": campaign.id, "subject_id": subject.id, "quota_key": ballots.quota_key(campaign, subject), "void_no": 0,
            "grade": "优", "source_code": "article", "door": "h5", "degraded": False, "cast_at": at}


def _own(connection: Connection) -> dict[str, Any]:
    """What differs from ballot to ballot."""
    return {"id": bulk.N, "receipt_id": bulk.cut(bulk.digest(connection, "receipt")), "captcha_hash": bulk.digest(connection, "captcha"),
            "person_id": bulk.N + STRANGERS}
