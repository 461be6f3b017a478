"""``make bench-start``: how fast the demo is ready, what it keeps in memory, what the voter page weighs.

Starts the real demo twice on an empty folder: the first start migrates and fills it, the second finds it full.
Prints a table; with BENCH_OUT set the figures go there as JSON. A benchmark, not a test: it judges nothing.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

ROOT = Path(__file__).resolve().parent.parent
SLUG = "futian-2021-reform"
LONGEST_START_SECONDS = 600
SETTLE_SECONDS = 5
READY = "demo is ready"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wxbackend-bench-") as folder:
        figures: dict[str, Any] = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": [load()]}
        with demo(folder) as (seconds, _said, _pid):
            figures["first_start_seconds"] = seconds
        figures["load"].append(load())
        with demo(folder) as (seconds, said, pid):
            figures["second_start_seconds"] = seconds
            figures["voter_page"] = voter_page(*addresses(said))
            time.sleep(SETTLE_SECONDS)
            figures["processes"] = processes(pid)
    figures["load"].append(load())
    for kind in ("rss", "pss"):
        figures[f"{kind}_mb"] = round(sum(p[f"{kind}_mb"] for p in figures["processes"]), 1)
    show(figures)
    if os.environ.get("BENCH_OUT"):
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load() -> float:
    """How many processes wanted to run in the last minute: with more than the CPUs, times say little."""
    return round(os.getloadavg()[0], 2)


@contextmanager
def demo(folder: str) -> Iterator[tuple[float, str, int]]:
    """(seconds until it said that it is ready, what it said, its process id); ended by Ctrl-C's signal."""
    env = os.environ | {"INSTANCE_DIR": folder, "PORT": str(free_port()), "PYTHONUNBUFFERED": "1"}
    env.pop("DATABASE_URL", None)
    env.pop("REDIS_URL", None)
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        said = ""
        while READY not in said:
            line = process.stdout.readline()
            if not line or time.monotonic() - began > LONGEST_START_SECONDS:
                sys.exit("the demo did not start:\n" + said)
            said += line
        seconds = round(time.monotonic() - began, 2)
        while "Ctrl-C" not in said and (line := process.stdout.readline()):
            said += line
        yield seconds, said, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def addresses(said: str) -> tuple[str, str]:
    """(app, simulated phone) as the demo printed them."""
    found = [re.search(pattern, said) for pattern in (r"staff site\s+(http\S+?)/admin/", r"simulated phone\s+(http\S+?)/\s")]
    return tuple(m.group(1) for m in found if m)   # type: ignore[return-value]


def voter_page(app: str, phone: str) -> dict[str, int]:
    """Bytes of the page with its captcha inside, of its styles and script; as sent, and as a compressing proxy would send them."""
    browser = requests.Session()
    browser.headers["Accept-Encoding"] = "identity"
    browser.get(phone, timeout=20)                           # the cookies by which 127.0.0.1 is a phone with WeChat
    page = browser.get(f"{app}/c/{SLUG}?s=article", timeout=20)
    assert "captcha_id" in page.text, page.url
    linked = re.findall(r'<(?:link rel="stylesheet" href|script src)="([^"]+)"', page.text)
    captcha = re.search(r'src="(data:image/jpeg[^"]+)"', page.text)
    files = {url.partition("?")[0].rpartition("/")[2]: browser.get(urljoin(app, url), timeout=20).content for url in linked}
    parts = {"html": page.content} | files
    return {name: len(body) for name, body in parts.items()} | {
        "captcha_in_html": len(captcha.group(1)) if captcha else 0, "total": sum(map(len, parts.values())),
        "total_gzip": sum(len(gzip.compress(body, 6)) for body in parts.values())}


def processes(pid: int) -> list[dict[str, Any]]:
    """The process and all below it. PSS counts shared pages once, split among those who share them."""
    parents = {int(p.name): _status(p, "PPid") for p in Path("/proc").iterdir() if p.name.isdigit()}
    family = [pid]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return [{"pid": one, "what": _what(one), "rss_mb": round(_status(Path(f"/proc/{one}"), "VmRSS") / 1024, 1), "pss_mb": _pss_mb(one)}
            for one in family]


def _status(process: Path, key: str) -> int:
    try:
        found = re.search(rf"^{key}:\s+(\d+)", (process / "status").read_text(), re.M)
    except OSError:   # it ended meanwhile
        return 0
    return int(found.group(1)) if found else 0


def _pss_mb(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return round(int(found.group(1)) / 1024, 1) if found else 0.0


def _what(pid: int) -> str:
    """launcher, server or simulator."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return "simulator" if "simulator" in words else "server" if _status(Path(f"/proc/{pid}"), "VmRSS") > 80_000 else "launcher"


def show(figures: dict[str, Any]) -> None:
    print(f"\nPython {figures['python']}, {figures['cpus']} CPUs, load {' → '.join(map(str, figures['load']))} while it ran\n")
    rows = [("first start until ready (migrates, fills)", f"{figures['first_start_seconds']:.1f} s"),
            ("second start until ready", f"{figures['second_start_seconds']:.1f} s")]
    rows += [(f"memory, {p['what']}", f"{p['rss_mb']:.0f} MB resident ({p['pss_mb']:.0f} MB proportional)") for p in figures["processes"]]
    rows += [("memory, all", f"{figures['rss_mb']:.0f} MB resident ({figures['pss_mb']:.0f} MB proportional)")]
    rows += [(f"voter page, {name.replace('_', ' ')}", f"{size / 1000:.1f} kB") for name, size in figures["voter_page"].items()]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))


if __name__ == "__main__":
    main()
