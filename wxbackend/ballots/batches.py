"""A batch of votes as one transaction, spelled for each engine. None of them asks how many rows it touched.

Every text does the same: write the batch's id, hold the persons against a merge, put in the ballots that break no unique key, move the
tally by those, commit; and answers which of our own receipt ids are in the box. Persons who were merged meanwhile are left out: their
votes are cast again in the name of who stayed.

Rows go in by person and counters by (subject, day, grade), so that two batches take their locks in one order. PostgreSQL and MariaDB hold
persons shared, the younger before the older (accounts/merge.py); SQLite has one writer anyway. Who was merged is sorted out after the
persons were found by their keys: asked for together, "merged into nobody" has an index of its own that names nearly everybody.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection

from wxbackend.ballots.sql import shard
from wxbackend.campaigns.rules import Grade

COLUMNS = ("receipt_id", "captcha_hash", "campaign_id", "subject_id", "quota_key", "person_id", "day", "grade", "source_code", "door",
           "degraded", "cast_at")


@dataclass(frozen=True, slots=True)
class Row:
    """A ballot on its way in."""

    receipt_id: str
    captcha_hash: str
    campaign_id: int
    subject_id: int
    quota_key: str
    person_id: int
    day: date
    grade: Grade
    source_code: str
    door: str
    degraded: bool
    cast_at: datetime


Write = Callable[[Connection, str, Sequence[Row], datetime], set[str]]


def write(connection: Connection, batch_id: str, rows: Sequence[Row], at: datetime) -> set[str]:
    """Commit a batch; which of its receipt ids stand in the box. `connection` is in no transaction.

    Raises IntegrityError where this batch id was committed before.
    """
    rows = sorted(rows, key=lambda row: (row.person_id, row.quota_key, row.cast_at))
    return WRITE[connection.dialect.name](connection, batch_id, rows, at)


# PostgreSQL: one statement is a transaction of its own, so that a batch costs one round trip.
POSTGRESQL = f"""
WITH asked AS (
  SELECT * FROM unnest(%s::varchar[], %s::varchar[], %s::bigint[], %s::bigint[], %s::varchar[], %s::bigint[], %s::date[], %s::varchar[],
                       %s::varchar[], %s::varchar[], %s::boolean[], %s::timestamptz[]) AS asked ({", ".join(COLUMNS)})
), held AS MATERIALIZED (
  SELECT id, merged_into_id FROM person WHERE id = ANY (%s::bigint[]) ORDER BY id DESC FOR SHARE
), batch AS (
  INSERT INTO ballot_batch (id, at) VALUES (%s, %s)
), kept AS (
  INSERT INTO ballot ({", ".join(COLUMNS)}, void_no)
  SELECT asked.*, 0 FROM asked JOIN held ON held.id = asked.person_id WHERE held.merged_into_id IS NULL
  ORDER BY asked.person_id, asked.quota_key, asked.cast_at
  ON CONFLICT DO NOTHING RETURNING receipt_id, subject_id, day, grade
), counted AS (
  INSERT INTO tally (subject_id, day, grade, shard, count)
  SELECT subject_id, day, grade, %s, count(*) FROM kept GROUP BY subject_id, day, grade ORDER BY subject_id, day, grade
  ON CONFLICT (subject_id, day, grade, shard) DO UPDATE SET count = tally.count + excluded.count
)
SELECT receipt_id FROM kept
"""


def _write_postgresql(connection: Connection, batch_id: str, rows: Sequence[Row], at: datetime) -> set[str]:
    columns = [_array([getattr(row, name) for row in rows]) for name in COLUMNS]
    values = (*columns, _array(sorted({row.person_id for row in rows})), batch_id, at, shard())
    return {kept for (kept,) in connection.exec_driver_sql(POSTGRESQL, values)}


def _array(values: list[Any]) -> str:
    """An array as PostgreSQL writes it, {"a","b"}: one text, where the driver would look at every value for itself."""
    if None in values:
        raise ValueError("a ballot has no empty column")
    words = [value.value if isinstance(value, Grade) else str(value) for value in values]
    if any("\\" in word or '"' in word for word in words):
        words = [word.replace("\\", "\\\\").replace('"', '\\"') for word in words]
    return '{"' + '","'.join(words) + '"}'


MARIADB_HOLD = "SELECT id, merged_into_id FROM person WHERE id IN ({marks}) ORDER BY id DESC LOCK IN SHARE MODE"
# ON DUPLICATE KEY UPDATE id = id rather than IGNORE, which also swallows a NULL in a NOT NULL column.
MARIADB_PUT = f"INSERT INTO ballot ({', '.join(COLUMNS)}, void_no) VALUES {{rows}} ON DUPLICATE KEY UPDATE id = id"
MARIADB_KEPT = "SELECT receipt_id FROM ballot WHERE receipt_id IN ({marks})"
MARIADB_COUNT = ("INSERT INTO tally (subject_id, day, grade, shard, count) VALUES {rows} "
                 "ON DUPLICATE KEY UPDATE count = count + VALUES(count)")
MARIADB_ROW, MARIADB_COUNTER = "(" + ", ".join(["%s"] * len(COLUMNS)) + ", 0)", "(%s, %s, %s, %s, %s)"


def _write_mariadb(connection: Connection, batch_id: str, rows: Sequence[Row], at: datetime) -> set[str]:
    run = connection.exec_driver_sql
    with connection.begin():
        run("INSERT INTO ballot_batch (id, at) VALUES (%s, %s)", (batch_id, _naive(at)))
        persons = tuple(sorted({row.person_id for row in rows}))
        held = {one for one, into in run(MARIADB_HOLD.format(marks=_marks(persons)), persons) if into is None}
        rows = [row for row in rows if row.person_id in held]
        if not rows:
            return set()
        values = [_zoneless(getattr(row, name)) for row in rows for name in COLUMNS]
        run(MARIADB_PUT.format(rows=", ".join([MARIADB_ROW] * len(rows))), tuple(values))
        ours = tuple(row.receipt_id for row in rows)
        kept = {one for (one,) in run(MARIADB_KEPT.format(marks=_marks(ours)), ours)}
        counts = [value for counter in _counts(rows, kept) for value in counter]
        if counts:
            run(MARIADB_COUNT.format(rows=", ".join([MARIADB_COUNTER] * (len(counts) // 5))), tuple(counts))
    return kept


# SQLite: the batch goes over as one JSON text, so that a statement runs in one piece while others wait for the write lock.
SQLITE_PUT = f"""
INSERT INTO ballot ({", ".join(COLUMNS)}, void_no)
SELECT {", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(COLUMNS)))}, 0 FROM json_each(?)
WHERE EXISTS (SELECT 1 FROM person WHERE id = json_extract(value, '$[{COLUMNS.index("person_id")}]') AND merged_into_id IS NULL)
ON CONFLICT DO NOTHING RETURNING receipt_id
"""
SQLITE_COUNT = f"""
INSERT INTO tally (subject_id, day, grade, shard, count)
SELECT {", ".join(f"json_extract(value, '$[{n}]')" for n in range(5))} FROM json_each(?) WHERE true
ON CONFLICT (subject_id, day, grade, shard) DO UPDATE SET count = tally.count + excluded.count
"""


def _write_sqlite(connection: Connection, batch_id: str, rows: Sequence[Row], at: datetime) -> set[str]:
    asked = json.dumps([[_text(getattr(row, name)) for name in COLUMNS] for row in rows])
    with connection.begin():
        connection.exec_driver_sql("INSERT INTO ballot_batch (id, at) VALUES (?, ?)", (batch_id, _text(at)))
        kept = {one for (one,) in connection.exec_driver_sql(SQLITE_PUT, (asked,))}
        counts = [[_text(value) for value in counter] for counter in _counts(rows, kept)]
        if counts:
            connection.exec_driver_sql(SQLITE_COUNT, (json.dumps(counts),))
    return kept


WRITE: dict[str, Write] = {"postgresql": _write_postgresql, "mysql": _write_mariadb, "mariadb": _write_mariadb, "sqlite": _write_sqlite}


def _counts(rows: Sequence[Row], kept: set[str]) -> list[tuple[int, date, str, str, int]]:
    """What goes to the counters, in their order: (subject, day, grade, shard, how many)."""
    moves = Counter((row.subject_id, row.day, row.grade.value) for row in rows if row.receipt_id in kept)
    return [(*key, shard(), count) for key, count in sorted(moves.items())]


def _plain(value: Any) -> Any:
    if isinstance(value, Grade):
        return value.value
    return value


def _text(value: Any) -> Any:
    """As SQLAlchemy writes it in SQLite: instants naive in UTC, with microseconds."""
    if isinstance(value, datetime):
        return _naive(value).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else _plain(value)


def _zoneless(value: Any) -> Any:
    return _naive(value) if isinstance(value, datetime) else _plain(value)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
