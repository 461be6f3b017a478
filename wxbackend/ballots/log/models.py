"""The ballot log as stored: lines, their tree, signed heads; who asked for the audit kit."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.accounts.models import Staff
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import Base, Id, Instant, LongText


class LogLeaf(Base):
    """One line of a campaign's log. `seq` counts from 1: it is the line's number in the published file.

    `data` is the line itself, `hash` SHA-256(00 ‖ data). `ref` names the row it is about, by which nothing is entered twice: a ballot,
    a decision on one, a ticket event, a version of the rules. Append-only (triggers).
    """

    __tablename__ = "log_leaf"
    __table_args__ = (
        UniqueConstraint("campaign_id", "kind", "ref"),
        CheckConstraint("kind IN ('vote', 'void', 'decision', 'grant', 'revoke', 'rules')", name="kind"),
        CheckConstraint("seq >= 1", name="seq"),
    )

    campaign_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8))
    ref: Mapped[int] = mapped_column(Id)
    data: Mapped[str] = mapped_column(String(400))
    hash: Mapped[str] = mapped_column(String(64))
    receipt_hash: Mapped[str | None] = mapped_column(String(64), unique=True)   # of a vote: by it the voter finds her line


class LogNode(Base):
    """A complete subtree of 2^level lines, level 8, 16 or 24: a proof among a million lines reads hundreds of hashes, not all.

    `number` counts the subtrees of a level from 0. Append-only (triggers).
    """

    __tablename__ = "log_node"

    campaign_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))


class LogHead(Base):
    """The log as it stood at one instant, signed: `body` is canonical JSON, `sha256` its fingerprint, chained to the head before.

    hour: while things happen · day: the end of a local day · close: the vote is over · last: the tickets are frozen. Each follows
    exactly one other, so the chain cannot fork; the first follows 64 zeros. Append-only (triggers).
    """

    __tablename__ = "log_head"
    __table_args__ = (
        UniqueConstraint("campaign_id", "prev_sha256"),
        UniqueConstraint("campaign_id", "sha256", name="uq_log_head_campaign_id_sha256"),
        CheckConstraint("kind IN ('hour', 'day', 'close', 'last')", name="kind"),
    )

    campaign_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(5))
    day: Mapped[date]
    at: Mapped[datetime] = mapped_column(Instant)
    size: Mapped[int] = mapped_column(Id)
    root: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(LongText)
    sha256: Mapped[str] = mapped_column(String(64))
    prev_sha256: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))

    @property
    def mark(self) -> str:
        """账本指纹: what stands on success pages and in replies."""
        return self.sha256[:8]


class LogCursor(Base):
    """Who writes a campaign's log holds this row. Every ballot up to `ballots_to` is in the log: where to begin to look."""

    __tablename__ = "log_cursor"

    campaign_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    ballots_to: Mapped[int] = mapped_column(Id, default=0)


class LogKit(Base):
    """An audit kit: asked for by one member of staff, approved by another, then made by the worker under a passphrase nobody keeps.

    `named`: receipts whose own voters gave the code that only they have. `key_sealed` is empty again once the file is made.
    """

    __tablename__ = "log_kit"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> asked_by", name="two_people"),
        Index("ix_log_kit_campaign_id", "campaign_id"),
        Index("ix_log_kit_asked_by", "asked_by"),
        Index("ix_log_kit_approved_by", "approved_by"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    why: Mapped[str] = mapped_column(String(200))
    named: Mapped[list[str]] = mapped_column(JSON)
    asked_by: Mapped[int] = mapped_column(Id, ForeignKey("staff.id"))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[int | None] = mapped_column(Id, ForeignKey("staff.id"))
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    key_sealed: Mapped[str] = mapped_column(String(200), default="")
    made_at: Mapped[datetime | None] = mapped_column(Instant)
    file_sha256: Mapped[str] = mapped_column(String(64), default="")

    campaign: Mapped[Campaign] = relationship()
    asker: Mapped[Staff] = relationship(foreign_keys=asked_by)
    approver: Mapped[Staff | None] = relationship(foreign_keys=approved_by)

    @property
    def state(self) -> str:
        """asked: a second person is awaited · approved: the worker makes it · made: it can be fetched."""
        return "made" if self.made_at else "approved" if self.approved_at else "asked"
