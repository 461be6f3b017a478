"""People and how WeChat names them; staff and their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from wxbackend.extensions import Base, Id, Instant


class Person(Base):
    """One human being, whatever doors she came through. `public_id` is random and never shown beside a grade.

    `merged_into_id`: found out later to be that person, who is older. The row stays, since what was sealed or drawn names it; it has
    no identity and no unionid any more.
    """

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    unionid: Mapped[str | None] = mapped_column(String(64), unique=True)
    merged_into_id: Mapped[int | None] = mapped_column(Id, ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class PersonMerge(Base):
    """Two persons found to be one: who stayed, who went, how it was known, and what became of what both had.

    Append-only (triggers). `why`: unionid, or late for what turned up after the merge. `facts` counts rows and names ballots by id;
    no name, phone, openid or grade.
    """

    __tablename__ = "person_merge"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kept_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"), index=True)
    absorbed_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"), index=True)
    at: Mapped[datetime] = mapped_column(Instant)
    why: Mapped[str] = mapped_column(String(20))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class Identity(Base):
    """A person as one app of WeChat knows her."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("appid", "openid"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person_id: Mapped[int] = mapped_column(Id, ForeignKey("person.id"), index=True)
    appid: Mapped[str] = mapped_column(String(32))
    openid: Mapped[str] = mapped_column(String(64))
    first_seen_at: Mapped[datetime] = mapped_column(Instant)
    person: Mapped[Person] = relationship()

    @property
    def is_known(self) -> bool:
        """Whether WeChat has said who this is behind every door."""
        return self.person.unionid is not None


class VoterToken(Base):
    """A device on which a person is logged in: a random token, kept as its hash, revocable. `door` she came by: h5, miniprogram, link."""

    __tablename__ = "voter_token"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"), index=True)
    door: Mapped[str] = mapped_column(String(12), default="", server_default="")
    issued_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    identity: Mapped[Identity] = relationship()


class Staff(Base):
    """Somebody who works at the institution. Roles: manager 活动管理员, reviewer 审核员, auditor 监督员."""

    __tablename__ = "staff"
    __table_args__ = (CheckConstraint("role IN ('manager', 'reviewer', 'auditor')", name="role"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    username: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(200))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class StaffSession(Base):
    """One login of one member of staff, ended by logging out, by time or by an administrator."""

    __tablename__ = "staff_session"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    staff_id: Mapped[int] = mapped_column(Id, ForeignKey("staff.id"), index=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    staff: Mapped[Staff] = relationship()


class EntryLink(Base):
    """A link sent to somebody in the account's chat, whom WeChat itself named: the first device that presses 开始 is hers.

    Only the token's hash is kept. `bound_by`: hash of the browser's own mark, so that a second tap of the same device is no stranger's.
    """

    __tablename__ = "entry_link"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    identity_id: Mapped[int] = mapped_column(Id, ForeignKey("identity.id"), index=True)
    slug: Mapped[str] = mapped_column(String(40))
    source_code: Mapped[str] = mapped_column(String(20), default="")
    made_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    bound_at: Mapped[datetime | None] = mapped_column(Instant)
    bound_by: Mapped[str] = mapped_column(String(64), default="")
    identity: Mapped[Identity] = relationship()
