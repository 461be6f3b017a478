"""Access tokens: two pools that never touch each other, and the ticket of the JS-SDK."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.random_text import letters

TOKEN_LIFE = timedelta(hours=2)
OLD_TOKEN_GRACE = timedelta(minutes=5)
FORCED_APART = timedelta(seconds=30)
FORCED_A_DAY = 20
TOKEN_CHARS = 512            # WeChat asks callers to reserve so many


@dataclass
class Token:
    appid: str
    pool: str                # stable or plain
    dies_at: datetime
    errcode: int = 42001     # what a dead one is answered with


class Tokens:
    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.given: dict[str, Token] = {}
        self.tickets: dict[str, tuple[str, datetime]] = {}
        self._forced: dict[str, list[datetime]] = {}

    def plain(self, appid: str, at: datetime) -> tuple[str, int]:
        """(token, seconds): a new one; the older ones of this pool live five more minutes."""
        with self.lock:
            self._retire(appid, "plain", at + OLD_TOKEN_GRACE)
            return self._new(appid, "plain", at)

    def stable(self, appid: str, at: datetime, force: bool = False) -> tuple[str, int] | int:
        """The same token again until five minutes before its end, when the old and the new one live together.

        Forced, the old one dies at once; 45009 above 20 times a day or within 30 seconds.
        """
        with self.lock:
            if force:
                return self._forced_token(appid, at)
            for text, token in self.given.items():
                if (token.appid, token.pool) == (appid, "stable") and token.dies_at - at > OLD_TOKEN_GRACE:
                    return text, int((token.dies_at - at).total_seconds())
            return self._new(appid, "stable", at)

    def _forced_token(self, appid: str, at: datetime) -> tuple[str, int] | int:
        earlier = [t for t in self._forced.get(appid, []) if at - t < timedelta(days=1)]
        if len(earlier) >= FORCED_A_DAY or earlier and at - earlier[-1] < FORCED_APART:
            return 45009
        self._forced[appid] = [*earlier, at]
        self._retire(appid, "stable", at)
        return self._new(appid, "stable", at)

    def _retire(self, appid: str, pool: str, end: datetime) -> None:
        for token in self.given.values():
            if (token.appid, token.pool) == (appid, pool) and token.dies_at > end:
                token.dies_at, token.errcode = end, 40001

    def _new(self, appid: str, pool: str, at: datetime) -> tuple[str, int]:
        text = f"SIM_{pool}_"
        text += letters(TOKEN_CHARS - len(text))
        self.given[text] = Token(appid, pool, at + TOKEN_LIFE)
        return text, int(TOKEN_LIFE.total_seconds())

    def owner(self, text: str, at: datetime) -> str | int:
        """The appid a token belongs to, or the errcode: 41001 none, 40014 malformed, 40001 unknown or not latest, 42001 expired."""
        if not text:
            return 41001
        if not text.startswith(("SIM_", "USER_")):
            return 40014
        with self.lock:
            token = self.given.get(text)
            if token is None:
                return 40001
            return token.appid if at < token.dies_at else token.errcode

    def expire(self, at: datetime, errcode: int = 42001) -> int:
        """Let every living token die now; how many did."""
        with self.lock:
            alive = [t for t in self.given.values() if t.dies_at > at]
            for token in alive:
                token.dies_at, token.errcode = at, errcode
            return len(alive)

    def ticket(self, appid: str, at: datetime) -> str:
        """The JS-SDK's ticket, the same for two hours."""
        with self.lock:
            text, dies_at = self.tickets.get(appid, ("", at))
            if at >= dies_at:
                text = "sM4AOVdWfPE4DxkXGEs8V" + letters(65)
                self.tickets[appid] = (text, at + TOKEN_LIFE)
            return text
