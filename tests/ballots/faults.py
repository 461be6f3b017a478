"""A database that fails where a batch of votes meets it: before its COMMIT, or after it with the answer lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError


class Killed(BaseException):
    """The process is gone: nobody handles this."""


class Faults:
    """What happens to the next tries of a batch, in order: "before" and "after" lose the connection, "killed before" and "killed after"
    the process, "" lets it pass. With an empty plan all is well."""

    def __init__(self, engine: Engine):
        self.plan: list[str] = []
        self._is_batch = False
        self._is_one_statement = engine.dialect.name == "postgresql"   # which commits by itself
        self._really = engine.dialect.do_commit

    def before_statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO ballot_batch" in statement:
            self._is_batch = True
            if self._is_one_statement:
                self._strike("before")

    def after_statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self._is_one_statement and "INSERT INTO ballot_batch" in statement:
            self._strike("after")

    def rollback(self, _connection: Any) -> None:
        self._is_batch = False

    def commit(self, connection: Any) -> None:
        if not self._is_batch or self._is_one_statement:
            return self._really(connection)
        self._strike("before")
        self._really(connection)
        self._strike("after")

    def _strike(self, when: str) -> None:
        fault = self.plan[0] if self.plan else ""
        if when == "after" or fault.endswith("before"):
            self._is_batch = False
            self.plan = self.plan[1:]
        if fault == "killed " + when:
            raise Killed
        if fault == when:
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))


@contextmanager
def faults(engine: Engine) -> Iterator[Faults]:
    """Stands between the program and its database."""
    between = Faults(engine)
    hooks = (("before_cursor_execute", between.before_statement), ("after_cursor_execute", between.after_statement),
             ("rollback", between.rollback))
    for name, hook in hooks:
        event.listen(engine, name, hook)
    engine.dialect.do_commit = between.commit   # type: ignore[method-assign]
    try:
        yield between
    finally:
        del engine.dialect.do_commit
        for name, hook in hooks:
            event.remove(engine, name, hook)
