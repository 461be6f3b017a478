"""The two statements whose spelling differs by engine. Neither asks how many rows it touched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.dialects import mysql, postgresql, sqlite

from wxbackend.ballots.models import Tally
from wxbackend.extensions import Base, db

SHARDS = 16   # of the tally: processes seldom share a row, and the rows stay few


def shard() -> str:
    """This process's counters; asked for each batch, since a server may fork after it has loaded us."""
    return str(os.getpid() % SHARDS)


def _insert(model: Any) -> Any:
    name = db.engine.dialect.name
    return {"postgresql": postgresql.insert, "sqlite": sqlite.insert}.get(name, mysql.insert)(model)


def insert_missing(model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that break no unique key; the others are left out without an error.

    MySQL: ON DUPLICATE KEY UPDATE id = id rather than IGNORE, which also swallows a NULL in a NOT NULL column.
    """
    statement = _insert(model.__table__)   # the bare table: one compiled text for batches of every size
    if hasattr(statement, "on_conflict_do_nothing"):
        db.session.execute(statement.on_conflict_do_nothing(), list(rows))
    else:
        db.session.execute(statement.on_duplicate_key_update(id=model.__table__.c.id), list(rows))


def add_to_tally(subject_id: int, day: date, grade: str, shard: str, count: int) -> None:
    """Add `count` to one counter, making it where it is missing. Voids take away: a shard may fall below nothing, the sum never does."""
    statement = _insert(Tally).values(subject_id=subject_id, day=day, grade=grade, shard=shard, count=count)
    if hasattr(statement, "on_conflict_do_update"):
        keys = ["subject_id", "day", "grade", "shard"]
        db.session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"count": Tally.count + count}))
    else:
        db.session.execute(statement.on_duplicate_key_update(count=Tally.count + count))
