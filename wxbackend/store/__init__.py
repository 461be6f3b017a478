"""Redis behind named operations. Whatever is kept here may vanish; the database is the truth.

`from wxbackend import store`, then `store.put_once(…)`. Names are given by callers; keys and scripts stay in this room.
`store.kind` is "embedded" (in this process), "server" (REDIS_URL) or "spawned" (REDIS_URL=spawn).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wxbackend.store.connection import StoreAway, StoreRefused
from wxbackend.store.local import Limit, Verdict
from wxbackend.store.service import (
    Admission,
    Admitted,
    StillLocked,
    admit,
    drop,
    get,
    init_app,
    lock,
    name_of,
    ping,
    pop_once,
    put,
    put_once,
    shard_of,
    take,
    take_locally,
)

if TYPE_CHECKING:
    kind: str
else:
    def __getattr__(name: str) -> str:
        if name == "kind":
            from wxbackend.store.service import connection
            return connection().kind
        raise AttributeError(name)

__all__ = ["Admission", "Admitted", "Limit", "StillLocked", "StoreAway", "StoreRefused", "Verdict", "admit", "drop", "get", "init_app",
           "kind", "lock", "name_of", "ping", "pop_once", "put", "put_once", "shard_of", "take", "take_locally"]
