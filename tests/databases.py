"""The three databases for tests of what only a real one can show. Each test gets a database of its own, dropped afterwards.

PostgreSQL and MariaDB are expected on their usual loopback ports (user postgres on trust, root without password).
A missing one skips the test with a line, or fails it where REQUIRE_SERVICES=1.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from config.settings import Settings
from wxbackend import clock
from wxbackend.extensions import db, engine_options, prepare_engine

ENGINES = ("sqlite", "postgresql", "mariadb")
SERVERS = {"postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/", "mariadb": "mysql+pymysql://root@127.0.0.1:3306/"}
CREATE = {"postgresql": "CREATE DATABASE {}", "mariadb": "CREATE DATABASE {} CHARACTER SET utf8mb4"}
DROP = {"postgresql": "DROP DATABASE {} WITH (FORCE)", "mariadb": "DROP DATABASE {}"}


@contextmanager
def fresh_database(engine: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database of `engine`."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/test.db"
        return
    name = f"wx_test_{os.getpid()}_{secrets.token_hex(4)}"
    server = create_engine(SERVERS[engine] + ("postgres" if engine == "postgresql" else ""), isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(CREATE[engine].format(name)))
    except OperationalError:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"{engine} is not running on its loopback port")
    try:
        yield SERVERS[engine] + name
    finally:
        with server.connect() as connection:
            connection.execute(text(DROP[engine].format(name)))
        server.dispose()


def small_app(url: str, instance_dir: Path | str) -> Flask:
    """Database and clock, and nothing else of the building."""
    app = Flask("test")
    key = base64.b64encode(bytes(32)).decode()
    app.extensions["settings"] = Settings(
        environment="test", instance_dir=str(instance_dir), database_url=url, secret_key="test", data_key=key, account_secret="a",
        account_token="a", account_aes_key=key[:43], miniprogram_secret="m", miniprogram_token="m", miniprogram_aes_key=key[:43])
    app.config |= {"SQLALCHEMY_DATABASE_URI": url, "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url, 16)}
    clock.init_app(app)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        db.create_all()
    return app
