"""Real server processes for the races: granian on free ports, one database, one Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.parts import environment_of, granian
from bench.parts.server import TARGET
from config.settings import Settings
from tests.journeys.conftest import free_port


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """kill -9 of the whole group: launcher and worker."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(settings: Settings, port: int | None = None) -> Server:
    """One granian worker with eight threads; not yet ready."""
    port = port or free_port()
    command = granian(port, 8, 1, TARGET, "--log-level", "error")
    return Server(port, subprocess.Popen(command, env=os.environ | environment_of(settings), start_new_session=True))


def wait_until_ready(servers: Sequence[Server], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    for server in servers:
        while True:
            try:
                urllib.request.urlopen(server.url + "/healthz", timeout=1).close()
                break
            except OSError:
                assert server.process.poll() is None, "a server process ended by itself"
                assert time.monotonic() < until, "servers did not come up"
                time.sleep(0.1)


@contextmanager
def running(settings: Settings, count: int) -> Iterator[list[Server]]:
    servers = [start(settings) for _ in range(count)]
    try:
        wait_until_ready(servers)
        yield servers
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()
