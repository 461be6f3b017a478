"""Promises kept: once, again after a crash, never twice at once. The claims run on all three databases."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from wxbackend import audit, jobs
from wxbackend.audit.models import AuditEntry
from wxbackend.extensions import db
from wxbackend.jobs import service
from wxbackend.jobs.models import Job
from wxbackend.jobs.rules import MAX_ATTEMPTS, backoff

AT = datetime(2022, 1, 6, 1, 0, tzinfo=UTC)
LATER = AT + timedelta(days=1)


def the_job() -> Job:
    db.session.rollback()
    return db.session.scalars(select(Job).order_by(Job.id).limit(1)).one()


def test_a_job_runs_once_with_its_payload_and_instant(everywhere):
    seen = []
    jobs.handler("greet")(lambda payload, at: seen.append((payload, at)))
    assert jobs.enqueue("greet", {"submission": 7, "word": "截图"}, AT)
    db.session.commit()
    assert jobs.run_due(AT) == 1
    assert jobs.run_due(LATER) == 0
    assert seen == [({"submission": 7, "word": "截图"}, AT)]
    assert the_job().done_at == AT


def test_a_job_of_a_transaction_that_failed_never_was(app):
    jobs.handler("greet")(lambda payload, at: None)
    jobs.enqueue("greet", {}, AT)
    db.session.rollback()
    assert jobs.run_due(LATER) == 0


def test_a_job_waits_for_its_instant_and_early_ones_go_first(app):
    seen = []
    jobs.handler("greet")(lambda payload, at: seen.append(payload["n"]))
    for n, minutes in ((1, 10), (2, 5), (3, 0)):
        jobs.enqueue("greet", {"n": n}, AT, run_at=AT + timedelta(minutes=minutes))
    db.session.commit()
    assert jobs.run_due(AT) == 1
    assert jobs.run_due(AT + timedelta(minutes=10)) == 2
    assert seen == [3, 2, 1]


def test_a_kind_nobody_knows_here_waits_for_a_newer_worker(app):
    jobs.enqueue("of-next-release", {}, AT)
    db.session.commit()
    assert jobs.run_due(LATER) == 0
    assert the_job().attempts == 0


def test_the_same_promise_is_made_once(everywhere):
    jobs.handler("greet")(lambda payload, at: None)
    assert jobs.enqueue("greet", {"n": 1}, AT, dedupe="oMei")
    assert not jobs.enqueue("greet", {"n": 2}, AT, dedupe="oMei")
    assert jobs.enqueue("greet", {"n": 3}, AT, dedupe="omei")   # case counts, also on MariaDB
    assert jobs.enqueue("other", {"n": 4}, AT, dedupe="oMei")
    assert jobs.enqueue("greet", {"n": 5}, AT) and jobs.enqueue("greet", {"n": 6}, AT)
    db.session.commit()
    assert jobs.run_due(AT) == 4
    assert not jobs.enqueue("greet", {"n": 7}, LATER, dedupe="oMei")
    db.session.commit()


def test_a_twin_leaves_the_callers_transaction_whole(everywhere):
    jobs.enqueue("greet", {}, AT, dedupe="d")
    db.session.commit()
    audit.record("staff:1", "greet", "x", AT)
    assert not jobs.enqueue("greet", {}, AT, dedupe="d")
    db.session.commit()
    assert len(db.session.scalars(select(AuditEntry)).all()) == 1


def test_eight_at_once_make_the_same_promise_once(everywhere):
    barrier, outcomes = threading.Barrier(8), []

    def promise() -> None:
        with everywhere.app_context():
            barrier.wait()
            outcomes.append(jobs.enqueue("greet", {}, AT, dedupe="d"))
            db.session.commit()

    threads = [threading.Thread(target=promise) for _ in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert sorted(outcomes) == [False] * 7 + [True]


def test_workers_never_run_one_job_at_once_nor_again(everywhere):
    runs, running, overlaps, guard = Counter(), set(), [], threading.Lock()

    @jobs.handler("count")
    def count(payload, at):
        n = payload["n"]
        with guard:
            overlaps.extend({n} & running)
            running.add(n)
        time.sleep(0.002)
        with guard:
            running.discard(n)
            runs[n] += 1

    for n in range(60):
        jobs.enqueue("count", {"n": n}, AT)
    db.session.commit()
    faults = []

    def work() -> None:
        with everywhere.app_context():
            try:
                idle = 0
                while idle < 3:   # a claim lost to others is no sign that nothing is left
                    idle = 0 if jobs.run_due(AT, limit=5) else idle + 1
            except Exception as e:
                faults.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    jobs.run_due(AT)
    assert (faults, overlaps) == ([], [])
    assert runs == Counter(range(60))


def test_a_failure_is_rolled_back_and_tried_again_later(everywhere):
    outcomes = iter([ValueError("阿美 13800000000"), None])

    @jobs.handler("write")
    def write(payload, at):
        audit.record("job", "write", "x", at)
        if error := next(outcomes):
            raise error

    jobs.enqueue("write", {}, AT)
    db.session.commit()
    with capture_logs() as logs:
        assert jobs.run_due(AT) == 1
    job = the_job()
    assert (job.attempts, job.last_error, job.run_at, job.lease_until) == (1, "ValueError", AT + backoff(1), None)
    assert db.session.scalars(select(AuditEntry)).all() == []
    assert "13800000000" not in str(logs) and logs[-1]["where"].startswith("test_service.py")
    assert jobs.run_due(AT + timedelta(seconds=29)) == 0
    assert jobs.run_due(AT + timedelta(seconds=30)) == 1
    assert the_job().last_error == "" and len(db.session.scalars(select(AuditEntry)).all()) == 1


def test_a_job_that_always_fails_is_dead_after_eight_tries(app):
    calls = []

    @jobs.handler("fail")
    def fail(payload, at):
        calls.append(at)
        raise ValueError

    jobs.enqueue("fail", {}, AT)
    db.session.commit()
    at = AT
    for _ in range(20):
        jobs.run_due(at)
        at += timedelta(hours=1)
    assert len(calls) == MAX_ATTEMPTS == 8
    assert the_job().dead_at == calls[-1]


def test_giving_up_is_final_and_retry_names_its_wait(app):
    jobs.handler("lost")(lambda payload, at: (_ for _ in ()).throw(jobs.GiveUp("the picture is gone")))
    jobs.handler("soon")(lambda payload, at: (_ for _ in ()).throw(jobs.Retry("not yet", timedelta(seconds=3))))
    jobs.enqueue("lost", {}, AT)
    jobs.enqueue("soon", {}, AT)
    db.session.commit()
    assert jobs.run_due(AT) == 2
    lost, soon = db.session.scalars(select(Job).order_by(Job.id)).all()
    assert (lost.dead_at, lost.last_error) == (AT, "GiveUp: the picture is gone")
    assert (soon.run_at, soon.dead_at) == (AT + timedelta(seconds=3), None)


def test_a_job_that_kills_its_worker_every_time_is_dead_in_the_end(app):
    jobs.handler("deadly")(lambda payload, at: pytest.fail("never reached"))
    jobs.enqueue("deadly", {}, AT)
    db.session.commit()
    at = AT
    for _ in range(MAX_ATTEMPTS):
        assert service.claim(at) is not None   # and then the worker is gone
        at += service.LEASE + timedelta(seconds=1)
    assert jobs.run_due(at) == 0
    assert (the_job().dead_at, the_job().last_error) == (at, "never finished")


def test_a_worker_that_overslept_its_lease_writes_nothing(everywhere):
    late = AT + service.LEASE + timedelta(seconds=1)
    depth = []

    @jobs.handler("sleepy")
    def sleepy(payload, at):
        if not depth:   # while the first sleeps, another worker takes the job
            depth.append(1)
            with everywhere.app_context():
                assert jobs.run_due(late) == 1
        audit.record("job", "sleepy", "x", at)

    jobs.enqueue("sleepy", {}, AT)
    db.session.commit()
    assert jobs.run_due(AT) == 1
    assert the_job().done_at == late
    assert [entry.at for entry in db.session.scalars(select(AuditEntry))] == [late]


def test_a_handler_may_end_its_transaction_before_it_calls_out(app):
    @jobs.handler("fetch")
    def fetch(payload, at):
        audit.record("job", "before", "x", at)
        db.session.commit()
        audit.record("job", "after", "x", at)

    jobs.enqueue("fetch", {}, AT)
    db.session.commit()
    assert jobs.run_due(AT) == 1
    assert the_job().done_at == AT and audit.verify_chain() is None


def test_a_handler_may_promise_more(app):
    jobs.handler("first")(lambda payload, at: jobs.enqueue("second", {}, at))
    jobs.handler("second")(lambda payload, at: None)
    jobs.enqueue("first", {}, AT)
    db.session.commit()
    assert jobs.run_due(AT) == 2


def test_jobs_done_long_ago_are_forgotten_and_no_others(everywhere):
    jobs.handler("old")(lambda payload, at: None)
    for at in (AT, AT + timedelta(days=31)):
        jobs.enqueue("old", {}, at)
    db.session.commit()
    jobs.run_due(AT)
    jobs.forget_done(AT)
    db.session.commit()
    assert db.session.query(Job).count() == 2
    jobs.forget_done(AT + timedelta(seconds=1))
    db.session.commit()
    assert the_job().done_at is None and db.session.query(Job).count() == 1
