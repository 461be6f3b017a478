"""The store inside this process, and the lock file that keeps a second process out."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import IO

import redis

from wxbackend.store.connection import StoreRefused

_guard = threading.Lock()
_held: weakref.WeakValueDictionary[Path, Hold] = weakref.WeakValueDictionary()


def client() -> redis.Redis:
    """A new empty store: fakeredis, imported only here since it brings a Lua."""
    import fakeredis
    server = fakeredis.FakeServer(version=(7,))
    return fakeredis.FakeRedis(server=server, decode_responses=True, max_connections=10_000)


class Hold:
    """An instance folder held by this process while the object lives; apps of one process share it."""

    def __init__(self, path: Path) -> None:
        self.pid = os.getpid()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+")
        if not _lock_now(self._file):
            self._file.close()
            raise StoreRefused(f"another process holds {path}: the embedded Redis serves one process; set REDIS_URL for more")

    def close(self) -> None:
        """Closing, not unlocking: a child that lets go must not let its parent's lock go."""
        if hasattr(self, "_file"):
            self._file.close()

    __del__ = close


def hold(instance_dir: Path) -> Hold:
    """The folder's exclusive lock, taken once a process; the kernel frees it when the process ends, however it ends.

    A forked child shares its parent's open file, and with it the lock: it closes that and must get its own. Raises StoreRefused.
    """
    path = instance_dir.resolve() / "store.lock"
    with _guard:
        mine = _held.get(path)
        if mine is None or mine.pid != os.getpid():
            if mine is not None:
                mine.close()
            mine = _held[path] = Hold(path)
        return mine


def _lock_now(file: IO[str]) -> bool:
    """Whether the exclusive lock was free; msvcrt on Windows, where fcntl is missing."""
    try:
        try:
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ModuleNotFoundError:
            import msvcrt
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
