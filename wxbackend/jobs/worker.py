"""The loop that does the jobs: a thread in the demo, `flask worker` in production."""

from __future__ import annotations

from threading import Event

import structlog
from flask import Flask

from wxbackend import clock
from wxbackend.jobs import service as jobs

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 30.0


def loop(app: Flask, stop_event: Event, idle_seconds: float = 0.5) -> None:
    """Do what is due, one job after the other, until `stop_event` is set; the job in hand is finished first."""
    pause = idle_seconds
    while not stop_event.is_set():
        try:
            with app.app_context():
                worked = jobs.run_due(clock.now(), limit=1)
            pause = idle_seconds
        except Exception as e:   # the database is away: the job's lease runs out and it comes again
            worked, pause = 0, min(pause * 2, LONGEST_PAUSE_SECONDS)
            log.error("worker in trouble", kind=type(e).__name__, pause_seconds=pause)
        if not worked:
            stop_event.wait(pause)
