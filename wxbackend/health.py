"""For operators: alive, ready, metrics."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from wxbackend import alarms, clock, store, wechat
from wxbackend.alarms.rules import KINDS
from wxbackend.extensions import db, settings
from wxbackend.keys import is_own_nonce, keyed_hash
from wxbackend.problems import render
from wxbackend.web import access
from wxbackend.wechat import CallbackRefused, WeChatRefused, features

bp = Blueprint("health", __name__)
open_alarms = Gauge("wxbackend_open_alarms", "Alarms that nobody has settled, by kind; none shown while the database is away", ["kind"])
NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


@bp.get("/healthz")
@access("public")
def alive() -> dict[str, Any]:
    """With ?nonce=… also which installation this is, for the doctor, who wants to know where the public address leads."""
    nonce = request.args.get("nonce", "")
    told: dict[str, Any] = {"instance": fingerprint(nonce)} if NONCE.fullmatch(nonce) else {}
    if is_own_nonce(nonce):   # with the store in this process the doctor cannot look for itself
        told["off"] = features.switched_off()
    return {"status": "ok"} | told


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
    _count_alarms()
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.register_error_handler(WeChatRefused, _refused)
    app.register_error_handler(CallbackRefused, _shut_out)


def fingerprint(nonce: str) -> str:
    """32 hex characters that only an installation with our key and our database answers to this nonce; they tell neither."""
    return keyed_hash("healthz", f"{nonce}|{settings.resolved_database_url}|{settings.store_namespace}")[:32]


def _refused(problem: WeChatRefused) -> Response:
    """WeChat refuses the account and not the person: whoever runs the site hears of it, and the answer is the same.

    Staff at work read it on their own page, so nothing rings for them.
    """
    if request.blueprint not in ("admin", "staff"):
        alarms.ring_refusal_alone(problem, request.endpoint or "", clock.now())
    return render(problem)


def _shut_out(problem: CallbackRefused) -> Response:
    """Refused, yet WeChat's own: in 明文模式, by the URL's signature, or sealed and signed by a clock far from ours. Nothing comes in until
    somebody mends it, so somebody must hear of it. Strangers cannot ring, who do not know the token; the doctor's own try does not."""
    at, app = clock.now(), str((request.view_args or {}).get("app", ""))
    if request.method == "POST" and not is_own_nonce(request.args.get("nonce", "")):
        minutes = round(abs(_sent_at(at) - at).total_seconds() / 60)
        if "msg_signature" not in request.args and _is_taken(lambda: wechat.check_echo(app, request.args.to_dict() | {"echostr": "0"}, at)):
            alarms.ring_alone("callback-plaintext", app, at)
        elif minutes and _is_taken(lambda: wechat.open_callback(app, request.args, request.get_data(), _sent_at(at))):
            alarms.ring_alone("callback-clock", app, at, {"minutes": minutes})
    return render(problem)


def _sent_at(at: datetime) -> datetime:
    """When the URL says that it was signed; `at` where it says nothing of the kind."""
    try:
        return datetime.fromtimestamp(int(request.args.get("timestamp", "")[:11]), UTC)
    except (ValueError, OverflowError, OSError):
        return at


def _is_taken(check: Callable[[], object]) -> bool:
    try:
        check()
    except CallbackRefused:
        return False
    return True


def _count_alarms() -> None:
    open_alarms.clear()
    try:
        counts = alarms.open_counts()
    except SQLAlchemyError:
        db.session.rollback()
        return   # a number of an hour ago would look like peace
    for kind in KINDS | counts:
        open_alarms.labels(kind).set(counts.get(kind, 0))


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
