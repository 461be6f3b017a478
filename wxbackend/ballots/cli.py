"""``flask ballots recount SLUG``"""

from __future__ import annotations

import click
from flask.cli import AppGroup

from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.problems import Problem

ballots_cli = AppGroup("ballots", help="Look after the ballot box.")


@ballots_cli.command("recount")
@click.argument("slug")
def recount(slug: str) -> None:
    """Count every ballot again and compare with the tally shown."""
    try:
        campaign = campaigns.by_slug(slug)
    except Problem as e:
        raise click.ClickException(e.as_reply()) from e
    differences = ballots.recount(campaign)
    for d in differences:
        click.echo(f"{d.subject} {d.day} {d.grade}: shown {d.shown}, counted {d.counted}")
    for subject in campaign.subjects:
        click.echo(f"{subject.title}: " + "  ".join(f"{g.value} {n}" for g, n in ballots.tally(subject).items()))
    if differences:
        raise click.ClickException(f"{len(differences)} counters differ from the ballots")
    click.echo("the tally equals the ballots")
