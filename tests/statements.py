"""What is said to the database meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from wxbackend.extensions import db

OURS = ("BEGIN", "PRAGMA")   # SQLite's, which we send ourselves


@contextmanager
def statements(but: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Every statement sent, except those that name something of `but`."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        if not statement.startswith(OURS) and not any(word in statement for word in but):
            sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
