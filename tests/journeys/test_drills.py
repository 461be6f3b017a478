"""The crash drills in short: real parts of this run are killed, frozen, filled up and stopped at full load, and no vote is lost.

`make drill` is the long form, with twenty kills of each part.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from bench import drill
from bench.drills import clocks, kills, outages
from bench.drills.crowd import Answer, Rush, Vote
from bench.drills.reckoning import Row, judge, reckon
from bench.drills.site import site
from bench.parts import PartMissing, cpu_seconds, own_redis
from bench.parts.warden import family
from bench.seed import Citizen, Solved
from tests.conftest import missing
from wxbackend.ballots.models import Tally
from wxbackend.extensions import db

SHORT = [
    ("sqlite", ("worker", "workers", "redis", "hang-up")),
    ("sqlite", ("midnight",)),
    ("postgresql", ("redis", "database", "redis-hung", "stop")),
    ("postgresql", ("database-hung",)),
    ("mariadb", ("workers", "database", "stop")),
]
pytestmark = pytest.mark.timeout(600)   # installations start and end; on a busy machine that takes its time
RUN = """
import time
from bench.parts import own_redis
with own_redis() as redis:
    redis.freeze()
    print(redis.folder, redis.pids()[0], flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def small_crowds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many people as a drill needs to mean anything."""
    monkeypatch.setattr(kills, "VOTES_A_KILL", 120)
    monkeypatch.setattr(outages, "VOTES", 200)
    monkeypatch.setattr(clocks, "A_RUSH", 1500)


@pytest.mark.parametrize(("engine", "names"), SHORT, ids=lambda value: value if isinstance(value, str) else "+".join(value))
def test_no_confirmed_vote_is_lost_and_none_is_counted_twice(engine: str, names: tuple[str, ...]):
    try:
        rows = list(drill.drills(engine, names, 1, random.Random(4)))
    except PartMissing as e:
        missing(str(e))
    assert len(rows) == len(names)
    for row in rows:
        assert row.passed and row.votes > 0, row
        assert row.acknowledged > 0 or row.drill == "client hangs up"   # where nobody waits for the answer


def test_a_reckoning_notices_what_is_lost_doubled_and_miscounted():
    """The drills' judge, judged: of votes that are all in the box, one person was told a receipt that is not, one counter is off by one."""
    with site("sqlite") as here:
        votes = here.votes(12)
        Rush(here.app.urls, votes, 4).start().join()
        votes[0].receipt_id = "0" * 16
        db.session.query(Tally).update({Tally.count: Tally.count + 1})
        db.session.commit()
        row = Row("tampered", here.engine)
        reckon(here, votes, row)
    assert (row.votes, row.acknowledged) == (12, 12) and not row.passed
    assert row.lost == 2 and row.doubled == 0   # missing in the database, missing in the API
    assert not row.tally_equal and any(fault.startswith("tally") for fault in row.faults)


def test_a_vote_accepted_twice_is_counted_as_doubled():
    row, vote = Row("", ""), Vote(Citizen(1, "", 1, ""), Solved(""), "优")
    vote.hear(Answer(201, {"receipt_url": "HTTP://X/R/" + "A" * 24, "day": "2022-01-06"}, 0, 0))
    judge(vote, set(), row)
    assert row.doubled == 0
    judge(vote, {"B" * 16}, row)
    assert row.doubled == 1


def test_parts_are_gone_with_their_run_even_by_kill_9():
    """The run says what it started, freezes it, and is killed: nothing of it is left, neither processes nor folders."""
    run = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True, cwd=Path(drill.__file__).parents[1])
    assert run.stdout is not None
    told = run.stdout.readline().split()
    if not told:
        missing("redis-server")
    folder, pid = Path(told[0]), int(told[1])
    assert folder.exists() and family(pid)
    run.kill()
    run.wait()
    until = time.monotonic() + 10
    while (family(pid) or folder.exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not family(pid) and not folder.exists()



def test_a_part_counts_its_processor_time_and_comes_back_with_its_data():
    with own_redis() as part:
        line = redis.Redis.from_url(part.url)
        line.set("kept", "yes")
        for n in range(2000):
            line.incr("n", n)
        assert cpu_seconds(part.pids()) > 0
        part.freeze()
        with pytest.raises(redis.TimeoutError):
            redis.Redis.from_url(part.url, socket_timeout=0.2).ping()
        part.thaw()
        assert line.ping()
        time.sleep(1.5)   # appendfsync everysec
        part.kill9()
        assert part.pids() == []
        part.start()
        assert redis.Redis.from_url(part.url).get("kept") == b"yes"
