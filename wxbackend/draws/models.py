"""A draw as it stands for ever: the frozen list, the numbers two people typed, who came where."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.accounts.models import Staff
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import Base, Id, Instant, LongText


class Draw(Base):
    """One draw of a campaign, made by its freeze. There is one only: UNIQUE(campaign, number), and nothing draws again.

    frozen: the list is sealed and public, the public drawing is awaited · drawn: the transcript is written.
    """

    __tablename__ = "draw"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number"),
        CheckConstraint("state IN ('frozen', 'drawn')", name="state"),
        CheckConstraint("(state = 'drawn') = (transcript IS NOT NULL AND seed IS NOT NULL AND drawn_at IS NOT NULL)", name="whole"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    number: Mapped[int] = mapped_column(default=1)
    public_id: Mapped[str] = mapped_column(String(48), unique=True)          # <slug>-<number>
    state: Mapped[str] = mapped_column(String(8), default="frozen")
    frozen_at: Mapped[datetime] = mapped_column(Instant)
    root: Mapped[str] = mapped_column(String(64))
    list_sha256: Mapped[str] = mapped_column(String(64))
    tickets: Mapped[int]
    persons: Mapped[int]
    excluded: Mapped[list[dict[str, str]]] = mapped_column(JSON)             # [{"person": tag, "reason": "staff"}]
    round: Mapped[int] = mapped_column(default=1)                            # of typing the numbers; the next after two that differ
    entropy: Mapped[str | None] = mapped_column(LongText)
    seed: Mapped[str | None] = mapped_column(String(64))
    transcript: Mapped[str | None] = mapped_column(LongText, deferred=True)  # JSON, these very bytes for ever
    transcript_sha256: Mapped[str | None] = mapped_column(String(64))
    drawn_at: Mapped[datetime | None] = mapped_column(Instant)
    published_at: Mapped[datetime | None] = mapped_column(Instant)           # since when anybody can read the winners

    campaign: Mapped[Campaign] = relationship()

    @property
    def is_public(self) -> bool:
        """Whether anybody may read the winners."""
        return self.is_drawn and self.published_at is not None

    @property
    def is_drawn(self) -> bool:
        return self.state == "drawn"


class DrawLine(Base):
    """One line of the frozen list: a ticket and its person's tag. `person_id` stays here and is published nowhere."""

    __tablename__ = "draw_line"
    __table_args__ = (
        UniqueConstraint("draw_id", "position"),
        UniqueConstraint("draw_id", "ticket_id", name="uq_draw_line_draw_id_ticket_id"),
        Index("ix_draw_line_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    draw_id: Mapped[int] = mapped_column(Id, ForeignKey("draw.id"))
    position: Mapped[int]
    ticket_id: Mapped[str] = mapped_column(String(16))
    person_tag: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"))


class NumberEntry(Base):
    """What one member of staff copied from the official bulletin, sealed until the second has done so, too."""

    __tablename__ = "number_entry"
    __table_args__ = (UniqueConstraint("draw_id", "round", "staff_id"), Index("ix_number_entry_staff_id", "staff_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    draw_id: Mapped[int] = mapped_column(Id, ForeignKey("draw.id"))
    round: Mapped[int]
    staff_id: Mapped[int] = mapped_column(Id, ForeignKey("staff.id"))
    sealed: Mapped[str] = mapped_column(String(2000))
    evidence_url: Mapped[str] = mapped_column(String(300))
    entered_at: Mapped[datetime] = mapped_column(Instant)

    staff: Mapped[Staff] = relationship()


class Award(Base):
    """Where a person came: a winner with tier and box, or an alternate in line."""

    __tablename__ = "award"
    __table_args__ = (
        UniqueConstraint("draw_id", "rank"),
        UniqueConstraint("draw_id", "person_id", name="uq_award_draw_id_person_id"),
        UniqueConstraint("draw_id", "box", name="uq_award_draw_id_box"),
        CheckConstraint("kind IN ('winner', 'alternate')", name="kind"),
        CheckConstraint("(kind = 'winner') = (tier IS NOT NULL AND box IS NOT NULL)", name="prize"),
        Index("ix_award_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    draw_id: Mapped[int] = mapped_column(Id, ForeignKey("draw.id"))
    rank: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"))
    ticket_id: Mapped[str] = mapped_column(String(16))
    tier: Mapped[str | None] = mapped_column(String(20))
    box: Mapped[str | None] = mapped_column(String(4))

    draw: Mapped[Draw] = relationship()


class Exclusion(Base):
    """A phone that may not win (staff, relatives, suppliers), decided before the freeze; kept as a keyed hash only."""

    __tablename__ = "exclusion"
    __table_args__ = (
        UniqueConstraint("campaign_id", "phone_hash"),
        CheckConstraint("reason_class IN ('staff', 'relative', 'supplier')", name="reason_class"),
        Index("ix_exclusion_decided_by", "decided_by"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    phone_hash: Mapped[str] = mapped_column(String(64))
    reason_class: Mapped[str] = mapped_column(String(10))
    decided_by: Mapped[int] = mapped_column(Id, ForeignKey("staff.id"))
    decided_at: Mapped[datetime] = mapped_column(Instant)
