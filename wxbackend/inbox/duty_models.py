"""The account's own words and menu, which WeChat's console no longer says once messages come to us."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import Base, Id, Instant


class AccountReply(Base):
    """What the account says of itself: to somebody who follows (greeting), to a word (keyword), to a button of the menu (click), to
    whoever asks for a person (human), to anything else (default).

    With a campaign it holds while that campaign runs. Never deleted: what is switched off can be switched on again. `stamp` is drawn anew
    with every change: the sum of all stamps tells a process that what it remembers is old, and a form that somebody else was faster.
    `origin` marks what was read from WeChat, so that reading it again adds nothing; while `stamp` is still `imported_stamp` nobody has
    changed it since. `hours` say when somebody is at the desk (human). What is hidden is out of force, and folded away in the list.
    """

    __tablename__ = "account_reply"
    __table_args__ = (
        CheckConstraint("kind IN ('greeting', 'keyword', 'click', 'human', 'default')", name="kind"),
        CheckConstraint("action IN ('text', 'vote', 'mine', 'human')", name="action"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(60), default="")
    words: Mapped[list[dict[str, str]]] = mapped_column(JSON)       # [{"word": "开放时间", "match": "equal"}]; of a click its key
    action: Mapped[str] = mapped_column(String(5), default="text")
    text: Mapped[str] = mapped_column(String(2048), default="")
    campaign_id: Mapped[int | None] = mapped_column(Id, ForeignKey("campaign.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    hours: Mapped[str] = mapped_column(String(100), default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    is_hidden: Mapped[bool] = mapped_column(default=False)
    origin: Mapped[str | None] = mapped_column(String(64), unique=True)
    note: Mapped[str] = mapped_column(String(300), default="")      # what could not be carried over from WeChat, and why
    stamp: Mapped[int]
    imported_stamp: Mapped[int | None]
    changed_by: Mapped[str] = mapped_column(String(80))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    campaign: Mapped[Campaign | None] = relationship()

    @property
    def is_imported(self) -> bool:
        return self.origin is not None


class AccountMenu(Base):
    """One version of the menu, in the shape WeChat takes; a version's buttons never change, an edit is a new version.

    draft: the newest, not yet on the phones · live: the one WeChat took last · past: any other.
    """

    __tablename__ = "account_menu"
    __table_args__ = (CheckConstraint("state IN ('draft', 'live', 'past')", name="state"),
                      CheckConstraint("came_from IN ('desk', 'wechat', 'template')", name="came_from"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    state: Mapped[str] = mapped_column(String(5))
    buttons: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    came_from: Mapped[str] = mapped_column(String(8))
    drafted_by: Mapped[str] = mapped_column(String(80))
    drafted_at: Mapped[datetime] = mapped_column(Instant)
    published_by: Mapped[str] = mapped_column(String(80), default="")
    published_at: Mapped[datetime | None] = mapped_column(Instant)
