"""``make bench-growth``: whether a vote and the results page cost the same in a large box as in a small one.

For each database two installations, one whose box holds 10,000 ballots and one of a million (ten million by option). Their rounds take
turns: votes over HTTP, then looks at the results page. Then the plans of every statement that could grow with the box. Needs servers of
its own, one for each size. Prints a table, writes JSON to $BENCH_OUT.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from contextlib import ExitStack
from typing import Any

from bench import report
from bench.box import Box
from bench.machine import Machine
from bench.parts import Given, own_redis
from bench.votes import ENGINES
from bench.wire import Ask, request


def main() -> None:
    options = read_options(sys.argv[1:])
    machine = Machine()
    figures: dict[str, Any] = {}
    versions: dict[str, str] = {}
    for engine in options.databases:
        figures[engine], found = one_engine(engine, options)
        versions |= found
    facts = machine.facts(versions, options)
    show(figures, facts)
    report.write(ratios(figures) | {"growth": figures, "machine": facts})


def read_options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000], help="ballots in the box, smallest first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of votes in each round; half of that of looks at the results")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--databases", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--persons", type=int, default=20_000, help="voters; when all have voted the next campaign opens")
    return parser.parse_args(words)


def one_engine(engine: str, options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """[figures by size], versions."""
    with ExitStack() as stack:
        redis = stack.enter_context(own_redis())
        boxes = [Box(stack, engine, size, redis, options.persons) for size in options.sizes]
        if isinstance(boxes[0].database, Given):
            sys.exit("growth compares two servers of its own: unset BENCH_DATABASE_URL")
        for number in range(options.rounds + 1):
            for box in boxes:
                sample = box.vote(options.connections, options.seconds if number else 1.0)
                looks = box.look(look_at(box.slug), options.seconds / 2)
                report.tell(number, f"{engine}, {box.size:,} ballots", options.connections, sample)
                if number:
                    box.keep(sample, looks)
        return [box.figures() for box in boxes], Machine.versions({engine: boxes[0].database}, redis)


def look_at(slug: str) -> Ask:
    return Ask("results", request("GET", f"/c/{slug}/results"))


def ratios(figures: dict[str, Any]) -> dict[str, Any]:
    """Each size over the smallest: {"insert_rate_over_small": {"postgresql": {"1000000": 0.97}}}; round by round, then the median."""
    def over(what: str, engine: str) -> dict[str, float]:
        small, *larger = figures[engine]
        return {str(box["ballots_before"]): statistics.median(a / b for a, b in zip(box[what], small[what], strict=True)) for box in larger}

    return {"insert_rate_over_small": {engine: over("votes_per_second", engine) for engine in figures},
            "database_us_over_small": {engine: over("database_us_per_vote", engine) for engine in figures if engine != "sqlite"},
            "results_ms_over_small": {engine: over("results_p50_ms", engine) for engine in figures},
            "scans": {engine: [f"{box['ballots_before']}: {line}" for box in boxes for line in box["scans"]]
                      for engine, boxes in figures.items()}}


def show(figures: dict[str, Any], facts: dict[str, Any]) -> None:
    found = ratios(figures)
    print(f"\n{facts['cpus']} CPUs, load {facts['load_before'][0]} → {facts['load_after'][0]}, {facts['seconds']} s\n")
    rows = [("database", "ballots", "afterwards", "votes/s", "over small", "database µs a vote", "results p50 ms", "over small", "lost")]
    for engine, boxes in figures.items():
        for box in boxes:
            size = str(box["ballots_before"])
            rate, looks = (found[key][engine].get(size, 1.0) for key in ("insert_rate_over_small", "results_ms_over_small"))
            votes, database, results = (statistics.median(box[key] or [math.nan])
                                        for key in ("votes_per_second", "database_us_per_vote", "results_p50_ms"))
            rows.append((engine, size, str(box["ballots_after"]), f"{votes:.0f}", f"{rate:.2f}", f"{database:.0f}", f"{results:.2f}",
                         f"{looks:.2f}", str(box["lost"])))
    report.table(rows)
    print("\nplans at the largest size:")
    for engine, boxes in figures.items():
        for plan in boxes[-1]["plans"]:
            print(f"  {engine:<10}  {'; '.join(plan['steps']) or 'no table read'}\n{'':<14}{plan['statement'][:150]}")
        for line in boxes[-1]["scans"]:
            print(f"  {engine:<10}  READS ALL OF {line}")


if __name__ == "__main__":
    main()
