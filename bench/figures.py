"""What a run left behind: latencies by kind of request and status, failures, the generator's own CPU."""

from __future__ import annotations

import math
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figures:
    """`latencies` are of the measured window alone, in seconds, by (kind, status). `answers`, `failures` and `unanswered` are of the
    whole run, warm-up and end included: what was acknowledged then is in the database, too."""

    seconds: float = 0.0
    latencies: dict[tuple[str, int], array[float]] = field(default_factory=lambda: defaultdict(lambda: array("d")))
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)     # {"vote ConnectionResetError": 3}
    unanswered: int = 0
    ran_dry: bool = False       # a connection had nothing left to ask: such a round measures nothing
    own_cpu_seconds: float = 0.0
    before: Any = None          # what the meter said as the window opened and as it ended
    after: Any = None
    _cpu: float = 0.0
    _began: float = 0.0

    def open(self, reading: Any) -> None:
        self.before, self._cpu, self._began = reading, time.process_time(), time.perf_counter()

    def close(self, reading: Any) -> None:
        self.seconds, self.own_cpu_seconds, self.after = time.perf_counter() - self._began, time.process_time() - self._cpu, reading

    def note(self, kind: str, status: int, latency: float, counts: bool) -> None:
        self.answers[kind, status] += 1
        if counts:
            self.latencies[kind, status].append(latency)

    def fail(self, kind: str, why: str) -> None:
        self.failures[f"{kind} {why}"] += 1

    def count(self, kind: str = "", statuses: Iterable[int] = ()) -> int:
        """Answers within the window; "" and () mean any."""
        return sum(len(found) for found in self._of(kind, statuses))

    def rate(self, kind: str = "", statuses: Iterable[int] = ()) -> float:
        return self.count(kind, statuses) / self.seconds if self.seconds else 0.0

    def ms(self, share: float, kind: str = "", statuses: Iterable[int] = ()) -> float:
        """The latency in milliseconds that `share` of the answers stayed within (nearest rank); nan where there are none."""
        known = sorted(latency for found in self._of(kind, statuses) for latency in found)
        return known[math.ceil(share * len(known)) - 1] * 1000 if known else math.nan

    def faults(self, kind: str, expected: Iterable[int]) -> dict[str, int]:
        """All that was not answered as expected, in the whole run: {"vote 503": 2, "vote ConnectionResetError": 1}."""
        others = {f"{name} {status}": n for (name, status), n in self.answers.items() if name == kind and status not in set(expected)}
        return others | self.failures | ({"unanswered": self.unanswered} if self.unanswered else {})

    def _of(self, kind: str, statuses: Iterable[int]) -> list[array[float]]:
        wanted = set(statuses)
        return [found for (name, status), found in self.latencies.items() if kind in ("", name) and (not wanted or status in wanted)]
