"""Promising work and doing it: one SQL table with leases.

A job is written in the transaction of what it is about, so neither exists without the other. Handlers get
`(payload, at)` and **must be idempotent**: a worker killed between doing and saying so leaves the job to be run
again. What a handler writes and the mark that the job is done are one COMMIT. A handler that calls out ends its
transaction first (`db.session.commit()`), since on SQLite an open one keeps everybody else from writing.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from wxbackend import alarms
from wxbackend.extensions import db, reading
from wxbackend.jobs.models import Job
from wxbackend.jobs.rules import MAX_ATTEMPTS, place, remembered, wait_after

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
CANDIDATES = 5
NEVER_FINISHED = "never finished"
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}
Handler = Callable[[dict[str, Any], datetime], None]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Work:
    """How jobs of one kind are done, how long one may take, how often it is tried."""

    do: Handler
    lease: timedelta
    tries: int


_handlers: dict[str, Work] = {}


class LeaseLost(Exception):
    """Another worker has the job now; what this one wrote is rolled back."""


@dataclass(frozen=True)
class Claim:
    """A job in our hands until its lease ends: `attempt` is the number of this start."""

    id: int
    kind: str
    payload: str
    attempt: int


def handler(kind: str, lease: timedelta = LEASE, tries: int = MAX_ATTEMPTS) -> Callable[[H], H]:
    """Register the function that does jobs of a kind; `lease` is longer than it can ever take.

    Eight tries last an hour; each one more adds an hour.
    """
    def register(do: H) -> H:
        _handlers[kind] = Work(do, lease, tries)
        return do

    return register


def enqueue(kind: str, payload: dict[str, Any], at: datetime, run_at: datetime | None = None, dedupe: str | None = None) -> bool:
    """Promise a job in the caller's transaction, to run at `run_at` or as soon as that is committed.

    With `dedupe`, a second job of this kind and word is not made, even when the first is long done: returns whether this one is new.
    """
    row = {"kind": kind, "payload": json.dumps(payload, ensure_ascii=False), "run_at": run_at or at,
           "dedupe_key": hashlib.sha256(f"{kind}|{dedupe}".encode()).hexdigest() if dedupe else None, "attempts": 0, "last_error": ""}
    db.session.flush()   # the caller's own faults are not taken for a twin
    try:
        with db.session.begin_nested():
            db.session.execute(insert(Job).values(row))
        return True
    except IntegrityError:
        if row["dedupe_key"] and db.session.scalar(select(Job.id).where(Job.dedupe_key == row["dedupe_key"])):
            return False
        raise


def forget_done(before: datetime) -> None:
    """Delete jobs done before an instant, in the caller's transaction; dead ones stay until somebody has looked."""
    db.session.execute(delete(Job).where(Job.done_at < before), execution_options={"synchronize_session": False})


def run_due(at: datetime, limit: int = 100) -> int:
    """Run up to `limit` jobs that are due at `at`, each in its own transaction; how many were run, well or not.

    Ends whatever transaction the session is in; the caller has committed.
    """
    for count in range(limit):
        claimed = claim(at)
        if claimed is None:
            return count
        _run(claimed, at)
    return limit


def claim(at: datetime) -> Claim | None:
    """Take one due job, so that no other worker has it before the lease ends."""
    for job_id, kind, payload, attempts in _due(at):
        if attempts >= _handlers[kind].tries:   # its worker was killed each time
            if _settle(job_id, attempts, dead_at=at, last_error=NEVER_FINISHED):
                alarms.ring("job-dead", kind, at, {"job": job_id, "error": NEVER_FINISHED})
            db.session.commit()
            continue
        held = update(Job).where(Job.id == job_id, Job.attempts == attempts, *_open(at)).values(
            lease_until=at + _handlers[kind].lease, attempts=attempts + 1)
        won = _execute(held) == 1
        db.session.commit()
        if won:
            return Claim(job_id, kind, payload, attempts + 1)
    return None


def _open(at: datetime) -> tuple[Any, ...]:
    return (Job.done_at.is_(None), Job.dead_at.is_(None), Job.run_at <= at, or_(Job.lease_until.is_(None), Job.lease_until < at))


def _due(at: datetime) -> list[Any]:
    """A few candidates, read without SQLite's write lock. Kinds without a handler here wait for a newer worker."""
    db.session.rollback()
    with reading():
        try:
            query = select(Job.id, Job.kind, Job.payload, Job.attempts).where(Job.kind.in_(list(_handlers)), *_open(at))
            return list(db.session.execute(query.order_by(Job.run_at, Job.id).limit(CANDIDATES)))
        finally:
            db.session.rollback()


def _run(claimed: Claim, at: datetime) -> None:
    try:
        _handlers[claimed.kind].do(json.loads(claimed.payload), at)
        db.session.flush()
        if _execute(_ours(claimed.id, claimed.attempt).values(done_at=at, lease_until=None, last_error="")) != 1:
            raise LeaseLost
        alarms.settle_refusals(claimed.kind, at)   # it works again; a dead job stays dead until somebody has looked
        db.session.commit()
    except LeaseLost:
        db.session.rollback()
        log.error("job lost its lease", job=claimed.id, kind=claimed.kind)
    except Exception as e:
        db.session.rollback()
        _failed(claimed, e, at)


def _failed(claimed: Claim, error: Exception, at: datetime) -> None:
    wait = wait_after(error, claimed.attempt, _handlers[claimed.kind].tries)
    said = remembered(error)
    say = log.warning if wait else log.error
    say("job failed", job=claimed.id, kind=claimed.kind, attempt=claimed.attempt, error=said, where=place(error), dead=wait is None)
    after = {"dead_at": at} if wait is None else {"run_at": at + wait}
    if _settle(claimed.id, claimed.attempt, lease_until=None, last_error=said, **after):   # else another worker has it by now
        _ring(claimed, error, said, at, is_dead=wait is None)
    db.session.commit()


def _ring(claimed: Claim, error: Exception, said: str, at: datetime, is_dead: bool) -> None:
    """What an operator must know of a failure: work given up, settings of the account that WeChat refuses, a disk that takes nothing."""
    if is_dead:
        alarms.ring("job-dead", claimed.kind, at, {"job": claimed.id, "error": said})
    alarms.ring_refusal(error, claimed.kind, at)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        alarms.ring("storage", claimed.kind, at)


def _settle(job_id: int, attempt: int, **values: Any) -> bool:
    """Whether the job was still ours to mark; the caller commits."""
    return _execute(_ours(job_id, attempt).values(**values)) == 1


def _ours(job_id: int, attempt: int) -> Any:
    """An UPDATE that touches the job only while nobody else has started it since."""
    return update(Job).where(Job.id == job_id, Job.attempts == attempt, Job.done_at.is_(None), Job.dead_at.is_(None))


def _execute(statement: Any) -> int:
    """How many rows an UPDATE matched (all three drivers are asked for matched rows, not changed ones)."""
    return db.session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
