"""Parts of a whole installation, started for one run: PostgreSQL, MariaDB, Redis and the product's own server processes.

    with own_postgres() as postgres, own_redis() as redis, own_app(postgres.url, redis.url, processes=2) as app:
        ...  # app.urls, app.kill9(0), postgres.freeze(), redis.kill9(), redis.start(), cpu_seconds(app.pids())

Each listens on a free port of 127.0.0.1, keeps its data in a folder of its own, writes as durably as in production, can be killed,
frozen and started again on the same data, and is gone with its folder when the block ends or the run dies (see warden.py).
BENCH_DATABASE_URL and BENCH_REDIS_URL name servers to be used instead; those are only looked at, never killed.
"""

from __future__ import annotations

from bench.parts.databases import own_database, own_mariadb, own_postgres
from bench.parts.process import Given, Part, PartMissing, cpu_seconds, free_port
from bench.parts.redis import own_redis
from bench.parts.server import App, environment_of, granian, own_app, production

__all__ = ["App", "Given", "Part", "PartMissing", "cpu_seconds", "environment_of", "free_port", "granian", "own_app", "own_database",
           "own_mariadb", "own_postgres", "own_redis", "production"]
