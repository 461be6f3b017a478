"""`flask --app app doctor`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
import structlog
from flask.cli import with_appcontext

from wxbackend import clock
from wxbackend.doctor import here, outside, power, weixin  # noqa: F401  (their checks register, in this order)
from wxbackend.doctor.checks import REGISTRY, Finding, Level, run

MARKS = {Level.GOOD: "好　　", Level.NOTE: "要留意", Level.WRONG: "不行　"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of sentences.")
@click.option("--only", type=click.Choice(list(REGISTRY)), multiple=True, help="Look at this alone; may be given several times.")
@with_appcontext
def doctor(as_json: bool, only: tuple[str, ...]) -> None:
    """Hold the settings against reality, say what to do; exit 1 if something is wrong."""
    told, worst = [], Level.GOOD
    with _quiet():
        for name, asked in REGISTRY.items():
            if only and name not in only:
                continue
            for finding in run(asked, clock.now()):
                worst = max(worst, finding.level, key=list(Level).index)
                told.append({"name": name, "title": asked.title} | asdict(finding))
                if not as_json:
                    _say(asked.title, finding)
    if as_json:
        click.echo(json.dumps({"level": worst, "findings": told}, ensure_ascii=False, indent=1))
    else:
        amiss = sum(one["level"] != Level.GOOD for one in told)
        click.echo(f"\n{len(told)}项，" + (f"{amiss}项要看：照箭头后面写的做，再运行一次。" if amiss else "都好。"))
    sys.exit(1 if worst is Level.WRONG else 0)


def _say(title: str, finding: Finding) -> None:
    click.echo(f"{MARKS[finding.level]}  {title}：{finding.said}")
    if finding.todo:
        click.echo(f"        → {finding.todo}")


@contextmanager
def _quiet() -> Iterator[None]:
    """What the rooms log while they are tried is said by the findings, with the next step."""
    usual, alembic = structlog.get_config()["wrapper_class"], logging.getLogger("alembic")
    level = alembic.level
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    alembic.setLevel(logging.WARNING)
    try:
        yield
    finally:
        structlog.configure(wrapper_class=usual)
        alembic.setLevel(level)
