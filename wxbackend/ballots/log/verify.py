"""The whole log held against everything it speaks of. Each finding is one sentence that names the row.

Lines ↔ their hashes ↔ the stored tree ↔ the root, counts, signature and chain of every head; every line ↔ its row; every row that is
old enough ↔ its one line; every head ↔ the audit's chain. Reads in pages: a million lines never lie in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import and_, select

from wxbackend import audit
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Person
from wxbackend.audit.merkle import Frontier, leaf_hash
from wxbackend.audit.models import GENESIS, AuditEntry
from wxbackend.ballots.log import blinds, rules, waiting
from wxbackend.ballots.log.blinds import Blinds
from wxbackend.ballots.log.heads import totals
from wxbackend.ballots.log.models import LogHead, LogLeaf, LogNode
from wxbackend.ballots.log.tree import STORED
from wxbackend.ballots.log.waiting import Book, Line
from wxbackend.ballots.models import Ballot, BallotDecision
from wxbackend.campaigns.models import Campaign, RulesVersion, Subject
from wxbackend.extensions import db
from wxbackend.tickets.events import evidence
from wxbackend.tickets.models import Ticket, TicketEvent
from wxbackend.tickets.service import ticket_id

PAGE = 5000
KINDS = {"vote": "vote", "void": "decision", "decision": "decision", "grant": "ticket", "revoke": "ticket", "rules": "rules"}


def verify(book: Book) -> Iterator[str]:
    """What is wrong, in the order of the log; nothing for a log that is whole."""
    heads = list(db.session.scalars(select(LogHead).where(LogHead.campaign_id == book.id).order_by(LogHead.number)))
    yield from _heads(book, heads)
    yield from _lines(book, heads)
    yield from _audit(heads)
    yield from _totals(book, heads)
    yield from _missing(book, heads)
    yield from _tickets(book)


def _heads(book: Book, heads: Sequence[LogHead]) -> Iterator[str]:
    """Each by itself and after the one before."""
    prev, size, key = rules.FIRST, 0, blinds.public_key()
    for number, head in enumerate(heads, 1):
        if head.number != number:
            yield f"head {number}: is missing, the next one is {head.number}"
            return
        yield from (f"head {number}: {fault}" for fault in _head(book, head, key))
        if head.prev_sha256 != prev:
            yield f"head {number}: follows {head.prev_sha256[:8]}, the head before it is {prev[:8]}"
        if head.size < size:
            yield f"head {number}: the log has shrunk from {size} lines to {head.size}"
        prev, size = head.sha256, head.size


def _head(book: Book, head: LogHead, key: str) -> Iterator[str]:
    if rules.fingerprint(head.body) != head.sha256:
        yield "its fingerprint is not that of its body"
    if not blinds.is_signed(head.body, head.signature, key):
        yield "its signature is not ours"
    try:
        said = rules.read_body(head.body)
    except ValueError:
        yield "its body is not canonical JSON"
        return
    row = {"campaign": book.slug, "number": head.number, "kind": head.kind, "day": head.day.isoformat(), "size": head.size,
           "root": head.root, "prev_head_sha256": head.prev_sha256, "key": key, "protocol": rules.PROTOCOL}
    yield from (f"says {name} {said.get(name)!r}, its row {value!r}" for name, value in row.items() if said.get(name) != value)


def _lines(book: Book, heads: Sequence[LogHead]) -> Iterator[str]:
    """Every line in order: its number, hash, row; the stored subtrees; the root and counts of the heads as they are passed."""
    growing, counted, check = Frontier(), Counter[str](), _Rows(book)
    due = list(heads)
    yield from _passed(due, growing, counted)
    for page in _pages(book):
        made: dict[tuple[int, int], str] = {}
        rows = check.expected(page)
        for leaf in page:
            if leaf.seq != growing.size + 1:
                yield f"line {growing.size + 1}: is missing"
                return
            yield from (f"line {leaf.seq}: {fault}" for fault in _line(leaf, rows.get((KINDS[leaf.kind], leaf.ref))))
            grown = growing.append(leaf_hash(leaf.data.encode()))
            made |= {(level, number): node.hex() for level, number, node in grown if level in STORED}
            counted[leaf.kind] += 1
            yield from _passed(due, growing, counted)
        yield from _nodes(book, made)
    yield from (f"head {head.number}: vouches for {head.size} lines, there are {growing.size}" for head in due)


def _passed(due: list[LogHead], growing: Frontier, counted: Counter[str]) -> Iterator[str]:
    """The heads that stand at this very size."""
    while due and due[0].size <= growing.size:
        head = due.pop(0)
        if growing.root().hex() != head.root:
            yield f"head {head.number}: the root of its {head.size} lines is another"
        said = _said(head)
        yield from (f"head {head.number}: says {said.get(name)} {name}, there are {counted[kind]}"
                    for kind, name in rules.COUNTED.items() if said.get(name) != counted[kind])


def _said(head: LogHead) -> dict[str, Any]:
    try:
        return rules.read_body(head.body)
    except ValueError:
        return {}


def _line(leaf: Any, expected: Line | None) -> Iterator[str]:
    if leaf_hash(leaf.data.encode()).hex() != leaf.hash:
        yield "its hash is not that of its data"
    about = f"{KINDS[leaf.kind]} {leaf.ref}"
    if expected is None:
        yield f"{about} is not there any more"
    elif (expected.kind, expected.data, expected.receipt_hash) != (leaf.kind, leaf.data, leaf.receipt_hash):
        yield f"{about} says something else: {leaf.data!r}, now {expected.data!r}"


def _nodes(book: Book, made: dict[tuple[int, int], str]) -> Iterator[str]:
    for (level, number), node in made.items():
        stored = db.session.get(LogNode, (book.id, level, number))
        if stored is None or stored.hash != node:
            yield f"subtree {number} of level {level}: " + ("is missing" if stored is None else "is another than its lines'")


def _pages(book: Book) -> Iterator[Sequence[Any]]:
    """Rows of LogLeaf, PAGE at a time."""
    last, table = 0, LogLeaf.__table__
    query = select(table).where(table.c.campaign_id == book.id).order_by(table.c.seq).limit(PAGE)
    while page := db.session.execute(query.where(table.c.seq > last)).all():
        yield page
        last = page[-1].seq


class _Rows:
    """What the rows behind a page of lines would be entered as today."""

    def __init__(self, book: Book):
        self.book, self.blinds = book, Blinds(book.slug)
        self.subjects = dict(db.session.execute(select(Subject.id, Subject.key).where(Subject.campaign_id == book.id)).all())

    def expected(self, page: Sequence[Any]) -> dict[tuple[str, int], Line]:
        """By what a line is about: ("vote", 17)."""
        found: dict[tuple[str, int], Line] = {}
        for table, read in (("vote", self._votes), ("decision", self._decisions), ("ticket", self._tickets), ("rules", self._rules)):
            refs = [leaf.ref for leaf in page if KINDS[leaf.kind] == table]
            for start in range(0, len(refs), 500):
                found |= {(table, line.ref): line for line in read(refs[start:start + 500])}
        return found

    def _votes(self, refs: Sequence[int]) -> Iterator[Line]:
        columns = (Ballot.id, Ballot.receipt_id, Ballot.day, Ballot.subject_id, Ballot.grade)
        for row in db.session.execute(select(*columns).where(Ballot.campaign_id == self.book.id, Ballot.id.in_(refs))):
            subject = self.subjects.get(row.subject_id, "")
            yield waiting.vote(self.book.slug, self.blinds, row.id, row.receipt_id, row.day, subject, row.grade)

    def _decisions(self, refs: Sequence[int]) -> Iterator[Line]:
        voted = waiting.line_of(self.book, ("vote",), BallotDecision.ballot_id)
        query = select(BallotDecision, voted).where(BallotDecision.id.in_(refs))
        return (waiting.decision(word, seq) for word, seq in db.session.execute(query))

    def _tickets(self, refs: Sequence[int]) -> Iterator[Line]:
        query = select(TicketEvent).where(TicketEvent.campaign_id == self.book.id, TicketEvent.id.in_(refs))
        return (waiting.ticket(event) for event in db.session.scalars(query))

    def _rules(self, refs: Sequence[int]) -> Iterator[Line]:
        query = select(RulesVersion).where(RulesVersion.campaign_id == self.book.id, RulesVersion.id.in_(refs))
        return (Line("rules", v.id, rules.rules_version(v.version, v.sha256)) for v in db.session.scalars(query))


def _audit(heads: Sequence[LogHead]) -> Iterator[str]:
    """The audit's chain is whole, and has passed by the head of each of ours, in their order."""
    broken = audit.verify_chain()
    if broken is not None:
        yield f"audit entry {broken}: the chain of the audit does not hold from here on"
    last = 0
    for head in heads:
        said = _said(head).get("audit", "")
        entry = 0 if said == GENESIS else db.session.scalar(select(AuditEntry.id).where(AuditEntry.hash == said))
        if entry is None or entry < last:
            yield f"head {head.number}: the audit entry {str(said)[:8]} it names is " + ("not there" if entry is None else "an earlier one")
        last = max(last, entry or 0)


