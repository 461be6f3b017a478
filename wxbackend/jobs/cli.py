"""`flask --app app worker`."""

from __future__ import annotations

import signal
from threading import Event

import click
from flask import current_app
from flask.cli import with_appcontext

from wxbackend.jobs.worker import loop


@click.command("worker")
@with_appcontext
def worker() -> None:
    """Do what must outlive a request. Stops after the job in hand on SIGTERM or Ctrl-C."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    click.echo("worker ready")
    loop(current_app._get_current_object(), stop)  # type: ignore[attr-defined]
    click.echo("worker stopped")
