"""Commands that belong to no single room."""

from __future__ import annotations

import json
import secrets

import click
from flask.cli import AppGroup

from wxbackend import apidocs, clock
from wxbackend.accounts import merge
from wxbackend.accounts import service as accounts
from wxbackend.extensions import db
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


@click.command("merges")
def merges() -> None:
    """The conflict log, one JSON line a merge: which persons became one, when, why, and what followed (voided ballots by number)."""
    for entry in merge.log():
        click.echo(json.dumps({"at": entry.at.isoformat(), "kept": entry.kept_id, "absorbed": entry.absorbed_id, "why": entry.why,
                               **entry.facts}, ensure_ascii=False))


@click.command("problems")
def problems() -> None:
    """Print docs/problems.md, made from the code."""
    click.echo(apidocs.problems_markdown(), nl=False)
