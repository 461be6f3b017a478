"""Group commit: the votes that wait in a process are admitted together, committed together, and each is told its own.

One thread a process. While it commits one batch the next one gathers, so a batch is as large as the rush, and a vote alone waits for
nobody. The thread ends when nothing has come for a while, and gives its connection back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol

import structlog
from flask import Flask, current_app
from prometheus_client import Counter, Histogram

from wxbackend.accounts import service as accounts
from wxbackend.ballots import admission
from wxbackend.ballots.box import Line, cast_many
from wxbackend.ballots.votes import Ask, DatabaseLost, Outcome, TooManyAtOnce, Vote
from wxbackend.extensions import db, reading

log = structlog.get_logger()
EXTENSION = "ballots.committer"
MOST_AT_ONCE = 256          # votes of one transaction
IDLE_SECONDS = 5.0
PATIENCE_SECONDS = 10.0     # then a voter is told to try again; if her vote arrives after all, that try finds it

batch_sizes = Histogram("wxbackend_vote_batch_size", "Votes committed together", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))
turned_away = Counter("wxbackend_votes_turned_away_total", "Votes refused because too many waited")


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = Committer(app, app.extensions["settings"].vote_queue)


def stop(app: Flask) -> None:
    """Serve whoever waits and let go of the database; before a process ends by itself."""
    app.extensions[EXTENSION].stop()


def cast(ask: Ask, token: str) -> Outcome:
    """Cast a vote together with whoever else votes now, for the voter whose token this is; durable when it returns.

    Raises NotLoggedIn, what `admission.admit` raises, AlreadyVoted, DatabaseLost, TooManyAtOnce. Ends the session's transaction.
    """
    if db.session.registry.has():
        db.session.commit()   # SQLite has one writer: our own lock would be waited for
    if token and admission.is_plain(ask):
        found = _put(ask, accounts.session_name_of(token))
        if found is not None:
            return found
    return cast_alone(ask, token)


def cast_alone(ask: Ask, token: str) -> Outcome:
    """The same by the long way up to the box; into it she goes with the others."""
    with reading():
        voter = accounts.voter_of(token, ask.at) if token else None
    if voter is None:
        raise accounts.NotLoggedIn()
    vote = admission.admit(ask, voter)
    db.session.commit()
    if isinstance(vote, Outcome):
        return vote
    outcome = _put(vote)
    assert outcome is not None   # only an ask is sent the long way
    return outcome


def _put(what: Ask | Vote, session: str = "") -> Outcome | None:
    """Waits for the answer; None: go the long way."""
    latch = ThreadLatch()
    pending = Pending(what, session, latch=latch)
    current_app.extensions[EXTENSION].put(pending)
    if not latch.wait(PATIENCE_SECONDS):
        raise pending.give_up()
    if isinstance(pending.answer, Exception):
        raise pending.answer
    return pending.answer


class Latch(Protocol):
    """Opened once by the committer's thread, for whoever waits behind it."""

    def open(self) -> None: ...


class ThreadLatch:
    """For a request that has a thread of its own. A bare lock: an Event costs ten times as much, and votes wait by the thousand."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        self._lock.release()

    def wait(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=seconds)


class Pending:
    """A vote that waits: an ask with its session's name, or one that is admitted already.

    `answer`, once its latch is open: an outcome, a refusal, or None for "go the long way".
    """

    __slots__ = ("answer", "is_given_up", "latch", "session", "what")

    def __init__(self, what: Ask | Vote, session: str = "", *, latch: Latch) -> None:
        self.what = what
        self.session = session
        self.latch = latch
        self.answer: Outcome | Exception | None = None
        self.is_given_up = False

    def tell(self, answer: Outcome | Exception | None) -> None:
        self.answer = answer
        self.latch.open()

    def give_up(self) -> DatabaseLost:
        """Nobody waits any more; what is said instead."""
        self.is_given_up = True
        return DatabaseLost(retry_after=10)


class Committer:
    """The queue of one app and the thread that empties it."""

    def __init__(self, app: Flask, most_waiting: int) -> None:
        self._app = app
        self._most_waiting = most_waiting
        self._waiting: deque[Pending] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_ending = False

    def put(self, pending: Pending) -> None:
        """Have it served with the next batch. Raises TooManyAtOnce at once where too many wait already."""
        with self._change:
            if len(self._waiting) >= self._most_waiting:
                turned_away.inc()
                raise TooManyAtOnce(retry_after=3)
            if self._thread is None:
                self._thread = self._started()
            self._waiting.append(pending)
            self._change.notify()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="committer", daemon=True)
        try:
            thread.start()   # it waits for the lock we hold
        except RuntimeError as e:   # no thread to be had: nobody waits for one that is not there
            raise TooManyAtOnce(retry_after=3) from e
        return thread

    def stop(self) -> None:
        """Serve whoever waits, then give the connection back. Whoever comes later finds a new thread."""
        with self._change:
            thread, self._is_ending = self._thread, True
            self._change.notify()
        if thread is not None:
            thread.join()
        self._is_ending = False

    def _run(self) -> None:
        try:
            with self._app.app_context(), Line() as line:
                while batch := self._next():
                    _serve(batch, line)
        finally:
            with self._change:   # however this thread ends: the next vote starts another
                if self._thread is threading.current_thread():
                    self._thread = None

    def _next(self) -> list[Pending]:
        """Whoever waits; nobody when it has been quiet for a while, and then this thread is not the committer any more."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._is_ending, IDLE_SECONDS)
            if not self._waiting:
                self._thread = None   # under the lock: whoever comes now starts another
                return []
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]


def _serve(batch: Sequence[Pending], line: Line) -> None:
    """Everybody in the batch is told something, whatever happens."""
    left = set(batch)
    try:
        for pending, answer in _answers([p for p in batch if not p.is_given_up], line):
            left.discard(pending)
            pending.tell(answer)
    except Exception as e:
        for pending in left:
            pending.tell(_own(e))
        line.give_up()
        if not isinstance(e, DatabaseLost):
            log.exception("a batch of votes failed")
    finally:
        db.session.remove()


def _own(error: Exception) -> Exception:
    """An object for each who is told: requests add to what they are told, and it is raised in many threads."""
    return DatabaseLost(retry_after=10) if isinstance(error, DatabaseLost) else RuntimeError(type(error).__name__)


def _answers(batch: Sequence[Pending], line: Line) -> Iterator[tuple[Pending, Outcome | Exception | None]]:
    """Whoever is refused or goes the long way hears before anything is committed."""
    asking = [(p, p.what) for p in batch if isinstance(p.what, Ask)]
    admitted = admission.admit_many([(ask, p.session) for p, ask in asking]) if asking else []
    found = [(p, answer) for (p, _), answer in zip(asking, admitted, strict=True)]
    votes = [(p, vote) for p, vote in found if isinstance(vote, Vote)] + [(p, p.what) for p in batch if isinstance(p.what, Vote)]
    yield from ((p, answer) for p, answer in found if not isinstance(answer, Vote))
    if votes:
        yield from zip([p for p, _ in votes], _kept([vote for _, vote in votes], line), strict=True)


def _kept(votes: Sequence[Vote], line: Line) -> list[Outcome | Exception]:
    batch_sizes.observe(len(votes))
    try:
        return cast_many(votes, max(vote.cast_at for vote in votes if vote.cast_at), line)
    except DatabaseLost:
        admission.take_down_flags([vote.flag for vote in votes])
        raise
