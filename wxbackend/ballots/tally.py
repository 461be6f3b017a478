"""The running count, and the recount that checks it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from sqlalchemy import Select, func, select

from wxbackend.ballots.models import Ballot, Tally
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db


@dataclass(frozen=True)
class Difference:
    """A counter that disagrees with the ballots themselves."""

    subject: str
    day: date
    grade: str
    shown: int
    counted: int


def tally(subject: Subject) -> dict[Grade, int]:
    """Ballots per grade, every grade offered present: {优: 3, 良: 0, 中: 0, 差: 1}."""
    query = select(Tally.grade, func.sum(Tally.count)).where(Tally.subject_id == subject.id).group_by(Tally.grade)
    counts = {grade: int(count) for grade, count in db.session.execute(query)}
    return {g: counts.get(g.value, 0) for g in Grade if subject.offers(g)}


def stepped(subject: Subject, today: date, least: int) -> dict[Grade, int]:
    """`tally` of the whole days before `today`, moved on by at least `least` ballots at a time.

    While the vote is open: between two looks at the running count, a person's grade could be read from the change.
    """
    shown: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    query = select(Tally.day, Tally.grade, func.sum(Tally.count)).where(Tally.subject_id == subject.id, Tally.day < today)
    for _day, rows in groupby(db.session.execute(query.group_by(Tally.day, Tally.grade).order_by(Tally.day)), lambda row: row.day):
        waiting.update({grade: int(count) for _, grade, count in rows})
        if waiting.total() >= least:
            shown, waiting = shown + waiting, Counter()
    return {g: shown[g.value] for g in Grade if subject.offers(g)}


def recount(campaign: Campaign) -> list[Difference]:
    """Count every live ballot again and name each counter that differs; empty when all agree."""
    found = []
    for subject in campaign.subjects:
        shown = _by_day_and_grade(select(Tally.day, Tally.grade, func.sum(Tally.count)).where(Tally.subject_id == subject.id)
                                  .group_by(Tally.day, Tally.grade))
        counted = _by_day_and_grade(select(Ballot.day, Ballot.grade, func.count()).where(
            Ballot.subject_id == subject.id, Ballot.void_no == 0).group_by(Ballot.day, Ballot.grade))
        for day, grade in sorted(shown.keys() | counted.keys()):
            pair = shown.get((day, grade), 0), counted.get((day, grade), 0)
            if pair[0] != pair[1]:
                found.append(Difference(subject.key, day, grade, *pair))
    return found


def _by_day_and_grade(query: Select[date, str, int]) -> dict[tuple[date, str], int]:
    return {(day, grade): int(count) for day, grade, count in db.session.execute(query)}
