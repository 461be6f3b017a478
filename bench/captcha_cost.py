"""CPU of drawing one challenge of the usual family, in this process, sprites drawn beforehand."""

from __future__ import annotations

import secrets
import statistics
import time

from wxbackend.captcha import colour

BLOCKS, PICTURES = 7, 200


def measure() -> float:
    """Microseconds of CPU a picture: the median of a few blocks."""
    chance = secrets.SystemRandom()
    colour.draw(chance)
    return statistics.median(_block(chance) for _ in range(BLOCKS))


def _block(chance: secrets.SystemRandom) -> float:
    began = time.process_time()
    for _ in range(PICTURES):
        colour.draw(chance)
    return (time.process_time() - began) / PICTURES * 1e6
