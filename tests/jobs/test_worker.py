"""The loop, in a thread and in a process that is ended kindly and unkindly."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from wxbackend import audit, jobs
from wxbackend.audit.models import AuditEntry
from wxbackend.extensions import db
from wxbackend.jobs import service
from wxbackend.jobs.models import Job
from wxbackend.jobs.worker import loop

REPOSITORY = Path(__file__).resolve().parents[2]


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def start_victim(url: str, folder: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.jobs.victim", url, str(folder), str(seconds)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_a_job_of_a_killed_worker_runs_again_when_its_lease_is_over(everywhere, url, tmp_path):
    now = datetime.now(UTC)
    jobs.enqueue("slow", {"number": 1}, now)
    db.session.commit()
    victim = start_victim(url, tmp_path, 60)
    try:
        wait_until((tmp_path / "started").exists)
    finally:
        victim.kill()
        victim.wait()
    jobs.handler("slow")(lambda payload, at: audit.record("job", "slow", f"number:{payload['number']}", at))
    job = db.session.scalars(select(Job)).one()
    assert (job.attempts, job.done_at) == (1, None) and job.lease_until
    lease_until = job.lease_until
    assert db.session.scalars(select(AuditEntry)).all() == []   # what it had written went with it
    assert jobs.run_due(lease_until - timedelta(seconds=1)) == 0
    assert jobs.run_due(lease_until + timedelta(seconds=1)) == 1
    assert [entry.subject for entry in db.session.scalars(select(AuditEntry))] == ["number:1"]
    assert jobs.run_due(lease_until + timedelta(days=1)) == 0


def test_sigterm_lets_the_job_in_hand_finish(app, tmp_path):
    for number in (1, 2):
        jobs.enqueue("slow", {"number": number}, datetime.now(UTC))
    db.session.commit()
    worker = start_victim(f"sqlite:///{tmp_path}/test.db", tmp_path, 1)
    try:
        wait_until((tmp_path / "started").exists)
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=10)
    finally:
        worker.kill()
    assert worker.returncode == 0 and said == "worker ready\nworker stopped\n"
    assert [job.done_at is not None for job in db.session.scalars(select(Job).order_by(Job.id))] == [True, False]


def test_the_thread_of_the_demo_works_until_told_to_stop(app):
    done, stop = threading.Event(), threading.Event()
    jobs.handler("greet")(lambda payload, at: done.set())
    thread = threading.Thread(target=loop, args=(app, stop, 0.02))
    thread.start()
    jobs.enqueue("greet", {}, datetime.now(UTC))
    db.session.commit()
    assert done.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("fault", [OperationalError("SELECT", {}, Exception("gone")), RuntimeError()])
def test_trouble_with_the_database_does_not_end_the_loop(app, monkeypatch, fault):
    calls, stop = [], threading.Event()

    def trouble(at: datetime, limit: int) -> int:
        calls.append(at)
        if len(calls) == 3:
            stop.set()
        raise fault

    monkeypatch.setattr(service, "run_due", trouble)
    loop(app, stop, 0.01)
    assert len(calls) == 3


def test_the_clock_of_the_app_decides_what_is_due(app):
    done, stop = threading.Event(), threading.Event()
    app.extensions["clock"].fixed = datetime(2022, 1, 8, 1, 0, tzinfo=UTC)

    @jobs.handler("close")
    def close(payload, at):
        done.set()
        stop.set()

    jobs.enqueue("close", {}, datetime(2022, 1, 8, 1, 0, tzinfo=UTC))
    db.session.commit()
    loop(app, stop, 0.01)
    assert done.is_set()
