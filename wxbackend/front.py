"""The server's front: plain votes on an event loop, everything else by Flask in threads.

``granian --interface rsgi --factory wxbackend.front:create``

A vote spends nearly all its time waiting for its batch. Threads that wait together fight for the interpreter; on a loop thousands wait for
nothing, and one vote too many is told so in a millisecond, however busy the database is. A body is read on the loop, too, so a slow line
holds no thread. Under a plain WSGI server (`app:create_app`) the same verbs run without this file.

RSGI is granian's own interface: a scope, and a protocol to read and answer by.
"""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask
from granian.rsgi import ProtocolClosed
from prometheus_client import Counter

from wxbackend import captcha, create_app, problems, store, web
from wxbackend.ballots import committer, lane
from wxbackend.ballots.committer import PATIENCE_SECONDS, Committer, Pending
from wxbackend.ballots.votes import Outcome
from wxbackend.problems import Problem, SlowBody, TooLarge, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Headers = list[tuple[str, str]]
WAITING_FOR_A_THREAD = 16   # requests for each thread; more are told to come back
BODY_SECONDS = 60.0         # within which a body has to be here, once it may begin
LONGEST_LENGTH = 12         # digits of a Content-Length
NEVER_TURNED_AWAY = {"/healthz", "/readyz", "/metrics"}   # or a watcher would restart a server that is only busy
turned_away = Counter("wxbackend_requests_turned_away_total", "Requests refused because too many waited for a thread")
LOOK_SECONDS = 1.0          # how often it is looked for votes that wait too long
JSON, PAGE = "application/json", "text/html; charset=utf-8"


def create() -> Front:
    """One worker's front, warmed up."""
    app = create_app()
    with app.app_context():
        store.ping()   # StoreRefused is heard now, not in somebody's request
    threading.Thread(target=captcha.warm_up, daemon=True).start()
    front = Front(app)
    gc.collect()
    gc.freeze()   # what is loaded by now stays: it need not be looked through again and again
    gc.set_threshold(20_000, 20, 50)
    return front


class Bridge:
    """A WSGI app behind granian's loop: bodies are read here, the app runs in threads. Sizes in bytes."""

    def __init__(self, app: WSGIApplication, threads: int, small: int = 65_536, largest: int = 65_536) -> None:
        self._app, self._threads = app, ThreadPoolExecutor(threads, "flask")
        self._inside, self._most_inside = 0, threads * WAITING_FOR_A_THREAD
        self._small, self._largest = small, largest
        self._large_bodies = asyncio.Semaphore(threads)   # of ten megabytes, so few at a time

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            return protocol.close(404)   # no websockets here
        try:
            await self.serve(scope, protocol)
        except SlowBody:
            self.refuse(scope, protocol, SlowBody())
        except TooLarge as problem:
            self.refuse(scope, protocol, problem)
        except ProtocolClosed:
            pass   # gone in the middle of it

    async def serve(self, scope: Any, protocol: Any) -> None:
        await self.by_threads(scope, protocol, await self.body(scope, protocol))

    async def by_threads(self, scope: Any, protocol: Any, body: bytes, more: dict[str, Any] | None = None) -> None:
        if self._inside >= self._most_inside and scope.path not in NEVER_TURNED_AWAY:
            turned_away.inc()
            return self.refuse(scope, protocol, Unavailable(retry_after=5))
        self._inside += 1
        try:
            await self._run(protocol, _environ(scope, body) | (more or {}))
        finally:
            self._inside -= 1

    def refuse(self, _scope: Any, protocol: Any, problem: Problem) -> None:
        protocol.response_empty(problem.status, list(problem.headers.items()))

    def largest(self, _scope: Any) -> int:
        """Of a body that is not small: what this address takes, in bytes."""
        return self._largest

    async def body(self, scope: Any, protocol: Any) -> bytes:
        """Raises TooLarge before memory is spent on it, SlowBody. Whoever still sends is no request yet, and counts as none."""
        told = scope.headers.get("content-length")
        if told is None and scope.headers.get("transfer-encoding") is None:
            return b""
        if told is not None and told.isdigit() and len(told) < LONGEST_LENGTH and int(told) <= self._small:
            return await _in_time(_whole(protocol))
        largest = self.largest(scope)
        if told is not None and (not told.isdigit() or len(told) >= LONGEST_LENGTH or int(told) > largest):
            raise TooLarge()
        async with self._large_bodies:
            return await _in_time(_pieces(protocol, largest))

    async def _run(self, protocol: Any, environ: dict[str, Any]) -> None:
        context, loop = Context(), asyncio.get_running_loop()
        said = await loop.run_in_executor(self._threads, context.run, _said, self._app, environ)
        if isinstance(said.body, bytes):
            return protocol.response_bytes(said.status, said.headers, said.body)
        transport = protocol.response_stream(said.status, said.headers)
        try:
            while (chunk := await loop.run_in_executor(self._threads, context.run, _next, said.body)) is not None:
                await transport.send_bytes(chunk)
        finally:
            await loop.run_in_executor(self._threads, context.run, said.close)


