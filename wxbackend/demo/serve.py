"""``python app.py``: prepare, start the simulated WeChat beside it, serve, and say where everything is."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from config.demo_env import demo_file, remember
from config.settings import ROOT
from wxbackend.demo import REFERENCE

ROOT_PORT, SIMULATOR_DISTANCE, PORTS_TRIED = 8000, 100, 50
PR_SET_PDEATHSIG = 1


def main() -> None:
    if os.environ.get("ENVIRONMENT", "demo") != "demo":
        sys.exit("python app.py runs the demo. In production: granian --interface rsgi --factory wxbackend.front:create "
                 "(see docs/operators.md)")
    wanted = int(os.environ.get("PORT", ROOT_PORT))
    port = free_port(wanted)
    simulator_port = free_port(port + SIMULATOR_DISTANCE)
    if port != wanted:
        print(f"port {wanted} is taken, using {port}", flush=True)
    app_url, simulator_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{simulator_port}"
    roots = dict.fromkeys(("WECHAT_API_ROOT", "WECHAT_OPEN_ROOT", "WECHAT_MP_ROOT"), simulator_url)
    values = {"PUBLIC_URL": app_url, "PORT": str(port)} | roots
    remember(**values)
    os.environ.update(values)
    # A filled demo is served while its passwords are still being made: both load the app, and there are two cores.
    preparing = Preparing()
    if not looks_filled(Path(demo_file().parent, "wxbackend.db")):
        preparing.wait()
    simulator = start_simulator(simulator_port, app_url)
    try:
        serve(port, lambda: print(story(app_url, simulator_url, preparing.wait()), flush=True))
    finally:
        simulator.terminate()


def free_port(wanted: int) -> int:
    """`wanted`, or the next one nobody listens on."""
    for port in range(wanted, wanted + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit(f"no free port from {wanted} on")


class Preparing:
    """`wxbackend.demo.prepare` under way in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "wxbackend.demo.prepare"], stdout=subprocess.PIPE, text=True)
        self._said = ""

    def wait(self) -> list[dict[str, str]]:
        """The staff's accounts, once it is done; its failure ends the demo."""
        self._said = self._said or self._process.communicate()[0]
        if self._process.returncode != 0:
            os.kill(os.getpid(), signal.SIGINT)   # from whichever thread: the launcher stops its server, too
            sys.exit(self._process.returncode)
        return json.loads(self._said.splitlines()[-1])


def looks_filled(file: Path) -> bool:
    """Whether the database is at this version's tables and the reference campaign is still open, asked without loading the app."""
    head = max(path.name[:4] for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            version = database.execute("SELECT version_num FROM alembic_version").fetchone()
            running = database.execute("SELECT 1 FROM campaign WHERE slug = ? AND closes_at > ?", (REFERENCE, now)).fetchone()
    except sqlite3.Error:
        return False
    return "DATABASE_URL" not in os.environ and version == (head,) and running is not None


def start_simulator(port: int, app_url: str) -> subprocess.Popen[bytes]:
    from config.demo_env import settings_from_env

    settings = settings_from_env()
    names = ("account_appid", "account_secret", "account_token", "account_aes_key", "account_name",
             "miniprogram_appid", "miniprogram_secret", "miniprogram_token", "miniprogram_aes_key", "account_kind", "account_oauth",
             "account_qr", "account_template", "notice_template", "apps_bound")
    env = os.environ | {name.upper(): str(getattr(settings, name)) for name in names}
    return subprocess.Popen([sys.executable, "-m", "simulator", "--port", str(port), "--app-url", app_url], env=env,
                            stdout=subprocess.DEVNULL, preexec_fn=_die_with_parent if sys.platform == "linux" else None)


def _die_with_parent() -> None:
    # A launcher killed outright must not leave the simulator on its port.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def serve(port: int, when_ready: Callable[[], None]) -> None:
    import threading

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    threading.Thread(target=_say_when_ready, args=(f"http://127.0.0.1:{port}/healthz", when_ready), daemon=True).start()
    Granian("wxbackend.demo.server:create", factory=True, address="127.0.0.1", port=port, interface=Interfaces.RSGI,
            workers=1, log_level=LogLevels.error).serve()


def _say_when_ready(url: str, when_ready: Callable[[], None]) -> None:
    while not multiprocessing.active_children():   # an import or lookup under way here while the worker is forked would lock it for good
        time.sleep(0.05)
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            when_ready()
            return
        except OSError:
            time.sleep(0.1)


def story(app_url: str, simulator_url: str, accounts: list[dict[str, str]]) -> str:
    people = "\n".join(f"                    {a['username']}  {a['password']}   ({a['name']}, {a['role']})" for a in accounts)
    return f"""
  wxbackend demo is ready. Nothing here talks to WeChat; votes and draws are real.

  simulated phone   {simulator_url}/      scan, vote, take the screenshot, send it; move the clock to midnight, closing, draw
  voter page        {app_url}/c/futian-2021-reform?s=article   (open it from the simulated phone)
  staff site        {app_url}/admin/      two people, since a draw needs two:
{people}
  API               {app_url}/openapi.json   docs: {app_url}/docs

  The passwords hold until the next start; moving the clock far ahead ends a login, so log in again.
  Ctrl-C stops it; the data stay in {demo_file().parent}. `make clean-demo` begins afresh.
"""
