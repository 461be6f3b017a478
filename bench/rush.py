"""``make bench-rush``: the last ten minutes before the close, ten times the forecast, everything on this one machine.

Three scenes with the app, PostgreSQL, Redis and the worker beside the load itself:
1. 80 journeys a second at the peak, arriving as after an article: page with captcha, now and then another picture, the form after some
   reading, the success page. Every acknowledged vote is looked for in the box.
2. The voter's page alone, then while 1,000 votes a second arrive.
3. The database hangs while votes come in, on servers whose queue is short: how soon those are told who find it full.
A minute of scene 1 by default, `--full` for ten. Prints a table, writes JSON to $BENCH_OUT. It judges nothing.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bench import load, report
from bench.arrivals import after_article, poisson, steady
from bench.crowd import Crowd, Vote
from bench.figures import Figures
from bench.fronts import served
from bench.journey import look_at_page, page_vote
from bench.machine import Machine
from bench.parts import App, own_database, own_redis
from bench.votes import ENGINES
from bench.wire import Talk
from bench.worker import own_worker

FULL_SECONDS, PERSONS = 600.0, 30_000
SWAPS, READ_SECONDS = 0.2, (2.0, 8.0)   # share who want another picture; how long one reads before sending
PAGES_A_SECOND, VOTES_A_SECOND, BESIDE_SECONDS = 20.0, 1_000.0, 15.0
HUNG_SECONDS, HUNG_AFTER, SHORT_QUEUE = 3.0, 1.0, 100


class Rush:
    """The installation, its voters, and what was acknowledged so far."""

    def __init__(self, app: App, crowd: Crowd, database: Any, seed: int) -> None:
        self.app, self.crowd, self.database, self.chance = app, crowd, database, random.Random(seed)
        self.acknowledged: list[str] = []

    def journeys(self, peak: float, seconds: float) -> Figures:
        instants = list(poisson(after_article(peak, seconds), peak, seconds, self.chance))
        guests = self.crowd.take(len(instants), at_hand=False)
        talks = [page_vote(guest, self.acknowledged.append, self.chance.random() < SWAPS, self.chance.uniform(*READ_SECONDS))
                 for guest in guests]
        return load.arrive(self.app.urls, zip(instants, talks, strict=True), seconds + READ_SECONDS[1])

    def pages(self, seconds: float, votes_a_second: float = 0.0) -> Figures:
        """Looks at the page, with so many votes a second beside them."""
        looks = steady(PAGES_A_SECOND, seconds, self.chance)
        guests = self.crowd.take(len(looks), at_hand=False)
        coming: list[tuple[float, Talk]] = [(at, look_at_page(guest)) for at, guest in zip(looks, guests, strict=True)]
        if votes_a_second:
            instants = steady(votes_a_second, seconds, self.chance)
            coming += [(at, self._vote(vote)) for at, vote in zip(instants, self.crowd.votes(len(instants)), strict=True)]
        return load.arrive(self.app.urls, sorted(coming, key=lambda one: one[0]), seconds)

    def hung(self, app: App, votes_a_second: float) -> Figures:
        """Votes to `app` while the database stands still from the first second on, for three seconds."""
        seconds = HUNG_AFTER + HUNG_SECONDS + 1.0
        instants = steady(votes_a_second, seconds, self.chance)
        coming = [(at, self._vote(vote)) for at, vote in zip(instants, self.crowd.votes(len(instants)), strict=True)]
        timers = [threading.Timer(HUNG_AFTER, self.database.freeze), threading.Timer(HUNG_AFTER + HUNG_SECONDS, self.database.thaw)]
        for timer in timers:
            timer.start()
        try:
            return load.arrive(app.urls, coming, seconds)
        finally:
            for timer in timers:
                timer.join()

    def _vote(self, vote: Vote) -> Talk:
        if (yield vote.ask).status == 201:
            self.acknowledged.append(vote.captcha_hash)


def main() -> None:
    options = read_options(sys.argv[1:])
    machine = Machine()
    with ExitStack() as stack:
        redis, database = stack.enter_context(own_redis()), stack.enter_context(own_database(options.database))
        url = database.url if database else ""
        size = {"workers": options.workers, "threads": options.threads}
        app = stack.enter_context(served("known", database_url=url, redis_url=redis.url, **size))
        short = stack.enter_context(served("known", settings=replace(app.settings, vote_queue=SHORT_QUEUE), **size))
        stack.enter_context(own_worker(app.settings))
        crowd = Crowd(app.settings, options.persons)
        stack.callback(crowd.close)
        versions = Machine.versions({options.database: database}, redis)
        rush = Rush(app, crowd, database, options.seed)
        rush.pages(2.0)   # pools and caches fill
        scenes = dict(play(rush, short, FULL_SECONDS if options.full else options.seconds, options.peak))
        ballots, tally = crowd.counted()
        kept = {"acknowledged": len(rush.acknowledged), "lost": crowd.missing(rush.acknowledged), "ballots": ballots, "tally": tally}
    facts = machine.facts(versions, options)
    show(scenes, kept, facts)
    report.write({"scenes": {name: by_kind(figures) for name, figures in scenes.items()}, "machine": facts} | kept | headlines(scenes))


def read_options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.rush", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--full", action="store_true", help="ten minutes")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the rush where it is not the full ten minutes")
    parser.add_argument("--peak", type=float, default=80.0, help="journeys a second at the peak")
    parser.add_argument("--database", choices=ENGINES, default="postgresql")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--persons", type=int, default=PERSONS)
    parser.add_argument("--seed", type=int, default=7, help="of the arrivals")
    return parser.parse_args(words)


def play(rush: Rush, short: App, seconds: float, peak: float) -> Iterator[tuple[str, Figures]]:
    """The scenes by name, one after the other."""
    yield "rush", rush.journeys(peak, seconds)
    yield "page alone", rush.pages(BESIDE_SECONDS)
    yield "page beside 1000 votes/s", rush.pages(BESIDE_SECONDS, VOTES_A_SECOND)
    if hasattr(rush.database, "freeze"):
        yield "database hung", rush.hung(short, VOTES_A_SECOND)


def by_kind(figures: Figures) -> list[dict[str, Any]]:
    """[{"kind": "vote", "status": 303, "count": …, "p50_ms": …, "p99_ms": …, "most_ms": …}], failures and unanswered behind them."""
    rows = [{"kind": kind, "status": status, "count": len(found), "per_second": len(found) / figures.seconds,
             "p50_ms": figures.ms(0.5, kind, [status]), "p99_ms": figures.ms(0.99, kind, [status]), "most_ms": max(found) * 1000}
            for (kind, status), found in sorted(figures.latencies.items())]
    broken = [{"kind": what, "status": 0, "count": count} for what, count in figures.failures.items()]
    return rows + broken + ([{"kind": "unanswered", "status": 0, "count": figures.unanswered}] if figures.unanswered else [])


def headlines(scenes: dict[str, Figures]) -> dict[str, Any]:
    """What the targets ask: the share of 503 in the rush, the page's budget beside the votes, how fast a full queue says so."""
    rush, alone, beside = scenes["rush"], scenes["page alone"], scenes["page beside 1000 votes/s"]
    answers = sum(rush.answers.values()) + sum(rush.failures.values()) + rush.unanswered
    refused = sum(n for (_kind, status), n in rush.answers.items() if status == 503)
    sent = sum(n for (kind, _status), n in rush.answers.items() if kind == "vote")
    found = {"share_503": refused / answers if answers else math.nan,
             "share_of_votes_not_taken": 1 - rush.answers["vote", 303] / sent if sent else math.nan,
             "rush_p99_ms": {kind: rush.ms(0.99, kind) for kind in kinds(rush)},
             "page_p99_alone_ms": alone.ms(0.99, "page"), "page_p99_beside_votes_ms": beside.ms(0.99, "page"),
             "votes_per_second_beside": beside.rate("vote", [201])}
    if hung := scenes.get("database hung"):
        found |= {"full_queue_503_p50_ms": hung.ms(0.5, "vote", [503]), "full_queue_503_p99_ms": hung.ms(0.99, "vote", [503])}
    return found


def kinds(figures: Figures) -> Sequence[str]:
    return sorted({kind for kind, _status in figures.latencies})


def show(scenes: dict[str, Figures], kept: dict[str, int], facts: dict[str, Any]) -> None:
    print(f"\n{facts['cpus']} CPUs, load {facts['load_before'][0]} → {facts['load_after'][0]}, {facts['seconds']} s\n")
    rows: list[tuple[str, ...]] = [("scene", "request", "status", "count", "per second", "p50 ms", "p99 ms", "most ms")]
    for name, figures in scenes.items():
        for one in by_kind(figures):
            numbers = [f"{one[key]:.1f}" if key in one else "" for key in ("per_second", "p50_ms", "p99_ms", "most_ms")]
            rows.append((name, one["kind"], str(one["status"]), str(one["count"]), *numbers))
    report.table(rows)
    print(f"\n{kept['acknowledged']} votes acknowledged, {kept['lost']} of them not in the box; {kept['ballots']} ballots, "
          f"tally {kept['tally']}")
    found = headlines(scenes)
    print(f"in the rush {found['share_503']:.2%} of all answers were 503, "
          f"{found['share_of_votes_not_taken']:.2%} of votes not taken at once")


if __name__ == "__main__":
    main()
