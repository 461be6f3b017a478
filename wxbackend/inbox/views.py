"""WeChat's callback: checked, answered within five seconds, everything slow left to jobs."""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from wxbackend import clock, wechat
from wxbackend.extensions import db
from wxbackend.inbox import service as inbox
from wxbackend.web import access

bp = Blueprint("inbox", __name__)
APPS = ("account", "miniprogram")


@bp.get("/wechat/callback/<app>")
@access("wechat")
def check(app: str) -> Response:
    """The console's check of this address."""
    _known(app)
    return Response(wechat.check_echo(app, request.args, clock.now()), mimetype="text/plain")


@bp.post("/wechat/callback/<app>")
@access("wechat")
def receive(app: str) -> Response:
    """One message or event. The reply leaves only when what it says is committed."""
    _known(app)
    at = clock.now()
    message = wechat.open_callback(app, request.args, request.get_data(), at)
    text = inbox.answer(message, at) if app == "account" else ""
    db.session.commit()
    body = wechat.seal_reply(app, message, text or None, at)
    return Response(body, mimetype="application/xml" if body.startswith("<") else "text/plain")


def _known(app: str) -> None:
    if app not in APPS:
        abort(404)
