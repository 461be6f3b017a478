"""What those who run the site must know, until somebody has dealt with it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant


class Alarm(Base):
    """Something is wrong that no citizen can mend: since when, how often, what about.

    Open until `settled_at` is set. `open_key` is a hash of kind and about while it is open and NULL afterwards, so that the
    database keeps one open row of each and as many old ones as there were. No personal data: job kinds, errcodes, days.
    """

    __tablename__ = "alarm"
    __table_args__ = (Index(None, "settled_at", "kind"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    about: Mapped[str] = mapped_column(String(120))
    facts: Mapped[str] = mapped_column(Text)               # JSON, the newest
    first_at: Mapped[datetime] = mapped_column(Instant)
    last_at: Mapped[datetime] = mapped_column(Instant)
    count: Mapped[int] = mapped_column(default=1)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    open_key: Mapped[str | None] = mapped_column(String(64), unique=True)

    @property
    def known(self) -> dict[str, Any]:
        """The facts again: {"errcode": 40164, "where": "notices.send"}."""
        return json.loads(self.facts)
