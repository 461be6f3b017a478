"""Evidence as it was sent, and whom it belongs to."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.accounts.models import Person
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import Base, Id, Instant

STATES = ("arriving", "waiting", "pending", "approved", "rejected", "dropped")


class Entrant(Base):
    """A person who takes part in a campaign's draw: name and phone, sealed, with the consent they were given under.

    `phone_hash` finds equal phones without reading them. Withdrawn: name and phone are emptied, the row stays.
    """

    __tablename__ = "entrant"
    __table_args__ = (
        UniqueConstraint("campaign_id", "person_id"),
        Index("ix_entrant_person_id", "person_id"),
        Index("ix_entrant_campaign_id_phone_hash", "campaign_id", "phone_hash"),
        CheckConstraint("age_band IN ('18+', '14-17', '<14', 'unsaid')", name="age_band"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"))
    name_sealed: Mapped[str] = mapped_column(String(400))
    phone_sealed: Mapped[str] = mapped_column(String(200))
    phone_hash: Mapped[str] = mapped_column(String(64))
    age_band: Mapped[str] = mapped_column(String(8), default="unsaid")
    guardian_sealed: Mapped[str] = mapped_column(String(600), default="")
    consents: Mapped[list[str]] = mapped_column(JSON)            # purposes agreed to: draw, show-name, notify
    consent_version: Mapped[str] = mapped_column(String(64))     # SHA-256 of the rules it was given under
    consented_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)


class ChatEntry(Base):
    """Where one person's talk with the account stands: the campaign chosen by keyword, told what is kept (`notified_at`), and what
    she sent before agreeing, sealed."""

    __tablename__ = "chat_entry"
    __table_args__ = (UniqueConstraint("campaign_id", "person_id"), Index("ix_chat_entry_person_id", "person_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"))
    chosen_at: Mapped[datetime | None] = mapped_column(Instant)
    notified_at: Mapped[datetime | None] = mapped_column(Instant)
    held_sealed: Mapped[str] = mapped_column(String(800), default="")
    held_until: Mapped[datetime | None] = mapped_column(Instant, index=True)


class Submission(Base):
    """One screenshot, or one tap, sent as evidence of one day's vote.

    arriving: the picture is on its way from WeChat · waiting: in order, but name and phone are missing · pending: a person must look ·
    approved: has its ticket · rejected: with a reason the sender is told · dropped: withdrawn, or never got its picture.
    """

    __tablename__ = "submission"
    __table_args__ = (
        CheckConstraint("state IN ('arriving', 'waiting', 'pending', 'approved', 'rejected', 'dropped')", name="state"),
        CheckConstraint("channel IN ('chat', 'upload', 'tap')", name="channel"),
        Index("ix_submission_campaign_id_state", "campaign_id", "state"),
        Index("ix_submission_person_id", "person_id"),
        Index("ix_submission_campaign_id_image_sha256", "campaign_id", "image_sha256"),
        Index("ix_submission_ticket_row_id", "ticket_row_id"),
        Index("ix_submission_decided_by", "decided_by"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"))
    channel: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(10))
    day: Mapped[date | None]                                      # the day it counts for, once known
    evidence_at: Mapped[datetime] = mapped_column(Instant)
    arrived_at: Mapped[datetime] = mapped_column(Instant)
    media_id: Mapped[str | None] = mapped_column(String(128))
    source_key: Mapped[str | None] = mapped_column(String(120), unique=True)    # message or upload it came from
    image_name: Mapped[str | None] = mapped_column(String(64))
    image_sha256: Mapped[str | None] = mapped_column(String(64))
    receipt_id: Mapped[str | None] = mapped_column(String(16), index=True)
    reading: Mapped[str] = mapped_column(String(20), default="")   # own-receipt, foreign-receipt, no-receipt, unreadable, tap
    reason: Mapped[str | None] = mapped_column(String(20))         # key of REASONS
    note: Mapped[str | None] = mapped_column(String(200))
    decided_by: Mapped[int | None] = mapped_column(Id, ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    ticket_row_id: Mapped[int | None] = mapped_column(Id, ForeignKey("ticket.id"))

    campaign: Mapped[Campaign] = relationship()
    person: Mapped[Person] = relationship()
