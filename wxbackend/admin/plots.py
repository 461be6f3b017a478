"""Bars by day as numbers for an inline SVG: zero baseline, the count on the bar, days to come shaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from wxbackend.clock import WEEKDAYS


@dataclass(frozen=True)
class Bar:
    """One day's bar in pixels; `kind`: past, today (unfinished, hatched) or future (nothing counted yet)."""

    day: date
    count: int
    kind: str
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)

    @property
    def label(self) -> str:
        return f"{self.day.month}月{self.day.day}日"

    @property
    def weekday(self) -> str:
        return "周" + WEEKDAYS[self.day.weekday()]


@dataclass(frozen=True)
class Plot:
    width: int
    height: int
    bars: list[Bar]
    lines: list[tuple[float, int]]      # grid: y in pixels, value

    @property
    def base(self) -> float:
        return self.height - BELOW


LEFT, ABOVE, BELOW = 44, 22, 38


def by_day(counts: Mapping[date, int], first: date, last: date, today: date, width: int = 690, height: int = 196) -> Plot:
    """A bar for every day from `first` to `last`, also those without a vote; `counts` = {day: votes}."""
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    top = ceiling(max([counts.get(day, 0) for day in days], default=0))
    slot, room = (width - LEFT) / len(days), height - ABOVE - BELOW
    bars = [_bar(day, n, counts.get(day, 0), today, slot, room, top) for n, day in enumerate(days)]
    lines = [(round(ABOVE + room * (1 - k / 4), 1), top * k // 4) for k in (4, 3, 2, 1, 0)]
    return Plot(width, height, bars, lines)


def ceiling(most: int) -> int:
    """The smallest of 4, 8, 12, 16, 20, 24, 32, 40, 80, 120 … that holds `most`; a quarter of it is whole."""
    unit = 1
    while unit * 32 < most:
        unit *= 10
    return next(unit * step for step in (4, 8, 12, 16, 20, 24, 32) if unit * step >= most)


def _bar(day: date, n: int, count: int, today: date, slot: float, room: float, top: int) -> Bar:
    kind = "past" if day < today else "today" if day == today else "future"
    wide, high = min(slot * 0.6, 56), room * count / top
    x, y = LEFT + slot * (n + 0.5) - wide / 2, ABOVE + room - high
    return Bar(day, count, kind, round(x, 1), round(y, 1), round(wide, 1), round(high, 1))
