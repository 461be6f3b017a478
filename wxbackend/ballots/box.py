"""The box: votes go in by batches, each with its tally in one transaction, and the unique key decides."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Self

import structlog
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty

from wxbackend.accounts import service as accounts
from wxbackend.ballots import batches
from wxbackend.ballots.admission import live_of
from wxbackend.ballots.models import Ballot, BallotBatch
from wxbackend.ballots.receipts import Receipt, receipt_of, standing
from wxbackend.ballots.rules import new_receipt_id
from wxbackend.ballots.votes import AlreadyVoted, DatabaseLost, Outcome, Vote
from wxbackend.campaigns.models import Subject
from wxbackend.extensions import db, reading

log = structlog.get_logger()
LOST = (OperationalError, InterfaceError, InternalError, PoolEmpty)   # the database's fault, and none of the votes'


class Line:
    """The connection on which batches are written: opened at the first one, given up after a failure."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()

    def connection(self) -> Connection:
        if self._connection is None:
            connection = db.engine.connect()
            is_one_statement = connection.dialect.name == "postgresql"   # which is a transaction of its own
            self._connection = connection.execution_options(isolation_level="AUTOCOMMIT") if is_one_statement else connection
        return self._connection

    def give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except LOST:
                connection.invalidate()


def cast_many(votes: Sequence[Vote], at: datetime, line: Line | None = None) -> list[Outcome | Exception]:
    """Put a batch into the box and COMMIT; one outcome per vote, in order.

    An outcome is new, the same again (equal receipt), or AlreadyVoted with that day's receipt. The unique key
    (quota_key, person, day, void_no) decides; "was it new" is told by our own receipt id found in the box, never by rowcount.
    A vote that fails by itself comes back as its error, and the others are kept.

    The one verb that commits: a vote is answered when it is durable. It ends the session's transaction. Raises DatabaseLost.
    """
    db.session.commit()   # SQLite has one writer: the caller's own lock would be waited for
    with Line() as own:
        return _cast(votes, at, line or own)


def _cast(votes: Sequence[Vote], at: datetime, line: Line) -> list[Outcome | Exception]:
    try:
        kept = _keep(votes, at, line)
    except DatabaseLost:
        raise
    except Exception as e:
        log.warning("a batch was refused", votes=len(votes), kind=type(e).__name__)
        return [e] if len(votes) == 1 else [_alone(vote, at, line) for vote in votes]   # the one that is to blame fails alone
    return [Outcome(_new_receipt(vote, at), True) if vote.receipt_id in kept else _met(vote, at, line) for vote in votes]


def _alone(vote: Vote, at: datetime, line: Line) -> Outcome | Exception:
    """Once more in a batch of its own. Under a new receipt id: none is ever sent under two batch ids, lest it be counted twice."""
    try:
        return _cast([replace(vote, receipt_id=new_receipt_id())], at, line)[0]
    except DatabaseLost as lost:
        return lost


def _keep(votes: Sequence[Vote], at: datetime, line: Line) -> set[str]:
    """Which of these receipt ids stand in the box, once that is certain. Raises DatabaseLost; whatever else is one of the votes' fault."""
    batch_id, rows = secrets.token_hex(16), [_row(vote, at) for vote in votes]
    for last_try in (False, True):
        try:
            return batches.write(line.connection(), batch_id, rows, at)
        except IntegrityError:
            line.give_up()
            kept = _committed(batch_id, votes)
            if kept is None:
                raise
            return kept   # the first COMMIT did arrive, only its answer was lost
        except LOST as e:
            log.warning("batch not confirmed", batch=batch_id, kind=type(e).__name__)
            line.give_up()
            if last_try:
                raise DatabaseLost(retry_after=10) from e
        except Exception:
            line.give_up()
            raise
    raise AssertionError("not reached")


def forget_batches(before: datetime) -> None:
    """A batch is tried again within seconds or never; the caller commits."""
    db.session.execute(delete(BallotBatch).where(BallotBatch.at < before), execution_options={"synchronize_session": False})


def _row(vote: Vote, at: datetime) -> batches.Row:
    return batches.Row(vote.receipt_id, vote.captcha_hash, vote.campaign_id, vote.subject_id, vote.quota_key, vote.person_id, vote.day,
                       vote.grade, vote.source_code, vote.door, vote.degraded, vote.cast_at or at)


def _committed(batch_id: str, votes: Sequence[Vote]) -> set[str] | None:
    """Which of the receipt ids stand, if this batch was committed; None if it never was. Raises DatabaseLost where that cannot be said."""
    try:
        with _looking():
            if db.session.scalar(select(BallotBatch.id).where(BallotBatch.id == batch_id)) is None:
                return None
            return set(db.session.scalars(select(Ballot.receipt_id).where(Ballot.receipt_id.in_([v.receipt_id for v in votes]))))
    except LOST as e:
        raise DatabaseLost(retry_after=10) from e


@contextmanager
def _looking() -> Iterator[None]:
    """A look beside whoever writes; on SQLite it holds no lock while it lasts, nor afterwards."""
    with reading():
        try:
            yield
        finally:
            try:
                db.session.rollback()
            except LOST:
                db.session.remove()


def _new_receipt(vote: Vote, at: datetime) -> Receipt:
    if vote.about is None:
        with _looking():
            subject = db.session.get_one(Subject, vote.subject_id)
            campaign = subject.campaign
    else:
        campaign, subject = vote.about
    return Receipt(vote.receipt_id, campaign, subject, vote.person_id, vote.day, vote.cast_at or at)


def _met(vote: Vote, at: datetime, line: Line) -> Outcome | Exception:
    """What stands in the box instead of a vote that did not go in; an error is this vote's own, whatever became of the others."""
    try:
        person_id, found = _instead(vote)
    except Exception as e:
        return DatabaseLost(retry_after=10) if isinstance(e, LOST) else e
    if found is not None:
        return found
    if person_id == vote.person_id:
        return RuntimeError("a vote neither went in nor met another")
    return _alone(replace(vote, person_id=person_id), at, line)


def _instead(vote: Vote) -> tuple[int, Outcome | Exception | None]:
    """(who she is now, the ballot she has)."""
    campaign = vote.about[0] if vote.about else None
    with _looking():
        person_id = accounts.surviving(vote.person_id)   # she may have been merged since the vote was admitted
        same = db.session.scalar(select(Ballot).where(Ballot.captcha_hash == vote.captcha_hash))
        if same is not None and same.person_id == person_id:
            return person_id, Outcome(receipt_of(standing(same), campaign), False)
        other = db.session.scalar(live_of(vote.quota_key, person_id, vote.day))
        return person_id, AlreadyVoted(receipt_of(other, campaign)) if other is not None else None
