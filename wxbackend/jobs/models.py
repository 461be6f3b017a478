"""What must outlive a request."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant


class Job(Base):
    """One piece of work that was promised in the same transaction as the row it is about.

    Open until `done_at` or `dead_at` is set. Whoever works on it holds it until `lease_until`; a worker that was
    killed lets it run out. `attempts` counts the starts and tells an old holder from a new one.
    """

    __tablename__ = "job"
    __table_args__ = (Index(None, "done_at", "dead_at", "run_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)                            # JSON; ids, never names, phones or openids
    dedupe_key: Mapped[str | None] = mapped_column(String(64), unique=True)  # a hash, so that it compares exactly everywhere
    run_at: Mapped[datetime] = mapped_column(Instant)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    dead_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str] = mapped_column(String(255), default="")
