"""``python -m bench.captcha``: what one challenge costs, in CPU and bytes.

Blocks of every family and of a yardstick (SHA-256) take turns, so that a busy machine slows them alike; medians of the blocks. `draw` is
the picture, `make` the whole challenge but for Redis: who may have one, the picture, its MAC, its data URL. With BENCH_OUT set the
figures go there as JSON. A benchmark, not a test: it judges nothing.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import platform
import secrets
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from flask import Flask

from config.settings import Settings
from wxbackend import captcha, store

ROUNDS, BLOCK = 9, 100   # 900 pictures of each kind
AT = datetime(2022, 1, 6, 4, tzinfo=UTC)
YARD = 100               # digests of 64 bytes: what this machine does in the same moment


def main() -> None:
    figures: dict[str, Any] = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    figures |= measure()
    show(figures)
    if os.environ.get("BENCH_OUT"):
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def measure() -> dict[str, Any]:
    """The figures; "captcha_cpu_us" is one challenge of the usual family, all but Redis."""
    passed = store.Verdict(True)   # plain functions: a mock's call costs more than a MAC
    with app().app_context(), mock.patch.multiple(store, put=lambda *_: None, take=lambda _: passed):
        captcha.warm_up()
        figures = measured()
    return figures | {"captcha_cpu_us": figures["families"][captcha.FAMILIES[0]]["make_us"]}


def app() -> Flask:
    """No more than a challenge asks for: settings with keys of the moment."""
    made, word = Flask("bench"), secrets.token_hex(16)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    made.extensions["settings"] = Settings(environment="test", secret_key=word, data_key=key, account_secret=word, account_token=word,
                                           account_aes_key=key[:43])
    return made


def measured() -> dict[str, Any]:
    """{"yardstick_us": …, "families": {"colour": {"draw_us": …, "make_us": …, "bytes": …}}}; µs of CPU of one."""
    chance = secrets.SystemRandom()
    kinds: dict[str, Callable[[], object]] = {"yardstick": yardstick}
    for family in captcha.FAMILIES:
        module = importlib.import_module(f"wxbackend.captcha.{family}")
        kinds |= {f"{family} draw": lambda m=module: m.draw(chance),   # type: ignore[misc]
                  f"{family} make": lambda f=family: captcha.make("nobody", "bench", "vote", AT, family=f)}   # type: ignore[misc]
    blocks: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, work in kinds.items():
            blocks[name].append(block(work))
    us = {name: round(statistics.median(found), 1) for name, found in blocks.items()}
    return {"yardstick_us": us["yardstick"], "families": {
        family: {"draw_us": us[f"{family} draw"], "make_us": us[f"{family} make"]} | sizes(kinds[f"{family} draw"])
        for family in captcha.FAMILIES}}


def block(work: Callable[[], object]) -> float:
    """µs of this thread's CPU for one."""
    work()
    began = time.thread_time()
    for _ in range(BLOCK):
        work()
    return (time.thread_time() - began) / BLOCK * 1e6


def sizes(draw: Callable[[], Any]) -> dict[str, int]:
    found = [len(draw().image) for _ in range(BLOCK)]
    return {"bytes": round(statistics.mean(found)), "most_bytes": max(found)}


def yardstick() -> None:
    for _ in range(YARD):
        hashlib.sha256(b"x" * 64).digest()


def show(figures: dict[str, Any]) -> None:
    print(f"\nPython {figures['python']}, {figures['cpus']} CPUs, load {figures['load']}; "
          f"{ROUNDS * BLOCK} of each, medians of {ROUNDS} blocks\n")
    print(f"{'':12}{'picture':>10}{'challenge':>12}{'÷ yardstick':>14}{'bytes':>8}{'at most':>9}")
    for family, found in figures["families"].items():
        print(f"{family:12}{found['draw_us']:>7.0f} µs{found['make_us']:>9.0f} µs{found['make_us'] / figures['yardstick_us']:>14.1f}"
              f"{found['bytes']:>8}{found['most_bytes']:>9}")
    print(f"{'yardstick':12}{'':>10}{figures['yardstick_us']:>9.0f} µs   {YARD} SHA-256 of 64 bytes")


if __name__ == "__main__":
    main()
