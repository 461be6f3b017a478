"""What the pages show, worked out from plain values: no database, no request, no clock."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

from wxbackend.clock import WEEKDAYS

WIDTH = 176   # of the dots' drawing, in its own units


def in_wechat(user_agent: str, cookies: Mapping[str, str], is_demo: bool) -> bool:
    """Whether the page is open inside WeChat, where a login is possible. The demo's simulated phone says so by a cookie."""
    return "MicroMessenger" in user_agent or (is_demo and cookies.get("sim_wechat") == "1")


@dataclass(frozen=True)
class Dots:
    """`n` true dots in rows: each line is (y, length) of a dashed path whose round caps are the dots."""

    size: float
    step: float
    height: float
    lines: tuple[tuple[float, float], ...]

    @property
    def left(self) -> float:
        return self.lines[0][0]


def dots(n: int) -> Dots | None:
    """One dot for each of `n` places; smaller the more there are, and none past 276, where nobody could count them."""
    if n > 276:
        return None
    size, step, per_row = (16, 20, 1) if n == 1 else (10, 14, 12) if n <= 7 else (7.2, 12, 14) if n <= 14 else (4.4, 7.6, 23)
    edge = size / 2 + 1
    counts = [min(per_row, n - start) for start in range(0, n, per_row)]
    lines = tuple((round(edge + i * step, 1), round((count - 1) * step + 0.1, 1)) for i, count in enumerate(counts))
    return Dots(size, step, round(edge * 2 + (len(counts) - 1) * step, 1), lines)


def countdown(until: datetime, at: datetime) -> tuple[int, int, int]:
    """Days, hours and minutes left, a minute begun counting whole; zeros once it has come."""
    minutes = -(min(timedelta(), at - until) // timedelta(minutes=1))
    return minutes // 1440, minutes // 60 % 24, minutes % 60


class Mark(Enum):
    """What became of one day: the value is what a screen reader says."""

    TICKET = "有签号"
    SENT = "已收到，等核对"
    VOTED = "已投，还没签号"
    MISSED = "没有投"
    TODAY = "今天还没投"
    AHEAD = "还没到"


@dataclass(frozen=True)
class Day:
    """One circle of the strip under 我的."""

    day: date
    mark: Mark
    is_today: bool

    @property
    def head(self) -> str:
        return "今天" if self.is_today else "周" + WEEKDAYS[self.day.weekday()]

    @property
    def is_pale(self) -> bool:
        return self.mark in (Mark.MISSED, Mark.AHEAD, Mark.TODAY)


def strip(first: date, last: date, today: date, voted: Collection[date], ticketed: Collection[date],
          sent: Collection[date] = ()) -> list[Day]:
    """Every day of the vote, both ends included, with what became of it; at most the last sixty."""
    days = [first + timedelta(n) for n in range((last - first).days + 1)][-60:]

    def mark(day: date) -> Mark:
        if day in ticketed:
            return Mark.TICKET
        if day in sent:
            return Mark.SENT
        if day in voted:
            return Mark.VOTED
        return Mark.AHEAD if day > today else Mark.TODAY if day == today else Mark.MISSED

    return [Day(day, mark(day), day == today) for day in days]


@dataclass(frozen=True)
class Step:
    """One step of a campaign's way, past or to come."""

    head: str
    text: str
    is_past: bool = False


# Where a title may break: before these words, so that 改革 never falls apart at the end of a line.
WORDS = re.compile("(?=改革|项目|网络|评议|评选|投票|投选|活动|抽奖|征集|大赛|展演|艺术节|问答|打卡|满意度|调查|（)")


def phrases(title: str) -> list[str]:
    """["2021年福田区", "改革", "项目", "网络", "评议"]: put together with a chance to break between."""
    return [part for part in WORDS.split(title) if part]


def percent(share: float) -> str:
    """72.7 for 0.7274."""
    return f"{100 * share:.1f}"


def fours(text: str, size: int = 8) -> str:
    """A long fingerprint in groups that an eye can compare."""
    return " ".join(text[i:i + size] for i in range(0, len(text), size))
