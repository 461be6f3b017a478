"""``flask campaigns load FILE.yaml``"""

from __future__ import annotations

from pathlib import Path

import click
import yaml
from flask.cli import AppGroup

from wxbackend import clock
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.problems import Problem

campaigns_cli = AppGroup("campaigns", help="Load and publish campaigns.")


@campaigns_cli.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--draft", is_flag=True, help="Leave it a draft instead of publishing it.")
def load(file: Path, draft: bool) -> None:
    """Create the campaign of FILE (YAML) and publish it."""
    at = clock.now()
    try:
        campaign = campaigns.load_document(yaml.safe_load(file.read_text(encoding="utf-8")), "command line", at)
        if not draft:
            campaigns.publish(campaign, "command line", at)
    except yaml.YAMLError as e:
        raise click.ClickException(f"{file} is not YAML: {e}") from e
    except Problem as e:
        faults = "".join(f"\n  {x['pointer']}: {x['detail']}" for x in e.facts.get("errors", []))
        raise click.ClickException(e.as_reply() + faults) from e
    db.session.commit()
    click.echo(f"{campaign.slug}: {campaign.say(campaign.opens_at)} – {campaign.say(campaign.closes_at)}")
    for source in campaign.sources:
        click.echo(f"  {source.name}: {campaigns.entry_url(campaign, source.code)}")
