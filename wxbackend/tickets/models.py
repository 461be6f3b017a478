"""Chances earned."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant


class Ticket(Base):
    """One 签号: one approved evidence of one person on one local day for one activity.

    After the campaign's freeze the database refuses inserts and changes (triggers of migration 0005).
    """

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("campaign_id", "person_id", "day", "activity", "n"),
        UniqueConstraint("campaign_id", "ticket_id"),
        Index("ix_ticket_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"))
    ticket_id: Mapped[str] = mapped_column(String(16))
    day: Mapped[date]
    activity: Mapped[str] = mapped_column(String(20))
    n: Mapped[int] = mapped_column(default=1)
    granted_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_why: Mapped[str | None] = mapped_column(String(80))


class TicketEvent(Base):
    """A ticket that was granted, or taken back: what the ballot log enters. Append-only (triggers).

    `person_id` is who held it then, whom a merge may have made one with somebody else since. `evidence` is the commitment to the
    receipt behind a grant (`tickets.events.evidence`), empty for a vote held elsewhere. `why` says why it was taken back.
    """

    __tablename__ = "ticket_event"
    __table_args__ = (CheckConstraint("verb IN ('granted', 'revoked')", name="verb"), Index("ix_ticket_event_campaign_id", "campaign_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id)
    ticket_row_id: Mapped[int] = mapped_column(Id)
    ticket_id: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[int] = mapped_column(Id)
    verb: Mapped[str] = mapped_column(String(8))
    day: Mapped[date]
    activity: Mapped[str] = mapped_column(String(20))
    n: Mapped[int]
    evidence: Mapped[str] = mapped_column(String(64), default="")
    why: Mapped[str] = mapped_column(String(80), default="")
    at: Mapped[datetime] = mapped_column(Instant)
