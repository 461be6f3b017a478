"""Alembic's environment: runs inside the Flask app, on its engine."""

from __future__ import annotations

from alembic import context
from flask import current_app

from wxbackend.extensions import db

config = context.config


def run() -> None:
    """Upgrade or check on the app's own engine. SQLite changes tables by copying them (batch mode)."""
    with db.engine.connect() as connection:
        _binary_collation(connection)
        context.configure(connection=connection, target_metadata=db.metadata, render_as_batch=True, compare_type=False,
                          transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


def _binary_collation(connection) -> None:
    """On MySQL and MariaDB too, texts differ when their letters do: openids and tokens need it, the default collation folds case."""
    if connection.dialect.name in ("mysql", "mariadb"):
        name = connection.exec_driver_sql("SELECT DATABASE()").scalar()
        connection.exec_driver_sql(f"ALTER DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        connection.commit()


assert current_app   # only through `flask db …`
run()
