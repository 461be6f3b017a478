from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.databases import ENGINES, fresh_database, small_app
from wxbackend.audit.models import AuditEntry  # noqa: F401  its table must be known before it is made
from wxbackend.extensions import db
from wxbackend.jobs import service
from wxbackend.jobs.models import Job  # noqa: F401


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Tests that name this run on each of the three databases."""
    with fresh_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def everywhere(url: str, tmp_path: Path, own_handlers: None) -> Iterator[Flask]:
    app = small_app(url, tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(tmp_path: Path, own_handlers: None) -> Iterator[Flask]:
    app = small_app(f"sqlite:///{tmp_path}/test.db", tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers of a test end with it."""
    monkeypatch.setattr(service, "_handlers", {})
