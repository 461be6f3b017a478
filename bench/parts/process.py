"""A part: a server process with its data, that can be killed, frozen and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.parts.warden import WARDEN, family, remove, signal_all

P = TypeVar("P", bound="Part")
START_SECONDS, END_SECONDS = 60.0, 30.0
TICK_SECONDS = 0.02


class PartMissing(Exception):
    """A program this part needs is not on this machine; the text says which and how to get it."""


class Part:
    """One server in a folder of its own. Below it: what to run (`command`), as whom, and when it answers."""

    name = "part"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, user: str | None = None) -> None:
        self.folder, self.user, self.port = folder, _user(user), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if self.user:
            shutil.chown(folder, self.user)

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def answers(self) -> bool:
        """Whether it serves requests; OSError counts as no."""
        raise NotImplementedError

    def before_start(self) -> None:
        """What a kill -9 left in the way of a start."""

    def start(self) -> None:
        """Start, again on the same data if there are any, and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start and do not wait."""
        self.before_start()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.working_folder(), env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True, **as_user(self.user))
        WARDEN.watch(self.process.pid)

    def working_folder(self) -> Path:
        return self.folder

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Until it answers. Raises RuntimeError with the end of its log when it ended or took too long."""
        until = time.monotonic() + seconds
        while not self._answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start:\n{self.said()}")
            time.sleep(TICK_SECONDS)

    def said(self, lines: int | None = 30) -> str:
        """The end of its log, or all of it."""
        log = self.folder / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-(lines or 0):]) if log.exists() else ""

    def pids(self) -> list[int]:
        """The process and all below it that live."""
        return family(self.process.pid) if self.process else []

    def kill9(self) -> None:
        """kill -9 of all its processes at once; returns when the last is gone."""
        pids = self.pids()
        signal_all(pids, signal.SIGKILL)
        self._gone(pids)

    def stop(self) -> float:
        """Ask it to end, as systemd does, and wait; the seconds it took. One that does not end in time is killed."""
        pids, began = self.pids(), time.monotonic()
        if self.process is not None:
            signal_all([self.process.pid], self.stop_signal)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill9()
            self._gone(pids)
        return time.monotonic() - began

    def freeze(self) -> None:
        """Hung, not dead: SIGSTOP of all its processes. Connections stay open and nothing answers."""
        signal_all(self.pids(), signal.SIGSTOP)

    def thaw(self) -> None:
        signal_all(self.pids(), signal.SIGCONT)

    def end(self) -> None:
        """For good, without ceremony."""
        if self.process is not None and self.process.poll() is None:
            self.kill9()

    def _answers(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False

    def _gone(self, pids: Sequence[int]) -> None:
        assert self.process is not None
        self.process.wait(END_SECONDS)
        WARDEN.forget(self.process.pid)
        until = time.monotonic() + END_SECONDS
        while any(family(pid) for pid in pids):   # a server's children hold its files until they are gone, too
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not go away")
            time.sleep(TICK_SECONDS)


class Given:
    """A server named by the environment: used as it is, out of our hands."""

    name = "given"

    def __init__(self, url: str) -> None:
        self.url = url

    def pids(self) -> list[int]:
        return []


@contextmanager
def own_folder(name: str, size: str = "") -> Iterator[Path]:
    """A temporary folder; with `size` ("64m") a small disk of its own, for which one has to be root. Gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"wxbackend-{name}-"))
    WARDEN.watch(folder)
    try:
        if size:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "wxbackend", str(folder)], check=True)
        folder.chmod(0o711)   # a server that runs as somebody else passes through
        yield folder
    finally:
        remove(folder)
        WARDEN.forget(folder)


@contextmanager
def running(part: P) -> Iterator[P]:
    try:
        part.start()
        yield part
    finally:
        part.end()


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time these processes have used so far, their threads included; who is gone counts nothing."""
    ticks = 0
    for pid in pids:
        try:
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, package: str, *elsewhere: str) -> str:
    """The path of a program, in PATH or in one of the folders `elsewhere`, the last first. Raises PartMissing."""
    for folder in (os.environ.get("PATH", ""), *sorted(elsewhere, reverse=True), "/usr/sbin", "/usr/local/sbin"):
        if found := shutil.which(name, path=folder):
            return found
    raise PartMissing(f"{name} is not on this machine: apt install {package}")


def as_user(user: str | None) -> dict[str, Any]:
    """What subprocess needs to run something as somebody else; nothing where we are not root."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _user(name: str | None) -> str | None:
    """The user to become, where we are root and it exists: initdb and mariadbd refuse root."""
    if name is None or os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        return None
