"""The simulator's WSGI app: one port plays WeChat's three hosts and the phone, told apart by path."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from simulator import api, control, oauth, phone
from simulator.product import Product
from simulator.settings import Config
from simulator.state import State
from simulator.wire import refusal, world

WECHAT = ("/cgi-bin/", "/sns/", "/connect/", "/wxa/")
MAX_BODY_BYTES = 16 * 1024 * 1024
POLL_SECONDS = 0.05          # how soon a shutdown is noticed


def create_app(config: Config | Mapping[str, Any] | None = None) -> Flask:
    """A WeChat of its own: nothing is shared between two apps. `config` may be a mapping of Config's fields."""
    if not isinstance(config, Config):
        config = Config(**(config or {}))
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["state"] = State(config)
    app.extensions["product"] = Product(config.app_url)
    for room in (api, oauth, control, phone):
        app.register_blueprint(room.bp)
    app.before_request(_watch)
    app.after_request(_headers)
    app.register_error_handler(NotFound, _nothing_here)
    app.register_error_handler(MethodNotAllowed, _wrong_method)
    return app


def _watch() -> Any:
    """Log what the product asks of WeChat, and fail where fail-next said so."""
    if not request.path.startswith(WECHAT):
        return None
    state = world()
    state.requests.append({"method": request.method, "path": request.path, "args": request.args.to_dict(), "bytes": len(request.get_data()),
                           "content_type": request.mimetype})
    failure = state.failure_for(request.path)
    if failure is None:
        return None
    if "hang" in failure:
        time.sleep(float(failure["hang"]))
    if "http" in failure:
        return Response("", int(failure["http"]))
    return jsonify(refusal(int(failure["errcode"]))) if "errcode" in failure else None


def _nothing_here(_error: NotFound) -> Response:
    return Response("404 not found", 404, mimetype="text/plain")


def _wrong_method(error: MethodNotAllowed) -> Any:
    if request.path.startswith(("/cgi-bin/", "/sns/")):
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
