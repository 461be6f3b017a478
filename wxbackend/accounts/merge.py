"""One person from two, when WeChat says late that they are one.

The older person stays (the smaller id). Which of two doors tells us first is chance, and two requests may find out at once: by the ids
they decide alike, whoever comes first, so that a pointer always leads to an older person and never round in a ring; and the older one
mostly has more days behind her, so that fewer rows move. The younger's row stays too and points to her: what was sealed or drawn names
it for ever.

Order of locks: persons, the younger before the older, as the pointers lead; then whatever rooms keep of them, campaigns among it.
A merge holds both persons; whoever writes something in a person's name says `hold` first and writes it in the name he is given. So a
vote is either in the box before the merge, which then finds it, or waits, and is cast by the person who stayed: there is no moment with
two live ballots of one person and day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from wxbackend import jobs
from wxbackend.accounts.models import Identity, Person, PersonMerge
from wxbackend.accounts.sessions import look_again_at
from wxbackend.extensions import db

Facts = dict[str, Any]
Follow = Callable[[int, int, datetime], Facts]

LEFT = "left"                           # begins the facts about what stays where it is: nothing moved
LOOK_AGAIN = timedelta(minutes=2)       # longer than any request that still had the old person in its hands
_follow: list[Follow] = []


def follows(room: Follow) -> Follow:
    """Register how a room follows a merge: ``room(old_id, new_id, at)``, in the merge's transaction with both persons held.

    Done again it finds nothing left to do. Returns what it changed, {"tickets_moved": 3}: counts, or ids of rows; under names
    beginning with "left" what it had to leave. No names, no phones, no grades: it is kept for ever.
    """
    _follow.append(room)
    return room


def surviving(person_id: int) -> int:
    """The person she is now: herself, or whom she was merged into."""
    while True:
        into = db.session.scalar(select(Person.merged_into_id).where(Person.id == person_id))
        if into is None:
            return person_id
        person_id = into


def all_ids(person_id: int) -> list[int]:
    """Everybody she is and was: the surviving person first, then all who were merged into her. For reading what never moves."""
    rows = dict(db.session.execute(select(Person.id, Person.merged_into_id).where(
        or_(Person.id == person_id, Person.merged_into_id == person_id))).all())
    if rows.get(person_id) is None and len(rows) <= 1:
        return [person_id]   # nearly everybody: one look
    found = level = [surviving(person_id)]
    while level:
        level = list(db.session.scalars(select(Person.id).where(Person.merged_into_id.in_(level)).order_by(Person.id)))
        found = found + level
    return found


def hold(person_id: int) -> int:
    """Who she is now, held so that no merge passes before this transaction ends. Before anything is written in her name."""
    return hold_all([person_id])[person_id]


def hold_all(person_ids: Iterable[int]) -> dict[int, int]:
    """{person: who she is now}, all held (shared: holders do not wait for each other)."""
    found = {person_id: person_id for person_id in person_ids}
    while True:
        rows = select(Person.id, Person.merged_into_id).where(Person.id.in_(set(found.values()))).order_by(Person.id.desc())
        merged = {one: into for one, into in db.session.execute(rows.with_for_update(read=True)) if into is not None}
        if not merged:
            return found
        found = {person_id: merged.get(now, now) for person_id, now in found.items()}


def hold_alone(*person_ids: int) -> list[int]:
    """Who they are now, sorted, held against everybody who wants to write in their names. Two that are one give one."""
    while True:
        now = sorted({surviving(person_id) for person_id in person_ids})
        if all(_hold_alone(person_id) for person_id in reversed(now)):   # one by one, lest the database choose the order
            return now   # else somebody merged one of them while we waited


def _hold_alone(person_id: int) -> bool:
    """Whether she is still herself, once nobody else holds her."""
    return db.session.scalar(select(Person.merged_into_id).where(Person.id == person_id).with_for_update(key_share=True)) is None


def merge(one: int, other: int, at: datetime, why: str, unionid: str | None = None) -> int:
    """Make two persons one and say who stayed; everything they have follows in this transaction. Nothing if they are one already.

    Ends with every loaded object expired: their persons may be others now.
    """
    found = hold_alone(one, other)
    if len(found) == 1:
        return found[0]
    kept, absorbed = found
    look_again_at(at, kept, absorbed)
    known = list(db.session.scalars(select(Person.unionid).where(Person.id.in_(found), Person.unionid.is_not(None)).order_by(Person.id)))
    _write(absorbed, merged_into_id=kept, unionid=None)   # first: a unionid stands once
    _write(kept, unionid=unionid or next(iter(known), None))
    facts = _follow_all(absorbed, kept, at)
    _remember(kept, absorbed, at, why, facts)
    jobs.enqueue("accounts.tidy-merge", {"absorbed": absorbed}, at, run_at=at + LOOK_AGAIN)
    return kept


def tidy(absorbed: int, at: datetime) -> bool:
    """Bring over what was still written under a person who had just been merged; whether anything was. Done again it finds nothing."""
    kept = hold_alone(absorbed)[0]
    if kept == absorbed:
        return False
    look_again_at(at, kept, absorbed)   # a token read while the merge was not committed yet
    facts = _follow_all(absorbed, kept, at)
    moved = any(value for name, value in facts.items() if not name.startswith(LEFT))
    if moved:
        _remember(kept, absorbed, at, "late", facts)
    return moved


def log() -> list[PersonMerge]:
    """The conflict log, oldest first: who became one with whom, when, and what followed."""
    return list(db.session.scalars(select(PersonMerge).order_by(PersonMerge.id)))


def _follow_all(old_id: int, new_id: int, at: datetime) -> Facts:
    facts: Facts = {"identities": _count(update(Identity).where(Identity.person_id == old_id).values(person_id=new_id))}
    db.session.expire_all()
    for room in _follow:
        facts |= room(old_id, new_id, at)
        db.session.flush()
    db.session.expire_all()
    return facts


def _remember(kept: int, absorbed: int, at: datetime, why: str, facts: Facts) -> None:
    db.session.add(PersonMerge(kept_id=kept, absorbed_id=absorbed, at=at, why=why, facts=facts))
    db.session.flush()


def _write(person_id: int, **values: Any) -> None:
    _count(update(Person).where(Person.id == person_id).values(**values))


def _count(statement: Any) -> int:
    """How many rows an UPDATE matched; loaded objects are expired afterwards, not changed one by one."""
    db.session.flush()
    return db.session.execute(statement.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
