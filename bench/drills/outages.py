"""Parts that hang, fill up, stop in good order, or callers who hang up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import func, select

from bench.drills.crowd import Rush, Vote, each
from bench.drills.reckoning import Drill, Row, reckon, stored
from bench.drills.site import Site
from wxbackend.ballots.models import Ballot
from wxbackend.extensions import db

VOTES = 600
HANG_SECONDS = 4.0
FIRST = VOTES // 6          # so many are answered before the trouble begins
DISK = {"sqlite": "48m", "postgresql": "256m", "mariadb": "320m"}
VOTES_FOR_A_DISK = 3000
ROOM_BYTES = 64 * 1024      # left on the disk when votes begin to meet it
SETTLE_SECONDS = 1.0
UNANSWERED_SECONDS = 60.0
SMALL_QUEUE = 4             # fuller than the crowd at once


def redis_hung(here: Site, row: Row) -> None:
    """Redis is stopped, not dead: votes go on, degraded, each waiting 100 ms for it at most once in a while. Their captchas lie in SQL,
    as they do for everybody who opens the page while Redis is away."""
    votes = here.votes(VOTES, in_sql=True)
    rush = Rush(here.app.urls, votes).start()
    rush.wait_for(FIRST)
    here.redis.freeze()
    began = time.monotonic()
    rush.wait_for(VOTES)
    seconds = time.monotonic() - began
    here.redis.thaw()
    rush.join()
    confirmed = sum(bool(vote.receipt_id) for vote in votes)
    degraded = _degraded(votes)
    row.meanwhile = f"{degraded} votes in {seconds:.1f} s while it hung, slowest {_slowest(votes):.2f} s"
    if not degraded or confirmed < VOTES:
        row.faults.append(f"votes did not go on: {dict(rush.statuses())}")
    reckon(here, votes, row)


def database_hung(here: Site, row: Row) -> None:
    """The database is stopped, not dead: nobody is told yes, whoever finds the queue full is told so at once, and after it goes on all
    is as if nothing had been."""
    assert here.database is not None
    votes = here.votes(VOTES, all_at_hand=True)
    rush = Rush(here.app.urls, votes).start()
    rush.wait_for(FIRST)
    here.database.freeze()
    froze = time.monotonic()
    time.sleep(HANG_SECONDS)
    here.database.thaw()
    rush.join()
    refused = [answer.seconds for vote in votes for answer in vote.answers
               if answer.status == 503 and froze < answer.began < answer.ended < froze + HANG_SECONDS]
    row.meanwhile = f"{len(refused)} refused in {HANG_SECONDS:g} s, half within {1000 * median(refused or [0]):.0f} ms"
    if not refused:
        row.faults.append("nobody was told that the queue is full")
    reckon(here, votes, row)


def disk_full(here: Site, row: Row) -> None:
    """The disk of the database fills up under the votes, and is given room again. Needs root, for a small disk of its own."""
    votes = here.votes(VOTES_FOR_A_DISK)
    filler = _data(here) / "filler"
    rush = Rush(here.app.urls, votes).start()
    rush.wait_for(FIRST)
    _fill(filler)
    _until_refused(rush)
    time.sleep(HANG_SECONDS)
    filler.unlink()
    _bring_back(here)
    rush.join()
    refused = [answer.body or {} for vote in votes for answer in vote.answers if answer.status == 503]
    row.meanwhile = f"{len(refused)} refused, {sum('captcha' in body for body in refused)} with a fresh captcha"
    if not refused:
        row.faults.append(f"the disk was never full: {dict(rush.statuses())}")
    reckon(here, votes, row)


def graceful_stop(here: Site, row: Row) -> None:
    """SIGTERM at full load: whatever was stored has been answered, and the processes end by themselves."""
    votes = here.votes(VOTES)
    rush = Rush(here.app.urls, votes).start()
    rush.wait_for(FIRST)
    seconds = here.app.stop()
    time.sleep(SETTLE_SECONDS)   # the last answers are read
    here.look_afresh()
    kept = stored(votes)
    untold = [vote for vote in votes if not vote.receipt_id and kept[vote.citizen.person_id]]
    row.meanwhile = f"ended in {seconds:.2f} s, {sum(bool(vote.receipt_id) for vote in votes)} answered"
    if untold:
        row.faults.append(f"{len(untold)} votes were stored and never answered")
    here.app.start()
    rush.join()
    reckon(here, votes, row)


def hung_up(here: Site, row: Row) -> None:
    """Everybody closes the connection right after the request: a vote is stored once or not at all, and the retry says which."""
    votes = here.votes(VOTES)
    each(here.app.urls, votes, lambda client, vote: client.send_and_hang_up(vote.path, vote.citizen, vote.body))
    _until_quiet(here, votes)
    reckon(here, votes, row)
    row.meanwhile = f"{row.untold} of {VOTES} stored without an answer"


def drills(engine: str) -> dict[str, Drill]:
    return {"redis-hung": Drill("Redis hung", redis_hung),
            "database-hung": Drill("database hung", database_hung, {"vote_queue": SMALL_QUEUE}),
            "disk-full": Drill("disk full", disk_full, {"small_disk": DISK[engine]}),
            "stop": Drill("graceful stop", graceful_stop),
            "hang-up": Drill("client hangs up", hung_up)}


def _degraded(votes: Sequence[Vote]) -> int:
    """How many of them went in while Redis was away."""
    people = [vote.citizen.person_id for vote in votes]
    found = db.session.scalar(select(func.count()).where(Ballot.person_id.in_(people), Ballot.degraded))
    db.session.rollback()
    return int(found or 0)


def _slowest(votes: Sequence[Vote]) -> float:
    return max(answer.seconds for vote in votes for answer in vote.answers)


def _data(here: Site) -> Path:
    """The small disk."""
    return here.database.folder if here.database else Path(here.app.settings.instance_dir)


def _fill(filler: Path) -> None:
    """Until nothing more goes onto the disk, and then a little room."""
    with filler.open("wb", buffering=0) as file:
        for size in (1024**2, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
        file.truncate(max(0, file.tell() - ROOM_BYTES))


def _until_refused(rush: Rush) -> None:
    until = time.monotonic() + UNANSWERED_SECONDS
    while not rush.statuses()[503] and time.monotonic() < until:
        time.sleep(0.1)


def _bring_back(here: Site) -> None:
    """PostgreSQL ends by itself when it cannot write its log: the operator starts it again, as systemd would."""
    if here.database is not None and not here.database.pids():
        here.database.start()


def _until_quiet(here: Site, votes: Sequence[Vote]) -> None:
    """Until the last of the requests nobody waits for has been worked off: no new ballot for a while."""
    count, until = -1, time.monotonic() + UNANSWERED_SECONDS
    while time.monotonic() < until:
        here.look_afresh()
        before, count = count, sum(map(len, stored(votes).values()))
        if before == count:
            return
        time.sleep(2 * SETTLE_SECONDS)
