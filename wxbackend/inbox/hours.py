"""Whether somebody is at the desk, read from the hours as the staff wrote them: 工作日 09:00–17:00."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

DAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6, "末": 5}
WEEKDAY = r"(?:周|星期|礼拜)([一二三四五六日天末])"
SPAN = re.compile(WEEKDAY + r"\s*(?:至|到|-|~)\s*(?:周|星期|礼拜)?([一二三四五六日天])")
CLOSED = re.compile(WEEKDAY + r"\s*(?:\([^)]*\))?\s*(?:闭馆|休息|不上班|不接听)")
PART = r"(上午|早上|中午|下午|晚上|晚)?\s*"
TIME = r"([0-9]{1,2})\s*(?:[:点时]\s*([0-9]{2}|半)?)\s*(?:分)?"
RANGE = re.compile(PART + TIME + r"\s*(?:至|到|-|~)\s*" + PART + TIME)
DASHES = re.compile("[‐‒–—―−～]+")


def is_at_desk(hours: str, local: datetime) -> bool | None:
    """Whether `local` (the wall's clock at the desk) falls into `hours`; None where they cannot be read.

    工作日 is Monday to Friday: public holidays are not known here. Hours are half-open: at 17:00 sharp nobody is there any more.
    """
    text = DASHES.sub("-", unicodedata.normalize("NFKC", hours))
    spans = [span for found in RANGE.finditer(text) if (span := _span(found)) is not None]
    if not spans:
        return None
    minute = local.hour * 60 + local.minute
    return local.weekday() in _days(text) and any(start <= minute < end for start, end in spans)


def _days(text: str) -> set[int]:
    closed = {DAYS[found[1]] for found in CLOSED.finditer(text)}
    rest = CLOSED.sub("", text)
    named = set(range(5)) if "工作日" in rest else set()
    for found in SPAN.finditer(rest):
        first, last = DAYS[found[1]], DAYS[found[2]]
        named |= {(first + n) % 7 for n in range((last - first) % 7 + 1)}
    for found in re.finditer(WEEKDAY + r"((?:、[一二三四五六日天](?!至|到|-))*)", SPAN.sub("", rest)):
        named |= {DAYS[day] for day in found[1] + found[2].replace("、", "")} | ({5, 6} if found[1] == "末" else set())
    return (named or set(range(7))) - closed


def _span(found: re.Match[str]) -> tuple[int, int] | None:
    start = _minute(found[1], found[2], found[3])
    end = _minute(found[4] or (found[1] if found[1] in ("下午", "晚上", "晚") else None), found[5], found[6])
    return (start, end) if start < end <= 24 * 60 else None


def _minute(part: str | None, hour: str, minute: str | None) -> int:
    at = int(hour) + (12 if part in ("下午", "晚上", "晚") and int(hour) < 12 else 0)
    return at * 60 + (30 if minute == "半" else int(minute or 0))
