"""``flask ballots recount SLUG``"""

from __future__ import annotations

import click
from flask.cli import AppGroup

from wxbackend.ballots import explain
from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import reading
from wxbackend.problems import Problem

ballots_cli = AppGroup("ballots", help="Look after the ballot box.")
MOST_IDS = 20


@ballots_cli.command("recount")
@click.argument("slug")
def recount(slug: str) -> None:
    """Count every ballot again and compare with the tally shown; where they differ, say which ballots account for it."""
    try:
        with reading():   # while people vote it holds nobody up
            _recount(campaigns.by_slug(slug))
    except Problem as e:
        raise click.ClickException(e.as_reply()) from e


def _recount(campaign: Campaign) -> None:
    differences = ballots.recount(campaign)
    for d in differences:
        click.echo(f"{d.subject} {d.day} {d.grade}, {d.part}: shown {d.shown}, counted {d.counted}")
        _explain(explain.causes(campaign, d))
    for subject in campaign.subjects:
        click.echo(f"{subject.title}: " + "  ".join(f"{g.value} {n}" for g, n in ballots.tally(subject).items()))
    if differences:
        raise click.ClickException(f"{len(differences)} counters differ from the ballots")
    click.echo("the tally equals the ballots")


def _explain(causes: list[explain.Cause]) -> None:
    if not causes:
        click.echo("  no vote, decision or void is of this size: the counter itself was changed, or several things were left out")
    elif len(causes) == explain.MOST:
        click.echo(f"  {explain.MOST} or more would each account for it: it cannot be told which")
    else:
        click.echo("  this accounts for it:" if len(causes) == 1 else "  each of these alone would account for it:")
        for cause in causes:
            click.echo("  - " + _words(cause))


def _words(cause: explain.Cause) -> str:
    when = f" at {cause.at.isoformat()}" if cause.at else ""
    by = f" by {cause.actor}" if cause.actor else ""
    more = len(cause.ballots) - MOST_IDS
    ids = ", ".join(map(str, cause.ballots[:MOST_IDS])) + (f" and {more} more" if more > 0 else "")
    return f"{cause.what}{when}{by}, {'in the counter twice' if cause.is_twice else 'not in the counter'}: ballots {ids}"
