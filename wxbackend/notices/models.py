"""What people were told, and whether it reached them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.accounts.models import Identity
from wxbackend.extensions import Base, Id, Instant


class Notice(Base):
    """One message to one person in the account's chat. Its text holds no name, no phone, no grade.

    unsure: WeChat did not answer, so it may have arrived; it is not sent again.
    """

    __tablename__ = "notice"
    __table_args__ = (CheckConstraint("state IN ('queued', 'sent', 'refused', 'unsure')", name="state"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    text: Mapped[str] = mapped_column(String(600))
    state: Mapped[str] = mapped_column(String(8), default="queued")
    errcode: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    identity: Mapped[Identity] = relationship()
