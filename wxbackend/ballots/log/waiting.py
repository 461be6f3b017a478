"""What happened and is not in the log yet, found by asking which rows have no line, never by where the last look ended.

Ids are given before they are committed, so a smaller one may appear after a larger: `LogCursor.ballots_to` only says where to begin to
look, stays an hour behind, and is not asked when a day ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select

from wxbackend.audit.merkle import leaf_hash
from wxbackend.ballots.log import rules
from wxbackend.ballots.log.blinds import Blinds
from wxbackend.ballots.log.models import LogCursor, LogLeaf
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.campaigns.models import Campaign, RulesVersion, Subject
from wxbackend.extensions import db
from wxbackend.tickets.models import TicketEvent

AT_ONCE = 500                 # lines written in one transaction: on SQLite nobody else writes meanwhile
UNSEEN = timedelta(hours=1)   # longer than a transaction can have been open


@dataclass(frozen=True)
class Book:
    """What the log asks of a campaign, free of any session."""

    id: int
    slug: str
    zone: str
    first_day: date
    closes_at: datetime
    is_frozen: bool
    shows_grades: bool

    @classmethod
    def of(cls, campaign: Campaign) -> Book:
        published = campaign.published_at or campaign.opens_at
        return cls(campaign.id, campaign.slug, campaign.zone, campaign.day(published), campaign.closes_at, campaign.frozen_at is not None,
                   campaign.results != "hidden")


@dataclass(frozen=True)
class Line:
    """A line that will be entered."""

    kind: str
    ref: int
    data: str
    receipt_hash: str | None = None

    @property
    def hash(self) -> bytes:
        return leaf_hash(self.data.encode())


def votes(book: Book, flush: date | None) -> Iterator[list[Line]]:
    """The votes that may enter, in batches sorted by their hashes: of a subject and day once ten wait, of days up to `flush` however few.

    Sorted, so that the place of a line tells no more than that its vote was among those. Each step reads what the next batch needs.
    """
    batch: list[Line] = []
    for subject_id, day in _groups(book, flush):
        after, is_left = 0, True
        while is_left:
            found, after, is_left = _of_group(book, subject_id, day, flush is not None, after, AT_ONCE - len(batch))
            batch += found
            if is_left:
                yield sorted(batch, key=lambda line: line.hash)
                batch = []
    if batch:
        yield sorted(batch, key=lambda line: line.hash)


def _groups(book: Book, flush: date | None) -> list[tuple[int, date]]:
    """Subjects and days of which votes may enter now."""
    query = _ballots(book, flush is not None).add_columns(Ballot.subject_id, Ballot.day, func.count())
    rows = db.session.execute(query.group_by(Ballot.subject_id, Ballot.day).order_by(Ballot.day, Ballot.subject_id)).all()
    return [(subject_id, day) for subject_id, day, waiting in rows
            if waiting >= rules.LEAST or (flush is not None and day <= flush)]


def _of_group(book: Book, subject_id: int, day: date, is_whole: bool, after: int, room: int) -> tuple[list[Line], int, bool]:
    """Up to `room` votes from the id `after` on: all of them, or as many as leave neither part smaller than ten, in which case some are
    left. Also from where to go on."""
    query = _ballots(book, is_whole).add_columns(Ballot.id, Ballot.receipt_id, Ballot.grade)
    query = query.where(Ballot.subject_id == subject_id, Ballot.day == day, Ballot.id > after)
    rows = db.session.execute(query.order_by(Ballot.id).limit(room + 1)).all()
    is_left = len(rows) > room
    if is_left:
        rows = rows[:room - rules.LEAST] if room >= 2 * rules.LEAST else []
    blinds, key = Blinds(book.slug), db.session.scalar(select(Subject.key).where(Subject.id == subject_id)) or ""
    lines = [vote(book.slug, blinds, row.id, row.receipt_id, day, key, row.grade) for row in rows]
    return lines, rows[-1].id if rows else after, is_left


def vote(slug: str, blinds: Blinds, ballot_id: int, receipt_id: str, day: date, subject: str, grade: str) -> Line:
    """The line of one ballot."""
    known = rules.receipt_hash(blinds.opening(receipt_id), receipt_id)
    blinded = rules.commitment(blinds.salt(receipt_id), rules.grades_text(subject, grade))
    return Line("vote", ballot_id, rules.vote(slug, day, known, blinded), known)


def _ballots(book: Book, is_whole: bool) -> Select[Any]:
    """Ballots without a line; the campaign's all, or those that a look now and then must ask."""
    query = select().select_from(Ballot).where(Ballot.campaign_id == book.id, line_of(book, ("vote",), Ballot.id).is_(None))
    begin = select(LogCursor.ballots_to).where(LogCursor.campaign_id == book.id).scalar_subquery()
    return query if is_whole else query.where(Ballot.id > func.coalesce(begin, 0))


