"""Small apps on each kind of store."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask

from config.settings import Settings
from wxbackend import store

SERVER = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
REQUIRED = os.environ.get("REQUIRE_SERVICES") == "1"


def settings_for(folder: Path, redis_url: str = "") -> Settings:
    key = base64.b64encode(bytes(32)).decode()
    return Settings(environment="test", instance_dir=str(folder), redis_url=redis_url, secret_key="test", data_key=key,
                    account_secret="test", account_token="test", account_aes_key=key[:43],
                    miniprogram_secret="test", miniprogram_token="test", miniprogram_aes_key=key[:43])


def make_store_app(folder: Path, redis_url: str = "") -> Flask:
    app = Flask("store-test")
    app.extensions["settings"] = settings_for(folder, redis_url)
    app.config["STORE_NAMESPACE"] = f"test-{secrets.token_hex(6)}"
    store.init_app(app)
    return app


def server_url() -> str:
    """The Redis server of this machine; skips without one, unless services are required."""
    try:
        redis.Redis.from_url(SERVER, socket_timeout=1, socket_connect_timeout=1).ping()
    except redis.RedisError:
        if REQUIRED:
            raise
        pytest.skip(f"no Redis at {SERVER}")
    return SERVER


def redis_server() -> str:
    program = shutil.which("redis-server")
    if program is None:
        if REQUIRED:
            pytest.fail("REQUIRE_SERVICES=1 but there is no redis-server")
        pytest.skip("no redis-server here")
    return program


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[[], tuple[str, subprocess.Popen]]]:
    """Starts a redis-server of the test's own on one socket; every call starts it there again."""
    program, socket = redis_server(), tmp_path / "own.sock"
    started: list[subprocess.Popen] = []

    def start() -> tuple[str, subprocess.Popen]:
        process = subprocess.Popen([program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)],
                                   stdout=subprocess.DEVNULL)
        started.append(process)
        client = redis.Redis(unix_socket_path=str(socket))
        for _ in range(500):
            try:
                client.ping()
                break
            except redis.RedisError:
                time.sleep(0.01)
        return f"unix://{socket}", process

    yield start
    for process in started:
        process.kill()
        process.wait()
