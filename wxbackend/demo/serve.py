"""``python app.py``: prepare, start the simulated WeChat beside it, serve, and say where everything is."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from config.demo_env import demo_file, remember

ROOT_PORT, SIMULATOR_DISTANCE, PORTS_TRIED = 8000, 100, 50
PR_SET_PDEATHSIG = 1


def main() -> None:
    if os.environ.get("ENVIRONMENT", "demo") != "demo":
        sys.exit("python app.py runs the demo. In production: granian --interface wsgi --factory app:create_app (see docs/operators.md)")
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
    accounts = prepare()
    simulator = start_simulator(simulator_port, app_url)
    try:
        serve(port, lambda: print(story(app_url, simulator_url, accounts), flush=True))
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


def prepare() -> list[dict[str, str]]:
    done = subprocess.run([sys.executable, "-m", "wxbackend.demo.prepare"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout.splitlines()[-1])


def start_simulator(port: int, app_url: str) -> subprocess.Popen[bytes]:
    from config.demo_env import settings_from_env

    settings = settings_from_env()
    names = ("account_appid", "account_secret", "account_token", "account_aes_key", "account_name",
             "miniprogram_appid", "miniprogram_secret", "miniprogram_token", "miniprogram_aes_key")
    env = os.environ | {name.upper(): str(getattr(settings, name)) for name in names}
    return subprocess.Popen([sys.executable, "-m", "simulator", "--port", str(port), "--app-url", app_url], env=env,
                            stdout=subprocess.DEVNULL, preexec_fn=_die_with_parent if sys.platform == "linux" else None)


def _die_with_parent() -> None:
    # A launcher killed outright must not leave the simulator on its port.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def serve(port: int, when_ready) -> None:
    import threading

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    threading.Thread(target=_say_when_ready, args=(f"http://127.0.0.1:{port}/healthz", when_ready), daemon=True).start()
    Granian("wxbackend.demo.server:create", factory=True, address="127.0.0.1", port=port, interface=Interfaces.WSGI,
            workers=1, blocking_threads=16, log_level=LogLevels.error).serve()


def _say_when_ready(url: str, when_ready) -> None:
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
