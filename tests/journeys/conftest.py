"""A small world: the product and the simulated WeChat on real ports, a clock the test moves, a worker it runs."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

import simulator
from simulator.settings import Config
from wxbackend import jobs
from wxbackend.captcha import colour
from wxbackend.extensions import db

WECHAT_BROWSER = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50"
CHANCE = 7
SHARED = ("account_secret", "account_token", "account_aes_key", "miniprogram_secret", "miniprogram_token", "miniprogram_aes_key",
          "notice_template", "account_template")
ANSWER = colour.puzzle(random.Random(CHANCE)).answer     # of every captcha while `choose` is seeded


@dataclass
class World:
    """Where everything is, and the few things a journey does again and again."""

    app: Flask
    url: str
    simulated: str
    http: requests.Session = field(default_factory=requests.Session)

    def at(self, instant: datetime) -> datetime:
        self.app.extensions["clock"].fixed = instant
        return instant

    def now(self) -> datetime:
        return self.app.extensions["clock"].fixed

    def sim(self, what: str, **data: Any) -> Any:
        """One call of the simulator's control interface."""
        answer = self.http.post(f"{self.simulated}/_sim/{what}", json=data, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def person(self, name: str, **about: Any) -> dict[str, Any]:
        return self.sim("people", name=name, **about)

    def heard(self, person: dict[str, Any]) -> list[str]:
        """What the person read in the chat, oldest first."""
        answer = self.http.get(f"{self.simulated}/_sim/outbox", params={"person": person["id"]}, timeout=20)
        return [m["text"] for m in answer.json()["messages"]]

    def work(self) -> int:
        """Do every job that is due, as the worker would."""
        done = 0
        with self.app.app_context():
            while worked := jobs.run_due(self.now()):
                done += worked
            db.session.remove()
        return done

    def phone(self, person: dict[str, Any]) -> requests.Session:
        """The browser inside a person's WeChat."""
        session = requests.Session()
        session.headers["User-Agent"] = WECHAT_BROWSER
        session.cookies.set("sim_person", person["id"], domain="127.0.0.1")
        return session

    def mini(self, person: dict[str, Any]) -> Api:
        """The mini program on a person's phone: logged in by a code, a bearer token from then on."""
        code = self.sim("login-code", person=person["id"])["code"]
        token = requests.post(f"{self.url}/api/v1/login/miniprogram", json={"code": code}, timeout=20).json()["token"]
        return Api(self.url, token)

    def staff(self, username: str, password: str) -> Api:
        answer = requests.post(f"{self.url}/api/v1/staff/login", json={"username": username, "password": password}, timeout=20)
        return Api(self.url, answer.json()["token"])

    def cli(self, *args: str) -> Any:
        return self.app.test_cli_runner().invoke(args=args)


@dataclass
class Api:
    """A program with a bearer token."""

    url: str
    token: str

    def __call__(self, method: str, path: str, **how: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"}, timeout=30, **how)

    def vote(self, slug: str, grade: str = "优", answer: str = ANSWER, captcha_id: str | None = None) -> requests.Response:
        captcha_id = captcha_id or self("POST", f"/campaigns/{slug}/captchas", json={}).json()["captcha_id"]
        return self("POST", f"/campaigns/{slug}/ballots", json={"grade": grade, "captcha_id": captcha_id, "captcha_answer": answer})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def make_world(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], World]]:
    monkeypatch.setattr("wxbackend.captcha.service.choose", lambda: random.Random(CHANCE))
    running: list[Any] = []

    def make(database_url: str = "", **settings: Any) -> World:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        wechat = simulator.create_app(Config(app_url=url))
        sim_server, simulated = simulator.serve(wechat, 0)
        running.append(sim_server)
        roots = dict.fromkeys(("wechat_api_root", "wechat_open_root", "wechat_mp_root"), simulated)
        config = wechat.extensions["state"].config
        shared = {name: getattr(config, name) for name in SHARED}
        app = make_app(database_url=database_url, public_url=url, **(roots | shared | settings))
        server = make_server("127.0.0.1", port, app, threaded=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server)
        return World(app, url, simulated)

    yield make
    for server in running:
        server.shutdown()


@pytest.fixture
def world(make_world: Callable[..., World], engine_url: str) -> World:
    """On each of the three engines."""
    return make_world(engine_url)


@pytest.fixture
def small_world(make_world: Callable[..., World]) -> World:
    return make_world("")
