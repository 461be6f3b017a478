"""The simulator's WSGI app: one port plays WeChat's three hosts and the phone, told apart by path."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from simulator import api, control, control_talk, control_trouble, hands, mini, oauth, phone, weather
from simulator.product import Product
from simulator.settings import Config
from simulator.state import State
from simulator.wire import ApiError, refusal, world

WECHAT = ("/cgi-bin/", "/sns/", "/connect/", "/wxa/")
MAX_BODY_BYTES = 16 * 1024 * 1024
LOGGED_BYTES = 4000
POLL_SECONDS = 0.05          # how soon a shutdown is noticed


def create_app(config: Config | Mapping[str, Any] | None = None) -> Flask:
    """A WeChat of its own: nothing is shared between two apps. `config` may be a mapping of Config's fields."""
    if not isinstance(config, Config):
        config = Config(**(config or {}))
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["state"] = State(config)
    app.extensions["product"] = Product(config.app_url)
    for bp in (*api.BLUEPRINTS, oauth.bp, control.bp, control_trouble.bp, control_talk.bp, phone.bp, hands.bp, mini.bp):
        app.register_blueprint(bp)
    app.before_request(_watch)
    app.after_request(_answered)
    app.after_request(_headers)
    app.register_error_handler(ApiError, lambda error: refusal(error.errcode, error.about))
    app.register_error_handler(NotFound, _nothing_here)
    app.register_error_handler(MethodNotAllowed, _wrong_method)
    return app


def _watch() -> Any:
    """Log what the product asks of WeChat, and fail where control said so."""
    if not request.path.startswith(WECHAT):
        return None
    g.started = time.monotonic()
    g.entry = {"method": request.method, "path": request.path, "args": request.args.to_dict(), "bytes": len(request.get_data()),
               "content_type": request.mimetype, "body": _readable(request.get_data())}
    world().requests.append(g.entry)
    answer, g.failure = weather.before(world().weather, refusal)
    return answer


def _readable(data: bytes) -> str:
    return data[:LOGGED_BYTES].decode("utf-8", "replace") if request.is_json or data[:1] == b"{" else ""


def _answered(response: Response) -> Response:
    entry = g.get("entry")
    if entry is None:
        return response
    if g.get("failure"):
        response = weather.after(response, g.failure, refusal)
    told = response.get_json(force=True, silent=True) if response.is_json else None
    errcode = told.get("errcode") if isinstance(told, dict) else None
    entry.update(status=response.status_code, errcode=errcode, took_ms=round((time.monotonic() - g.started) * 1000))
    return response


def _nothing_here(error: NotFound) -> Any:
    if request.path.startswith("/_sim/"):
        return {"error": error.description}, 404
    return Response("404 not found", 404, mimetype="text/plain")


def _wrong_method(error: MethodNotAllowed) -> Any:
    if request.path.startswith(("/cgi-bin/", "/sns/", "/wxa/")):
        return jsonify(refusal(43002 if request.method == "GET" else 43001))
    return error.get_response()


def _headers(response: Response) -> Response:
    """The phone's pages load own files only and frame the product only."""
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
            f"base-uri 'none'; frame-ancestors 'self'; frame-src 'self' {world().config.app_url}")
        response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class _Quiet(WSGIRequestHandler):
    """Tokens and secrets stand in WeChat's URLs; they are not written to a terminal."""

    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error":
            super().log(type, message, *args)


def serve(app: Flask, port: int = 0) -> tuple[BaseWSGIServer, str]:
    """Serve on loopback from a thread; (server, url). Port 0 takes a free one. `server.shutdown()` ends it."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="simulator", daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"
