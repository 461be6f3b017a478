"""Millions of rows, made by the database itself: ``INSERT … SELECT`` over a series of numbers, in each engine's own words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, String, Table, cast, func, insert, literal, literal_column, select, text

SERIES = {
    "postgresql": "generate_series({first}, {last}) AS s(n)",
    "mysql": "(SELECT seq AS n FROM seq_{first}_to_{last}) AS s",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS s",
}
SHA256: dict[str, Callable[[Any], ColumnElement[str]]] = {
    "postgresql": lambda words: func.encode(func.sha256(func.convert_to(words, "UTF8")), "hex"),
    "mysql": lambda words: func.sha2(words, 256),
    "sqlite": lambda words: func.sha256(words),   # ours, see `fill`
}
ANALYSE = {"postgresql": "ANALYZE", "mysql": "ANALYZE TABLE", "sqlite": "ANALYZE"}
CHUNK_ROWS = 500_000   # a transaction's worth: ten million rows in one would be one long log
N: ColumnElement[int] = literal_column("s.n", Integer)


def digest(connection: Connection, prefix: str) -> ColumnElement[str]:
    """64 hex characters made of a prefix and n."""
    return SHA256[_engine(connection)](literal(prefix) + cast(N, String(20)))


def cut(text: ColumnElement[str]) -> ColumnElement[str]:
    """The first 16 of them, in upper case: 64 bits, which look like a receipt's."""
    return func.upper(func.substr(text, 1, 16))


def fill(connection: Connection, table: Table, values: Mapping[str, Any], first: int, last: int) -> None:
    """One row for each n of first..last, committed in chunks. `values`: expressions over N, or plain values."""
    engine = _engine(connection)
    if engine == "sqlite":
        raw = connection.connection.dbapi_connection
        raw.create_function("sha256", 1, lambda text: hashlib.sha256(text.encode()).hexdigest(), deterministic=True)   # type: ignore[union-attr]
    chosen = [value if isinstance(value, ColumnElement) else literal(value, table.c[name].type) for name, value in values.items()]
    for start in range(first, last + 1, CHUNK_ROWS):
        series = text(SERIES[engine].format(first=start, last=min(last, start + CHUNK_ROWS - 1)))
        connection.execute(insert(table).from_select(list(values), select(*chosen).select_from(series)))
        connection.commit()
    _settle(connection, table, last if "id" in values else 0)


def _settle(connection: Connection, table: Table, last: int) -> None:
    """PostgreSQL counts on behind ids we said ourselves; each engine gets the statistics its own housekeeping makes within a minute."""
    if last and _engine(connection) == "postgresql":
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), last)))
    connection.execute(text(f"{ANALYSE[_engine(connection)]} {table.name}"))
    connection.commit()


def _engine(connection: Connection) -> str:
    return {"mariadb": "mysql"}.get(connection.dialect.name, connection.dialect.name)
