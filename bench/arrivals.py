"""When people come: by chance, at a rate that rises at once and dies away, as after an article in a feed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

RISE, HOLD, DECAY = 0.05, 0.25, 0.3   # shares of the whole time: up to the peak, at the peak, then down to 1/e in this long


def after_article(peak: float, seconds: float) -> Callable[[float], float]:
    """Arrivals a second at an instant."""
    def rate(at: float) -> float:
        if at < RISE * seconds:
            return peak * at / (RISE * seconds)
        return peak * math.exp(-max(0.0, at - (RISE + HOLD) * seconds) / (DECAY * seconds))

    return rate


def poisson(rate: Callable[[float], float], peak: float, seconds: float, chance: random.Random) -> Iterator[float]:
    """Instants of independent arrivals at `rate`, which never exceeds `peak`: candidates at the peak's rate, kept by the rate's share."""
    at = chance.expovariate(peak)
    while at < seconds:
        if chance.random() * peak < rate(at):
            yield at
        at += chance.expovariate(peak)


def steady(rate: float, seconds: float, chance: random.Random) -> list[float]:
    return list(poisson(lambda _at: rate, rate, seconds, chance))
