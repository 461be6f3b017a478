"""What a check is: a small function with a name and a time limit. One that raises, or hangs, is a finding like any other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from flask import current_app

from wxbackend.extensions import reads_only

SECONDS = 20.0


class Level(StrEnum):
    GOOD = "好"
    NOTE = "要留意"
    WRONG = "不行"


@dataclass(frozen=True)
class Finding:
    """A fact, and for whatever is not good the next step."""

    level: Level
    said: str
    todo: str = ""


Look = Callable[[datetime], Iterable[Finding]]
L = TypeVar("L", bound=Look)


@dataclass(frozen=True)
class Check:
    name: str
    title: str
    seconds: float
    look: Look


REGISTRY: dict[str, Check] = {}   # in the order in which they are asked


def check(name: str, title: str, seconds: float = SECONDS) -> Callable[[L], L]:
    """Register a function that looks at one thing at the instant `at` and yields what it found."""
    def register(look: L) -> L:
        REGISTRY[name] = Check(name, title, seconds, look)
        return look

    return register


def good(said: str) -> Finding:
    return Finding(Level.GOOD, said)


def note(said: str, todo: str) -> Finding:
    return Finding(Level.NOTE, said, todo)


def wrong(said: str, todo: str) -> Finding:
    return Finding(Level.WRONG, said, todo)


def run(asked: Check, at: datetime) -> list[Finding]:
    """What a check finds within its time, in a thread and an app context of its own; never empty, never raises.

    Of an error only the class is told: its text may hold an address with a token in it, or a row of the database.
    """
    app, found = current_app._get_current_object(), []   # type: ignore[attr-defined]

    def work() -> None:
        reads_only.set(True)   # on SQLite a look must not wait for, nor hold up, whoever writes
        with app.app_context():
            try:
                found.append(list(asked.look(at)))
            except Exception as e:
                found.append([wrong(f"没有查成（{type(e).__name__}）。", "先看别的几项；都好了还这样，请把这一行发给开发人员。")])

    thread = threading.Thread(target=work, daemon=True, name=f"doctor-{asked.name}")
    thread.start()
    thread.join(asked.seconds)
    if thread.is_alive():
        return [wrong(f"等了{asked.seconds:g}秒还没有结果。", "多半是网络或数据库不通：先看别的几项，再运行一次。")]
    return found[0] if found and found[0] else [wrong("没有查成。", "请把这一行发给开发人员。")]
