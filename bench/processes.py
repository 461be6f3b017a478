"""The vote on 1, 2, 4 … server processes over one database and one Redis: how the rate grows, and that nobody votes twice.

``python -m bench.votes --processes 1 2 4``. Each process listens on a port of its own, connections are spread evenly over them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench import load, report, seed
from bench.crowd import Crowd, Guest, vote_request
from bench.fronts import served
from bench.machine import Machine
from bench.parts import App, own_database, own_redis
from bench.sides import Voting
from bench.wire import Ask, Talk

TAPPERS, TAPS = 100, 8     # people, and how often each presses at the same moment, on all processes


def run(options: argparse.Namespace) -> None:
    machine, engine = Machine(), options.databases[0]
    connections = options.connections[0]
    with voting_sides(options, engine) as (sides, versions):
        rounds: report.Rounds = {}
        for number in range(options.rounds + 1):
            for side in sides:
                sample = side.measure(connections, options.seconds if number else 1.0)
                report.tell(number, side.name, connections, sample)
                if number:
                    rounds.setdefault((side.name, connections), []).append(sample)
        doubles = double_taps(sides[-1].app, sides[-1].crowd)   # type: ignore[arg-type]
    summary = report.Summary(rounds)
    summary.compare("votes_over_fewest_processes", [side.name for side in sides], sides[0].name, connections)
    print(f"\n{TAPPERS} people pressed {TAPS} times at once: {doubles}")
    report.publish(rounds, summary.figures | {"double_taps": doubles}, machine.facts(versions, options))


@contextmanager
def voting_sides(options: argparse.Namespace, engine: str) -> Iterator[tuple[list[Voting], dict[str, str]]]:
    with ExitStack() as stack:
        database, redis = stack.enter_context(own_database(engine)), stack.enter_context(own_redis())
        sides: list[Voting] = []
        for count in options.processes:
            app = stack.enter_context(served(
                "known", options.front, database_url=database.url if database else "", redis_url=redis.url, processes=count,
                threads=options.threads, settings=sides[0].app.settings if sides else None))
            crowd = sides[0].crowd if sides else Crowd(app.settings, options.persons)
            sides.append(Voting(f"vote on {count} processes", app, {"database": database, "redis": redis}, crowd))
        yield sides, Machine.versions({engine: database}, redis)


def double_taps(app: App, crowd: Crowd) -> dict[str, int]:
    """Everybody sends eight votes at once, each with a captcha of its own, to all processes: {"201": …, "409": …, "ballots": one each}."""
    guests = crowd.take(TAPPERS)
    with crowd.app.app_context():
        solved = [(guest, one) for guest in guests for one in seed.solved([guest.citizen] * TAPS, seed.now(), guest.slug)]
    before, _ = crowd.counted()
    said: Counter[str] = Counter()

    def tap(guest: Guest, one: seed.Solved) -> Talk:
        answer = yield Ask("tap", vote_request(guest, "优", one.captcha_id, one.answer))
        said[str(answer.status)] += 1

    load.arrive(app.urls, [(n // TAPS * 0.05, tap(*pair)) for n, pair in enumerate(solved)], TAPPERS * 0.05)
    after, tally = crowd.counted()
    return dict(said) | {"people": TAPPERS, "ballots": after - before, "tally_less_ballots": tally - after}
