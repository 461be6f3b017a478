"""What a limit is, and the small per-process bucket that stands in while Redis is away."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

MOST_NAMES = 10_000


@dataclass(frozen=True)
class Limit:
    """At most `count` within any `per_seconds`. Names of one voter share a hash tag: "{v7}:captcha"."""

    name: str
    count: int
    per_seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.per_seconds < 1:
            raise ValueError("a limit allows at least one in at least a second")


@dataclass(frozen=True)
class Verdict:
    """Whether the call may go on; if not, after how many whole seconds, and by which limit (the one that opens last)."""

    allowed: bool
    retry_after_seconds: int = 0
    limit_name: str | None = None


class Buckets:
    """Token buckets of one process: `count` tokens, refilled evenly over `per_seconds`. The least used names are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()   # name -> (tokens, seconds)

    def take(self, limits: Sequence[Limit], at: datetime) -> Verdict:
        """One token of every limit, or of none."""
        now = at.timestamp()
        with self._lock:
            levels = [self._level(limit, now) for limit in limits]
            short = [(math.ceil((1 - level) * limit.per_seconds / limit.count), limit.name)
                     for limit, level in zip(limits, levels, strict=True) if level < 1]
            if short:
                wait, name = max(short)
                return Verdict(False, max(1, wait), name)
            for limit, level in zip(limits, levels, strict=True):
                self._levels[limit.name] = (level - 1, now)
                self._levels.move_to_end(limit.name)
            while len(self._levels) > MOST_NAMES:
                self._levels.popitem(last=False)
        return Verdict(True)

    def _level(self, limit: Limit, now: float) -> float:
        tokens, since = self._levels.get(limit.name, (float(limit.count), now))
        return min(float(limit.count), tokens + max(0.0, now - since) * limit.count / limit.per_seconds)
