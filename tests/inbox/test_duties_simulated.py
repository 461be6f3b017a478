"""Reading, publishing and reading back over the wire: WeChat played as strictly as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from flask import Flask

import simulator
from tests import factories
from tests.inbox.duty_samples import MENU, REPLIES
from wxbackend.extensions import settings

API = "/api/v1/staff/account"


class Played:
    """The product beside a WeChat whose console holds `MENU` and `REPLIES`; called as a manager."""

    def __init__(self, app: Flask, url: str):
        self.client, self.url = app.test_client(), url
        self.staff = factories.staff_bearer(factories.make_staff())

    def __call__(self, path: str, body: Any = None) -> Any:
        return self.client.post(API + path, json=body or {}, headers=self.staff)



@contextmanager
def played(make_app: Callable[..., Flask], **kind: str) -> Iterator[Played]:
    with make_app(**kind).app_context():
        config = simulator.Config.like(settings, "http://127.0.0.1:9", **kind)
    server, url = simulator.serve(simulator.create_app(config))
    requests.post(f"{url}/_sim/console", json={"menu": MENU["selfmenu_info"], "replies": REPLIES}, timeout=5).raise_for_status()
    try:
        app = make_app(wechat_api_root=url, wechat_mp_root=url, wechat_open_root=url, wechat_timeout_seconds=3.0, **kind)
        with app.app_context():
            yield Played(app, url)
    finally:
        server.shutdown()
        server.server_close()


def test_the_console_is_read_finished_published_and_read_back(make_app):
    with played(make_app) as sim:
        assert sim("/replies/import").json["read"] == 8
        assert {line["called"]: line["outcome"] for line in sim("/menu/import").json["lines"]}["馆内地图"] == "open"
        menu = sim.client.get(API + "/menu", headers=sim.staff).json
        menu["buttons"][0]["sub"][3]["text"], menu["buttons"][2]["sub"][1]["does"] = "地图在一楼。", "mine"
        saved = sim("/menu", {"buttons": menu["buttons"], "seen": menu["id"]}).json
        refused = sim("/menu/publish", {"id": saved["id"]})   # WeChat takes mini programs only that the account is linked with
        assert (refused.status_code, refused.json["type"]) == (502, "/problems/menu-refused") and "小程序" in refused.json["detail"]
        menu["buttons"][0]["sub"][2]["appid"] = settings.miniprogram_appid
        saved = sim("/menu", {"buttons": menu["buttons"], "seen": saved["id"]}).json
        live = sim("/menu/publish", {"id": saved["id"]})
        assert live.status_code == 200, live.json
        again = sim("/menu/import").json
        assert {line["outcome"] for line in again["lines"]} == {"kept"} and again["read"] == 7
        assert sim.client.get(API + "/menu", headers=sim.staff).json == live.json   # nothing new came of it
        assert {line["outcome"] for line in sim("/replies/import").json["lines"]} == {"known"}
        assert sim("/try", {"say": "明天几点开门"}).json["text"] == "周二至周日 9:00–21:00，周一闭馆。"


@pytest.mark.parametrize("kind", ["service-unverified", "subscription", "subscription-unverified"])
def test_every_kind_of_account_reads_and_only_some_have_a_menu(make_app, kind):
    with played(make_app, account_kind=kind) as sim:
        assert sim("/replies/import").json["read"] == 8
        made = sim("/menu", {"buttons": [{"name": "去投票", "does": "vote"}]}).json
        answer = sim("/menu/publish", {"id": made["id"]})
        assert (answer.status_code == 200) is (kind != "subscription-unverified"), answer.json
        if answer.status_code != 200:
            assert answer.json["type"] == "/problems/account-lacks"
