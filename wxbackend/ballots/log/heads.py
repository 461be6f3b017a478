"""Signed heads: the log as it stood, each chained to the one before, with the head of the audit's chain in it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from wxbackend.audit.models import GENESIS, AuditHead
from wxbackend.ballots.log import blinds, rules, sequence, tree
from wxbackend.ballots.log.counting import count
from wxbackend.ballots.log.models import LogHead, LogLeaf
from wxbackend.ballots.log.waiting import Book
from wxbackend.extensions import db

Totals = dict[str, dict[str, int]]   # {"culture-network": {"优": 12, "差": 1}}


def keep_up(book: Book, at: datetime) -> None:
    """Enter what may enter and make every head that is due, in the order of days. Commits step by step: killed anywhere, the next run
    goes on.

    Votes enter with their head, not as they come: nothing is published before it, and the more are sorted together the less a line's
    place tells.
    """
    with sequence.looking():
        due = list(rules.due(at, book.zone, book.first_day, book.closes_at, book.is_frozen, _made(book)))
    for head in due:
        sequence.enter_votes(book, head.flush)
        sequence.enter_others(book, with_decisions=head.kind != "hour")
        _make(book, head, at)
    sequence.move_cursor(book, at)


def latest(campaign_id: int) -> LogHead | None:
    return db.session.scalar(select(LogHead).where(LogHead.campaign_id == campaign_id).order_by(LogHead.number.desc()).limit(1))


def counts(campaign_id: int, above: int, size: int) -> Counter[str]:
    """Lines of each kind, above < seq <= size."""
    query = select(LogLeaf.kind, func.count()).where(LogLeaf.campaign_id == campaign_id, LogLeaf.seq > above, LogLeaf.seq <= size)
    return Counter(dict(db.session.execute(query.group_by(LogLeaf.kind)).all()))


def _made(book: Book) -> dict[str, rules.Standing]:
    """The latest head of each kind."""
    newest = select(func.max(LogHead.number)).where(LogHead.campaign_id == book.id).group_by(LogHead.kind)
    columns = (LogHead.number, LogHead.kind, LogHead.day, LogHead.at, LogHead.size, LogHead.sha256)
    rows = db.session.execute(select(*columns).where(LogHead.campaign_id == book.id, LogHead.number.in_(newest)))
    return {row.kind: rules.Standing(*row) for row in rows}


def _make(book: Book, due: rules.Due, at: datetime) -> None:
    """Sign one head and COMMIT; nothing where it was made meanwhile, or says nothing new.

    The count in the last head is made before the log is held; where a line came in between, the next run tries again.
    """
    shows_totals = due.kind == "last" and book.shows_grades
    with sequence.looking():
        counted_to = sequence.size_of(book)
        counted = {"totals": totals(book, counted_to)} if shows_totals else {}
    sequence.hold(book)
    last, size = latest(book.id), sequence.size_of(book)
    if _is_wanted(book, due, at, last, size) and not (shows_totals and size != counted_to):
        db.session.add(_signed(book, due, at, last, size, counted))
    db.session.commit()


def _is_wanted(book: Book, due: rules.Due, at: datetime, last: LogHead | None, size: int) -> bool:
    """Asked while the log is held: another worker may have made it. Hours without a new line need no head, nor days after the last one."""
    made = _made(book)
    is_new = last is None or size > last.size
    still = {(d.kind, d.day) for d in rules.due(at, book.zone, book.first_day, book.closes_at, book.is_frozen, made)}
    return (due.kind, due.day) in still and (is_new or (due.kind != "hour" and "last" not in made))


def _signed(book: Book, due: rules.Due, at: datetime, last: LogHead | None, size: int, counted: dict[str, Totals]) -> LogHead:
    number, prev = (last.number + 1, last.sha256) if last else (1, rules.FIRST)
    root = tree.Stored(book.id).root(size)
    facts: dict[str, Any] = {
        "campaign": book.slug, "number": number, "kind": due.kind, "day": due.day.isoformat(), "at": at.isoformat(timespec="seconds"),
        "size": size, "root": root, "prev_head_sha256": prev, "key": blinds.public_key(),
        "audit": db.session.scalar(select(AuditHead.hash).where(AuditHead.id == 1)) or GENESIS, **counted}
    body = rules.body(facts, _counts_from(book, last, size))
    return LogHead(campaign_id=book.id, number=number, kind=due.kind, day=due.day, at=at, size=size, root=root, body=body,
                   sha256=rules.fingerprint(body), prev_sha256=prev, signature=blinds.sign(body))


def totals(book: Book, size: int) -> Totals:
    """Ballots that count by subject and grade, where there are ten of them: among fewer a grade could be guessed back to its voter."""
    found: Totals = {}
    for (subject, _, grade), votes in sorted(count(book, size).items()):
        by_grade = found.setdefault(subject, {})
        by_grade[grade] = by_grade.get(grade, 0) + votes
    return {subject: by_grade for subject, by_grade in found.items() if sum(by_grade.values()) >= rules.LEAST}


def _counts_from(book: Book, last: LogHead | None, size: int) -> Counter[str]:
    """All lines of each kind: those the last head counted, and the new ones."""
    before = rules.read_body(last.body) if last else {}
    known = Counter({kind: before.get(name, 0) for kind, name in rules.COUNTED.items()})
    return known + counts(book.id, last.size if last else 0, size)
