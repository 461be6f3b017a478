"""Messages of WeChat that were answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant


class InboxMessage(Base):
    """A message or event that WeChat delivered: its key (so that up to three deliveries act once) and the reply given.

    What people wrote is not kept here: pictures become submissions, names and phones entrants.
    """

    __tablename__ = "inbox_message"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    reply: Mapped[str] = mapped_column(String(1000), default="")
    arrived_at: Mapped[datetime] = mapped_column(Instant, index=True)
