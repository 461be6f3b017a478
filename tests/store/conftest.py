"""Apps on each kind of store; the contract tests run on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.store.apps import make_store_app, redis_server, server_url
from tests.store.apps import start_server as start_server


@pytest.fixture(params=["embedded", "spawned", "server"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """One app for each kind of store, inside its context, with a namespace of its own."""
    if request.param == "spawned":
        redis_server()
    url = {"embedded": "", "spawned": "spawn", "server": ""}[request.param] or (server_url() if request.param == "server" else "")
    made = make_store_app(tmp_path, url)
    with made.app_context():
        yield made
        if url:
            namespace = made.config["STORE_NAMESPACE"]
            made.extensions["store"].run(lambda c: [c.delete(key) for key in c.scan_iter(f"{namespace}:*")])
