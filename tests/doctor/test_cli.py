"""The doctor as a whole: what it says of a sound installation, what it never says, and what it may be asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import requests
from structlog.testing import capture_logs

from tests.doctor.conftest import SHARED, ask, free_port, worker_for
from wxbackend import alarms
from wxbackend.accounts import service as accounts
from wxbackend.doctor import here
from wxbackend.doctor.cli import REGISTRY  # by then every check is in it
from wxbackend.extensions import db
from wxbackend.wechat import WxUser


def test_a_sound_installation_is_told_so_in_one_go(clinic):
    c = clinic()
    stop = worker_for(c.app)
    result = c.app.test_cli_runner().invoke(args=["doctor"])
    stop.set()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert not [line for line in lines if line.startswith("不行")]
    for asked in REGISTRY.values():
        assert any(f"{asked.title}：" in line for line in lines), asked.title
    assert "用手机从小程序登录一次" in result.stdout     # the one note: nobody has been there yet
    with c.app.app_context():
        assert alarms.open_alarms() == []                # its own try of the plaintext mode rings for nobody


def test_every_check_was_asked_for():
    assert set(REGISTRY) == {
        "settings", "database", "migrations", "redis", "storage", "worker", "alarms", "power-cut", "clock", "public-url", "callback",
        "domain-files", "relay", "account-token", "miniprogram-token", "callback-ips", "features", "unionid", "account-qr", "templates"}


def test_nothing_secret_or_personal_is_ever_printed(clinic, capfd, monkeypatch):
    """Every secret of the settings, tokens WeChat gave, an openid of the database; in health and with everything broken."""
    monkeypatch.setattr(here, "PING_SECONDS", 0.3)
    c = clinic()
    with c.app.app_context():
        for appid in (c.config.account_appid, c.config.miniprogram_appid):
            accounts.login(WxUser(appid, "oSecretOpenid0000000000000001", "uSecretUnionid01"), datetime.now(UTC))
        alarms.ring("job-dead", "inbox.fetch", datetime.now(UTC), {"error": "ValueError"})
        db.session.commit()
    texts = [c.app.test_cli_runner().invoke(args=["doctor"]).output]
    for code in (40164, 40125, -1, 48001):
        c.sim("outage", on=True, path="/cgi-bin/*", errcode=code)
        texts += [c.app.test_cli_runner().invoke(args=["doctor", "--only", name]).output
                  for name in ("account-token", "miniprogram-token", "callback-ips", "features", "unionid")]
    c.sim("outage", on=False)
    broken = c.beside(public_url=f"http://127.0.0.1:{free_port()}", wechat_api_root=f"http://127.0.0.1:{free_port()}")
    texts += [broken.test_cli_runner().invoke(args=["doctor"]).output, *capfd.readouterr()]
    said = "\n".join(texts)
    settings = c.app.extensions["settings"]
    hidden = [getattr(settings, name) for name in (*SHARED, "data_key")] + ["oSecretOpenid", "uSecretUnionid", "access_token=", "secret="]
    tokens = requests.get(f"{c.simulated}/_sim/requests", timeout=20).json()["requests"]
    hidden += [r["args"]["access_token"] for r in tokens if r.get("args", {}).get("access_token")]
    assert len(hidden) > len(SHARED) + 5
    for secret in hidden:
        assert secret not in said, secret[:12]


def test_several_may_be_asked_for_by_name(app):
    result = app.test_cli_runner().invoke(args=["doctor", "--json", "--only", "relay", "--only", "domain-files"])
    assert {finding["name"] for finding in json.loads(result.stdout)["findings"]} == {"relay", "domain-files"}


def test_an_unknown_name_is_refused_with_the_list_of_names(app):
    result = app.test_cli_runner().invoke(args=["doctor", "--only", "everything"])
    assert result.exit_code == 2 and "account-token" in result.output


def test_the_doctor_leaves_the_log_as_it_was(app):
    ask(app, "relay")
    with capture_logs() as logs, app.app_context():
        alarms.ring("storage", "x", datetime.now(UTC))
        db.session.rollback()
    assert [line["event"] for line in logs] == ["alarm"]
