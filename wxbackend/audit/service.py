"""The append-only record of deeds, chained by SHA-256."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from wxbackend.audit.models import GENESIS, AuditEntry, AuditHead
from wxbackend.extensions import db

NO_SYNC = {"synchronize_session": False}
PAGE = 500
LENGTHS = {"actor": 80, "verb": 80, "subject": 160, "why": 500}


def record(actor: str, verb: str, subject: str, at: datetime, why: str = "", facts: dict[str, Any] | None = None) -> None:
    """Write down a deed in the caller's transaction, so that it stands exactly if the deed does.

    `actor` "staff:3", `verb` "draw.freeze", `subject` "campaign:reform-2021". **No personal data**, in `facts` least of all:
    the record is kept when a person's data is deleted, and cannot be changed afterwards. Two at once wait for each
    other until one's transaction ends, so record last, just before the commit.
    """
    words = {"actor": actor, "verb": verb, "subject": subject, "why": why}
    deed = {name: text[:LENGTHS[name]] for name, text in words.items()}
    deed["facts"] = json.dumps(facts or {}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    db.session.flush()
    previous = _head()
    link = {"prev_hash": previous, "hash": digest(previous, at, **deed)}
    db.session.execute(insert(AuditEntry).values(at=at, **deed, **link))   # UNIQUE(prev_hash): should the lock fail, no fork
    db.session.execute(update(AuditHead).where(AuditHead.id == 1).values(hash=link["hash"]), execution_options=NO_SYNC)


def verify_chain() -> int | None:
    """The id of the first entry that was changed, or stands where another is missing; None for a whole chain.

    When entries are missing at the end it is the id after the last one left.
    """
    previous, last_id = GENESIS, 0
    awaited = db.session.scalar(select(AuditHead.hash).where(AuditHead.id == 1)) or GENESIS   # read first: the chain grows meanwhile
    seen = awaited == GENESIS
    while page := _page(last_id):
        for entry in page:
            deed = {name: getattr(entry, name) for name in ("actor", "verb", "subject", "why", "facts")}
            if entry.prev_hash != previous or entry.hash != digest(previous, entry.at, **deed):
                return entry.id
            previous, last_id = entry.hash, entry.id
            seen = seen or entry.hash == awaited
    return None if seen else last_id + 1


def digest(previous: str, at: datetime, actor: str, verb: str, subject: str, why: str, facts: str) -> str:
    """SHA-256 over a JSON list of all values, so that no two entries share a text; 64 hex characters."""
    instant = at.astimezone(UTC).isoformat(timespec="microseconds")
    values = [previous, instant, actor, verb, subject, why, facts]
    return sha256(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _page(after_id: int) -> list[Any]:
    table = AuditEntry.__table__
    return list(db.session.execute(select(table).where(table.c.id > after_id).order_by(table.c.id).limit(PAGE)))


def _head() -> str:
    """The last entry's hash, held until our transaction ends. Waiting at the unique key instead deadlocks on MariaDB."""
    held = select(AuditHead.hash).where(AuditHead.id == 1).with_for_update()
    previous = db.session.scalar(held)
    if previous is None:
        with contextlib.suppress(IntegrityError), db.session.begin_nested():
            db.session.execute(insert(AuditHead).values(id=1, hash=GENESIS))
        previous = db.session.scalar(held)
    return str(previous)
