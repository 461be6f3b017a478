"""When WeChat does not answer as it should: one call, the next few, all of a host, or only late."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request

HOWS = ("errcode", "http", "hang", "drop", "html", "truncate", "json", "without")
HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


class Weather:
    """`failures`: [{"path", "times", "skip", one of HOWS}]; `latency`: [(path, seconds)]; `outage`: such a failure without an end.

    A path ending in * stands for all that begin so.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.failures: list[dict[str, Any]] = []
        self.latency: dict[str, float] = {}
        self.outage: dict[str, Any] | None = None

    def failure_for(self, path: str) -> dict[str, Any] | None:
        """What was asked for this path, counted down."""
        with self.lock:
            for failure in self.failures:
                if matches(failure["path"], path) and failure["times"] > 0:
                    if failure.get("skip", 0) > 0:
                        failure["skip"] -= 1
                        return None
                    failure["times"] -= 1
                    return failure
            if self.outage and matches(self.outage.get("path", "*"), path):
                return self.outage
        return None

    def delay_for(self, path: str) -> float:
        return max((seconds for pattern, seconds in self.latency.items() if matches(pattern, path)), default=0.0)


def matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def before(weather: Weather, refusal: Callable[[int], dict[str, Any]]) -> tuple[Response | None, dict[str, Any] | None]:
    """(the answer in place of the real one, or None; what is still to be done to the real answer)."""
    time.sleep(weather.delay_for(request.path))
    failure = weather.failure_for(request.path)
    if failure is None:
        return None, None
    if "hang" in failure:
        time.sleep(float(failure["hang"]))
    if failure.get("after") or failure.get("drop") == "after":
        return None, failure
    return _instead(failure, refusal), failure


def _instead(failure: dict[str, Any], refusal: Callable[[int], dict[str, Any]]) -> Response | None:
    """The answer that a failure gives in place of the real one."""
    if failure.get("drop"):
        return hang_up()
    if "http" in failure:
        return Response(str(failure.get("text", "")), int(failure["http"]))
    if "html" in failure:
        return Response(HTML, 200, mimetype="text/html")
    if "errcode" in failure:
        return jsonify(refusal(int(failure["errcode"])))
    if "json" in failure:
        return Response(json.dumps(failure["json"], ensure_ascii=False), mimetype="application/json")
    return None


def after(response: Response, failure: dict[str, Any], refusal: Callable[[int], dict[str, Any]]) -> Response:
    """Spoil a real answer: WeChat has acted, and something went wrong behind it."""
    if (failure.get("after") or failure.get("drop") == "after") and (other := _instead(failure, refusal)):
        return other
    if "truncate" in failure:
        data = response.get_data()
        keep = len(data) // 2 if failure["truncate"] is True else int(failure["truncate"])
        response.set_data(data[:keep])
    if "without" in failure and isinstance(told := response.get_json(force=True, silent=True), dict):
        response.set_data(json.dumps({k: v for k, v in told.items() if k not in failure["without"]}, ensure_ascii=False))
    return response


def hang_up() -> Response:
    """Close the line without a word; without a line (a test client) a 502."""
    line: socket.socket | None = request.environ.get("werkzeug.socket")
    if line is not None:
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    return Response("", 502)
