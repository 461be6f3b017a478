"""The product's own server processes, as docs/operators.md starts them."""

from __future__ import annotations

import base64
import os
import re
import secrets
import signal
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.parts.process import END_SECONDS, Part, own_folder
from bench.parts.warden import signal_all
from config.settings import ROOT, Settings

TARGET, INTERFACE = "wxbackend.front:create", "rsgi"
KILL_SECONDS = 25   # after SIGTERM a launcher kills workers that do not end; one that was still loading never hears it
TOLD = re.compile(r"\[INFO\] (Spawning|Started) worker-(\d+)")   # what granian says of its workers


def production(folder: Path | str, database_url: str = "", redis_url: str = "", **changes: Any) -> Settings:
    """Settings as on a real server, with secrets made up for this run. `database_url` "" is SQLite in `folder`."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    made: dict[str, Any] = {
        "environment": "production", "public_url": "http://127.0.0.1", "instance_dir": str(folder), "log_level": "warning",
        "database_url": database_url, "redis_url": redis_url, "secret_key": secrets.token_hex(32), "data_key": key,
        "account_appid": "wxbench000000001", "miniprogram_appid": "wxbench000000002", "apps_bound": True}
    for app in ("account", "miniprogram"):
        made |= {f"{app}_secret": secrets.token_hex(16), f"{app}_token": secrets.token_hex(16), f"{app}_aes_key": key[:43]}
    return Settings(**(made | changes))


def environment_of(settings: Settings) -> dict[str, str]:
    """How settings travel to another process."""
    return {field.name.upper(): str(getattr(settings, field.name)) for field in fields(settings)}


def granian(port: int | str, threads: int = 16, workers: int = 1, target: str = TARGET, *options: str,
            interface: str = INTERFACE) -> list[str]:
    """The command of the production server. An rsgi front has its own threads (the THREADS of the settings)."""
    how = ["--blocking-threads", str(threads)] if interface == "wsgi" else []
    return [sys.executable, "-m", "granian", "--interface", interface, "--factory", "--host", "127.0.0.1", "--port", str(port), "--workers",
            str(workers), *how, "--respawn-failed-workers", "--workers-kill-timeout", str(KILL_SECONDS),
            *options, target]


class Server(Part):
    """One granian with its workers, on one port."""

    name = "server"

    def __init__(self, folder: Path, settings: Settings, command: list[str], extra: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.settings, self._command, self._extra = settings, command, extra

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [word.replace("{port}", str(self.port)) for word in self._command]

    def environment(self) -> dict[str, str]:
        return os.environ | environment_of(self.settings) | dict(self._extra)

    def working_folder(self) -> Path:
        return ROOT

    def before_start(self) -> None:
        (self.folder / "log").unlink(missing_ok=True)   # what it says of its workers is read from there

    def answers(self) -> bool:
        """Every worker has started, and one answers: they share a port, so a single answer says nothing of the others."""
        told = {n: what for what, n in TOLD.findall(self.said(None))}
        with urllib.request.urlopen(self.url + "/healthz", timeout=1) as answer:
            return answer.status == 200 and "Spawning" not in told.values()

    def workers(self) -> list[int]:
        """The processes that serve, without the launcher and Python's own helper."""
        return [pid for pid in self.pids()[1:] if "resource_tracker" not in _command_line(pid)]


class App:
    """Several servers of one installation; `settings` are theirs, so that `create_app(app.settings)` sees the same data."""

    def __init__(self, settings: Settings, servers: list[Server]) -> None:
        self.settings, self.servers = settings, servers

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def pids(self) -> list[int]:
        return [pid for server in self.servers for pid in server.pids()]

    def workers(self) -> list[int]:
        return [pid for server in self.servers for pid in server.workers()]

    def start(self) -> None:
        """All of them, again on the same ports; those that run stay as they are."""
        ended = [server for server in self.servers if not server.pids()]
        for server in ended:
            server.launch()
        self.wait()

    def wait(self) -> None:
        for server in self.servers:
            server.wait()

    def kill9(self, n: int | None = None) -> None:
        """kill -9 of everything at once, or of the n-th worker process alone, which its launcher starts anew."""
        if n is None:
            signal_all([pid for server in self.servers for pid in server.pids()], signal.SIGKILL)
            for server in self.servers:
                server.kill9()
        else:
            workers = self.workers()
            signal_all([workers[n % len(workers)]], signal.SIGKILL)

    def stop(self) -> float:
        """SIGTERM to every server at once; the seconds until the last had ended. Raises RuntimeError when one had to be killed."""
        with ThreadPoolExecutor(len(self.servers)) as pool:
            took = list(pool.map(Server.stop, self.servers))
        if max(took) >= END_SECONDS:
            raise RuntimeError(f"a server did not end by itself within {END_SECONDS:g} s")
        return max(took)

    def freeze(self) -> None:
        signal_all(self.pids(), signal.SIGSTOP)

    def thaw(self) -> None:
        signal_all(self.pids(), signal.SIGCONT)

    def said(self) -> str:
        """The ends of the logs."""
        return "\n".join(server.said() for server in self.servers)


@contextmanager
def own_app(database_url: str = "", redis_url: str = "", processes: int = 1, threads: int = 16, *, workers: int = 1, target: str = TARGET,
            interface: str = INTERFACE, command: list[str] | None = None, env: Mapping[str, str] | None = None,
            settings: Settings | None = None, size: str = "", **changes: Any) -> Iterator[App]:
    """`processes` servers with `workers` each, every server on a port of its own, over one database and one Redis.

    Without `settings` they are made (`production`, with `changes`) and the database is migrated. `target` is another app's factory,
    `command` another server's command with "{port}" in it; /healthz has to answer 200. `env` goes to the processes on top. `size` ("64m")
    puts the instance folder, and SQLite's file with it, on a small disk of its own.
    """
    with own_folder("app", size) as folder:
        if settings is None:
            settings = production(folder, database_url, redis_url, threads=threads, workers=workers, **changes)
            migrate(settings)
        line = command or granian("{port}", threads, workers, target, interface=interface)
        app = App(settings, [Server(_below(folder, n), settings, line, env or {}) for n in range(processes)])
        try:
            app.start()
            yield app
        finally:
            for server in app.servers:
                server.end()


def migrate(settings: Settings) -> None:
    """Bring the database of an installation to this version."""
    from flask_migrate import upgrade

    from wxbackend import create_app
    from wxbackend.extensions import db
    app = create_app(settings)
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()


def _below(folder: Path, n: int) -> Path:
    below = folder / f"server{n}"
    below.mkdir()
    return below


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
