"""Commands that belong to no single room."""

from __future__ import annotations

import secrets
import sys

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import text

from wxbackend import apidocs, clock, store
from wxbackend.accounts import service as accounts
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem

staff_cli = AppGroup("staff", help="Accounts of the staff.")
RANDOM = "-"


@staff_cli.command("create")
@click.argument("username")
@click.option("--name", prompt="姓名", help="How colleagues call this person.")
@click.option("--role", type=click.Choice(["manager", "reviewer", "auditor"]), default="reviewer", show_default=True)
@click.option("--password", help="Asked for when left out; `-` makes a random one and prints it once.")
def create_staff(username: str, name: str, role: str, password: str | None) -> None:
    """Create an account."""
    password = password or click.prompt("密码", hide_input=True, confirmation_prompt=True)
    made = secrets.token_urlsafe(9) if password == RANDOM else password
    if len(made) < 8:
        raise click.ClickException("密码至少8个字符。")
    try:
        accounts.create_staff(username, name, role, made, clock.now())
    except Problem as e:
        raise click.ClickException(e.as_reply()) from e
    db.session.commit()
    click.echo(f"{username} ({role})" + (f" 密码 {made}" if password == RANDOM else ""))


@click.command("demo")
def demo() -> None:
    """Run the demo, as `python app.py` does."""
    from wxbackend.demo.serve import main

    main()


@click.command("problems")
def problems() -> None:
    """Print docs/problems.md, made from the code."""
    click.echo(apidocs.problems_markdown(), nl=False)


@click.command("doctor")
def doctor() -> None:
    """Say what is in order and what is not; exit 1 if something is not."""
    faults = 0
    for about, check in (("database", _check_database), ("redis", _check_redis), ("migrations", _check_migrations)):
        try:
            click.echo(f"ok    {about}: {check()}")
        except Exception as e:   # whatever is wrong is what the operator came to read
            faults += 1
            click.echo(f"FAULT {about}: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}")
    sys.exit(1 if faults else 0)


def _check_database() -> str:
    db.session.execute(text("SELECT 1"))
    db.session.rollback()   # an open transaction holds SQLite's write lock against the next check
    return db.engine.dialect.name


def _check_redis() -> str:
    try:
        answers = store.ping()
    except store.StoreRefused as e:
        if settings.redis_url:
            raise
        return f"embedded, {e}"   # the server beside us holds it, as it should
    if not answers:
        raise RuntimeError("does not answer; votes go on with smaller limits, staff cannot log in")
    return store.kind


def _check_migrations() -> str:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    head = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    with db.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != head:
        raise RuntimeError(f"database is at {current}, this version needs {head}: flask --app app db upgrade")
    return str(current)
