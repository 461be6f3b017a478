"""One access token per app for all processes.

WeChat's old token call kills the token before it, and even the stable one has a daily quota: eight cold
workers must make one call. The token lives in the store with its end; whoever finds it missing or refused
takes the lock, looks again, and only then asks WeChat.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from wxbackend import store
from wxbackend.wechat.refusals import WeChatAway

log = structlog.get_logger()

EARLY_SECONDS = 300            # old and new token are both good for five minutes around a renewal
SHORTEST_SECONDS = 30
LONGEST_SECONDS = 24 * 3600    # whatever an answer claims
LOCK_SECONDS = 30              # longer than two token calls
WAIT_SECONDS = 12
UNSHARED = (store.StoreAway, store.StoreRefused)   # refused: a worker beside the one process that holds the embedded store
FORCE_EVERY_SECONDS = 75 * 60  # force_refresh is allowed 20 times a day


class Tokens:
    """The token of one app, or another word of WeChat's that all processes share. `fetch(force)` asks WeChat and returns (token, seconds
    it lives); `name` is where the store keeps it."""

    def __init__(self, name: str, fetch: Callable[[bool], tuple[str, int]]):
        self._fetch = fetch
        self._name = name
        self._gate = threading.Lock()
        self._failed_at = float("-inf")
        self._forced_at = float("-inf")
        self._mine: tuple[str, float] | None = None   # for the minutes when the store is away

    def current(self) -> str:
        """A token that WeChat has not refused yet. Raises WeChatAway, WeChatRefused."""
        return self._known() or self.renew(None)

    def renew(self, refused: str | None) -> str:
        """A token other than `refused`, where WeChat gives one; the same again means that it does not.

        With the store away each process asks for itself: stable_token repeats the same token, so that is harmless.
        """
        began = time.monotonic()
        with self._gate:   # the threads of this process queue here, not at Redis
            if self._failed_at >= began:
                raise WeChatAway("the token call failed while we waited")   # eight threads do not wait eight times
            try:
                return self._locked(refused)
            except Exception as e:
                self._failed_at = time.monotonic()
                if isinstance(e, WeChatAway):
                    e.unsure = False   # what the token was wanted for has not been sent
                raise

    def _locked(self, refused: str | None) -> str:
        try:
            with store.lock(f"{self._name}:lock", ttl_seconds=LOCK_SECONDS, wait_seconds=WAIT_SECONDS):
                return self._renew(refused)
        except store.StillLocked:
            known = self._known()
            if known and known != refused:
                return known
        except UNSHARED:
            return self._renew(refused)
        raise WeChatAway("another process is still asking for the token")

    def _renew(self, refused: str | None) -> str:
        known = self._known()
        if known and known != refused:
            return known   # somebody renewed it while we waited
        token, lives_seconds = self._fetch(False)
        if token == refused and self._may_force():
            log.error("wechat refuses the token it gives; asking for another by force")
            token, lives_seconds = self._fetch(True)
        self._keep(token, min(max(lives_seconds - EARLY_SECONDS, SHORTEST_SECONDS), LONGEST_SECONDS))
        return token

    def _known(self) -> str | None:
        try:
            text = store.get(self._name)
        except UNSHARED:
            return self._mine[0] if self._mine and self._mine[1] > time.time() else None
        if not text:
            return None
        until, _, token = text.partition(" ")
        self._mine = (token, float(until))
        return token

    def _keep(self, token: str, ttl_seconds: int) -> None:
        until = time.time() + ttl_seconds
        self._mine = (token, until)
        try:
            store.put(self._name, f"{until:.0f} {token}", ttl_seconds)
        except UNSHARED:
            log.warning("wechat token kept by this process alone")

    def _may_force(self) -> bool:
        try:
            return store.put_once(f"{self._name}:forced", "1", FORCE_EVERY_SECONDS)
        except UNSHARED:
            last, self._forced_at = self._forced_at, time.monotonic()
            return self._forced_at - last > FORCE_EVERY_SECONDS


def unix_now() -> int:
    """The time as WeChat has it: what is signed for WeChat does not move with the demo's clock."""
    return int(time.time())