def _totals(book: Book, heads: Sequence[LogHead]) -> Iterator[str]:
    for head in heads:
        said = _said(head)
        if "totals" in said and said["totals"] != (counted := totals(book, head.size)):
            yield f"head {head.number}: says {said['totals']}, its lines count {counted}"


def _missing(book: Book, heads: Sequence[LogHead]) -> Iterator[str]:
    """Rows as old as a head that closes their day, without a line."""
    days = [head for head in heads if head.kind in ("day", "close", "last")]
    if not days:
        return
    whole, last_at = max(head.day for head in days), max(head.at for head in days)
    yield from _without(book, "ballot", ("vote",), Ballot.id, Ballot.campaign_id == book.id, Ballot.day <= whole)
    words = (BallotDecision.campaign_id == book.id, BallotDecision.at < last_at - waiting.UNSEEN)
    voted = waiting.line_of(book, ("vote",), BallotDecision.ballot_id).is_not(None)
    yield from _without(book, "decision", ("void", "decision"), BallotDecision.id, *words, voted)
    events = (TicketEvent.campaign_id == book.id, TicketEvent.at < last_at - waiting.UNSEEN)
    yield from _without(book, "ticket event", ("grant", "revoke"), TicketEvent.id, *events)
    yield from _without(book, "rules version", ("rules",), RulesVersion.id, RulesVersion.campaign_id == book.id)
    unworded = select(Ballot.id).outerjoin(BallotDecision, and_(BallotDecision.ballot_id == Ballot.id, BallotDecision.verdict == "voided"))
    unworded = unworded.where(Ballot.campaign_id == book.id, Ballot.void_no > 0, BallotDecision.id.is_(None))
    yield from (f"ballot {ballot}: is void, and no decision says why" for ballot in db.session.scalars(unworded))


