"""``flask draws verify TRANSCRIPT.json``"""

from __future__ import annotations

import sys
from typing import BinaryIO

import click
from flask.cli import AppGroup

from wxbackend.draws import verify as checking

draws_cli = AppGroup("draws", help="Check a draw.")


@draws_cli.command("verify", with_appcontext=False)
@click.argument("transcript", type=click.File("rb"))
def verify(transcript: BinaryIO) -> None:
    """Recompute a draw from its TRANSCRIPT (a file, or - for standard input). Exit code 1 names the first thing that differs."""
    try:
        for step in checking.verify(checking.read(transcript.read(checking.LARGEST_BYTES + 1))):
            click.echo(f"✓ {step}")
    except checking.Differs as e:
        click.echo(f"✗ DIFFERS {e}", err=True)
        sys.exit(1)
    click.echo("全部对上 / the draw verifies")
