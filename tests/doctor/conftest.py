"""A served product, the simulated WeChat beside it, and the doctor who is asked about one thing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug import Request, Response
from werkzeug.serving import make_server

import simulator
from simulator.settings import Config
from wxbackend.jobs.worker import loop

GOOD, NOTE, WRONG = "好", "要留意", "不行"
SHARED = ("account_secret", "account_token", "account_aes_key", "miniprogram_secret", "miniprogram_token", "miniprogram_aes_key")
FOREVER = 10_000
ROOT = Path(__file__).parents[2]   # where `flask --app app` finds the app


@dataclass
class Told:
    """What the command said: its exit code and findings [{"name", "title", "level", "said", "todo"}]."""

    code: int
    findings: list[dict[str, str]]

    @property
    def only(self) -> dict[str, str]:
        assert len(self.findings) == 1, self.findings
        return self.findings[0]

    @property
    def level(self) -> str:
        return self.only["level"]


def ask(app: Flask, name: str) -> Told:
    result = app.test_cli_runner().invoke(args=["doctor", "--json", "--only", name])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    told = json.loads(result.stdout)
    findings = told["findings"]
    assert findings and {f["name"] for f in findings} == {name}
    for finding in findings:
        assert (finding["level"] == GOOD) == (not finding["todo"]), finding   # whatever is not good says what to do
    assert (result.exit_code == 1) == any(f["level"] == WRONG for f in findings)
    return Told(result.exit_code, findings)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Serve:
    """Serve a WSGI app on loopback until the test ends."""

    def __init__(self) -> None:
        self.running: list[Any] = []

    def __call__(self, app: Any, port: int = 0) -> str:
        server = make_server("127.0.0.1", port, app, threaded=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.running.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    def end(self) -> None:
        for server in self.running:
            server.shutdown()


@pytest.fixture
def serve() -> Iterator[Serve]:
    serving = Serve()
    yield serving
    serving.end()


@pytest.fixture
def stub(serve: Serve) -> Callable[[Callable[[Request], Response]], str]:
    """The root of a server that answers as the function says; for all that is not our product."""
    return lambda answer: serve(Request.application(answer))


@dataclass
class Clinic:
    """A served product, the simulated WeChat beside it, and the doctor at work in another process's place."""

    app: Flask
    url: str
    simulated: str
    config: Config
    make_app: Callable[..., Flask]

    def ask(self, name: str, **changed: Any) -> Told:
        """The doctor with the product's own settings; with `changed` it stands beside it with others."""
        return ask(self.app if not changed else self.beside(**changed), name)

    def beside(self, **changed: Any) -> Flask:
        settings = self.app.extensions["settings"]
        same = {name: getattr(settings, name) for name in (
            *SHARED, "public_url", "wechat_api_root", "wechat_open_root", "wechat_mp_root", "miniprogram_appid")}
        same |= {"database_url": settings.resolved_database_url, "store_namespace": settings.store_namespace}
        return self.make_app(**(same | changed))

    def sim(self, what: str, **data: Any) -> Any:
        answer = requests.post(f"{self.simulated}/_sim/{what}", json=data, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def refuse(self, path: str, errcode: int) -> None:
        self.sim("fail-next", path=path, errcode=errcode, times=FOREVER)


@pytest.fixture
def clinic(make_app: Callable[..., Flask], serve: Serve) -> Iterator[Callable[..., Clinic]]:
    running: list[Any] = []

    def open_clinic(kind: str = "service", **settings: Any) -> Clinic:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        plays = simulator.create_app(Config(app_url=url, account_kind=kind))
        sim_server, simulated = simulator.serve(plays, 0)
        running.append(sim_server)
        config = plays.extensions["state"].config
        roots = dict.fromkeys(("wechat_api_root", "wechat_open_root", "wechat_mp_root"), simulated)
        shared = {name: getattr(config, name) for name in SHARED}
        app = make_app(**({"public_url": url, "account_kind": kind} | roots | shared | settings))
        serve(app, port)
        return Clinic(app, url, simulated, config, make_app)

    yield open_clinic
    for server in running:
        server.shutdown()


def worker_for(app: Flask) -> threading.Event:
    stop = threading.Event()
    threading.Thread(target=loop, args=(app, stop, 0.05), daemon=True).start()
    return stop
