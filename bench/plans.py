"""How a database means to find what a request asks for: the statements are overheard while our own app answers it, then explained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import event

from wxbackend.extensions import db

GROWS = ("ballot", "tally", "voter_token", "person", "identity")   # tables that grow with the vote
EXPLAINED = re.compile(r"^\s*(SELECT|WITH|INSERT|UPDATE)\b", re.I)


@dataclass(frozen=True)
class Overheard:
    statement: str
    parameters: Any


@dataclass(frozen=True)
class Plan:
    """`scans`: tables read from end to end; `steps` as the database says them."""

    statement: str
    steps: list[str]
    scans: list[str]


def plans_of(app: Flask, request: Callable[[], Any]) -> list[Plan]:
    """The plans of all statements on growing tables that `request` has our app execute, in any of its threads."""
    with app.app_context():
        with _listening() as heard:
            request()
        db.session.remove()
        unique = {one.statement: one for one in heard if _concerns(one.statement)}
        return [_plan(one) for one in unique.values()]


@contextmanager
def _listening() -> Iterator[list[Overheard]]:
    heard: list[Overheard] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
        heard.append(Overheard(statement, parameters[0] if executemany else parameters))

    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        yield heard
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)


def _concerns(statement: str) -> bool:
    return bool(EXPLAINED.match(statement)) and any(re.search(rf"\b{name}\b", statement) for name in GROWS)


def _plan(one: Overheard) -> Plan:
    explain = {"postgresql": "EXPLAIN (FORMAT JSON) ", "sqlite": "EXPLAIN QUERY PLAN "}.get(db.engine.dialect.name, "EXPLAIN FORMAT=JSON ")
    with db.engine.connect() as connection:
        rows = connection.exec_driver_sql(explain + one.statement, one.parameters).all()
        connection.rollback()
    steps = list(READERS.get(db.engine.dialect.name, _mariadb)(rows))
    scans = sorted({table for _, table, reads_all in steps if reads_all and table in GROWS})
    return Plan(" ".join(one.statement.split()), [f"{how} {table}" for how, table, _ in steps], scans)


def _postgresql(rows: Any) -> Iterator[tuple[str, str, bool]]:
    """(how, table, whether all of it is read)"""
    def walk(node: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
        table, how = node.get("Relation Name", ""), node["Node Type"]
        if table:
            held = node.get("Index Cond") or ""
            yield f"{how} {node.get('Index Name', '')} {held}".strip(), table, how == "Seq Scan"
        for below in node.get("Plans", []):
            yield from walk(below)

    said = rows[0][0]
    yield from walk((json.loads(said) if isinstance(said, str) else said)[0]["Plan"])


def _mariadb(rows: Any) -> Iterator[tuple[str, str, bool]]:
    def walk(node: Any) -> Iterator[tuple[str, str, bool]]:
        if isinstance(node, list):
            for one in node:
                yield from walk(one)
        elif isinstance(node, dict):
            if "table_name" in node:
                how = node.get("access_type", "insert")
                yield f"{how} {node.get('key', '')}".strip(), node["table_name"], how in ("ALL", "index")
            for one in node.values():
                yield from walk(one)

    yield from walk(json.loads(rows[0][0]))


def _sqlite(rows: Any) -> Iterator[tuple[str, str, bool]]:
    for row in rows:
        found = re.match(r"(SCAN|SEARCH) (\w+)(.*)", str(row[-1]))
        if found:
            yield f"{found[1]}{found[3]}", found[2], found[1] == "SCAN"


READERS: dict[str, Callable[[Any], Iterator[tuple[str, str, bool]]]] = {"postgresql": _postgresql, "sqlite": _sqlite}
