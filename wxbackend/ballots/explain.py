"""Why a counter differs from the ballots: which votes, decisions or voids would account for it, to the row.

The counter moves in the transaction of whatever moves it, so a difference means that somebody wrote to the database past the program. What
was left out, or done twice, at one go shows as a difference of exactly its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, not_, select

from wxbackend.ballots.decisions import VOIDED, counts, is_uncounted
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.ballots.tally import Difference
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db

MOST = 10   # causes that are told; a difference of one fits every vote that was cast alone


@dataclass(frozen=True)
class Cause:
    """What would account for a difference: these ballots' votes, decisions or voids (`what`), of one instant and by one actor.

    `is_twice`: the counter has them twice; otherwise it has never heard of them. `at` is None where nothing says when.
    """

    what: str
    at: datetime | None
    actor: str
    ballots: tuple[int, ...]
    is_twice: bool


def causes(campaign: Campaign, difference: Difference) -> list[Cause]:
    """What was done at one go and is exactly as large as the difference; each of them alone would account for it. At most `MOST`."""
    subject = next(s for s in campaign.subjects if s.key == difference.subject)
    cell = and_(Ballot.subject_id == subject.id, Ballot.day == difference.day, Ballot.grade == difference.grade)
    off = difference.shown - difference.counted
    return (_votes(cell, off) if difference.part == "cast" else _decisions(cell, off))[:MOST]


def _votes(cell: ColumnElement[bool], off: int) -> list[Cause]:
    """Votes cast at one instant, as many as the counter is off; all there are, where it has none of them."""
    same = select(Ballot.cast_at).where(cell).group_by(Ballot.cast_at).having(func.count() == abs(off)).order_by(Ballot.cast_at).limit(MOST)
    found = [Cause("cast", at, "", _ids(and_(cell, Ballot.cast_at == at)), off > 0) for at in db.session.scalars(same)]
    if found or off > 0 or (db.session.scalar(select(func.count()).where(cell)) or 0) != -off:
        return found
    return [Cause("cast", None, "", _ids(cell), False)]


def _decisions(cell: ColumnElement[bool], off: int) -> list[Cause]:
    moves: dict[tuple[str, datetime | None, str], int] = defaultdict(int)
    ballots: dict[tuple[str, datetime | None, str], list[int]] = defaultdict(list)
    for act, ballot, move in _moves(cell):
        moves[act] += move
        ballots[act].append(ballot)
    return [Cause(*act, tuple(sorted(ballots[act])), move == off) for act, move in moves.items() if off in (move, -move)]


def _moves(cell: ColumnElement[bool]) -> Iterator[tuple[tuple[str, datetime | None, str], int, int]]:
    """((what, at, actor), ballot, by how much the tally moved) of every decision in a cell, and of voids nobody wrote down."""
    query = select(BallotDecision).join(Ballot, Ballot.id == BallotDecision.ballot_id).where(cell)
    last: dict[int, str] = {}
    for word in db.session.scalars(query.order_by(BallotDecision.ballot_id, BallotDecision.n)):
        move = counts(word.verdict) - counts(last.get(word.ballot_id))
        last[word.ballot_id] = word.verdict
        if move:
            yield (word.verdict, word.at, word.actor), word.ballot_id, move
    for ballot in _ids(and_(cell, Ballot.void_no > 0, not_(is_uncounted()))):
        yield (VOIDED, None, ""), ballot, -1


def _ids(condition: ColumnElement[bool]) -> tuple[int, ...]:
    return tuple(db.session.scalars(select(Ballot.id).where(condition).order_by(Ballot.id)))
