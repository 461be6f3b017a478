"""An app with a database and a store, and answers the tests know."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from tests.store.apps import make_store_app
from tests.store.apps import start_server as start_server
from wxbackend.captcha import colour, service
from wxbackend.extensions import db, engine_options, prepare_engine

AT = datetime(2022, 1, 7, 3, 0, tzinfo=UTC)
SEED = 7


def make_captcha_app(folder: Path, redis_url: str = "") -> Flask:
    app = make_store_app(folder, redis_url)
    url = f"sqlite:///{folder}/captcha.db"
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url, 16)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        db.create_all()
    return app


@pytest.fixture(params=["redis", "sql"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """With the store, and with nobody listening where Redis should be, so that SQL rows stand in."""
    made = make_captcha_app(tmp_path, "" if request.param == "redis" else f"unix://{tmp_path}/none.sock")
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> str:
    """The answer of every picture of the usual family while this fixture stands."""
    monkeypatch.setattr(service, "choose", lambda: random.Random(SEED))
    return colour.puzzle(random.Random(SEED)).answer
