"""The ballot box and its running count."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, Id, Instant


class Ballot(Base):
    """One person's rating of one subject on one local day, as cast.

    `quota_key` is ``s<subject id>``, or ``c<campaign id>`` where the quota is per campaign; with the person and the day it may stand
    once among live ballots (`void_no` 0). Immutable but for `person_id` and `void_no`, which only a merge changes (triggers hold it).
    No foreign keys: they would take locks on shared rows in every vote.
    """

    __tablename__ = "ballot"
    __table_args__ = (
        UniqueConstraint("person_id", "quota_key", "day", "void_no"),   # the person first: it finds all her ballots, too
        CheckConstraint("grade IN ('优', '良', '中', '差')", name="grade"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    receipt_id: Mapped[str] = mapped_column(String(16), unique=True)       # 80 random bits, Crockford base 32
    captcha_hash: Mapped[str] = mapped_column(String(64), unique=True)     # makes a replayed request find its own ballot
    campaign_id: Mapped[int] = mapped_column(Id)
    subject_id: Mapped[int] = mapped_column(Id)
    quota_key: Mapped[str] = mapped_column(String(20))
    person_id: Mapped[int] = mapped_column(Id)
    day: Mapped[date]
    void_no: Mapped[int] = mapped_column(default=0)
    grade: Mapped[str] = mapped_column(String(4))
    source_code: Mapped[str] = mapped_column(String(20), default="")
    door: Mapped[str] = mapped_column(String(12))                          # h5, miniprogram, link
    degraded: Mapped[bool] = mapped_column(default=False)                  # admitted while Redis was away
    cast_at: Mapped[datetime] = mapped_column(Instant)


class BallotDecision(Base):
    """A word on whether a ballot counts. The latest one holds (the highest `n`, 1 for the ballot's first); without any it counts.

    Append-only (triggers hold it). `reason` is a stable key, `rule` what it was judged by, for the log's reader; `actor`
    "staff:xiaoli" or "system:mix-shift". A merge's void writes one, too: ("voided", "merged"). `ballots.decisions` writes them.
    """

    __tablename__ = "ballot_decision"
    __table_args__ = (
        UniqueConstraint("ballot_id", "n"),   # two who decide at once cannot both have the next word
        CheckConstraint("verdict IN ('quarantined', 'released', 'rejected', 'voided')", name="verdict"),
        CheckConstraint("n >= 1", name="n"),
        Index("ix_ballot_decision_campaign_id_id", "campaign_id", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ballot_id: Mapped[int] = mapped_column(Id, ForeignKey("ballot.id"))
    n: Mapped[int]
    campaign_id: Mapped[int] = mapped_column(Id)
    verdict: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(40))
    rule: Mapped[str] = mapped_column(String(200), default="")
    actor: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(Instant)


class Tally(Base):
    """Ballots counted per subject, day and grade, moved in the vote's own transaction.

    One row per server process (`shard`), so that two processes never wait for each other's row.
    """

    __tablename__ = "tally"

    subject_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    grade: Mapped[str] = mapped_column(String(4), primary_key=True)
    shard: Mapped[str] = mapped_column(String(12), primary_key=True)
    count: Mapped[int]


class BallotBatch(Base):
    """A batch of votes that was committed. Its id is written first in the transaction, so that a batch whose COMMIT went
    unanswered meets itself when it is tried again, and nothing counts twice."""

    __tablename__ = "ballot_batch"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
