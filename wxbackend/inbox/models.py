"""Messages of WeChat, from their arrival to their answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant, LongText


class InboxMessage(Base):
    """A message or event that WeChat delivered: its key (so that up to three deliveries act once) and the reply given.

    new: kept, its answer still to come (`sealed` holds what was sent) · done: answered · stuck: could not be answered, an alarm rang.
    What people wrote is gone once it is answered: pictures become submissions, names and phones entrants. Of messages of a kind that is
    not known, `sealed` stays, so that nothing is lost that a later version could read.
    """

    __tablename__ = "inbox_message"
    __table_args__ = (CheckConstraint("state IN ('new', 'done', 'stuck')", name="state"),
                      Index("ix_inbox_message_state_arrived_at", "state", "arrived_at"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    app: Mapped[str] = mapped_column(String(12), default="account", server_default="account")
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(6), default="new", server_default="done")
    sealed: Mapped[str | None] = mapped_column(LongText)
    reply: Mapped[str] = mapped_column(String(2048), default="")
    action: Mapped[str] = mapped_column(String(10), default="", server_default="")      # transfer, relay
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    arrived_at: Mapped[datetime] = mapped_column(Instant, index=True)
