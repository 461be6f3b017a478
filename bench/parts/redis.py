"""A Redis of one run."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bench.parts.process import Given, Part, own_folder, program, running


class Redis(Part):
    name = "Redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [program("redis-server", "redis-server"), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder),
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"]

    def answers(self) -> bool:
        """Loaded, too: while it reads its file back it answers -LOADING."""
        with socket.create_connection(("127.0.0.1", self.port), 1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")


@contextmanager
def own_redis() -> Iterator[Redis | Given]:
    """A Redis of this run. Raises PartMissing."""
    if os.environ.get("BENCH_REDIS_URL"):
        yield Given(os.environ["BENCH_REDIS_URL"])
        return
    with own_folder("redis") as folder, running(Redis(folder)) as part:
        yield part
