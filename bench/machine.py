"""On what a run was measured: without that its figures say nothing."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from typing import Any

import redis
from sqlalchemy import create_engine, text

PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "pymysql", "redis", "flask-limiter")


class Machine:
    """Looked at as a run begins; `facts` as it ends."""

    def __init__(self) -> None:
        self._load, self._began = load(), time.monotonic()

    def facts(self, versions: dict[str, str], options: Any) -> dict[str, Any]:
        packages = {name: version(name) for name in PACKAGES}
        return {"cpus": os.cpu_count(), "load_before": self._load, "load_after": load(), "seconds": round(time.monotonic() - self._began),
                "options": vars(options), "versions": {"python": platform.python_version()} | packages | versions}

    @staticmethod
    def versions(databases: dict[str, Any], redis_part: Any) -> dict[str, str]:
        """{"postgresql": "15.6 …", "redis": "7.0.15"}"""
        found = {engine: _database_version(engine, part.url) for engine, part in databases.items() if part}
        client = redis.Redis.from_url(redis_part.url, decode_responses=True)
        return found | {"redis-server": str(client.info("server")["redis_version"])}


def load() -> list[float]:
    """How many processes wanted to run, over 1, 5 and 15 minutes."""
    return [round(one, 2) for one in os.getloadavg()]


def _database_version(engine: str, url: str) -> str:
    made = create_engine(url)
    with made.connect() as connection:
        said = str(connection.scalar(text("SHOW server_version" if engine == "postgresql" else "SELECT version()")))
    made.dispose()
    return said.split(" ")[0]
