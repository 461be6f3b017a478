"""Where a challenge waits while Redis is away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Instant


class CaptchaChallenge(Base):
    """A picture shown to somebody and not answered yet. Whoever deletes the row has redeemed it."""

    __tablename__ = "captcha_challenge"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)   # rules.slot: lower-case hex
    mac: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
