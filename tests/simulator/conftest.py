"""A tiny product for the simulator to talk to: it opens callbacks, answers as told, keeps a clock and one receipt."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import qrcode
import requests
from flask import Flask, redirect, request
from werkzeug.serving import make_server

import simulator
from simulator import crypto
from simulator.envelope import xml

THURSDAY = datetime(2022, 1, 6, 6, 16, tzinfo=UTC)
RECEIPT_URL = "HTTPS://VOTE.EXAMPLE.ORG/R/ABCDEFGHJKMNPQRSTVWXYZ23"


def fields_of(text: str) -> dict[str, Any]:
    """{name: text} of the leaves of XML, or the object of JSON; what is neither stands under "raw"."""
    if text.startswith("{"):
        return json.loads(text)
    try:
        return {e.tag: e.text or "" for e in ElementTree.fromstring(text).iter() if not len(e)}
    except ElementTree.ParseError:
        return {"raw": text}


@dataclass
class FakeProduct:
    """`answers` are taken one a delivery: a text to reply with, "" for success, a status, or seconds to sleep; then `success`."""

    url: str = ""
    at: datetime = THURSDAY
    answers: list[Any] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    raw_reply: str | None = None
    only_forward: bool = False
    echo_spoiled: bool = False
    pictures: dict[str, bytes] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)
    more: list[dict[str, Any]] = field(default_factory=list)   # campaigns listed before the hosted one
    config: simulator.Config = field(default_factory=simulator.Config)

    def app(self) -> Flask:
        app = Flask("fake_product")
        app.add_url_rule("/demo/clock", view_func=self.clock, methods=["GET", "POST"])
        app.add_url_rule("/wechat/callback/<name>", view_func=self.callback, methods=["GET", "POST"])
        app.add_url_rule("/picture/<name>", view_func=lambda name: self.pictures.get(name, ("", 404)))
        app.add_url_rule("/c/reform/receipts/latest", view_func=self.latest)
        app.add_url_rule("/R/1", view_func=self.receipt)
        return app

    def latest(self) -> Any:
        return redirect("/R/1") if "wxv" in request.cookies else ("没有", 404)

    def clock(self) -> Any:
        if self.only_forward and request.method == "POST":
            return "", 409
        if request.method == "POST":
            self.at += timedelta(days=1)
        campaign = {"slug": "reform", "title": "家门口的文化馆，请您打个分", "mode": "hosted", "keyword": "打分",
                    "entry_url": f"{self.url}/c/reform?s=article", "opens_at": "2022-01-04T10:00:00+08:00",
                    "closes_at": "2022-01-08T09:00:00+08:00", "freeze_at": "2022-01-11T18:00:00+08:00"}
        return {"now": self.at.isoformat(), "said": "", "campaigns": [*self.more, campaign]}

    def callback(self, name: str) -> Any:
        c, q, body = self.config, request.args, request.get_data(as_text=True)
        if request.method == "GET":
            right = crypto.sign(c.of(name, "token"), q["timestamp"], q["nonce"]) == q["signature"]
            return q["echostr"] + ("" if right and not self.echo_spoiled else " ")
        inner = self.opened(name, body, q)
        if inner is None:
            return "", 403
        with self.lock:
            self.received.append(inner | {"query": q.to_dict(), "body": request.get_data(), "app": name, "type": request.mimetype})
            answer = self.answers.pop(0) if self.answers else ""
        if isinstance(answer, int):
            return "", answer
        if isinstance(answer, float):
            time.sleep(answer)
            return "success"
        return self.raw_reply or (self.sealed(inner, answer) if answer else "success")

    def opened(self, name: str, body: str, q: Any) -> dict[str, Any] | None:
        """The fields of a message in whatever mode and format the app has; None where the signature is wrong."""
        c, outer = self.config, fields_of(body)
        if c.of(name, "mode") == "plain":
            return outer if q.get("signature") == crypto.sign(c.of(name, "token"), q["timestamp"], q["nonce"]) else None
        sealed = outer.get("Encrypt", "")
        if q.get("msg_signature") != crypto.sign(c.of(name, "token"), q.get("timestamp", ""), q.get("nonce", ""), sealed):
            return None
        return fields_of(crypto.decrypt(sealed, c.of(name, "aes_key"), c.of(name, "appid")))

    def sealed(self, inner: dict[str, str], text: str, **changes: str) -> str:
        """An encrypted passive reply; `changes` spoil its fields."""
        c, stamp, nonce = self.config, "1641449760", "42"
        reply: dict[str, str | int] = {"ToUserName": inner["FromUserName"], "FromUserName": inner["ToUserName"], "CreateTime": 1641449760,
                                       "MsgType": "text", "Content": text}
        sealed = crypto.encrypt(xml(reply | {k: v for k, v in changes.items() if k in reply}), c.account_aes_key, c.account_appid)
        outer = {"Encrypt": sealed, "MsgSignature": crypto.sign(c.account_token, stamp, nonce, sealed), "TimeStamp": stamp, "Nonce": nonce}
        return xml(outer | {k: v for k, v in changes.items() if k in outer})

    def receipt(self) -> str:
        out = io.BytesIO()
        qrcode.make(RECEIPT_URL, box_size=8).save(out)
        return (f'<header><h1>投票成功</h1><p class="small"><span>第4天</span> <span>1月6日（周四）</span></p></header>'
                f'<section><img class="qr" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'
                f'<p class="code">7K4M-X2RD</p></section>')


@pytest.fixture(scope="session")
def market():
    """One fake product, served as long as the tests last."""
    product = FakeProduct()
    server = make_server("127.0.0.1", 0, product.app(), threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    product.url = f"http://127.0.0.1:{server.server_port}"
    yield product
    server.shutdown()
    server.server_close()


@pytest.fixture
def shop(market):
    """The fake product as on its first day."""
    market.at, market.answers, market.received, market.raw_reply, market.only_forward, market.more = THURSDAY, [], [], None, False, []
    market.echo_spoiled, market.pictures = False, {}
    return market


@pytest.fixture
def sim(shop):
    """The simulator's app, pointed at the fake product; `sim.state` is its memory."""
    app = simulator.create_app({"app_url": shop.url, "callback_timeout_seconds": 3, "report_delay_seconds": 0})
    app.config["SERVER_NAME"] = "127.0.0.1"   # the host name the fake product has, so that they share cookies
    shop.config = app.extensions["state"].config
    app.state = app.extensions["state"]
    return app


