"""``make drill``: votes at full load while parts are killed, frozen, filled up and stopped; then every confirmed vote is looked for.

    python -m bench.drill                               # 20 kills of each part on each database, and the other drills
    python -m bench.drill --short                       # a few minutes
    python -m bench.drill --database postgresql --only workers --only disk --kills 5

Prints a row for each drill and database; with BENCH_OUT set the figures go there as JSON. Ends with 1 if a confirmed vote was lost, one
was counted twice, or counts disagree. Needs what docs/operations.md names; a database that is not on this machine is left out with a line.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.drills import clocks, kills, outages
from bench.drills.reckoning import Row
from bench.drills.site import ENGINES, FRONTS, site
from bench.parts import PartMissing

KILLS, KILLS_SHORT = 20, 2
NAMES = (*kills.PARTS, "redis-hung", "stop", "hang-up", "database-hung", "disk-full", *clocks.DRILLS)
SERVERS_ONLY = {"database", "database-hung"}       # SQLite is a file of the app's: it dies and hangs with it
COLUMNS = {"drill": 20, "engine": 11, "kills": 6, "votes": 7, "acknowledged": 13, "lost": 5, "doubled": 8, "untold": 7, "counts": 7,
           "seconds": 8}


def main(words: Sequence[str] | None = None) -> int:
    asked = _asked(words)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    print("".join(f"{name:>{width}}" for name, width in COLUMNS.items()) + "  meanwhile", flush=True)
    rows: list[Row] = []
    for engine in asked.database or ENGINES:
        try:
            for row in drills(engine, asked.only, asked.kills, random.Random(asked.seed), asked.front):
                rows.append(row)
                _show(row)
        except PartMissing as e:
            print(f"{engine} left out: {e}", flush=True)
    if os.environ.get("BENCH_OUT"):
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(_figures(rows, asked), ensure_ascii=False, indent=1) + "\n")
    return 0 if rows and all(row.passed for row in rows) else 1


def drills(engine: str, only: Sequence[str], kill_count: int, chance: random.Random, front: str = "loop") -> Iterator[Row]:
    """A row as soon as each drill is over. Those that need no settings of their own share one installation."""
    known = kills.drills(kill_count, chance) | outages.drills(engine) | clocks.DRILLS
    wanted = [known[name] for name in NAMES if name in (only or NAMES) and _can_run(name, engine)]
    for settings, some in groupby(wanted, lambda one: dict(one.settings)):
        with site(engine, front, **settings) as here:
            for one in some:
                row, began = Row(one.title, engine), time.monotonic()
                one.run(here, row)
                row.seconds = time.monotonic() - began
                yield row


def _can_run(name: str, engine: str) -> bool:
    if name == "disk-full" and os.getuid() != 0:
        print(f"{name} on {engine} left out: only root can mount a small disk", flush=True)
        return False
    return engine != "sqlite" or name not in SERVERS_ONLY


def _show(row: Row) -> None:
    facts = asdict(row) | {"counts": "agree" if row.tally_equal and row.log_verified else "DIFFER", "seconds": round(row.seconds, 1)}
    print("".join(f"{facts[name]:>{width}}" for name, width in COLUMNS.items()) + "  " + row.meanwhile, flush=True)
    for fault in row.faults[:5]:
        print(f"    ! {fault}", flush=True)


def _figures(rows: Sequence[Row], asked: argparse.Namespace) -> dict[str, Any]:
    return {"python": platform.python_version(), "cpus": os.cpu_count(), "seed": asked.seed, "front": asked.front,
            "seconds": round(sum(row.seconds for row in rows), 1), "lost": sum(row.lost for row in rows),
            "doubled": sum(row.doubled for row in rows), "drills": [asdict(row) for row in rows]}


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=0, help=f"of each part on each database; {KILLS}, or {KILLS_SHORT} with --short")
    parser.add_argument("--only", action="append", choices=NAMES, help="this drill alone; may be given several times")
    parser.add_argument("--database", action="append", choices=ENGINES, help="on this one alone; may be given several times")
    parser.add_argument("--short", action="store_true", help=f"{KILLS_SHORT} kills of each part")
    parser.add_argument("--front", choices=FRONTS, default="loop", help="votes on an event loop, or all requests in threads")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the instants at which parts are killed")
    asked = parser.parse_args(words)
    asked.kills = asked.kills or (KILLS_SHORT if asked.short else KILLS)
    return asked


if __name__ == "__main__":
    sys.exit(main())
