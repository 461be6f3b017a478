"""The running count, and the recount that checks it.

Counters stand per subject, day, grade and shard: each server process adds what it casts to a shard of its own, what decisions and
merges take away or give back stands in the shard "decided". All shards together are the tally; without "decided" it is what was cast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Select, and_, case, func, literal, not_, or_, select, union_all

from wxbackend.ballots.decisions import SHARD, is_uncounted
from wxbackend.ballots.models import Ballot, Tally
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db

Part = Literal["cast", "decided"]
CELL = (Tally.subject_id, Tally.day, Tally.grade)


@dataclass(frozen=True)
class Cell:
    """A subject's ballots of one day and grade: how many were cast, and how many of them count."""

    subject_id: int
    day: date
    grade: str
    cast: int
    counted: int


@dataclass(frozen=True)
class Difference:
    """A counter that disagrees with the ballots themselves; `part` is what was cast, or what was decided on it since (0 or less)."""

    subject: str
    day: date
    grade: str
    shown: int
    counted: int
    part: Part


def tally(subject: Subject) -> dict[Grade, int]:
    """Ballots that count per grade, every grade offered present: {优: 3, 良: 0, 中: 0, 差: 1}."""
    query = select(Tally.grade, func.sum(Tally.count)).where(Tally.subject_id == subject.id).group_by(Tally.grade)
    return _every_grade(subject, {grade: int(count) for grade, count in db.session.execute(query)})


def cells(campaign: Campaign) -> list[Cell]:
    """The counters of all subjects in one look, by day: it costs the same after ten ballots and after ten million."""
    cast = case((Tally.shard == SHARD, 0), else_=Tally.count)
    query = select(Tally.subject_id, Tally.day, Tally.grade, func.sum(cast), func.sum(Tally.count))
    query = query.where(Tally.subject_id.in_([s.id for s in campaign.subjects]))
    rows = db.session.execute(query.group_by(*CELL).order_by(*CELL))
    return [Cell(subject, day, grade, int(cast), int(counted)) for subject, day, grade, cast, counted in rows]


def total(subject: Subject, found: Iterable[Cell]) -> dict[Grade, int]:
    """As `tally`, from cells that were read."""
    counts: Counter[str] = Counter()
    for cell in found:
        if cell.subject_id == subject.id:
            counts[cell.grade] += cell.counted
    return _every_grade(subject, counts)


def stepped(subject: Subject, found: Iterable[Cell], today: date, least: int) -> dict[Grade, int]:
    """What was cast on whole days before `today`, moved on by at least `least` ballots at a time.

    While the vote is open: between two looks at the running count, a person's grade could be read from the change. For the same reason
    decisions and voids show only after the close: a single ballot set aside would tell its grade.
    """
    shown: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    earlier = (cell for cell in found if cell.subject_id == subject.id and cell.day < today)
    for _day, of_day in groupby(earlier, lambda cell: cell.day):
        waiting.update({cell.grade: cell.cast for cell in of_day})
        if waiting.total() >= least:
            shown, waiting = shown + waiting, Counter()
    return _every_grade(subject, shown)


def _every_grade(subject: Subject, counts: dict[str, int]) -> dict[Grade, int]:
    return {g: counts.get(g.value, 0) for g in Grade if subject.offers(g)}


def recount(campaign: Campaign) -> list[Difference]:
    """Count every ballot again and name each counter that differs; empty when all agree, also while votes come in."""
    keys = {s.id: s.key for s in campaign.subjects}
    found: dict[tuple[int, date, str, Part], dict[str, int]] = {}
    for side, part, subject, day, grade, count in db.session.execute(_both_sides(list(keys))):
        pair = found.setdefault((subject, day, grade, part), {"shown": 0, "counted": 0})
        pair[side] = int(count)
    return [Difference(keys[subject], day, grade, part=part, **pair) for (subject, day, grade, part), pair in sorted(found.items())
            if pair["shown"] != pair["counted"]]


def _both_sides(subject_ids: list[int]) -> Any:
    """(side, part, subject, day, grade, count) of counters and of ballots in one statement, which sees one instant."""
    is_decided = Tally.shard == SHARD
    gone = or_(Ballot.void_no > 0, is_uncounted())
    return union_all(
        _side("shown", "cast", Tally, func.sum(Tally.count), subject_ids, not_(is_decided)),
        _side("shown", "decided", Tally, func.sum(Tally.count), subject_ids, is_decided),
        _side("counted", "cast", Ballot, func.count(), subject_ids),
        _side("counted", "decided", Ballot, -func.count(), subject_ids, gone),
    )


def _side(side: str, part: Part, table: type[Tally] | type[Ballot], count: Any, subject_ids: list[int], *where: Any) -> Select[Any]:
    query = select(literal(side), literal(part), table.subject_id, table.day, table.grade, count)
    return query.where(and_(table.subject_id.in_(subject_ids), *where)).group_by(table.subject_id, table.day, table.grade)