@pytest.fixture
def phone(sim):
    """A browser without scripts on 阿美's phone."""
    client = sim.test_client()
    client.set_cookie("sim_person", "amei", domain="127.0.0.1")
    return client


@pytest.fixture
def served(sim):
    """URL of the simulator served on a free port."""
    server, url = simulator.serve(sim)
    yield url
    server.shutdown()
    server.server_close()


@pytest.fixture
def wechat(sim, shop):
    """The product's side: calls api.weixin.qq.com and returns the JSON."""
    client = sim.test_client()

    class Api:
        def get(self, path: str, /, **args: Any) -> Any:
            return client.get(path, query_string=args).get_json(force=True)

        def post(self, path: str, body: Any = None, **args: Any) -> Any:
            return client.post(path, data=json.dumps(body, ensure_ascii=False).encode(), query_string=args).get_json()

        def control(self, verb: str, **body: Any) -> Any:
            return client.post("/_sim/" + verb, json=body).get_json()

        def config(self, **changes: Any) -> Any:
            """Both sides change together."""
            told = self.control("config", **changes)
            shop.config = sim.state.config
            return told

        def later(self, **by: float) -> None:
            """Both clocks move."""
            shop.at += timedelta(**by)
            sim.extensions["product"].look(fresh=True)

        def visit(self, person: str) -> str:
            """Log in to the mini program; the openid there."""
            appid, code = sim.state.config.miniprogram_appid, self.control("login-code", person=person)["code"]
            return self.get("/sns/jscode2session", appid=appid, secret=sim.state.config.miniprogram_secret, js_code=code,
                            grant_type="authorization_code")["openid"]

        def openid(self, person: str, app: str = "account") -> str:
            return sim.state.person(person).openids[sim.state.config.of(app, "appid")]

        def settle(self) -> None:
            self.control("settle")

        def token(self, appid: str = "wxdemoaccount0001") -> str:
            secret = sim.state.config.secrets[appid]
            body = {"grant_type": "client_credential", "appid": appid, "secret": secret}
            return self.post("/cgi-bin/stable_token", body)["access_token"]

    api = Api()
    api.client = client
    return api


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield session
