"""What an answer is, and what is kept of it. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
TTL = timedelta(minutes=10)   # DESIGN §12: long enough for somebody who reads the project first
LONGEST_ANSWER = 32
ID = re.compile(r"[rs][0-9a-f]{32}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Lots:
    """Many small choices drawn from one large random number: asking the machine's chance for each costs more than drawing a digit.

    Even to 1 in 2^80 where the product of all choices stays below 2^48 and the number has 128 bits.
    """

    BITS = 128

    def __init__(self, number: int):
        self._rest = number

    def of(self, options: Sequence[T]) -> T:
        self._rest, n = divmod(self._rest, len(options))
        return options[n]


def normalise(answer: str) -> str:
    """What was meant: "３ ６2 " is "362". Full-width digits, any blanks and case do not matter."""
    return "".join(unicodedata.normalize("NFKC", answer[:LONGEST_ANSWER]).casefold().split())


def slot(challenge_id: str, person_key: str, campaign: str, purpose: str) -> str:
    """Where a challenge is kept, 64 hex. Another person, campaign or purpose looks elsewhere and can neither use nor burn it."""
    return hashlib.sha256(_bound(challenge_id, person_key, campaign, purpose)).hexdigest()


def mac(key: bytes, challenge_id: str, person_key: str, campaign: str, purpose: str, answer: str) -> str:
    """HMAC-SHA256 over everything the challenge is bound to and its normalised answer, 64 hex."""
    return hmac.new(key, _bound(challenge_id, person_key, campaign, purpose, normalise(answer)), hashlib.sha256).hexdigest()


def equal(one: str, other: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def pack(mac_hex: str, expires_at: datetime) -> str:
    """The value kept in Redis: "1641603600000:9f86d0…", milliseconds since 1970. The demo's clock moves, Redis' does not."""
    return f"{(expires_at - EPOCH) // timedelta(milliseconds=1)}:{mac_hex}"


def unpack(value: str) -> tuple[str, datetime]:
    ms, _, mac_hex = value.partition(":")
    return mac_hex, EPOCH + timedelta(milliseconds=int(ms))


def _bound(*parts: str) -> bytes:
    """Parts with their lengths before them, so that no two lists of parts give the same bytes."""
    return b"".join([len(raw).to_bytes(4, "big") + raw for raw in [part.encode("utf-8", "surrogatepass") for part in parts]])
