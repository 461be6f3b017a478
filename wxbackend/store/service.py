"""The store's verbs. Each raises StoreAway when Redis is away or slower than 100 ms; callers decide what then (DESIGN §7)."""

from __future__ import annotations

import contextlib
import hashlib
import math
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
from flask import Flask, current_app
from redis.exceptions import NoScriptError

from wxbackend.store.connection import Connection, StoreAway
from wxbackend.store.local import Buckets, Limit, Verdict


class StillLocked(Exception):
    """Somebody else held the lock for the whole wait."""


class Script:
    """Lua files beside this one, called by their hash and sent in full only to a server that does not know them."""

    def __init__(self, *names: str) -> None:
        self.text = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in names)
        self.sha = hashlib.sha1(self.text.encode()).hexdigest()

    def __call__(self, client: redis.Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        try:
            return client.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self.text, len(keys), *keys, *args)

    def each(self, client: redis.Redis, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Many calls, one round trip. Each call stands alone: a server that learns the script between two of them runs none twice."""
        answers = self._sent(client, calls)
        missed = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if missed:
            client.script_load(self.text)
            for n, answer in zip(missed, self._sent(client, [calls[n] for n in missed]), strict=True):
                answers[n] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _sent(self, client: redis.Redis, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        with client.pipeline(transaction=False) as pipeline:
            for keys, args in calls:
                pipeline.evalsha(self.sha, len(keys), *keys, *args)
            return pipeline.execute(raise_on_error=False)


TAKE, ADMIT, UNLOCK = Script("limits.lua", "take.lua"), Script("limits.lua", "admit.lua"), Script("unlock.lua")


def init_app(app: Flask) -> None:
    """Remember where Redis is; connecting waits for the first use, so that a command beside a running server needs none."""
    settings = app.extensions["settings"]
    app.extensions["store"] = Connection(settings, app.config.setdefault("STORE_NAMESPACE", settings.store_namespace))
    app.extensions["store_buckets"] = Buckets()


def connection() -> Connection:
    return current_app.extensions["store"]


def put_once(name: str, value: str, ttl_seconds: float) -> bool:
    """Keep `value` unless the name is taken; True for exactly one of many callers.

    Away: StoreAway, and it may or may not be kept. Never the only guard of something that must not happen twice.
    """
    return bool(_run(lambda c, key: c.set(key, value, px=_ms(ttl_seconds), nx=True), "v", name))


def put(name: str, value: str, ttl_seconds: float) -> None:
    """Keep `value`, replacing what was there. Away: StoreAway."""
    _run(lambda c, key: c.set(key, value, px=_ms(ttl_seconds)), "v", name)


def get(name: str) -> str | None:
    """The value, or None when there is none or it ran out. Away: StoreAway; readers of caches go to the source."""
    return _run(lambda c, key: c.get(key), "v", name)


def pop_once(name: str) -> str | None:
    """The value, taken away in the same step: one of many callers gets it, the others None.

    Away: StoreAway; the value may be gone, so what it allowed must be asked for again.
    """
    return _run(lambda c, key: c.getdel(key), "v", name)


def drop(name: str) -> None:
    """Forget a value, there or not. Away: StoreAway, and the value stays until it runs out."""
    _run(lambda c, key: c.delete(key), "v", name)


def take(limits: Sequence[Limit]) -> Verdict:
    """Count one call against every limit, or against none if any is used up; one round trip.

    Away: StoreAway; callers use `take_locally`.
    """
    if not limits:
        return Verdict(True)
    keys = [_key("t", f"{limit.name}:{limit.per_seconds}") for limit in limits]
    args = [number for limit in limits for number in (limit.count, limit.per_seconds * 1000)]
    allowed, wait_ms, refusing = connection().run(lambda c: TAKE(c, keys, args))
    return Verdict(True) if allowed else Verdict(False, max(1, math.ceil(wait_ms / 1000)), limits[refusing - 1].name)


@dataclass(frozen=True)
class Admission:
    """What one vote asks of Redis. `flag`, `once` and the limit's name stand under the owner whom the session names (see `name_of`)."""

    session: str                # name of the session's value
    flag: str                   # refuses at once where it stands, and is set where the call passes
    flag_value: str
    flag_seconds: float
    once: str                   # the value that serves once
    limit: Limit


@dataclass(frozen=True)
class Admitted:
    """`word`: unknown, flagged, often, spent or passed, as admit.lua says them."""

    word: str
    session: str = ""
    value: str = ""
    retry_after_seconds: int = 0


def admit(asks: Sequence[Admission]) -> list[Admitted]:
    """Each ask's session, flag, limit and once-value in one step, all of them in one round trip; answers in order.

    Away: StoreAway, and some may have been counted and taken. Whoever passed and is not served afterwards is given a fresh value.
    """
    redis = connection()
    answers = redis.run(lambda c: ADMIT.each(c, [_admission(ask, redis.namespace) for ask in asks]))
    return [Admitted(word, session, value, math.ceil(wait_ms / 1000)) for word, session, value, wait_ms in answers]


def _admission(ask: Admission, namespace: str) -> tuple[list[str], list[Any]]:
    tag, limit = ask.session.partition("}")[0] + "}:", ask.limit
    return [f"{namespace}:v:{ask.session}"], [f"{namespace}:v:{tag}", f"{namespace}:t:{tag}", ask.flag, ask.flag_value,
                                              _ms(ask.flag_seconds), ask.once, f"{limit.name}:{limit.per_seconds}", limit.count,
                                              limit.per_seconds * 1000]


SHARDS = 4096   # hash tags in use: enough to spread over any cluster, too few to tell anybody by


def shard_of(owner: str) -> str:
    """Three hex characters: the hash tag under which everything of one owner lies, on one node of a cluster."""
    return f"{int.from_bytes(hashlib.sha256(owner.encode()).digest()[:2]) % SHARDS:03x}"


def name_of(owner: str, what: str) -> str:
    """A value's or a limit's name under its owner: "{0a3}:<owner>:captcha"."""
    return f"{{{shard_of(owner)}}}:{owner}:{what}"


def take_locally(limits: Sequence[Limit], at: datetime) -> Verdict:
    """`take` from this process's own buckets, for while Redis is away. Needs no Redis."""
    return current_app.extensions["store_buckets"].take(limits, at)


@contextlib.contextmanager
def lock(name: str, ttl_seconds: float, wait_seconds: float) -> Iterator[None]:
    """Hold `name` alone, for `ttl_seconds` at most, after waiting `wait_seconds` at most. Raises StillLocked.

    A convenience against double work, not a guard: it may run out while held. Away: StoreAway before the block; a lock that
    cannot be given back runs out by itself.
    """
    key, token = _key("l", name), secrets.token_hex(16)
    deadline = time.monotonic() + wait_seconds
    while not connection().run(lambda c: c.set(key, token, px=_ms(ttl_seconds), nx=True)):
        if time.monotonic() >= deadline:
            raise StillLocked(name)
        time.sleep(random.uniform(0.005, 0.02))
    try:
        yield
    finally:
        with contextlib.suppress(StoreAway):
            connection().run(lambda c: UNLOCK(c, [key], [token]))


def ping() -> bool:
    """Whether Redis answers; the one verb that says so instead of raising StoreAway.

    A server calls it before its first request, to hear StoreRefused (embedded store held elsewhere, Redis too old) at once.
    """
    try:
        return bool(connection().run(lambda c: c.ping()))
    except StoreAway:
        return False


def _run(work: Any, kind: str, name: str) -> Any:
    key = _key(kind, name)
    return connection().run(lambda c: work(c, key))


def _key(kind: str, name: str) -> str:
    """wx:v:… a value, wx:t:… a limit, wx:l:… a lock."""
    return f"{connection().namespace}:{kind}:{name}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
