"""What WeChat does after it has answered: reports about sending, verdicts on pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 30.0


class Later:
    """Each task runs in a thread of its own after its delay; held back while `held`, until settle()."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[threading.Thread] = []
        self._waiting: list[Callable[[], object]] = []
        self.held = False

    def do(self, task: Callable[[], object], delay_seconds: float) -> None:
        if self.held:
            with self._lock:
                self._waiting.append(task)
            return
        self._start(task, delay_seconds)

    def settle(self) -> int:
        """Do what was held back, wait for everything under way; how many tasks that were."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._start(task, 0)
        with self._lock:
            running, self._running = self._running, []
        for thread in running:
            thread.join(PATIENCE_SECONDS)
        return len(running)

    def _start(self, task: Callable[[], object], delay_seconds: float) -> None:
        def run() -> None:
            time.sleep(delay_seconds)
            task()

        thread = threading.Thread(target=run, name="simulator-later", daemon=True)
        with self._lock:
            self._running = [t for t in self._running if t.is_alive()] + [thread]
            thread.start()
