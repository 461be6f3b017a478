"""When a failed job runs again, and what is remembered of a failure."""

from __future__ import annotations

import traceback
from datetime import timedelta

from wxbackend.problems import Problem

FIRST = timedelta(seconds=30)
LONGEST = timedelta(hours=1)
MAX_ATTEMPTS = 8
ERROR_CHARS = 255


class Told(Exception):
    """An exception whose text is our own and may be kept: no names, phones, openids."""


class Retry(Told):
    """Raised by a handler: not yet. Counts as an attempt; `after` replaces the usual wait."""

    def __init__(self, why: str, after: timedelta | None = None):
        super().__init__(why)
        self.after = after


class GiveUp(Told):
    """Raised by a handler: this will never succeed. The job is dead at once."""


def backoff(attempts: int) -> timedelta:
    """The wait after the `attempts`-th failure: 30 s, 1 min, 2 min … 1 h."""
    return min(FIRST * 2 ** max(0, min(attempts, 30) - 1), LONGEST)


def wait_after(error: Exception, attempts: int, tries: int = MAX_ATTEMPTS) -> timedelta | None:
    """How long until the next try, or None for never."""
    if isinstance(error, GiveUp) or attempts >= tries:
        return None
    return getattr(error, "after", None) or backoff(attempts)


def remembered(error: BaseException) -> str:
    """The class, and the text only where it is our own: a database error carries the row's values in its text."""
    own = str(error) if isinstance(error, Told) else type(error).title if isinstance(error, Problem) else ""
    return f"{type(error).__name__}: {own}".removesuffix(": ")[:ERROR_CHARS]


def place(error: BaseException) -> str:
    """"service.py:91 cast": the last line of ours that it passed; a whole traceback in the log could show values."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    return f"{ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno} {ours[-1].name}" if ours else ""
