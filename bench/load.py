"""A load generator: one process, epoll, kept connections, and talks that write the next request from the last answer.

A talk is a generator: it yields an `Ask` and is sent the `Response`. Votes ask once for each prepared vote; a voter's journey reads the
form from the page it was sent. `closed` keeps N connections busy for S seconds; `arrive` begins a talk at each of given instants, however
slow the answers are. The generator shares the cores with what it measures, so it states its own CPU a request.
"""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.figures import Figures
from bench.wire import BROKEN, Ask, Line, Response, Talk

__all__ = ["Ask", "Response", "Talk", "arrive", "closed"]
PATIENCE_SECONDS = 15.0     # for answers that are outstanding when the time is up
LINES_AT_MOST = 900         # open loop: two workers take 512 each; who finds none free waits, and the wait counts
RECONNECT_SECONDS = 0.05
Meter = Callable[[], Any]


def closed(urls: Sequence[str], talk: Callable[[], Talk], connections: int, seconds: float, *, warm_up: float = 1.0,
           meter: Meter = lambda: None) -> Figures:
    """Keep `connections` connections, spread evenly over `urls`, talking. `meter` is read as the measured window opens and as it ends.

    A talk that ends is followed by a new one; where that has nothing to ask the connection rests and the figures say `ran_dry`.
    """
    run = _Run(urls, meter)

    def follow(line: Line) -> None:
        if not run.begin(line, talk()):
            run.figures.ran_dry = True

    run.after_talk = follow
    for number in range(connections):
        follow(run.line(number))
    run.window(warm_up, seconds)
    return run.until_quiet()


def arrive(urls: Sequence[str], arrivals: Iterable[tuple[float, Talk]], seconds: float, *, meter: Meter = lambda: None) -> Figures:
    """Begin each talk at its second (ascending), and end `seconds` after the start; talks under way then are finished within reason.

    A talk's first latency counts from its appointed instant, not from when a connection was free: nobody is left out who had to wait.
    """
    run = _Run(urls, meter)
    waiting: list[tuple[float, Talk]] = []
    coming = iter(arrivals)
    made = 0

    def next_arrival() -> None:
        offset, talk = next(coming, (None, None))
        if offset is not None and talk is not None:
            run.at(run.began + offset, lambda: came(run.began + offset, talk))

    def came(instant: float, talk: Talk) -> None:
        nonlocal made
        next_arrival()
        if run.idle:
            run.begin(run.idle.pop(), talk, instant)
        elif made < LINES_AT_MOST:
            made += 1
            run.begin(run.line(made), talk, instant)
        else:
            waiting.append((instant, talk))

    def follow(line: Line) -> None:
        if waiting:
            instant, talk = waiting.pop(0)
            run.begin(line, talk, instant)
        else:
            run.idle.append(line)

    run.after_talk = follow
    next_arrival()
    run.window(0, seconds, stops_talks=False)
    figures = run.until_quiet()
    figures.unanswered += len(waiting)
    return figures


class _Run:
    """The loop: timers, connections, and what is recorded."""

    def __init__(self, urls: Sequence[str], meter: Meter) -> None:
        self.urls, self.meter = urls, meter
        self.figures = Figures()
        self.idle: list[Line] = []
        self.after_talk: Callable[[Line], None] = lambda line: None
        self.began = time.perf_counter()
        self._lines: dict[int, Line] = {}
        self._epoll = select.epoll()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_number = self._busy = 0
        self._recording = self._stopped = self._over = False
        self._gives_up = float("inf")

    def at(self, instant: float, do: Callable[[], None]) -> None:
        self._timer_number += 1
        heapq.heappush(self._timers, (instant, self._timer_number, do))

    def line(self, number: int) -> Line:
        return Line(self.urls[number % len(self.urls)])

    def window(self, warm_up: float, seconds: float, stops_talks: bool = True) -> None:
        """Record from `warm_up` seconds on, for `seconds`; afterwards talks are broken off, unless they shall be finished."""
        self.at(self.began + warm_up, self._open)
        self.at(self.began + warm_up + seconds, lambda: self._close(stops_talks))

    def _open(self) -> None:
        self.figures.open(self.meter())
        self._recording = True

    def _close(self, stops_talks: bool) -> None:
        self._recording, self._stopped, self._over = False, stops_talks, True
        self.figures.close(self.meter())
        self._gives_up = time.perf_counter() + PATIENCE_SECONDS

    def until_quiet(self) -> Figures:
        """Run until the window is over and nothing is outstanding, or patience ends."""
        while not self._over or (self._busy and time.perf_counter() < self._gives_up):
            self._turn()
        self.figures.unanswered += self._busy
        for line in self._lines.values():
            line.close()
        self._epoll.close()
        return self.figures

    def _turn(self) -> None:
        now = time.perf_counter()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        wait = self._timers[0][0] - time.perf_counter() if self._timers else 0.1
        for number, _event in self._epoll.poll(max(0.0, min(wait, 0.1))):
            line = self._lines.get(number)
            if line is not None:
                self._ready(line)

    def begin(self, line: Line, talk: Talk, instant: float | None = None) -> bool:
        """Have this connection start a talk; False where it has nothing to ask. `instant`: when it should have started."""
        line.talk = talk
        ask = next(talk, None)
        if ask is None:
            return False
        self._busy += 1
        self._ask(line, ask, instant)
        return True

    def _ask(self, line: Line, ask: Ask, instant: float | None = None) -> None:
        if ask.pause_seconds:
            later = ask._replace(pause_seconds=0)
            self.at(time.perf_counter() + ask.pause_seconds, lambda: self._ask(line, later))
            return
        line.kind, line.asked = ask.kind, instant or time.perf_counter()
        try:
            if line.fresh:
                self._forget(line)
                self._lines[line.open()] = line
                self._epoll.register(line.fileno, select.EPOLLIN)
            line.send(ask.raw)
        except OSError as e:
            self._broken(line, type(e).__name__)

    def _ready(self, line: Line) -> None:
        try:
            response = line.receive()
        except (OSError, ValueError) as e:
            if line.is_waiting:
                self._broken(line, type(e).__name__)
            else:
                self._drop(line)    # an idle connection that the server closed: the next talk opens another
            return
        if response is not None:
            self._answered(line, response)

    def _answered(self, line: Line, response: Response) -> None:
        self.figures.note(line.kind, response.status, time.perf_counter() - line.asked, self._recording)
        if not line.keeps:
            self._drop(line)
        self._go_on(line, response)

    def _go_on(self, line: Line, response: Response) -> None:
        try:
            ask = line.talk.send(response)
        except StopIteration:
            ask = None
        if ask is not None and not self._stopped:
            self._ask(line, ask)
            return
        self._busy -= 1
        if not self._stopped:
            self.after_talk(line)

    def _broken(self, line: Line, why: str) -> None:
        """The talk hears of it as status 0, a little later, lest a dead server has us spin."""
        self.figures.fail(line.kind, why)
        self._drop(line)
        self.at(time.perf_counter() + RECONNECT_SECONDS, lambda: self._go_on(line, BROKEN))

    def _drop(self, line: Line) -> None:
        self._forget(line)
        line.close()

    def _forget(self, line: Line) -> None:
        if line.fileno in self._lines:
            del self._lines[line.fileno]
            self._epoll.unregister(line.fileno)
