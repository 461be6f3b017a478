"""REDIS_URL=spawn: a private redis-server on a Unix socket in the instance folder, kept in memory only.

It ends with the process that started it: at a normal exit by us, at a kill -9 by the kernel (Linux). Processes of one
instance folder share it.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import redis

from wxbackend.store.connection import StoreRefused, connect

START_SECONDS = 5.0
LONGEST_SOCKET_PATH = 100   # the kernel allows 107 bytes
_guard = threading.Lock()

# Runs between us and redis-server: asks for SIGTERM at our death (PR_SET_PDEATHSIG is 1), then becomes it. A hook in
# the fork itself would run Python in the child of a process with many threads.
BECOME = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 15)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def socket_of(instance_dir: Path) -> Path:
    """The socket of the folder's running server, started if nobody did. Raises StoreRefused when it does not start."""
    folder = instance_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    socket = _socket_path(folder)
    with _guard, (folder / "redis.lock").open("a") as file:
        import fcntl
        fcntl.flock(file, fcntl.LOCK_EX)   # two processes that start together start one server
        if not _answers(socket):
            _start(folder, socket)
    return socket


def _socket_path(folder: Path) -> Path:
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path(tempfile.gettempdir(), f"wxbackend-{os.getuid()}-{digest}")
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink() or short.stat().st_uid != os.getuid():
        raise StoreRefused(f"{short} belongs to somebody else: choose a shorter INSTANCE_DIR")
    return short / "redis.sock"


def _answers(socket: Path) -> bool:
    try:
        return bool(connect(f"unix://{socket}").ping())
    except (redis.RedisError, OSError):
        return False


def _start(folder: Path, socket: Path) -> None:
    program = shutil.which("redis-server")
    if program is None:
        raise StoreRefused("REDIS_URL=spawn needs redis-server on this machine (apt install redis-server), or leave REDIS_URL empty")
    command = [sys.executable, "-I", "-S", "-c", BECOME, str(os.getpid()), program, "--port", "0", "--unixsocket", str(socket),
               "--unixsocketperm", "700", "--save", "", "--appendonly", "no", "--dir", str(folder),
               "--pidfile", str(folder / "redis.pid"), "--daemonize", "no", "--logfile", str(folder / "redis.log")]
    process = _keep(command)
    atexit.register(_end, process, os.getpid(), folder, socket)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(socket):
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process, os.getpid(), folder, socket)
            raise StoreRefused(f"redis-server did not start: {folder / 'redis.log'} says why")
        time.sleep(0.01)


def _keep(command: list[str]) -> subprocess.Popen[bytes]:
    """Start from a thread that lives as long as the process: the kernel's signal comes at the death of the starting *thread*."""
    started: queue.Queue[subprocess.Popen[bytes] | OSError] = queue.Queue()

    def keep() -> None:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       start_new_session=True)   # Ctrl-C is for us; we end it afterwards
        except OSError as e:
            started.put(e)
            return
        started.put(process)
        process.wait()

    threading.Thread(target=keep, name="redis-server", daemon=True).start()
    process = started.get()
    if isinstance(process, OSError):
        raise StoreRefused(f"redis-server did not start: {process}")
    return process


def _end(process: subprocess.Popen[bytes], owner: int, folder: Path, socket: Path) -> None:
    if os.getpid() != owner or process.poll() is not None:
        return   # a forked child does not end its parent's server
    process.terminate()
    if socket.parent != folder:
        shutil.rmtree(socket.parent, ignore_errors=True)
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
