"""Before the demo serves: migrate, fill once, renew what has gone stale, two fresh staff passwords.

Run as a process of its own (``python -m wxbackend.demo.prepare``), so that the launcher need not load the app.
Prints progress to stderr and one JSON line with the accounts to stdout.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import select

from wxbackend import clock, create_app
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Staff
from wxbackend.campaigns.models import Campaign
from wxbackend.demo import REFERENCE, seed
from wxbackend.extensions import db, settings

PEOPLE = (("zhoumin", "周敏", "manager"), ("hejing", "何静", "auditor"))


def main() -> None:
    app = create_app()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with app.app_context():
        if not settings.is_demo:
            sys.exit("this fills the demo; ENVIRONMENT says " + settings.environment)
        upgrade()
        if _is_stale():
            _wipe(app)
        if _reference() is None:
            say("filling the demo, about half a minute …")
            seed.fill(clock.now(), say)
        print(json.dumps(_passwords(), ensure_ascii=False))


def say(line: str) -> None:
    print("  " + line, file=sys.stderr, flush=True)


def _reference() -> Campaign | None:
    return db.session.scalar(select(Campaign).where(Campaign.slug == REFERENCE))


def _is_stale() -> bool:
    """By the wall clock: a demo moved ahead by hand keeps its place until its own vote would be over."""
    campaign = _reference()
    stale = campaign is not None and campaign.closes_at <= datetime.now(UTC)
    db.session.rollback()
    return stale


def _wipe(app: Flask) -> None:
    if settings.database_url:
        sys.exit("the demo's campaign is over; empty the database of DATABASE_URL to begin again")
    say("the demo's vote is over by now: beginning a new one")
    db.session.remove()
    db.engine.dispose()
    folder = Path(settings.instance_dir)
    for name in ("wxbackend.db", "wxbackend.db-wal", "wxbackend.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "evidence", ignore_errors=True)
    app.extensions["clock"].forget()
    upgrade()


def _passwords() -> list[dict[str, str]]:
    """Both accounts with a password that holds until the next start."""
    shown = []
    for username, name, role in PEOPLE:
        password = secrets.token_urlsafe(8)
        staff = db.session.scalar(select(Staff).where(Staff.username == username))
        if staff is None:
            accounts.create_staff(username, name, role, password, clock.now())
        else:
            accounts.set_password(staff, password, clock.now())
        shown.append({"username": username, "name": name, "role": role, "password": password})
    db.session.commit()
    return shown


if __name__ == "__main__":
    main()