def line_of(book: Book, kinds: Sequence[str], ref: Any) -> ScalarSelect[int]:
    """The number of the line about a row of the statement around it; NULL where there is none.

    Asked row by row, each in one look at the unique key. As a join PostgreSQL, which knows nothing yet of tables that were empty a minute
    ago, reads all lines for every ballot: twenty thousand votes then took minutes.
    """
    about = select(LogLeaf.seq).where(LogLeaf.campaign_id == book.id, LogLeaf.kind.in_(kinds), LogLeaf.ref == ref)
    return about.limit(1).correlate_except(LogLeaf).scalar_subquery()


def looked_to(book: Book, at: datetime) -> int:
    """Every ballot with an id up to this is in the log and none can appear any more: cast an hour ago, before the first that waits."""
    oldest = db.session.scalar(_ballots(book, False).add_columns(func.min(Ballot.id)))
    begin = db.session.scalar(select(LogCursor.ballots_to).where(LogCursor.campaign_id == book.id)) or 0
    old = (Ballot.campaign_id == book.id, Ballot.id > begin, Ballot.cast_at <= at - UNSEEN)
    seen = db.session.scalar(select(func.max(Ballot.id)).where(*old)) or begin
    return max(begin, min(seen, oldest - 1) if oldest is not None else seen)


def others(book: Book, with_decisions: bool) -> Iterator[list[Line]]:
    """What is not a vote, in batches whose order tells nothing: rules and tickets; decisions when a day ends."""
    if found := _rules(book):
        yield found
    yield from _in_turn(_tickets, book)
    if with_decisions:
        yield from _in_turn(_decisions, book)


def _in_turn(read: Callable[[Book, int], list[tuple[str, Line]]], book: Book) -> Iterator[list[Line]]:
    after = 0
    while found := read(book, after):
        yield _mixed(found)
        after = found[-1][1].ref


def _rules(book: Book) -> list[Line]:
    query = select(RulesVersion.id, RulesVersion.version, RulesVersion.sha256)
    query = query.where(RulesVersion.campaign_id == book.id, line_of(book, ("rules",), RulesVersion.id).is_(None))
    rows = db.session.execute(query.order_by(RulesVersion.version))
    return [Line("rules", row.id, rules.rules_version(row.version, row.sha256)) for row in rows]


def _tickets(book: Book, after: int) -> list[tuple[str, Line]]:
    """What happened to tickets, with the ticket it happened to."""
    query = select(TicketEvent).where(TicketEvent.campaign_id == book.id, TicketEvent.id > after,
                                      line_of(book, ("grant", "revoke"), TicketEvent.id).is_(None))
    found = db.session.scalars(query.order_by(TicketEvent.id).limit(AT_ONCE))
    return [(event.ticket_id, ticket(event)) for event in found]


def ticket(event: TicketEvent) -> Line:
    """The line of a grant or a revocation."""
    if event.verb == "granted":
        return Line("grant", event.id, rules.grant(event.ticket_id, event.day, event.activity, event.evidence))
    return Line("revoke", event.id, rules.revoke(event.ticket_id, event.why))


def _decisions(book: Book, after: int) -> list[tuple[str, Line]]:
    """Those whose vote has its line, with that vote; the others wait for it."""
    voted, own = line_of(book, ("vote",), BallotDecision.ballot_id), line_of(book, ("void", "decision"), BallotDecision.id)
    query = select(BallotDecision, voted).where(BallotDecision.campaign_id == book.id, BallotDecision.id > after, own.is_(None),
                                                voted.is_not(None))
    rows = db.session.execute(query.order_by(BallotDecision.id).limit(AT_ONCE))
    return [(str(word.ballot_id), decision(word, seq)) for word, seq in rows]


def decision(word: BallotDecision, seq: int) -> Line:
    """The line of a decision on the vote of line `seq`."""
    kind = "void" if word.verdict == "voided" else "decision"
    return Line(kind, word.id, rules.decision(seq, word.verdict, word.reason, word.rule))


def _mixed(lines: Sequence[tuple[str, Line]]) -> list[Line]:
    """By hash, except that what happened to one thing (named first) keeps its order: the latest word on it is the last."""
    turn: dict[str, count[int]] = {}
    placed = [(next(turn.setdefault(about, count())), line.hash, line) for about, line in lines]
    return [line for _, _, line in sorted(placed, key=lambda place: place[:2])]