class Front(Bridge):
    """The product: votes here, Flask behind."""

    def __init__(self, app: Flask) -> None:
        settings = app.extensions["settings"]
        super().__init__(app, settings.threads, settings.max_body_bytes, settings.max_body_bytes + settings.max_image_bytes)
        self.app = app
        self._committer: Committer = app.extensions[committer.EXTENSION]
        self._bell = Bell(PATIENCE_SECONDS)
        self._headers: Headers = [(name.lower(), value) for name, value in web.headers_of(app).items()]
        self._inside_app = Context()   # one for the loop's whole life: a new one for each vote costs a tenth of it
        self._inside_app.run(app.app_context().push)
        with app.test_request_context("/"):
            said = (Unavailable(), SlowBody(), TooLarge())
            self._pages: dict[type[Problem], bytes] = {type(one): problems.render(one).get_data() for one in said}

    async def serve(self, scope: Any, protocol: Any) -> None:
        found = lane.PATH.fullmatch(scope.path) if scope.method == "POST" and not scope.query_string else None
        body = await self.body(scope, protocol)
        await (self._vote(found[1], body, scope, protocol) if found else self.by_threads(scope, protocol, body))

    def largest(self, scope: Any) -> int:
        return self._inside_app.run(web.largest_body, self.app, scope.path, scope.method)

    async def _vote(self, slug: str, body: bytes, scope: Any, protocol: Any) -> None:
        ask, said = self._inside_app.run(lane.read, slug, scope.headers.items(), body), lane.NOT_ASKED
        if ask is not None:
            said = await self._cast(Pending(*ask, latch=self._bell.latch()))
            if isinstance(said, Outcome):
                return self._answer(protocol, lane.status_of(said), JSON, self._inside_app.run(lane.body_of, said))
            if isinstance(said, Problem) and not isinstance(said, lane.TAKES_LONGER):
                return self.refuse(scope, protocol, said)
        await self.by_threads(scope, protocol, body, {lane.SAID: (said, ask[0].at)} if ask else None)

    async def _cast(self, pending: Pending) -> Outcome | Exception | None:
        try:
            self._committer.put(pending)
        except Problem as too_many:
            return too_many
        return pending.answer if await pending.latch.future else pending.give_up()   # type: ignore[attr-defined]

    def refuse(self, scope: Any, protocol: Any, problem: Problem) -> None:
        """Said on the loop, with no thread to be had: a program's own, or a page made beforehand."""
        extra = [(name.lower(), value) for name, value in problems.headers_of(problem).items()]
        if scope.path.startswith("/api/"):
            return self._answer(protocol, problem.status, problems.JSON, problems.body_of(problem), extra)
        self._answer(protocol, problem.status, PAGE, self._pages.get(type(problem), self._pages[Unavailable]), extra)

    def _answer(self, protocol: Any, status: int, kind: str, body: bytes, extra: Iterable[tuple[str, str]] = ()) -> None:
        protocol.response_bytes(status, [*self._headers, ("content-type", kind), *extra], body)


class Bell:
    """Wakes the loop once for however many votes were answered meanwhile, and looks once a second for those that wait too long."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()   # by deadline: all have the same patience
        self._answered: deque[asyncio.Future[bool]] = deque()
        self._is_rung = False

    def latch(self) -> LoopLatch:
        self._loop = loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_later(LOOK_SECONDS, self._look)
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((loop.time() + self._patience, future))
        return LoopLatch(self, future)

    def ring(self, answered: asyncio.Future[bool]) -> None:
        """From the committer's thread."""
        self._answered.append(answered)
        if not self._is_rung and self._loop is not None:
            self._is_rung = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_rung = False   # before looking: who is answered from now on rings again
        while self._answered:
            _settle(self._answered.popleft(), True)

    def _look(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            _settle(self._waiting.popleft()[1], False)
        if self._waiting:
            self._loop.call_later(LOOK_SECONDS, self._look)


def _settle(future: asyncio.Future[bool], was_answered: bool) -> None:
    if not future.done():
        future.set_result(was_answered)


class LoopLatch:
    """For a request that waits on the loop; its future tells whether it was opened in time."""

    __slots__ = ("_bell", "future")

    def __init__(self, bell: Bell, future: asyncio.Future[bool]) -> None:
        self._bell, self.future = bell, future

    def open(self) -> None:
        self._bell.ring(self.future)


class Said(NamedTuple):
    """What a WSGI app said: a body of known length whole, any other as its pieces."""

    status: int
    headers: Headers
    body: bytes | Iterator[bytes]
    close: Callable[[], None]


def _said(app: WSGIApplication, environ: dict[str, Any]) -> Said:
    told: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _error: Any = None) -> Callable[[bytes], object]:
        told.append((status, headers))
        return _unwritable

    pieces = app(environ, start_response)
    close: Callable[[], None] = getattr(pieces, "close", lambda: None)
    status, named = int(told[0][0][:3]), [(name.lower(), value) for name, value in told[0][1]]
    if any(name == "content-length" for name, _ in named):
        try:
            return Said(status, named, b"".join(pieces), close)
        finally:
            close()
    return Said(status, named, iter(pieces), close)


def _unwritable(_piece: bytes) -> None:
    raise NotImplementedError("Flask answers by what it returns")


async def _in_time(reading: Coroutine[Any, Any, bytes]) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await reading
    except TimeoutError:
        raise SlowBody() from None


async def _pieces(protocol: Any, largest: int) -> bytes:
    body = bytearray()
    async for piece in protocol:
        body += piece
        if len(body) > largest:
            raise TooLarge()
    return bytes(body)


async def _whole(protocol: Any) -> bytes:
    body: bytes = await protocol()
    return body


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
    """PEP 3333. A header with _ in its name is left out: it would pass for the one with -, which a proxy in front has checked."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method, "SCRIPT_NAME": "", "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string, "SERVER_PROTOCOL": f"HTTP/{scope.http_version}", "SERVER_NAME": host, "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"), "wsgi.version": (1, 0), "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": True, "wsgi.run_once": False}
    for name, value in scope.headers.items():
        if "_" not in name:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
            environ[key] = environ[key] + ("; " if name == "cookie" else ",") + value if key in environ else value
    return environ