def _without(book: Book, name: str, kinds: Sequence[str], ref: Any, *where: Any) -> Iterator[str]:
    query = select(ref).where(*where, waiting.line_of(book, kinds, ref).is_(None))
    for row in db.session.scalars(query.order_by(ref)):
        yield f"{name} {row}: is not in the log"


def _tickets(book: Book) -> Iterator[str]:
    """The tickets that count are the grants less the revocations, and each grant's vote is in the box."""
    live: dict[str, bool] = {}
    for event in db.session.scalars(select(TicketEvent).where(TicketEvent.campaign_id == book.id).order_by(TicketEvent.id)):
        live[event.ticket_id] = event.verb == "granted"
    counting = set(db.session.scalars(select(Ticket.ticket_id).where(Ticket.campaign_id == book.id, Ticket.revoked_at.is_(None))))
    granted = {ticket for ticket, counts in live.items() if counts}
    yield from (f"ticket {ticket}: counts, and was never granted" for ticket in sorted(counting - granted))
    yield from (f"ticket {ticket}: was granted, and does not count" for ticket in sorted(granted - counting))
    yield from _holders(book)
    yield from _evidence(book)


def _holders(book: Book) -> Iterator[str]:
    """Each ticket that counts is of the person it was granted to, or of whom that one has become."""
    key = db.session.get_one(Campaign, book.id).ticket_key
    query = select(Ticket.ticket_id, Ticket.person_id, TicketEvent.person_id.label("granted_to"), TicketEvent.day, TicketEvent.activity,
                   TicketEvent.n, Person.public_id)
    query = query.join(TicketEvent, and_(TicketEvent.ticket_row_id == Ticket.id, TicketEvent.verb == "granted"))
    query = query.join(Person, Person.id == TicketEvent.person_id).where(Ticket.campaign_id == book.id, Ticket.revoked_at.is_(None))
    for row in db.session.execute(query.order_by(Ticket.ticket_id)):
        if ticket_id(key, row.public_id, row.day, row.activity, row.n) != row.ticket_id:
            yield f"ticket {row.ticket_id}: is not what the key makes of the person it was granted to"
        elif row.person_id != row.granted_to and accounts.surviving(row.person_id) != accounts.surviving(row.granted_to):
            yield f"ticket {row.ticket_id}: is held by another person than it was granted to"


def _evidence(book: Book) -> Iterator[str]:
    query = select(TicketEvent.id, TicketEvent.day, TicketEvent.evidence)
    query = query.where(TicketEvent.campaign_id == book.id, TicketEvent.evidence != "")
    named = {(event.day, event.evidence): event.id for event in db.session.execute(query)}
    if not named:
        return
    for day, receipt in db.session.execute(select(Ballot.day, Ballot.receipt_id).where(Ballot.campaign_id == book.id)):
        named.pop((day, evidence(book.slug, receipt)), None)
    yield from (f"ticket event {event}: no ballot of {day} is behind it" for (day, _), event in sorted(named.items(), key=lambda n: n[1]))
