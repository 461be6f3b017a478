"""What is counted now and then, since counting it takes a look at every ballot."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant


class Turnout(Base):
    """How many people had a ballot that counts at the instant `at`, one row per campaign."""

    __tablename__ = "turnout"

    campaign_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    people: Mapped[int]
    at: Mapped[datetime] = mapped_column(Instant)
