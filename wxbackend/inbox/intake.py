"""Messages are kept before they are answered: whatever waits at the same moment goes into one INSERT and one COMMIT.

When an article goes out, hundreds write within seconds, and WeChat gives each message five. A thread that arrives while another
writes leaves its message on the pile; whoever writes next takes the whole pile along.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy.exc import InterfaceError, OperationalError

from wxbackend import jobs, keys
from wxbackend.ballots import sql
from wxbackend.extensions import db
from wxbackend.inbox.models import InboxMessage
from wxbackend.problems import Unavailable
from wxbackend.wechat import Message

MOST_AT_ONCE = 200
GRACE = timedelta(seconds=10)      # WeChat has given up by then; whatever is not answered is the worker's
SWEEP_SECONDS = 5                  # one sweep is promised for all that arrive within this time


@dataclass
class Kept:
    """A message on its way into the table."""

    message: Message
    at: datetime
    is_in: bool = False
    error: Exception | None = None


class Intake:
    """One process's pile."""

    def __init__(self) -> None:
        self._pile: list[Kept] = []
        self._touching = threading.Lock()
        self._writing = threading.Lock()
        self._promised: deque[int] = deque(maxlen=10)   # seconds for which a sweep is committed

    def keep(self, message: Message, at: datetime) -> None:
        """Return when the message is committed, this delivery or an earlier one. Raises what the database raised, or Unavailable.

        The caller has no transaction open.
        """
        mine = Kept(message, at)
        with self._touching:
            self._pile.append(mine)
        with self._writing:
            while not mine.is_in and mine.error is None:
                self._write_pile()
        if mine.error is not None:
            raise mine.error

    def _write_pile(self) -> None:
        with self._touching:
            batch, self._pile = self._pile[:MOST_AT_ONCE], self._pile[MOST_AT_ONCE:]
        try:
            self._write(batch)
        except Exception as e:
            db.session.rollback()
            if len(batch) > 1:
                self._one_by_one(batch)
            else:
                batch[0].error = e
        for kept in batch:
            kept.is_in = kept.error is None

    def _one_by_one(self, batch: Sequence[Kept]) -> None:
        """One that cannot be written fails alone; with the database away the others need not find that out in turn."""
        for n, kept in enumerate(batch):
            try:
                self._write([kept])
            except Exception as e:
                db.session.rollback()
                kept.error = e
                if isinstance(e, (OperationalError, InterfaceError)):
                    for other in batch[n + 1:]:
                        other.error = Unavailable(retry_after=5)
                    return

    def _write(self, batch: Sequence[Kept]) -> None:
        # In the order of their keys, so that two processes which write the same deliveries lock rows in one order.
        rows = {kept.message.dedupe_key: _row(kept) for kept in batch}
        sql.insert_missing(InboxMessage, [rows[key] for key in sorted(rows)])
        bucket = int(batch[0].at.timestamp()) // SWEEP_SECONDS
        if bucket not in self._promised:
            promise_sweep(batch[0].at, f"bucket:{bucket}")
        db.session.commit()
        self._promised.append(bucket)


def pile() -> Intake:
    """The pile of this app's process."""
    found: Intake = current_app.extensions.setdefault("inbox_intake", Intake())
    return found


def _row(kept: Kept) -> dict[str, object]:
    message = kept.message
    return {"dedupe_key": message.dedupe_key, "app": message.app, "kind": (message.event or message.kind)[:40], "state": "new",
            "sealed": seal(message), "reply": "", "action": "", "tries": 0, "arrived_at": kept.at}


def promise_sweep(at: datetime, word: str, run_at: datetime | None = None) -> None:
    """In the transaction of the messages: a worker will look whether they were answered. One promise for all of the same seconds."""
    jobs.enqueue("inbox.sweep", {}, at, run_at=run_at or at + GRACE + timedelta(seconds=SWEEP_SECONDS), dedupe=word)


def seal(message: Message) -> str:
    """A message as it waits for its answer, readable by us alone."""
    fields = asdict(message) | {"create_time": message.create_time.isoformat()}
    return keys.seal("inbox", json.dumps(fields, ensure_ascii=False, default=str))


def unseal(sealed: str) -> Message:
    """Raises keys.Unreadable, ValueError, TypeError for what was not sealed by this version."""
    fields = json.loads(keys.unseal("inbox", sealed))
    return Message(**(fields | {"create_time": datetime.fromisoformat(fields["create_time"])}))
