"""Messages that are not ours, passed on to the one second server the settings name: an older system of the institution's keeps answering.

It gets what WeChat sent, byte for byte and with WeChat's signature, so to it nothing has changed; what it answers goes back the same way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from urllib.parse import urlencode

import requests
import structlog
from flask import current_app
from urllib3.exceptions import HTTPError

from wxbackend.extensions import settings
from wxbackend.wechat.transport import Line, Oversize

log = structlog.get_logger()

SECONDS = 4.0                  # of the five that WeChat gives
MOST_BYTES = 65_536
FAILURES, REST_SECONDS = 5, 30.0
MOST_AT_ONCE = 4               # requests that may wait for the second server at a time; the other threads serve voters
HEADERS = {"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"}   # as WeChat sends them
_making = threading.Lock()


class Breaker:
    """After `FAILURES` failures in a row nothing is tried for `REST_SECONDS`; then one call is let through to see."""

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick, self._lock = tick, threading.Lock()
        self._failures, self._rests_until = 0, float("-inf")

    def may_try(self) -> bool:
        with self._lock:
            if self._tick() < self._rests_until:
                return False
            if self._failures >= FAILURES:   # this one sees; the others wait for what it finds
                self._rests_until = self._tick() + REST_SECONDS
            return True

    def ended(self, well: bool) -> None:
        with self._lock:
            self._failures = 0 if well else self._failures + 1
            self._rests_until = self._tick() + REST_SECONDS if self._failures >= FAILURES else float("-inf")


class SecondServer:
    """One address, its line, its breaker; shared by the threads of a process."""

    def __init__(self, url: str) -> None:
        self.url, self.line, self.breaker = url, _Line(url, SECONDS), Breaker()
        self.desks = threading.BoundedSemaphore(MOST_AT_ONCE)

    def ask(self, query: Mapping[str, str], body: bytes, seconds: float) -> tuple[str | None, str]:
        """(the answer, "") or (None, why in a word). A thread of its own waits: an answer that drips costs no more than the time agreed."""
        if not self.breaker.may_try():
            return None, "resting"
        if not self.desks.acquire(blocking=False):
            return None, "crowded"
        found: SimpleQueue[tuple[str | None, str]] = SimpleQueue()
        url = self.url + ("&" if "?" in self.url else "?") + urlencode(list(query.items()))
        threading.Thread(target=self._fetch, args=(url, body, found), name="relay", daemon=True).start()
        try:
            answer, why = found.get(timeout=seconds)
        except Empty:
            answer, why = None, "slow"
        self.breaker.ended(not why)
        return answer, why

    def _fetch(self, url: str, body: bytes, found: SimpleQueue[tuple[str | None, str]]) -> None:
        try:
            found.put(self.line.fetch(url, body))
        finally:
            self.desks.release()


class _Line(Line):
    """The line to WeChat with its deadline, its limit and without redirects; what breaks is told in a word and never as WeChat's fault."""

    def fetch(self, url: str, body: bytes) -> tuple[str | None, str]:
        try:
            response = self._ask("post", url, (), {"data": body, "headers": dict(HEADERS)}, MOST_BYTES)
        except Oversize:
            return None, "too long"
        except (requests.RequestException, HTTPError, OSError, ValueError) as e:   # their texts carry the query: the kind alone is told
            return None, type(e).__name__
        return _usable(response.content)


def forward(query: Mapping[str, str], body: bytes, seconds: float = SECONDS) -> str | None:
    """What the second server answers to WeChat's POST: "", "success" or XML, to be passed on as it is. None where there is no such
    server, it is away, slow, resting after failures, or answers anything else: then our own reply stands.

    `query` is the callback's own, `body` the bytes as they came. Callers have ended their transaction: this may take `seconds`.
    """
    if not settings.relay_url or seconds <= 0:
        return None
    answer, why = _server().ask(query, body, min(seconds, SECONDS))
    if why:
        log.warning("second server did not answer", why=why)
    return answer


def _server() -> SecondServer:
    with _making:
        known: dict[str, SecondServer] = current_app.extensions.setdefault("relay", {})
        if settings.relay_url not in known:
            known[settings.relay_url] = SecondServer(settings.relay_url)
        return known[settings.relay_url]


def _usable(raw: bytes) -> tuple[str | None, str]:
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None, "not text"
    return (text, "") if text in ("", "success") or text.startswith("<xml") else (None, "not a reply")

