"""What stands in the log, letter by letter, and when a head is due: plain values only.

Lines: ``vote/1|<campaign>|<day>|<receipt hash>|<C>`` · ``void|<line of the vote>|<reason>`` ·
``decision|<line of the vote>|<verdict>|<reason>|<rule>`` · ``grant|<ticket>|<day>|<activity>|<evidence>`` · ``revoke|<ticket>|<why>`` ·
``rules|<version>|<SHA-256>``. A line's number counts from 1. All of them are public: none holds a person, a grade or a receipt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from wxbackend.campaigns.binding import canonical_json

PROTOCOL = "wxlog/1"
FIRST = "0" * 64               # what the first head follows
LEAST = 10                     # votes for one subject on one day that enter together, so that none of them stands out
SETTLES = timedelta(minutes=5)   # after midnight and after the close: a vote admitted before is in the box by then
MARK_CHARS = 8
COUNTED = {"vote": "votes", "void": "voids", "decision": "decisions", "grant": "tickets", "revoke": "revocations", "rules": "rules"}


def receipt_hash(opening: bytes, receipt_id: str) -> str:
    """By which a voter knows her line. `opening` (32 bytes) is hers alone, so nobody joins the line to a screenshot of the receipt."""
    return sha256(opening + receipt_id.encode()).hexdigest()


def grades_text(subject: str, grade: str) -> str:
    """"culture-network=优": what is blinded names its subject, so that no grade can be moved to another."""
    return f"{subject}={grade}"


def commitment(salt: bytes, grades: str) -> str:
    """C: binds the grade without showing it. The salt (32 bytes) is the server's, never the voter's: what she cannot open she cannot
    be made to show."""
    return sha256(salt + grades.encode()).hexdigest()


def vote(campaign: str, day: date, receipt: str, blinded: str) -> str:
    return f"vote/1|{campaign}|{day.isoformat()}|{receipt}|{blinded}"


def decision(seq: int, verdict: str, reason: str, rule: str) -> str:
    if verdict == "voided":
        return f"void|{seq}|{_plain(reason)}"
    return f"decision|{seq}|{verdict}|{_plain(reason)}|{_plain(rule)}"


def grant(ticket: str, day: date, activity: str, evidence: str) -> str:
    return f"grant|{ticket}|{day.isoformat()}|{_plain(activity)}|{evidence}"


def revoke(ticket: str, why: str) -> str:
    return f"revoke|{ticket}|{_plain(why)}"


def rules_version(version: int, sha: str) -> str:
    return f"rules|{version}|{sha}"


def _plain(text: str) -> str:
    """Without what would begin another field or another line."""
    return " ".join(text.replace("|", "/").split())


class Standing(NamedTuple):
    """A head that stands already."""

    number: int
    kind: str
    day: date
    at: datetime
    size: int
    sha256: str


class Due(NamedTuple):
    """A head that should be made: of which kind, for which local day, and up to which day votes enter however few they are."""

    kind: str
    day: date
    flush: date | None


def deadline(day: date, closes_at: datetime, zone: str) -> datetime:
    """By when a vote of `day` is in the log: five minutes after the day, or after the close."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    return min(midnight, closes_at) + SETTLES


def due(at: datetime, zone: str, first_day: date, closes_at: datetime, is_frozen: bool, made: Mapping[str, Standing]) -> Iterator[Due]:
    """What should stand by `at` and does not; `made` holds the latest head of each kind. One for every day that went by without.

    An hour's head is named always: whether anything has changed since the last one, only the database knows.
    """
    local = at.astimezone(ZoneInfo(zone))
    today, whole = local.date(), (local - SETTLES).date() - timedelta(days=1)
    day = made["day"].day + timedelta(days=1) if "day" in made else first_day
    day = max(day, whole) if "last" in made else day   # it is over: the latest day is enough
    while day <= whole:
        yield Due("day", day, day)
        day += timedelta(days=1)
    if "close" not in made and at >= closes_at + SETTLES:
        yield Due("close", today, today)
    if "last" not in made and is_frozen:
        yield Due("last", today, today)
    if all(_hour(head.at) < _hour(at) for head in made.values()):
        yield Due("hour", today, whole)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def body(facts: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    """A head as it is signed: canonical JSON of the facts and of how many lines there are of each kind."""
    counted = {name: counts.get(kind, 0) for kind, name in COUNTED.items()}
    return canonical_json({"protocol": PROTOCOL, **facts, **counted}).decode()


def read_body(text: str) -> dict[str, Any]:
    """Raises ValueError for anything but a canonical JSON object."""
    found = json.loads(text)
    if not isinstance(found, dict) or canonical_json(found).decode() != text:
        raise ValueError("not canonical")
    return found


def fingerprint(text: str) -> str:
    return sha256(text.encode()).hexdigest()
