"""When a campaign takes votes, which day an instant belongs to, what a rating may say: plain values only."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Grade(Enum):
    """What a citizen may say of a project. Source: the 2021 review's ballot, 优 良 中 差."""

    EXCELLENT = "优"
    GOOD = "良"
    FAIR = "中"
    POOR = "差"


# Where a voter may come from: the public account (web login and links in its chat: one openid), the mini program (another openid).
DOORS = ("account", "miniprogram")
LABELS = {Grade.EXCELLENT: "很好", Grade.GOOD: "不错", Grade.FAIR: "一般", Grade.POOR: "不好"}


class Phase(Enum):
    """Where a campaign stands; computed from its instants at each request, never scheduled."""

    COMING = "coming"          # not yet open
    OPEN = "open"              # votes are taken
    EVIDENCE = "evidence"      # the vote is closed, screenshots still count
    REVIEW = "review"          # the staff decide what is left
    DUE = "due"                # freeze_at has come, the worker is about to seal
    FROZEN = "frozen"          # the list is sealed


def is_open(opens_at: datetime, closes_at: datetime, at: datetime) -> bool:
    """Whether a ballot at `at` counts: opens_at <= at < closes_at.

    Source: notice of the 2021 review, "截止 2022 年 1 月 8 日 9:00"; 09:00:00.000 is outside.
    """
    return opens_at <= at < closes_at


def phase(opens_at: datetime, closes_at: datetime, evidence_until: datetime, frozen_at: datetime | None,
          freeze_at: datetime, at: datetime) -> Phase:
    if frozen_at is not None:
        return Phase.FROZEN
    for until, name in ((opens_at, Phase.COMING), (closes_at, Phase.OPEN), (evidence_until, Phase.EVIDENCE), (freeze_at, Phase.REVIEW)):
        if at < until:
            return name
    return Phase.DUE


def day_number(first: date, day: date) -> int:
    """1 for the first day of the vote."""
    return (day - first).days + 1


class Window(NamedTuple):
    opens_at: datetime
    closes_at: datetime
    evidence_until: datetime
    freeze_at: datetime


def live_demo_window(now: datetime, zone: ZoneInfo) -> Window:
    """A window that is open now: opened four days ago, closes the first Saturday 09:00 at least 24 h ahead.

    Later instants keep the distances of the reference campaign: evidence 24 h more, freeze on the Tuesday at 18:00.
    """
    local = now.astimezone(zone)
    opens = datetime.combine(local.date() - timedelta(days=4), time(10), zone)
    earliest = (now + timedelta(hours=24)).astimezone(zone)   # hours are counted by the clock of the world, not of the wall
    saturday = earliest.date() + timedelta(days=(5 - earliest.weekday()) % 7)
    closes = datetime.combine(saturday, time(9), zone)
    if closes < earliest:
        closes += timedelta(days=7)
    freeze = datetime.combine(closes.date() + timedelta(days=3), time(18), zone)
    return Window(opens, closes, closes + timedelta(hours=24), freeze)


def live_demo_drawing(window: Window) -> dict[str, str]:
    """The 双色球 of the evening of the freeze, 21:15."""
    day = window.freeze_at.date()
    return {"source": "ssq", "issue": ssq_issue(day), "drawn_at": datetime.combine(day, time(21, 15), window.freeze_at.tzinfo).isoformat()}


def ssq_issue(day: date) -> str:
    """The 双色球 issue drawn on `day` (Tuesdays, Thursdays, Sundays), counted from 1 January without holiday breaks: for the demo only."""
    first = date(day.year, 1, 1)
    drawings = sum((first + timedelta(days=n)).weekday() in (1, 3, 6) for n in range((day - first).days + 1))
    return f"{day.year}{drawings:03d}"
