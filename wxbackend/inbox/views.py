"""WeChat's callback: checked, kept, answered within five seconds or by the worker afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from flask import Blueprint, Response, abort, current_app, request

from wxbackend import clock, wechat
from wxbackend.alarms import service as alarms
from wxbackend.extensions import db, settings
from wxbackend.inbox import relay
from wxbackend.inbox import service as inbox
from wxbackend.inbox.service import Reply
from wxbackend.web import access

log = structlog.get_logger()
bp = Blueprint("inbox", __name__)
APPS = ("account", "miniprogram")
DESKS = 4                     # messages answered at once in a process; whoever votes needs the threads and the database, too
CROWD = 6                     # callbacks at once in a process beyond which they are kept alone
PATIENCE_SECONDS = 3.0        # of the five that WeChat gives
ANSWERED_SECONDS = 4.5
RING_SECONDS = 60.0


@bp.get("/wechat/callback/<app>")
@access("wechat")
def check(app: str) -> Response:
    """The console's check of this address."""
    _known(app)
    return Response(wechat.check_echo(app, request.args, clock.now()), mimetype="text/plain")


@bp.post("/wechat/callback/<app>")
@access("wechat")
def receive(app: str) -> Response:
    """One message or event. It is committed first; the reply leaves only when what it says is committed, too."""
    _known(app)
    at, began = clock.now(), time.monotonic()
    message = wechat.open_callback(app, request.args, request.get_data(), at)   # read and believed before it counts: strangers send slowly
    with counter().visit() as is_quiet:
        inbox.keep(message, at)
        reply = _in_time(message, is_quiet)
    if reply.action == "relay":
        passed = relay.forward(request.args, request.get_data(), ANSWERED_SECONDS - (time.monotonic() - began))
        if passed is not None:
            return _sent(passed)
        _ring("relay-away", "relay", at)
    if reply.action == "transfer":
        return _sent(wechat.seal_transfer(app, message, at))
    return _sent(wechat.seal_reply(app, message, reply.text or None, at))


def _ring(kind: str, about: str, at: datetime) -> None:
    """At most once a minute from a process: each ringing is a write."""
    rung: dict[str, float] = current_app.extensions.setdefault("inbox_rung", {})
    if time.monotonic() - rung.get(kind, float("-inf")) > RING_SECONDS:
        rung[kind] = time.monotonic()
        alarms.ring_alone(kind, about, at)


class Counter:
    """How busy this process is with callbacks: beyond CROWD they are only kept, so that each is acknowledged within its five seconds.

    Answering one takes ten times as long as keeping it.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._lock = threading.Lock()
        self.desks = threading.BoundedSemaphore(DESKS)

    @contextmanager
    def visit(self) -> Iterator[bool]:
        """Whether there is room for answers now."""
        with self._lock:
            self._inside += 1
            is_quiet = self._inside <= CROWD
        try:
            yield is_quiet
        finally:
            with self._lock:
                self._inside -= 1


def counter() -> Counter:
    found: Counter = current_app.extensions.setdefault("inbox_counter", Counter())
    return found


def _in_time(message: wechat.Message, is_quiet: bool) -> Reply:
    """The reply, or silence where too many are being answered already, or something broke: the message is kept, the worker answers it.

    Where the account may not write to people on its own, the worker could not tell them: there it is worth a wait.
    """
    may_leave = wechat.can("customer-message")
    if may_leave and not is_quiet or not counter().desks.acquire(timeout=0.0 if may_leave else PATIENCE_SECONDS):
        return Reply()
    try:
        reply, _ = inbox.answer(message.dedupe_key, clock.now())
        db.session.commit()
        return reply
    except Exception:   # whatever it is: the message is safe, and WeChat must not repeat it thrice into the same fault
        db.session.rollback()
        log.exception("message kept but not answered", kind=message.event or message.kind)
        return Reply()
    finally:
        counter().desks.release()


def _sent(body: str) -> Response:
    return Response(body, mimetype="application/xml" if body.startswith("<") else "text/plain")


def _known(app: str) -> None:
    if app not in APPS or app == "miniprogram" and not settings.has_miniprogram:
        abort(404)
