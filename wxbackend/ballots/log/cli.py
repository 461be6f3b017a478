"""``flask log verify SLUG`` and the audit kit's commands."""

from __future__ import annotations

import json
import sys
from typing import BinaryIO

import click
from flask.cli import AppGroup

from wxbackend import clock
from wxbackend.ballots.log import heads, kit_check, kit_file, sequence
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.verify import verify as faults_of
from wxbackend.ballots.log.waiting import Book
from wxbackend.campaigns import service as campaigns
from wxbackend.problems import Problem

log_cli = AppGroup("log", help="The ballot log: keep it, check it, open an audit kit.")
MOST_SAID = 100
passphrase_option = click.option("--passphrase", envvar="KIT_PASSPHRASE", prompt="口令 / passphrase", hide_input=True)


@log_cli.command("verify")
@click.argument("slug")
def verify(slug: str) -> None:
    """Hold the log of SLUG against every row it speaks of. Each line names what is wrong; exit code 1 with any."""
    with sequence.looking():
        found = 0
        for fault in faults_of(_book(slug)):
            found += 1
            if found <= MOST_SAID:
                click.echo(f"✗ {fault}", err=True)
        size = sequence.size_of(_book(slug))
        latest = heads.latest(_book(slug).id)
        mark = latest.mark if latest else ""
    if found:
        more = f", the first {MOST_SAID} are named" if found > MOST_SAID else ""
        raise click.ClickException(f"{found} things are wrong{more}")
    if mark:
        click.echo(f"the latest 账本指纹 is {mark}: hold it against one kept outside; a line cut off the end shows in nothing else")
    click.echo(f"the log verifies: {size} lines / 全部对上")


@log_cli.command("head")
@click.argument("slug")
def head(slug: str) -> None:
    """Enter what waits, make the heads that are due, print the latest: what the worker does every minute."""
    try:
        campaign = campaigns.published(slug)
        log.keep_up(campaign, clock.now())
        latest = log.head_of(campaign)
    except Problem as e:
        raise click.ClickException(e.as_reply()) from e
    click.echo(f"{latest.mark} {latest.sha256} {latest.size} lines, {latest.kind} {latest.day}")


@log_cli.command("kit-open", with_appcontext=False)
@click.argument("file", type=click.File("rb"))
@passphrase_option
def kit_open(file: BinaryIO, passphrase: str) -> None:
    """Print what is in an audit kit, a line of JSON each. Needs neither our database nor our keys."""
    try:
        for entry in kit_file.read(file, passphrase):
            click.echo(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
    except kit_file.CannotOpen as e:
        raise click.ClickException(str(e)) from e


@log_cli.command("kit-check", with_appcontext=False)
@click.argument("file", type=click.File("rb"))
@passphrase_option
def kit_check_command(file: BinaryIO, passphrase: str) -> None:
    """Count every vote of an audit kit again, open every line, recompute every ticket. Exit code 1 names what differs."""
    try:
        kit = kit_check.check(kit_file.read(file, passphrase))
    except kit_file.CannotOpen as e:
        raise click.ClickException(str(e)) from e
    for subject, grades in kit.totals().items():
        click.echo(f"{subject}: " + "  ".join(f"{grade} {votes}" for grade, votes in grades.items()))
    for line in kit.named:
        click.echo(line)
    for fault in kit.faults[:MOST_SAID]:
        click.echo(f"✗ {fault}", err=True)
    if kit.faults:
        sys.exit(1)
    if kit.moved:
        click.echo(f"{len(kit.moved)} tickets are held by another person than they were granted to, as after a merge: "
                   f"ask for each why ({', '.join(kit.moved[:MOST_SAID])})")
    click.echo(f"{len(kit.opened)} votes, {len(kit.holders)} tickets, 账本指纹 {kit.mark}: the kit verifies / 全部对上")


def _book(slug: str) -> Book:
    try:
        return Book.of(campaigns.published(slug))
    except Problem as e:
        raise click.ClickException(e.as_reply()) from e
