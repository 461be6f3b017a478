"""A campaign as published: what is rated, when, by which rules, through which codes, for which prizes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, event
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column, relationship

from wxbackend import clock, keys
from wxbackend.campaigns.rules import DOORS, Grade, Phase, day_number, is_open, phase
from wxbackend.extensions import Base, Id, Instant, LongText


class Campaign(Base):
    """One 活动. `hosted`: the ballot box is ours. `external`: somebody else's page holds the vote, screenshots come to us.

    `opens_at <= t < closes_at` is the vote; evidence is taken until `evidence_until`; at `freeze_at` the list of tickets is sealed
    (`frozen_at` says when it was). `content` is what the pages show (see CampaignSchema), free of personal data. `revision` grows with
    every change of the campaign and its parts (`count_revisions`): by it a process knows whether its snapshot is still true.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("mode IN ('hosted', 'external')", name="mode"),
        CheckConstraint("quota IN ('subject', 'campaign')", name="quota"),
        CheckConstraint("results IN ('live', 'after-close', 'hidden')", name="results"),
        CheckConstraint("opens_at < closes_at AND closes_at <= evidence_until AND evidence_until <= freeze_at", name="instants"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    title: Mapped[str] = mapped_column(String(80))
    mode: Mapped[str] = mapped_column(String(10))
    zone: Mapped[str] = mapped_column(String(40), default="Asia/Shanghai")
    opens_at: Mapped[datetime] = mapped_column(Instant)
    closes_at: Mapped[datetime] = mapped_column(Instant)
    evidence_until: Mapped[datetime] = mapped_column(Instant)
    freeze_at: Mapped[datetime] = mapped_column(Instant)
    quota: Mapped[str] = mapped_column(String(10), default="subject")
    results: Mapped[str] = mapped_column(String(12), default="after-close")
    captcha: Mapped[str] = mapped_column(String(16), default="colour")
    doors: Mapped[list[str]] = mapped_column(JSON, default=lambda: list(DOORS))   # where voters may come in, the main one first
    alternates: Mapped[int] = mapped_column(default=30)
    publicity_days: Mapped[int] = mapped_column(default=5)
    entropy: Mapped[list[dict[str, str]]] = mapped_column(JSON)      # [{"source": "ssq", "issue": "2022005"}]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    ticket_key_sealed: Mapped[str] = mapped_column(String(200))      # k_campaign of the draw protocol, hex, sealed
    published_at: Mapped[datetime | None] = mapped_column(Instant)
    frozen_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revision: Mapped[int] = mapped_column(default=1)

    subjects: Mapped[list[Subject]] = relationship(order_by="Subject.position", back_populates="campaign")
    sources: Mapped[list[Source]] = relationship(order_by="Source.id", back_populates="campaign")
    prizes: Mapped[list[Prize]] = relationship(order_by="Prize.position", back_populates="campaign")
    boxes: Mapped[list[Box]] = relationship(order_by="Box.number", back_populates="campaign")
    rules_versions: Mapped[list[RulesVersion]] = relationship(order_by="RulesVersion.version", back_populates="campaign")

    @property
    def is_hosted(self) -> bool:
        return self.mode == "hosted"

    @property
    def is_published(self) -> bool:
        return self.published_at is not None

    @property
    def rules(self) -> RulesVersion | None:
        """The rules in force: the latest version."""
        return self.rules_versions[-1] if self.rules_versions else None

    @property
    def ticket_key(self) -> bytes:
        return bytes.fromhex(keys.unseal("ticket-key", self.ticket_key_sealed))

    def is_open(self, at: datetime) -> bool:
        return self.is_published and is_open(self.opens_at, self.closes_at, at)

    def phase(self, at: datetime) -> Phase:
        return phase(self.opens_at, self.closes_at, self.evidence_until, self.frozen_at, self.freeze_at, at)

    def day(self, at: datetime) -> date:
        return clock.local_day(at, self.zone)

    @property
    def first_day(self) -> date:
        return self.day(self.opens_at)

    @property
    def last_day(self) -> date:
        """The last local day on which a vote is possible: a window closing at 0点 sharp ends with the day before."""
        return self.day(self.closes_at - timedelta(microseconds=1))

    def day_number(self, day: date) -> int:
        """1 for the day of opening."""
        return day_number(self.first_day, day)

    def say(self, at: datetime) -> str:
        """1月8日（周六）09:00 in the campaign's zone."""
        return clock.say_time(at, self.zone)


class Subject(Base):
    """What is rated (评议项目). `grades` are the wire values offered, in order."""

    __tablename__ = "subject"
    __table_args__ = (UniqueConstraint("campaign_id", "key"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    key: Mapped[str] = mapped_column(String(40))
    position: Mapped[int]
    category: Mapped[str] = mapped_column(String(40), default="")
    title: Mapped[str] = mapped_column(String(80))
    grades: Mapped[list[dict[str, str]]] = mapped_column(JSON)      # [{"grade": "优", "label": "很好"}, …]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)           # summary, network, figures, story
    campaign: Mapped[Campaign] = relationship(back_populates="subjects")

    def offers(self, grade: Grade) -> bool:
        return any(g["grade"] == grade.value for g in self.grades)


class Source(Base):
    """A channel a code hangs in (渠道): the article, a poster at one branch. Its QR carries campaign and code, nothing else."""

    __tablename__ = "source"
    __table_args__ = (UniqueConstraint("campaign_id", "code"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(40))
    qr_png: Mapped[str | None] = mapped_column(Text)                # base64, made when the campaign is published
    campaign: Mapped[Campaign] = relationship(back_populates="sources")


class Prize(Base):
    """One tier of prizes; `count` of them exist."""

    __tablename__ = "prize"
    __table_args__ = (UniqueConstraint("campaign_id", "tier"), CheckConstraint("count > 0", name="count"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    tier: Mapped[str] = mapped_column(String(20))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(60))
    count: Mapped[int]
    value_fen: Mapped[int] = mapped_column(default=0)               # market value of the dearest combination, in 分
    campaign: Mapped[Campaign] = relationship(back_populates="prizes")


class Box(Base):
    """One packed blind box (盲盒). What is in it stays sealed until it is handed out; the packing list's hash is in the rules."""

    __tablename__ = "box"
    __table_args__ = (UniqueConstraint("campaign_id", "number"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    number: Mapped[str] = mapped_column(String(4))                  # 01, 02 …
    items_sealed: Mapped[str] = mapped_column(String(800))          # JSON list of kinds, sealed
    campaign: Mapped[Campaign] = relationship(back_populates="boxes")


class RulesVersion(Base):
    """The rules as published: canonical JSON and its SHA-256. Never changed (a trigger refuses); an amendment is a new version."""

    __tablename__ = "rules_version"
    __table_args__ = (UniqueConstraint("campaign_id", "version"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    version: Mapped[int]
    canonical: Mapped[str] = mapped_column(LongText)
    sha256: Mapped[str] = mapped_column(String(64))
    box_salt_sealed: Mapped[str] = mapped_column(String(200), default="")
    published_at: Mapped[datetime] = mapped_column(Instant)
    campaign: Mapped[Campaign] = relationship(back_populates="rules_versions")


PARTS = (Subject, Source, Prize, Box, RulesVersion)
CHANGED = "campaigns_changed"   # in `Session.info`: slugs of those whose revision this transaction moved


@event.listens_for(Session, "before_flush")
def count_revisions(session: Session, *_: Any) -> None:
    """Whatever verb changes a campaign or a part of it, its revision goes up by one in the same transaction."""
    touched = (*session.new, *session.deleted, *(one for one in session.dirty if session.is_modified(one)))
    for campaign in {_whole(one, session) for one in touched if isinstance(one, (Campaign, *PARTS))}:
        if campaign is not None and campaign not in session.new and campaign not in session.deleted:
            campaign.revision = Campaign.revision + 1
            session.info.setdefault(CHANGED, set()).add(campaign.slug)


def _whole(one: Any, session: Session) -> Campaign | None:
    """The campaign something is, or is a part of; None for a part that was taken out and goes."""
    if isinstance(one, Campaign):
        return one
    return one.campaign or (session.get(Campaign, one.campaign_id) if one.campaign_id else None)


@event.listens_for(Session, "do_orm_execute")
def refuse_statements(asked: ORMExecuteState) -> None:
    """A bulk statement would walk around `count_revisions`. Raises RuntimeError."""
    mapper = asked.bind_mapper
    if (asked.is_update or asked.is_delete or asked.is_insert) and mapper is not None and mapper.class_ in (Campaign, *PARTS):
        raise RuntimeError("campaigns change as objects, not by bulk statements: their revision would stand still")
