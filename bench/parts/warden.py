"""Ends what a run left behind, however the run ended: a small process that waits for its parent's end.

Lines on its standard input: "+PID" or "+/folder" to look after, "-PID" or "-/folder" once that is no longer needed. At the end of the
input, which a kill -9 of the parent brings too, every process still named is killed with all below it, then the folders go.
PR_SET_PDEATHSIG would not do: the kernel forgets it when a database server drops root's rights, and it ends no grandchildren.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path


class Warden:
    """The parent's side; started with the first thing to look after."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def watch(self, what: int | Path) -> None:
        self._say("+", what)

    def forget(self, what: int | Path) -> None:
        self._say("-", what)

    def _say(self, sign: str, what: int | Path) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen([sys.executable, "-S", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True)
            assert self._process.stdin is not None
            self._process.stdin.write(f"{sign}{what}\n")
            self._process.stdin.flush()


def family(pid: int) -> list[int]:
    """The process and all below it that live, parents first; empty when it is gone. A zombie is gone."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent_of(int(entry))) is not None:
            children.setdefault(parent, []).append(int(entry))
    found = [pid] if _parent_of(pid) is not None else []
    for one in found:
        found += children.get(one, [])
    return found


def signal_all(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def remove(folder: Path) -> None:
    """With everything below it; a small disk mounted there first."""
    while os.path.ismount(folder):
        subprocess.run(["umount", "-l", str(folder)], check=True)
    shutil.rmtree(folder, ignore_errors=True)


def _parent_of(pid: int) -> int | None:
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state in "ZX" else int(parent)


def main() -> None:
    named: dict[str, None] = {}
    for line in sys.stdin:
        if line[0] == "+":
            named[line[1:].strip()] = None
        else:
            named.pop(line[1:].strip(), None)
    for name in filter(str.isdigit, named):
        signal_all(family(int(name)), signal.SIGKILL)
    for name in reversed([name for name in named if not name.isdigit()]):   # what was mounted last goes first
        remove(Path(name))


WARDEN = Warden()

if __name__ == "__main__":
    main()
