"""One app's way to its Redis: opened at the first use, given up for a second when it does not answer within 100 ms."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, ResponseError, TryAgainError
from redis.retry import Retry

from config.settings import Settings

T = TypeVar("T")
TIMEOUT_SECONDS = 0.1
PAUSE_SECONDS = 1.0
OLDEST_MAJOR = 7
SWEEP_EVERY_CALLS = 1000
AWAY = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, OutOfMemoryError, ClusterDownError, TryAgainError, OSError)
AWAY_REPLIES = ("MISCONF", "BUSY", "NOREPLICAS", "LOADING")


class StoreAway(Exception):
    """Redis does not answer, or not within 100 ms. Callers decide what goes on without it (DESIGN §7)."""


class StoreRefused(Exception):
    """This process must not, or cannot, use the store it was configured with; the text is one line for the operator."""


class Breaker:
    """After a failure everybody is refused at once for a second; then one caller tries while the others still don't wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._failing = False
        self.failures = 0

    def admit(self) -> int:
        """The number of failures seen so far. Raises StoreAway while the breaker is open."""
        with self._lock:
            now = time.monotonic()
            if now < self._until:
                raise StoreAway("paused after a failure")
            if self._failing:
                self._until = now + PAUSE_SECONDS
            return self.failures

    def failed(self) -> None:
        with self._lock:
            self._failing, self._until = True, time.monotonic() + PAUSE_SECONDS
            self.failures += 1

    def succeeded(self) -> None:
        if self._failing:
            with self._lock:
                self._failing, self._until = False, 0.0


class Connection:
    """The Redis of one app. Safe to share between threads; a forked child opens its own."""

    def __init__(self, settings: Settings, namespace: str) -> None:
        self.settings = settings
        self.namespace = namespace
        self.kind = {"": "embedded", "spawn": "spawned"}.get(settings.redis_url, "server")
        self._breaker = Breaker()
        self._opening = threading.Lock()
        self._client: redis.Redis | None = None
        self._held: Any = None   # the embedded store's lock file
        self._pid = 0
        self._calls = 0

    def run(self, work: Callable[[redis.Redis], T]) -> T:
        """`work` with a client. Raises StoreAway, or StoreRefused at the first use; a script's own fault goes through."""
        failures = self._breaker.admit()
        client = None
        try:
            client = self._opened(failures)
            result = work(client)
        except Exception as e:
            if not _is_away(e):
                raise
            self._breaker.failed()
            self._forget(client)
            raise StoreAway(type(e).__name__) from e
        self._breaker.succeeded()
        self._sweep(client)
        return result

    def _opened(self, failures: int) -> redis.Redis:
        if self._client is not None and self._pid == os.getpid():
            return self._client
        with self._opening:
            if self._client is None or self._pid != os.getpid():
                if self._breaker.failures != failures:
                    raise StoreAway("somebody just tried")   # sixteen waiting threads do not try one after another
                self._client, self._pid = self._open(), os.getpid()
            return self._client

    def _open(self) -> redis.Redis:
        folder, url = Path(self.settings.instance_dir), self.settings.redis_url
        try:
            if self.kind == "embedded":
                from wxbackend.store import embedded
                self._held = None   # a parent's lock, inherited by fork, is not ours
                self._held = embedded.hold(folder)
                return embedded.client()
            if self.kind == "spawned":
                from wxbackend.store import spawned
                url = f"unix://{spawned.socket_of(folder)}"
        except OSError as e:
            raise StoreRefused(f"INSTANCE_DIR {folder} cannot hold the store ({e.strerror or e})") from e
        client = connect(url)
        require_version(client)
        return client

    def _forget(self, client: redis.Redis | None) -> None:
        """The next try opens anew: another server may answer there by then, or a spawned one has to be started again."""
        if client is not None and self._client is client:
            self._client = None

    def _sweep(self, client: redis.Redis) -> None:
        """The embedded store drops expired keys only when it is counted; a server does it by itself."""
        if self.kind == "embedded":
            self._calls += 1
            if self._calls % SWEEP_EVERY_CALLS == 0:
                client.dbsize()


def connect(url: str) -> redis.Redis:
    """A client that waits 100 ms at most for each step and never retries by itself. Raises StoreRefused for an unusable URL."""
    try:
        return redis.Redis.from_url(url, decode_responses=True, protocol=2, socket_timeout=TIMEOUT_SECONDS,
                                    socket_connect_timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0), max_connections=10_000)
    except ValueError as e:
        raise StoreRefused(f"REDIS_URL cannot be used ({e}): write redis://host:6379/0, unix:///path, or spawn") from e


def require_version(client: redis.Redis) -> None:
    """Raises StoreRefused for a server older than 7.0; one that hides its version (INFO forbidden) is believed."""
    try:
        version = str(client.info("server").get("redis_version", ""))
    except ResponseError:
        return
    if version and int(version.split(".")[0]) < OLDEST_MAJOR:
        raise StoreRefused(f"REDIS_URL names Redis {version}: version 7.0 or newer is needed")


def _is_away(error: Exception) -> bool:
    return isinstance(error, AWAY) or (isinstance(error, ResponseError) and str(error).startswith(AWAY_REPLIES))
