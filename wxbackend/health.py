"""For operators: alive, ready, metrics."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flask import Blueprint, Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from wxbackend import store
from wxbackend.extensions import db, settings
from wxbackend.web import access

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@access("public")
def alive() -> dict[str, str]:
    return {"status": "ok"}


@bp.get("/readyz")
@access("public")
def ready() -> tuple[dict[str, bool], int]:
    """Database and storage are needed; Redis may be away for a while."""
    parts = {"database": _database(), "redis": store.ping(), "storage": _storage()}
    return parts, 200 if parts["database"] and parts["storage"] else 503


@bp.get("/metrics")
@access("loopback")
def metrics() -> Response:
    """Prometheus; for this machine only."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


def _database() -> bool:
    try:
        db.session.execute(text("SELECT 1"))
        return True
    except SQLAlchemyError:
        db.session.rollback()
        return False


def _storage() -> bool:
    try:
        folder = Path(settings.instance_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
