"""Who did what, when and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, event, insert
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant

GENESIS = "0" * 64


class AuditEntry(Base):
    """One deed of staff, of a citizen or of the system itself, bound to the entry before it by that entry's hash.

    An entry follows exactly one other, so the chain cannot fork; the first follows 64 zeros.
    """

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(String(80))
    verb: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(160))
    why: Mapped[str] = mapped_column(String(500))
    facts: Mapped[str] = mapped_column(Text)   # JSON as it was hashed
    prev_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class AuditHead(Base):
    """The last entry's hash, in one row: writers queue at it, and entries cut off from the end are missed."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))


@event.listens_for(AuditHead.__table__, "after_create")
def _first_head(_table: Any, connection: Any, **_options: Any) -> None:
    connection.execute(insert(AuditHead).values(id=1, hash=GENESIS))   # a migration does the same


@event.listens_for(AuditEntry, "before_update")
@event.listens_for(AuditEntry, "before_delete")
def _append_only(_mapper: Any, _connection: Any, _entry: AuditEntry) -> None:
    raise TypeError("the audit only grows")
