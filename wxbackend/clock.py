"""The instant of now, local days, and how both are said in Chinese.

Only edges (views, commands, jobs, the inbox) read the clock; services receive `at`.
In the demo an offset kept in SQL moves it for app, worker and simulator together.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask, current_app
from sqlalchemy import BigInteger, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from wxbackend.extensions import Base, db, reading, settings

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEKDAYS = "一二三四五六日"
LOOK_AGAIN_SECONDS = 0.3


class ClockOffset(Base):
    """How far the demo's clock runs ahead of the wall; one row, never in production."""

    __tablename__ = "clock_offset"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    offset_ms: Mapped[int] = mapped_column(BigInteger, default=0)


class Clock:
    """The clock of one app: the wall, plus the demo's offset, or an instant set by a test."""

    def __init__(self) -> None:
        self.fixed: datetime | None = None
        self._offset = timedelta()
        self._looked = float("-inf")

    def now(self) -> datetime:
        if self.fixed is not None:
            return self.fixed
        return datetime.now(UTC) + self.offset()

    def offset(self) -> timedelta:
        if not settings.may_move_clock:
            return timedelta()
        if time.monotonic() - self._looked > LOOK_AGAIN_SECONDS:
            self._looked = time.monotonic()
            stored = _stored_offset()
            self._offset = self._offset if stored is None else stored
        return self._offset

    def forget(self) -> None:
        self._looked = float("-inf")


def init_app(app: Flask) -> None:
    app.extensions["clock"] = Clock()


def now() -> datetime:
    """The present instant, aware UTC."""
    return current_app.extensions["clock"].now()


def move_to(instant: datetime) -> datetime:
    """Set the demo's clock so that it now shows `instant`; the caller commits. Refused in production."""
    if not settings.may_move_clock:
        raise PermissionError("the clock moves in the demo only")
    offset = instant - datetime.now(UTC)
    db.session.merge(ClockOffset(id=1, offset_ms=round(offset.total_seconds() * 1000)))
    db.session.flush()
    current_app.extensions["clock"].forget()
    return instant


def _stored_offset() -> timedelta | None:
    """The offset in SQL; None where it cannot be read now: before the first migration, or with the database away.

    On a connection of its own, so that reading the clock opens no transaction of the caller's, and one that only reads: on SQLite
    the caller's may hold the write lock already, and would be waited for until the timeout.
    """
    try:
        with reading(), db.engine.connect() as connection:
            return timedelta(milliseconds=connection.execute(select(ClockOffset.offset_ms).where(ClockOffset.id == 1)).scalar() or 0)
    except SQLAlchemyError:
        return None


def local_day(at: datetime, zone: str) -> date:
    """The calendar day of `at` in the campaign's zone: 07:59 and 08:01 in Shenzhen are one day."""
    return at.astimezone(ZoneInfo(zone)).date()


def say_day(day: date) -> str:
    """1月8日（周六）"""
    return f"{day.month}月{day.day}日（周{WEEKDAYS[day.weekday()]}）"


def say_time(at: datetime, zone: str = "Asia/Shanghai") -> str:
    """1月8日（周六）09:00; midnight is 0点."""
    local = at.astimezone(ZoneInfo(zone))
    return say_day(local.date()) + ("0点" if (local.hour, local.minute) == (0, 0) else f"{local:%H:%M}")
