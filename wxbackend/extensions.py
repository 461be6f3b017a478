"""The shared handles. Imports nothing of ours, so that nobody is caught in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from flask import current_app
from flask_migrate import Migrate
from flask_smorest import Api
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import BigInteger, DateTime, Integer, MetaData, Text, TypeDecorator, event
from sqlalchemy.dialects.mysql import DATETIME as MySQLDateTime
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase
from werkzeug.local import LocalProxy

from config.settings import Settings


class Base(DeclarativeBase):
    """Every table's class. `db` shares its metadata; models stand on Base itself, which type checkers can read."""

    metadata = MetaData(naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    })


db = SQLAlchemy(model_class=Base)
migrate = Migrate(render_as_batch=True, compare_type=False)
api = Api()
csrf = CSRFProtect()

settings: Settings = LocalProxy(lambda: current_app.extensions["settings"])  # type: ignore[assignment]

Id = BigInteger().with_variant(Integer, "sqlite")   # SQLite numbers rows itself only for INTEGER
LongText = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")   # their TEXT ends at 64 kB


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant with microseconds; naive values are refused rather than guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(MySQLDateTime(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must know its zone")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


# SQLite lets one connection write. A transaction that reads first and writes later fails at once
# when somebody wrote in between, so transactions take the write lock at BEGIN; reading requests say
# `reads_only` and share.
reads_only: ContextVar[bool] = ContextVar("reads_only", default=False)


@contextmanager
def reading(yes: bool = True) -> Iterator[None]:
    """Transactions that begin within only read, beside whoever writes; with False they write, whatever the request said."""
    token = reads_only.set(yes)
    try:
        yield
    finally:
        reads_only.reset(token)


def prepare_engine(engine: Engine) -> None:
    """Durable SQLite in WAL with real transactions."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None   # we send BEGIN ourselves
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if reads_only.get() else "BEGIN IMMEDIATE")


def engine_options(url: str, threads: int) -> dict[str, Any]:
    """Pools sized to the threads; READ COMMITTED everywhere, so that a select after a lost insert sees the winner.

    Errors hide the values of a statement: they go into the log, and openids do not.
    """
    options: dict[str, Any] = {"pool_size": threads + 4, "max_overflow": 4, "hide_parameters": True}
    if url.startswith("sqlite"):
        return options | {"connect_args": {"timeout": 15, "check_same_thread": False}}
    options |= {"pool_pre_ping": True, "pool_recycle": 1800, "isolation_level": "READ COMMITTED"}
    if url.startswith(("mysql", "mariadb")):
        # A server that vanishes without a word (power, a frozen machine) is given up; five minutes let the longest migration pass.
        options["connect_args"] = {"charset": "utf8mb4", "connect_timeout": 5, "read_timeout": 300, "write_timeout": 300,
                                   "init_command": "SET time_zone = '+00:00'"}
    else:
        options["connect_args"] = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3,
                                   "tcp_user_timeout": 15_000}
    return options
