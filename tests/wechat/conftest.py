"""A stand-in for api.weixin.qq.com on loopback: a real HTTP server that remembers what it was asked."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from config.settings import Settings
from wxbackend import store

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


class FakeWeChat:
    """Answers by path; `say(path, …)` replaces the answers of a path, the last one repeats. `asked` is what came in."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, list[Any]] = {}
        self.given = 0
        self.lock = threading.Lock()
        self.token_seconds = 0.0
        self.say("/cgi-bin/stable_token", self.new_token)

    def say(self, path: str, *answers: Any) -> None:
        self.answers[path] = list(answers)

    def new_token(self, _request: Any) -> dict[str, Any]:
        with self.lock:
            self.given += 1
            number = self.given
        time.sleep(self.token_seconds)
        return {"access_token": f"TOKEN-{number}", "expires_in": 7200}

    def times(self, path: str) -> int:
        return sum(ask["path"] == path for ask in self.asked)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        files = {name: part.read() for name, part in request.files.items()}
        with self.lock:
            self.asked.append({"method": request.method, "type": request.mimetype, "path": request.path, "args": request.args.to_dict(),
                               "files": files, "body": request.get_data().decode("utf-8", "replace")})
            answers = self.answers.get(request.path) or [Response("no such path", 404)]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer = answer(self.asked[-1]) if isinstance(answer, Callable) and not isinstance(answer, Response) else answer
        if isinstance(answer, dict):
            answer = Response(json.dumps(answer, ensure_ascii=False), content_type="text/plain")   # as jscode2session does
        return answer(environ, start_response)


class Quiet(WSGIRequestHandler):
    """The stand-in writes no access log: tests look for secrets in ours."""

    def log(self, *_args: object) -> None:
        pass


class Stage:
    """One server for all tests; each test has a host of its own on it, so that a late answer of one is not heard by the next."""

    def __init__(self) -> None:
        self.host: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.host(environ, start_response)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    stage = Stage()
    server = make_server("127.0.0.1", 0, stage, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    stage.url = f"http://127.0.0.1:{server.server_port}"   # type: ignore[attr-defined]
    yield stage
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wechat_host(stage: Stage) -> FakeWeChat:
    stage.host = fake = FakeWeChat()
    fake.url = stage.url   # type: ignore[attr-defined]
    return fake


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., Flask]:
    def make(api_root: str, **changes: Any) -> Flask:
        app = Flask("test")
        app.extensions["settings"] = Settings(**({
            "environment": "test", "instance_dir": str(tmp_path), "secret_key": "test", "data_key": base64.b64encode(bytes(32)).decode(),
            "wechat_api_root": api_root, "wechat_timeout_seconds": 1.0, "account_appid": "wxaccount", "account_secret": "SECRET-A",
            "account_token": "tokenA", "account_aes_key": AES_KEY, "miniprogram_appid": "wxmini", "miniprogram_secret": "SECRET-M",
            "miniprogram_token": "tokenM", "miniprogram_aes_key": AES_KEY, "max_image_bytes": 100_000} | changes))
        store.init_app(app)
        return app

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask], wechat_host: FakeWeChat) -> Iterator[Flask]:
    app = make_app(wechat_host.url)   # type: ignore[attr-defined]
    with app.app_context():
        yield app


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that slipped past the settings fails loudly instead of calling Tencent."""
    real = socket.getaddrinfo

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host in ("127.0.0.1", "localhost"), f"a test wanted {host}"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)
