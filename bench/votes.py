"""``make bench``: what a vote costs, beside an empty Flask page, the naive build and PostgreSQL's own limit.

Starts its own PostgreSQL, MariaDB and Redis (or uses BENCH_DATABASE_URL, BENCH_REDIS_URL), and every side's server processes, all granian
with as many workers and threads. The sides take turns, A B C A B C, so that a busy machine slows all of them; figures are medians over
rounds, ratios medians of each round's ratio. Every acknowledged vote is looked for in the database. Prints a table, writes JSON to
$BENCH_OUT. It judges nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from bench import captcha, naive, report
from bench.crowd import Crowd
from bench.fronts import FRONTS, served
from bench.journey import page_vote, whole_vote
from bench.machine import Machine
from bench.naive_crowd import NaiveCrowd
from bench.parts import environment_of, own_database, own_redis
from bench.sides import Pgbench, Same, Voting
from bench.wire import Ask, request
from config.settings import Settings

ENGINES = ("postgresql", "mariadb", "sqlite")
PERSONS = 60_000
NAIVE_GUESS = 900.0
FORM = {"grade": "优", "captcha_id": "r" + "0" * 32, "captcha_answer": "362", "source": "article"}
GET, POST = Ask("get", request("GET", "/")), Ask("post", request("POST", "/", data=FORM))
YARDSTICKS = ("get", "post")
Side = Same | Voting | Pgbench


def main() -> None:
    options = read_options(sys.argv[1:])
    if options.processes:
        from bench import processes
        return processes.run(options)
    machine = Machine()
    with sides(options) as (found, versions):
        print(f"{len(found)} sides, {options.rounds} rounds of {options.seconds:g} s; the first, shorter round is not counted", flush=True)
        rounds = take_turns(found, options)
    summary = report.Summary(rounds)
    summary.captcha(captcha.measure()["captcha_cpu_us"])
    report.publish(rounds, summary.figures, machine.facts(versions, options))


def read_options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.votes", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each side in each round")
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--databases", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--only", nargs="+", default=[], help="sides whose name begins so: get post naive vote whole journey pgbench")
    parser.add_argument("--workers", type=int, default=2, help="processes behind each side's one port")
    parser.add_argument("--threads", type=int, default=32, help="of each of them")
    parser.add_argument("--front", choices=list(FRONTS), default="loop", help="the product's own, or plain WSGI threads")
    parser.add_argument("--persons", type=int, default=PERSONS, help="voters of each database; when all have voted the next campaign opens")
    parser.add_argument("--processes", type=int, nargs="+", default=[], help="instead: one vote side on so many processes each, 1 2 4")
    return parser.parse_args(words)


@contextmanager
def sides(options: argparse.Namespace) -> Iterator[tuple[list[Side], dict[str, str]]]:
    """All sides, ready, in their order, and the versions of what stands behind them."""
    with ExitStack() as stack:
        redis = stack.enter_context(own_redis())
        databases = {engine: stack.enter_context(own_database(engine)) for engine in options.databases}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wxbackend-bench-")))
        voting = {engine: voting_sides(stack, engine, database, redis, options) for engine, database in databases.items()}
        settings = {engine: of_engine[0].app.settings for engine, of_engine in voting.items()}
        found: list[Side] = list(bare_sides(stack, settings[options.databases[0]], options))
        if "postgresql" in databases:
            found += [naive_side(stack, settings["postgresql"], databases["postgresql"], redis, options),
                      Pgbench("pgbench", databases["postgresql"].url, folder)]
        found += [side for of_engine in voting.values() for side in of_engine]
        yield [side for side in found if wanted(side.name, options.only)], Machine.versions(databases, redis)


def wanted(name: str, only: list[str]) -> bool:
    """The yardsticks are always there: everything is said in terms of them."""
    return not only or name.endswith(YARDSTICKS) or any(name.startswith(one) for one in only)


def bare_sides(stack: ExitStack, settings: Settings, options: argparse.Namespace) -> Iterator[Same]:
    """The yardsticks on the product's front, and where that is not plain WSGI on that as well, which serves an empty page faster."""
    prefixes = {"": options.front} | ({"plain ": "wsgi"} if options.front != "wsgi" else {})
    for prefix, front in prefixes.items():
        app = stack.enter_context(served("bare", front, settings=settings, **size(options)))
        yield Same(prefix + "get", app, GET)
        yield Same(prefix + "post", app, POST)


def size(options: argparse.Namespace) -> dict[str, int]:
    """Of every app alike."""
    return {"workers": options.workers, "threads": options.threads}


def voting_sides(stack: ExitStack, engine: str, database: Any, redis: Any, options: argparse.Namespace) -> list[Voting]:
    """The vote on one database; on the first one the whole vote and the voter's journey by pages, too."""
    url = database.url if database else ""
    where = {"database_url": url, "redis_url": redis.url, "store_namespace": engine}
    app = stack.enter_context(served("known", options.front, **where, **size(options)))
    crowd = Crowd(app.settings, options.persons)
    stack.callback(crowd.close)
    parts = {"database": database, "redis": redis}
    made = [Voting(f"vote {engine}", app, parts, crowd)]
    if engine == options.databases[0]:
        made += [Voting(f"whole {engine}", app, parts, crowd, whole_vote),
                 Voting(f"journey {engine}", app, parts, crowd, page_vote, 303, at_hand=False)]
    return made


def naive_side(stack: ExitStack, settings: Settings, database: Any, redis: Any, options: argparse.Namespace) -> Voting:
    app = stack.enter_context(served("naive", "wsgi", settings=settings, **size(options)))
    with mock.patch.dict("os.environ", environment_of(settings)):
        crowd = NaiveCrowd(naive.create_app(), redis.url)
    return Voting("naive", app, {"database": database, "redis": redis}, crowd, guess=NAIVE_GUESS)


def take_turns(found: list[Side], options: argparse.Namespace) -> report.Rounds:
    """{(side, connections): its samples}, round by round; a first round of a second each fills pools and caches and is thrown away."""
    rounds: report.Rounds = {}
    for number in range(options.rounds + 1):
        for connections in options.connections:
            for side in turns(found, connections, options.connections):
                sample = side.measure(connections, options.seconds if number else 1.0)
                report.tell(number, side.name, connections, sample)
                if number:
                    rounds.setdefault((side.name, connections), []).append(sample)
    return rounds


def turns(found: list[Side], connections: int, all_connections: list[int]) -> list[Side]:
    """At more than the fewest connections only what is compared there: the yardsticks and the vote on each database."""
    few = connections == min(all_connections)
    return [side for side in found if few or side.name.endswith(YARDSTICKS) or side.name.startswith("vote")]


if __name__ == "__main__":
    main()
