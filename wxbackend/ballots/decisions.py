"""Whether a ballot counts: set aside, released, rejected, voided. Every word of it is kept, and the tally moves with it.

A ballot without a decision counts, and one whose latest verdict is "released". Order of locks: persons, ballots by their ids, the tally,
the audit's head. Whoever decides holds the ballots' persons as a vote does, so a merge, which alone voids, waits or is waited for.
Nothing here gives a grade back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, insert, select
from sqlalchemy.orm import aliased

from wxbackend import audit
from wxbackend.accounts import service as accounts
from wxbackend.ballots import sql
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Problem

QUARANTINED, RELEASED, REJECTED, VOIDED = "quarantined", "released", "rejected", "voided"
SHARD = "decided"     # of the tally: what was cast and what was decided on it are counters of their own
AT_ONCE = 500         # ids in one statement


class BallotUnknown(Problem):
    status, type, title = 404, "ballot-unknown", "这里面有找不到的选票。"
    hint = "请刷新页面，再选一次。"


class NotQuarantined(Problem):
    """Released or rejected is only what was set aside before."""

    status, type, title = 409, "ballot-not-quarantined", "这里面有没被搁置过的选票，不用放行，也不能直接剔除。"
    hint = "请刷新页面，再选一次。"


@dataclass(frozen=True)
class Held:
    """A ballot nobody else decides on before our transaction ends, with the last word on it: the `n`th, None where there is none."""

    id: int
    campaign_id: int
    subject_id: int
    day: date
    grade: str
    is_void: bool
    n: int
    verdict: str | None


def quarantine(ballots: Iterable[int], reason: str, rule: str, actor: str, at: datetime) -> list[int]:
    """Set ballots aside, given by their ids: they stay in the box and no longer count. The ids of those that are set aside by this.

    Only what nobody has decided on yet: what people have released stays released, however often a rule finds it again.
    Raises BallotUnknown; ValueError for ballots of two campaigns.
    """
    held = _hold(ballots)
    return _decide([b for b in held if b.verdict is None and not b.is_void], QUARANTINED, reason, rule, actor, at)


def release(ballots: Iterable[int], reason: str, rule: str, actor: str, at: datetime) -> list[int]:
    """Let ballots count again that were set aside, or rejected before this. As `quarantine`; NotQuarantined, too, refuses all of them."""
    return _judge(_hold(ballots), RELEASED, reason, rule, actor, at)


def reject(ballots: Iterable[int], reason: str, rule: str, actor: str, at: datetime) -> list[int]:
    """Ballots that were set aside do not count for good, or those that were released before this. As `release`."""
    return _judge(_hold(ballots), REJECTED, reason, rule, actor, at)


def void(ballots: Iterable[int], at: datetime) -> None:
    """The last word on ballots a merge has just voided; the merge holds their persons."""
    held = [b for chunk in _chunks(sorted(ballots)) for b in _read(chunk)]
    _write([b for b in held if b.verdict != VOIDED], VOIDED, "merged", "", "system:merge", at)


def counts(verdict: str | None) -> bool:
    """Whether a ballot with this latest verdict counts."""
    return verdict in (None, RELEASED)


def is_uncounted() -> ColumnElement[bool]:
    """A condition on `Ballot`: its latest verdict keeps it from counting."""
    last, later = aliased(BallotDecision), aliased(BallotDecision)
    return exists().where(last.ballot_id == Ballot.id, last.verdict != RELEASED,
                          ~exists().where(later.ballot_id == last.ballot_id, later.n > last.n))


def _judge(held: list[Held], verdict: str, reason: str, rule: str, actor: str, at: datetime) -> list[int]:
    live = [b for b in held if not b.is_void]
    if any(b.verdict is None for b in live):
        raise NotQuarantined()
    return _decide([b for b in live if b.verdict != verdict], verdict, reason, rule, actor, at)


def _decide(held: list[Held], verdict: str, reason: str, rule: str, actor: str, at: datetime) -> list[int]:
    if held:
        _write(held, verdict, reason, rule, actor, at)
        slug = db.session.scalar(select(Campaign.slug).where(Campaign.id == held[0].campaign_id))
        audit.record(actor, f"ballots.{verdict}", f"campaign:{slug}", at, why=reason, facts={"ballots": len(held), "rule": rule})
    return [b.id for b in held]


def _write(held: Sequence[Held], verdict: str, reason: str, rule: str, actor: str, at: datetime) -> None:
    """The next word on each, and the tally moved by what it changes."""
    if not held:
        return
    db.session.execute(insert(BallotDecision), [
        {"ballot_id": b.id, "n": b.n + 1, "campaign_id": b.campaign_id, "verdict": verdict, "reason": reason, "rule": rule,
         "actor": actor, "at": at} for b in held])
    moves: Counter[tuple[int, date, str]] = Counter()
    for b in held:
        moves[b.subject_id, b.day, b.grade] += counts(verdict) - counts(b.verdict)
    for counter, by in sorted(moves.items()):
        if by:
            sql.add_to_tally(*counter, SHARD, by)


def _hold(ballots: Iterable[int]) -> list[Held]:
    ids = sorted(set(ballots))
    persons = {p for chunk in _chunks(ids) for p in db.session.scalars(select(Ballot.person_id).where(Ballot.id.in_(chunk)))}
    for chunk in _chunks(sorted(persons, reverse=True)):   # the younger before the older, as everybody takes them
        accounts.hold_all(chunk)
    held = [b for chunk in _chunks(ids) for b in _read(chunk, lock=True)]
    if len(held) < len(ids):
        raise BallotUnknown()
    if len({b.campaign_id for b in held}) > 1:
        raise ValueError("one decision is about the ballots of one campaign")
    return held


def _read(ids: Sequence[int], lock: bool = False) -> list[Held]:
    query = select(Ballot.id, Ballot.campaign_id, Ballot.subject_id, Ballot.day, Ballot.grade, Ballot.void_no > 0)
    query = query.where(Ballot.id.in_(ids)).order_by(Ballot.id)
    rows = db.session.execute(query.with_for_update() if lock else query).all()
    words = select(BallotDecision.ballot_id, BallotDecision.n, BallotDecision.verdict).where(BallotDecision.ballot_id.in_(ids))
    last = {ballot: (n, verdict) for ballot, n, verdict in db.session.execute(words.order_by(BallotDecision.n))}
    return [Held(*row, *last.get(row[0], (0, None))) for row in rows]


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[n:n + AT_ONCE] for n in range(0, len(ids), AT_ONCE))
