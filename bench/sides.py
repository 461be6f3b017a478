"""A side: something measured at so many connections for so many seconds, again and again between the others."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from sqlalchemy import create_engine, make_url, text

from bench import load
from bench.crowd import Guest, Vote
from bench.figures import Figures
from bench.parts import App, cpu_seconds
from bench.parts.process import program
from bench.wire import Ask, Talk

WARM_UP_SECONDS = 0.4
FIRST_GUESS = 4_000.0      # votes a second to have ready when nothing is known
SPARE = 1.5                # votes prepared over those the fastest round so far would use
LEAST_SHARE = 0.05         # of the work: a worker with less got nothing


@dataclass
class Sample:
    """One side in one round. Rates count answers as expected alone; `faults` has all others, `lost` acknowledged votes not in the box."""

    rate: float
    p50_ms: float = math.nan
    p99_ms: float = math.nan
    cpu_us: dict[str, float] = field(default_factory=dict)        # per counted answer: app, database, redis
    shares: list[float] = field(default_factory=list)             # of the app's CPU by worker, smallest first
    generator_us: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    ran_dry: bool = False

    @property
    def cpu(self) -> float:
        return sum(self.cpu_us.values())

    @property
    def is_lopsided(self) -> bool:
        return len(self.shares) > 1 and self.shares[0] < LEAST_SHARE

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Voters(Protocol):
    """Where votes come from, and where they are counted."""

    def votes(self, count: int) -> list[Vote]: ...
    def take(self, count: int, at_hand: bool = True) -> list[Guest]: ...
    def counted(self) -> tuple[int, int]: ...
    def missing(self, hashes: list[str]) -> int: ...


class Http:
    """Requests to an app; `parts` are the servers behind it by name, for their CPU."""

    def __init__(self, name: str, app: App, parts: dict[str, Any], kind: str, expected: int) -> None:
        self.name, self.app, self.parts, self.kind, self.expected = name, app, parts, kind, expected

    def measure(self, connections: int, seconds: float) -> Sample:
        return self._measured(self._talk(connections, seconds), connections, seconds)[0]

    def _talk(self, connections: int, seconds: float) -> Callable[[], Talk]:
        raise NotImplementedError

    def _measured(self, talk: Callable[[], Talk], connections: int, seconds: float) -> tuple[Sample, Figures]:
        workers, behind = self.app.workers(), {name: part.pids() for name, part in self.parts.items() if part}
        launchers = [pid for pid in self.app.pids() if pid not in workers]

        def meter() -> tuple[list[float], dict[str, float]]:
            by_worker = [cpu_seconds([pid]) for pid in workers]
            return by_worker, {"app": sum(by_worker) + cpu_seconds(launchers)} | {name: cpu_seconds(pids) for name, pids in behind.items()}

        figures = load.closed(self.app.urls, talk, connections, seconds, warm_up=WARM_UP_SECONDS, meter=meter)
        return self._sample(figures), figures

    def _sample(self, figures: Figures) -> Sample:
        (workers_0, cpu_0), (workers_1, cpu_1) = figures.before, figures.after
        count, ok = max(1, figures.count(self.kind, [self.expected])), [self.expected]
        used = [b - a for a, b in zip(workers_0, workers_1, strict=True)]
        return Sample(
            rate=figures.rate(self.kind, ok), p50_ms=figures.ms(0.5, self.kind, ok), p99_ms=figures.ms(0.99, self.kind, ok),
            cpu_us={name: (cpu_1[name] - cpu_0[name]) / count * 1e6 for name in cpu_1},
            shares=sorted(one / sum(used) for one in used) if sum(used) else [], generator_us=figures.own_cpu_seconds / count * 1e6,
            faults=figures.faults(self.kind, ok), ran_dry=figures.ran_dry)


class Same(Http):
    """One request again and again."""

    def __init__(self, name: str, app: App, ask: Ask) -> None:
        super().__init__(name, app, {}, ask.kind, 200)
        self.ask = ask

    def _talk(self, connections: int, seconds: float) -> Callable[[], Talk]:
        def talk() -> Talk:
            while True:
                yield self.ask

        return talk


class Voting(Http):
    """Votes, each of a person of her own, counted in the database before and after."""

    def __init__(self, name: str, app: App, parts: dict[str, Any], crowd: Voters, begin: Callable[..., Talk] | None = None,
                 expected: int = 201, guess: float = FIRST_GUESS, at_hand: bool = True) -> None:
        super().__init__(name, app, parts, "vote", expected)
        self.crowd, self.begin, self.fastest, self.at_hand = crowd, begin, guess, at_hand

    def measure(self, connections: int, seconds: float) -> Sample:
        sample = self._once(connections, seconds)
        return self._once(connections, seconds) if sample.ran_dry else sample   # by now it is known how many it takes

    def _once(self, connections: int, seconds: float) -> Sample:
        count = int(self.fastest * SPARE * (WARM_UP_SECONDS + seconds)) + connections
        acknowledged: list[str] = []
        talk = self._prepared(count, acknowledged) if self.begin is None else self._begun(count, acknowledged)
        before, _ = self.crowd.counted()
        sample, figures = self._measured(talk, connections, seconds)
        self.fastest = max(self.fastest, sample.rate * (2 if sample.ran_dry else 1))
        after, tally = self.crowd.counted()
        sample.acknowledged, sample.stored, sample.lost = len(acknowledged), after - before, self.crowd.missing(acknowledged)
        if tally != after:
            sample.faults["tally apart from ballots"] = tally - after
        return sample

    def _prepared(self, count: int, acknowledged: list[str]) -> Callable[[], Talk]:
        votes: Iterator[Vote] = iter(self.crowd.votes(count))

        def talk() -> Talk:
            for vote in votes:
                if (yield vote.ask).status == self.expected:
                    acknowledged.append(vote.captcha_hash)

        return talk

    def _begun(self, count: int, acknowledged: list[str]) -> Callable[[], Talk]:
        guests: Iterator[Guest] = iter(self.crowd.take(count, self.at_hand))

        def talk() -> Talk:
            for guest in guests:
                yield from self.begin(guest, acknowledged.append)   # type: ignore[misc]

        return talk


class Pgbench:
    """PostgreSQL's own group commit: single-row inserts of a unique (campaign, day, voter), prepared, one commit each."""

    TABLE = ("CREATE TABLE IF NOT EXISTS bench_vote (campaign_id int, day date, voter_id bigint, grade smallint, cast_at timestamptz, "
             "PRIMARY KEY (campaign_id, day, voter_id))")
    SCRIPT = ("\\set voter random(1, 9000000000000000)\n"
              "INSERT INTO bench_vote VALUES (1, '2022-01-06', :voter, 1, now());\n")

    def __init__(self, name: str, url: str, folder: Any) -> None:
        self.name, self.url, self.script = name, make_url(url), folder / "insert.sql"
        self.script.write_text(self.SCRIPT, encoding="utf-8")
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(self.TABLE))
        engine.dispose()

    def measure(self, connections: int, seconds: float) -> Sample:
        where = ["-h", str(self.url.host), "-p", str(self.url.port or 5432), "-U", str(self.url.username)]
        said = subprocess.run([program("pgbench", "postgresql"), "-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-T",
                               str(max(1, round(seconds))), "-f", str(self.script), *where, str(self.url.database)],
                              capture_output=True, text=True, check=True).stdout
        tps = re.search(r"tps = ([0-9.]+) \(without", said)
        latency = re.search(r"latency average = ([0-9.]+)", said)
        if tps is None and "actually processed: 0" not in said:
            raise RuntimeError(f"pgbench said:\n{said}")
        return Sample(rate=float(tps[1]) if tps else 0.0, p50_ms=float(latency[1]) if latency else math.nan)


