"""The log's own count: what its lines say, from which the tally must not differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Protocol

from sqlalchemy import func, select

from wxbackend.ballots.log.models import LogLeaf
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.campaigns.models import Subject
from wxbackend.extensions import db

Cells = Counter[tuple[str, date, str]]   # (subject, day, grade)
AT_ONCE = 500
EVERY_LINE = 2**53


class HasId(Protocol):
    @property
    def id(self) -> int: ...


def count(campaign: HasId, size: int = EVERY_LINE) -> Cells:
    """Votes by subject, day and grade among the first `size` lines, less those whose latest decision there keeps them from counting."""
    about = (Subject.key, Ballot.day, Ballot.grade)
    votes = select(*about, func.count()).select_from(LogLeaf).join(Ballot, Ballot.id == LogLeaf.ref)
    votes = votes.join(Subject, Subject.id == Ballot.subject_id)
    votes = votes.where(LogLeaf.campaign_id == campaign.id, LogLeaf.kind == "vote", LogLeaf.seq <= size)
    cells = Counter({(key, day, grade): n for key, day, grade, n in db.session.execute(votes.group_by(*about))})
    aside = _set_aside(campaign, size)
    for start in range(0, len(aside), AT_ONCE):
        query = select(*about).join(Subject, Subject.id == Ballot.subject_id).where(Ballot.id.in_(aside[start:start + AT_ONCE]))
        cells.subtract((key, day, grade) for key, day, grade in db.session.execute(query))
    return +cells


def _set_aside(campaign: HasId, size: int) -> Sequence[int]:
    """Ballots whose latest decision in the log is not to count them."""
    latest: dict[int, str] = {}
    words = select(BallotDecision.ballot_id, BallotDecision.verdict).join(LogLeaf, LogLeaf.ref == BallotDecision.id)
    words = words.where(LogLeaf.campaign_id == campaign.id, LogLeaf.kind.in_(("void", "decision")), LogLeaf.seq <= size)
    for ballot, verdict in db.session.execute(words.order_by(LogLeaf.seq)):
        latest[ballot] = verdict
    return sorted(ballot for ballot, verdict in latest.items() if verdict != "released")
