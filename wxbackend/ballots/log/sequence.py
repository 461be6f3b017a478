"""Entering lines: a number for each, the tree grown with them. Off the voting path, one batch a transaction.

Whoever writes a campaign's log holds its cursor, so that two workers take turns; should that ever fail, the keys (campaign, seq) and
(campaign, kind, ref) keep a line from standing twice. A batch is computed before the transaction that writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from wxbackend.ballots.log import tree, waiting
from wxbackend.ballots.log.models import LogCursor, LogLeaf, LogNode
from wxbackend.ballots.log.waiting import Book, Line
from wxbackend.extensions import db, reading

NO_SYNC = {"synchronize_session": False}


@contextmanager
def looking() -> Iterator[None]:
    """A transaction that only reads: on SQLite nobody waits for it. Ends whatever the session was in, before and after."""
    db.session.rollback()
    with reading():
        try:
            yield
        finally:
            db.session.rollback()


def enter_votes(book: Book, flush: date | None = None) -> int:
    """Votes of which enough wait, and of days up to `flush` all of them; how many were entered. Commits each batch."""
    return _enter(book, waiting.votes(book, flush))


def enter_others(book: Book, with_decisions: bool) -> int:
    """Tickets and rules, and when a day ends decisions; how many. Commits each batch."""
    return _enter(book, waiting.others(book, with_decisions))


def move_cursor(book: Book, at: datetime) -> None:
    """Let the next look begin where nothing waits any more. Commits."""
    with looking():
        to = waiting.looked_to(book, at)
    held = hold(book)
    if to > held:
        db.session.execute(update(LogCursor).where(LogCursor.campaign_id == book.id).values(ballots_to=to), execution_options=NO_SYNC)
    db.session.commit()


def hold(book: Book) -> int:
    """Keep other writers of this log waiting until the transaction ends; up to which ballot its votes are known to be in.

    First in a transaction. The cursor is made in one of its own: MariaDB gives those who lose that race a shared lock on the winner's row
    each, and two who then ask for the whole of it wait for each other.
    """
    query = select(LogCursor.ballots_to).where(LogCursor.campaign_id == book.id).with_for_update()
    held = db.session.scalar(query)
    if held is None:
        try:
            db.session.execute(insert(LogCursor).values(campaign_id=book.id, ballots_to=0))
            db.session.commit()
        except IntegrityError:   # somebody else has just made it
            db.session.rollback()
        held = db.session.scalar(query)
    return held or 0


def size_of(book: Book) -> int:
    return db.session.scalar(select(func.max(LogLeaf.seq)).where(LogLeaf.campaign_id == book.id)) or 0


def _enter(book: Book, batches: Iterator[Sequence[Line]]) -> int:
    entered = 0
    while True:
        with looking():
            lines = next(batches, None)
        if lines is None:
            return entered
        entered += _append(book, lines)


def _append(book: Book, lines: Sequence[Line]) -> int:
    """Write one batch and COMMIT. None of it where another worker has entered part of it meanwhile: the next look finds the rest."""
    hold(book)
    if _is_known(book, lines):
        db.session.rollback()
        return 0
    size = size_of(book)
    db.session.execute(insert(LogLeaf.__table__), [  # type: ignore[arg-type]
        {"campaign_id": book.id, "seq": seq, "kind": line.kind, "ref": line.ref, "data": line.data, "hash": line.hash.hex(),
         "receipt_hash": line.receipt_hash} for seq, line in enumerate(lines, size + 1)])
    nodes = tree.grow(book.id, size, [line.hash for line in lines])
    if nodes:
        db.session.execute(insert(LogNode.__table__), nodes)  # type: ignore[arg-type]
    db.session.commit()
    return len(lines)


def _is_known(book: Book, lines: Sequence[Line]) -> bool:
    """Whether any of them has its line already; asked while the cursor is held."""
    refs: dict[str, list[int]] = {}
    for line in lines:
        refs.setdefault(line.kind, []).append(line.ref)
    query = select(LogLeaf.seq).where(LogLeaf.campaign_id == book.id)
    return any(db.session.scalar(query.where(LogLeaf.kind == kind, LogLeaf.ref.in_(found)).limit(1)) is not None
               for kind, found in refs.items())
