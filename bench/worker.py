"""The product's worker process beside its servers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.parts import Part, environment_of
from bench.parts.process import own_folder, running
from config.settings import ROOT, Settings


class Worker(Part):
    name = "worker"

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(folder)
        self.settings = settings

    def command(self) -> list[str]:
        return [sys.executable, "-m", "flask", "--app", "app", "worker"]

    def environment(self) -> dict[str, str]:
        return os.environ | environment_of(self.settings)

    def working_folder(self) -> Path:
        return ROOT

    def answers(self) -> bool:
        return "worker ready" in self.said()


@contextmanager
def own_worker(settings: Settings) -> Iterator[Part]:
    with own_folder("worker") as folder, running(Worker(folder, settings)) as part:
        yield part
