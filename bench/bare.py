"""The yardstick: Flask with nothing in it, on the same front as the product."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request


def create_app() -> Flask:
    """GET / and POST /: a small JSON answer; the POST parses its body."""
    app = Flask("bare")
    app.add_url_rule("/healthz", view_func=lambda: "")

    @app.get("/")
    def get() -> dict[str, Any]:
        return {"ok": True}

    @app.post("/")
    def post() -> dict[str, Any]:
        return {"ok": True, "grade": request.get_json()["grade"]}

    return app


def front() -> Any:
    """The same behind the product's front, as it serves every page that is not a plain vote."""
    from wxbackend.front import Bridge

    return Bridge(create_app(), int(os.environ["THREADS"]))
