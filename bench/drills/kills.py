"""kill -9 at full load, again and again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from bench.drills.crowd import Rush
from bench.drills.reckoning import Drill, Row, reckon
from bench.drills.site import Site

VOTES_A_KILL = 250
KILLS_A_RUSH = 5            # then everything is looked at
EARLIEST, LATEST = 0.1, 0.9
SAME_WORKER_SECONDS = 6.0   # granian takes two deaths of one worker within 5.5 s for a crash loop and ends


def one_worker(site: Site) -> None:
    """Its launcher starts it anew, the other one goes on meanwhile."""
    began = time.monotonic()
    site.app.kill9(0)
    site.app.wait()
    time.sleep(max(0.0, SAME_WORKER_SECONDS / len(site.app.workers()) - (time.monotonic() - began)))


def all_workers(site: Site) -> None:
    site.app.kill9()
    site.app.start()


def redis(site: Site) -> None:
    site.redis.kill9()
    site.redis.start()


def database(site: Site) -> None:
    assert site.database is not None
    site.database.kill9()
    site.database.start()


PARTS: dict[str, Callable[[Site], None]] = {"worker": one_worker, "workers": all_workers, "redis": redis, "database": database}


def drills(kills: int, chance: random.Random) -> dict[str, Drill]:
    """Each part is killed so many times; `chance` chooses the instants."""
    return {name: Drill(f"kill -9 {name}", partial(_repeatedly, kill=kill, kills=kills, chance=chance)) for name, kill in PARTS.items()}


def _repeatedly(here: Site, row: Row, kill: Callable[[Site], None], kills: int, chance: random.Random) -> None:
    while row.kills < kills:
        _rush(here, kill, min(KILLS_A_RUSH, kills - row.kills), chance, row)


def _rush(here: Site, kill: Callable[[Site], None], kills: int, chance: random.Random, row: Row) -> None:
    """Votes come in throughout; each kill falls somewhere within its own share of them."""
    votes = here.votes(VOTES_A_KILL * kills)
    rush = Rush(here.app.urls, votes).start()
    for n in range(kills):
        rush.wait_for(int(VOTES_A_KILL * (n + chance.uniform(EARLIEST, LATEST))))
        kill(here)
        row.kills += 1
    rush.join()
    reckon(here, votes, row)
