"""What people were told, through which channel, and whether it reached them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.accounts.models import Identity
from wxbackend.extensions import Base, Id, Instant


class Notice(Base):
    """Something to tell one person. Its text holds no name, no phone, no grade.

    The identity says who she is; whoever that person is when it is sent is told, through whichever of her identities a channel needs.
    `facts` fill a template's fields ({"title": …, "result": "中奖", …}); without them only the chat can carry it. `about` names what must
    be told once only ("draw:1:person:12"). unsure: WeChat did not answer, so it may have arrived; it is not sent again, by no channel.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sent', 'refused', 'unsure')", name="state"),
        Index("ix_notice_about", "about", unique=True),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"), index=True)
    campaign_id: Mapped[int | None] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    about: Mapped[str | None] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(String(2048))
    url: Mapped[str] = mapped_column(String(300), default="")
    facts: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(String(8), default="queued")
    errcode: Mapped[int | None]                                      # of the last channel that refused it
    created_at: Mapped[datetime] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    identity: Mapped[Identity] = relationship()
    attempts: Mapped[list[NoticeAttempt]] = relationship(order_by="NoticeAttempt.id", back_populates="notice")


class NoticeAttempt(Base):
    """One channel's turn with one notice.

    sent: WeChat took it · refused: WeChat said no, or reported later that it did not arrive · unsure: asked, and no answer is known ·
    skipped: not asked, `why` says why not. `why` "later" means that this channel comes again. `holds` is 1 while the message may have
    reached her and NULL otherwise: UNIQUE(notice, holds) lets no notice out twice, whoever sends.
    """

    __tablename__ = "notice_attempt"
    __table_args__ = (
        UniqueConstraint("notice_id", "channel"),
        UniqueConstraint("notice_id", "holds"),
        CheckConstraint("channel IN ('customer', 'subscribe', 'template')", name="channel"),
        CheckConstraint("state IN ('sent', 'refused', 'unsure', 'skipped')", name="state"),
        CheckConstraint("(state IN ('sent', 'unsure')) = (holds IS NOT NULL)", name="holds"),
        Index("ix_notice_attempt_identity_id", "identity_id"),
        Index("ix_notice_attempt_credit_id", "credit_id"),
        Index("ix_notice_attempt_msgid", "msgid"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    notice_id: Mapped[int] = mapped_column(Id, ForeignKey("notice.id"))
    channel: Mapped[str] = mapped_column(String(10))
    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"))
    state: Mapped[str] = mapped_column(String(8))
    holds: Mapped[int | None]
    errcode: Mapped[int | None]
    why: Mapped[str] = mapped_column(String(20), default="")
    msgid: Mapped[str | None] = mapped_column(String(32))            # WeChat's number of it; its report names it again
    outcome: Mapped[str] = mapped_column(String(40), default="")     # the report: success, failed:user block, …
    credit_id: Mapped[int | None] = mapped_column(Id, ForeignKey("notice_credit.id"))
    at: Mapped[datetime] = mapped_column(Instant)
    notice: Mapped[Notice] = relationship(back_populates="attempts")


class NoticeCredit(Base):
    """One subscribe message that a person allowed in the mini program, collected at her entry.

    One accept is one message, without an end in time (`wx.requestSubscribeMessage`). used: spent, or WeChat says there is none.
    refused: she said no, or took it back.
    """

    __tablename__ = "notice_credit"
    __table_args__ = (
        UniqueConstraint("identity_id", "template_id", "campaign_id"),
        CheckConstraint("state IN ('available', 'used', 'refused')", name="state"),
        Index("ix_notice_credit_campaign_id", "campaign_id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"))
    template_id: Mapped[str] = mapped_column(String(64))
    campaign_id: Mapped[int] = mapped_column(Id, ForeignKey("campaign.id"))
    state: Mapped[str] = mapped_column(String(10))
    given_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class ChatWindow(Base):
    """What an identity last did in the account's chat, and how much was sent since: whether a customer message may be tried.

    A message opens 48 hours for five, a tap in the menu, a follow or a scan one minute for three. WeChat's own word has the last say.
    """

    __tablename__ = "chat_window"

    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"), primary_key=True, autoincrement=False)
    message_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_since_message: Mapped[int] = mapped_column(default=0)
    tap_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_since_tap: Mapped[int] = mapped_column(default=0)
    left_at: Mapped[datetime | None] = mapped_column(Instant)        # stopped following; anything she does afterwards empties it
