"""The doctor: each check in health and in sickness, against a served app and the simulated WeChat, over loopback."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from flask import Flask
from sqlalchemy import select, text
from structlog.testing import capture_logs
from werkzeug import Request, Response
from werkzeug.serving import make_server

import simulator
from simulator import crypto
from simulator.settings import Config
from tests.conftest import KEY, create_database
from wxbackend import alarms, clock, jobs, wechat
from wxbackend.accounts import service as accounts
from wxbackend.alarms.models import Alarm
from wxbackend.doctor import checks, here, outside, wire
from wxbackend.doctor.checks import REGISTRY, Level
from wxbackend.doctor.faults import NEW_AES_KEY
from wxbackend.extensions import db
from wxbackend.health import fingerprint
from wxbackend.inbox.models import InboxMessage
from wxbackend.jobs.models import Job
from wxbackend.jobs.worker import loop
from wxbackend.wechat import WxUser, features

GOOD, NOTE, WRONG = "好", "要留意", "不行"
SHARED = ("account_secret", "account_token", "account_aes_key", "miniprogram_secret", "miniprogram_token", "miniprogram_aes_key")
FOREVER = 10_000
STRONG = "0123456789abcdef" * 4


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


# the whole
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
        "settings", "database", "migrations", "redis", "storage", "worker", "alarms", "clock", "public-url", "callback", "domain-files",
        "relay", "account-token", "miniprogram-token", "callback-ips", "features", "unionid", "account-qr", "templates"}


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


def test_a_check_that_raises_is_a_finding_and_the_others_go_on(app, monkeypatch):
    def broken(_at):
        yield checks.good("half")
        raise requests.ConnectionError("https://api.weixin.qq.com/?secret=abc")

    monkeypatch.setitem(REGISTRY, "relay", checks.Check("relay", "第二台服务器", 5, broken))
    told = ask(app, "relay")
    assert told.level == WRONG and "ConnectionError" in told.only["said"] and "secret" not in str(told)
    assert ask(app, "domain-files").level == GOOD


def test_a_check_that_hangs_ends_at_its_time(app, monkeypatch):
    monkeypatch.setitem(REGISTRY, "relay", checks.Check("relay", "第二台服务器", 0.2, lambda _at: time.sleep(3) or []))
    began = time.monotonic()
    told = ask(app, "relay")
    assert told.level == WRONG and "0.2秒" in told.only["said"] and time.monotonic() - began < 2


def test_several_may_be_asked_for_by_name(app):
    result = app.test_cli_runner().invoke(args=["doctor", "--json", "--only", "relay", "--only", "domain-files"])
    assert {finding["name"] for finding in json.loads(result.stdout)["findings"]} == {"relay", "domain-files"}


def test_an_unknown_name_is_refused_with_the_list_of_names(app):
    result = app.test_cli_runner().invoke(args=["doctor", "--only", "everything"])
    assert result.exit_code == 2 and "account-token" in result.output


def test_settings_that_do_not_load_are_explained_line_by_line(tmp_path):
    """What nothing starts with: the doctor names each line and how to mend it, and repeats no value."""
    given = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production", "INSTANCE_DIR": str(tmp_path), "SECRET_KEY": "s" * 40,
             "PUBLIC_URL": "vote.hidden.example/x", "REDIS_URL": "spawn", "ACCOUNT_AES_KEY": "hidden", "THREADS": "hidden"}
    done = subprocess.run([sys.executable, "-m", "flask", "--app", "app", "doctor"], env=given, cwd=Path(__file__).parent.parent,
                          capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    named = {line.split("：")[0].split()[-1]: line for line in lines if line.startswith("不行")}
    assert done.returncode == 1 and set(named) == {
        "DATA_KEY", "ACCOUNT_SECRET", "ACCOUNT_TOKEN", "ACCOUNT_AES_KEY", "PUBLIC_URL", "THREADS"}
    assert "没有写" in named["ACCOUNT_TOKEN"] and "写得不对" in named["ACCOUNT_AES_KEY"] and "写得不对" in named["THREADS"]
    assert "自己想" in done.stderr and "openssl rand -base64 32" in done.stderr and "hidden" not in done.stderr
    assert re.search(r"改这6行", lines[0])


def test_the_key_that_the_doctor_tells_to_make_is_one():
    made = subprocess.run(["sh", "-c", NEW_AES_KEY], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch("[A-Za-z0-9]{43}", made) and len(base64.b64decode(made + "=", validate=True)) == 32


def test_the_doctor_leaves_the_log_as_it_was(app):
    ask(app, "relay")
    with capture_logs() as logs, app.app_context():
        alarms.ring("storage", "x", datetime.now(UTC))
        db.session.rollback()
    assert [line["event"] for line in logs] == ["alarm"]


# this machine
PRODUCTION = {"environment": "production", "public_url": "https://vote.example.org", "accept_embedded_redis": True, "secret_key": STRONG,
              "account_appid": "wx0123456789abcdef", "account_name": "某区文化馆", "trusted_proxies": 1}


def test_settings_fit_for_production(make_app):
    assert ask(make_app(**PRODUCTION), "settings").level == GOOD
    assert ask(make_app(), "settings").level == GOOD


@pytest.mark.parametrize(("changes", "level", "word"), [
    ({"secret_key": "short"}, WRONG, "SECRET_KEY"), ({"account_appid": "wxdemoaccount0001"}, WRONG, "ACCOUNT_APPID"),
    ({"account_name": "福田文体中心"}, WRONG, "ACCOUNT_NAME"), ({"public_url": "https://127.0.0.1"}, WRONG, "PUBLIC_URL"),
    ({"trusted_proxies": 0}, NOTE, "TRUSTED_PROXIES"), ({"wechat_api_root": "https://proxy.example.org"}, NOTE, "WECHAT_API_ROOT"),
    ({"environment": "test"}, NOTE, "ENVIRONMENT")])
def test_settings_that_start_and_are_still_not_fit(make_app, changes, level, word):
    told = ask(make_app(**(PRODUCTION | changes)), "settings")
    assert told.level == level and word in told.only["said"] + told.only["todo"]


def test_each_engine_is_looked_at_in_its_own_way(make_app, engine_url):
    app = make_app(database_url=engine_url)
    told = ask(app, "database")
    assert told.level == GOOD
    assert {"": "SQLite（WAL）", "mysql": "utf8mb4_bin", "postg": "PostgreSQL"}[engine_url[:5]] in told.only["said"]
    assert ask(app, "migrations").level == GOOD


def test_a_database_that_is_away(make_app):
    told = ask(make_app(database_url=f"postgresql+psycopg://nobody:hidden@127.0.0.1:{free_port()}/none"), "database")
    assert told.level == WRONG and "DATABASE_URL" in told.only["todo"] and "hidden" not in str(told)


@pytest.mark.parametrize(("engine", "answer", "word"), [("sqlite", "delete", "不是WAL"), ("postgresql", "SQL_ASCII", "SQL_ASCII")])
def test_an_engine_that_was_set_up_wrongly(make_app, monkeypatch, engine, answer, word):
    """What such an engine answers is put in its mouth: SQLite refuses WAL on network disks alone, PostgreSQL is made in UTF-8 here."""
    app = make_app()
    monkeypatch.setattr(here.db.session, "execute", lambda _statement: namedtuple("Answer", "scalar")(lambda: answer))
    with app.app_context():
        found = {"sqlite": here._sqlite, "postgresql": here._postgresql}[engine]()
    assert found.level is Level.WRONG and word in found.said and found.todo


def test_a_mariadb_that_confuses_capitals_is_named(make_app):
    url = create_database("mariadb")
    app = make_app(database_url=url)
    with app.app_context():
        db.session.execute(text(f"ALTER DATABASE {db.engine.url.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"))
        db.session.commit()
    told = ask(app, "database")
    assert told.level == WRONG and "utf8mb4_general_ci" in told.only["said"]


def test_missing_migrations_and_lost_triggers_are_told_with_the_command(make_app):
    app = make_app()
    with app.app_context():
        db.session.execute(text("DROP TRIGGER ballot_no_update"))
        db.session.commit()
    told = ask(app, "migrations")
    assert told.level == WRONG and "ballot_no_update" in told.only["said"] and "备份" in told.only["todo"]
    with app.app_context():
        db.session.execute(text("UPDATE alembic_version SET version_num = '0003'"))
        db.session.commit()
    told = ask(app, "migrations")
    assert told.level == WRONG and "0003" in told.only["said"] and "flask --app app db upgrade" in told.only["todo"]


def test_redis_in_process_and_on_a_server(make_app, redis_url):
    assert "内置" in ask(make_app(), "redis").only["said"]
    assert ask(make_app(**PRODUCTION), "redis").level == NOTE
    told = ask(make_app(redis_url=redis_url), "redis")
    assert told.level == GOOD and re.match(r"Redis ([7-9]|[1-9]\d)\.", told.only["said"])


def test_the_embedded_store_of_a_running_site_is_said_calmly(make_app):
    app = make_app()
    folder = app.extensions["settings"].instance_dir
    holder = subprocess.Popen([sys.executable, "-c", "import sys, pathlib, time\nfrom wxbackend.store import embedded\n"
                               "held = embedded.hold(pathlib.Path(sys.argv[1]))\nprint('held', flush=True)\ntime.sleep(60)", folder],
                              stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        told = ask(app, "redis")
    finally:
        holder.kill()
        holder.wait()
    assert told.level == GOOD and "正在运行的网站占着" in told.only["said"]


def test_a_redis_that_is_old_or_away(make_app, redis_url, monkeypatch):
    told = ask(make_app(redis_url=f"redis://127.0.0.1:{free_port()}/0"), "redis")
    assert told.level == WRONG and "没有回应" in told.only["said"]
    monkeypatch.setattr(redis.Redis, "info", lambda self, *_: {"redis_version": "6.2.14"})
    told = ask(make_app(redis_url=redis_url), "redis")
    assert told.level == WRONG and "版本太旧" in told.only["said"] and "Redis 7" in told.only["todo"]


@pytest.mark.parametrize(("free", "level"), [(50 * 1024**3, GOOD), (1024**3, NOTE), (100 * 1024**2, WRONG)])
def test_room_on_the_disk(app, monkeypatch, free, level):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(free, 0, free))
    assert ask(app, "storage").level == level


def test_a_folder_that_takes_nothing(app, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    told = ask(app, "storage")
    assert told.level == WRONG and "No space left" in told.only["said"] and "INSTANCE_DIR" in told.only["said"]


def test_a_living_worker_and_a_missing_one(make_app, monkeypatch):
    monkeypatch.setattr(here, "PING_SECONDS", 4.0)
    app = make_app()
    stop = worker_for(app)
    assert ask(app, "worker").level == GOOD
    stop.set()
    time.sleep(0.3)
    monkeypatch.setattr(here, "PING_SECONDS", 0.5)
    for _ in range(2):
        told = ask(app, "worker")
        assert told.level == WRONG and "没有在跑，0件在等" in told.only["said"] and "worker" in told.only["todo"]
    with app.app_context():
        assert db.session.scalars(select(Job)).all() == []   # nothing of the tries is left


def test_a_worker_that_is_behind_or_busy(make_app, monkeypatch):
    app = make_app()
    now = datetime.now(UTC)
    with app.app_context():
        jobs.enqueue("of-next-release", {}, now - timedelta(hours=3))   # due, and nobody here takes it
        db.session.commit()
    stop = worker_for(app)
    told = ask(app, "worker")
    stop.set()
    time.sleep(0.3)
    assert told.level == NOTE and "1件到点还没办" in told.only["said"] and "3小时" in told.only["said"]
    with app.app_context():
        db.session.execute(text("UPDATE job SET lease_until = :later"), {"later": (now + timedelta(minutes=5)).replace(tzinfo=None)})
        db.session.commit()
    monkeypatch.setattr(here, "PING_SECONDS", 0.3)
    told = ask(app, "worker")
    assert told.level == NOTE and "正忙着" in told.only["said"]


def test_open_alarms_are_repeated_with_what_to_do(make_app):
    app = make_app()
    with app.app_context():
        alarms.ring("wechat-operator", "40164 notices.send", datetime.now(UTC), {"errcode": 40164, "where": "notices.send"})
        alarms.ring("media-lost", "campaign:x", datetime.now(UTC))
        db.session.commit()
    told = ask(app, "alarms")
    assert (told.code, [f["level"] for f in told.findings]) == (0, [NOTE, NOTE])
    assert any("IP白名单" in f["todo"] for f in told.findings)


# the way in
@pytest.mark.parametrize(("seconds", "level"), [(0, GOOD), (-100, NOTE), (100, NOTE), (600, WRONG), (-600, WRONG)])
def test_a_clock_beside_wechats(clinic, seconds, level):
    c = clinic()
    c.app.extensions["clock"].fixed = datetime.now(UTC) + timedelta(seconds=seconds)
    told = ask(c.app, "clock")
    assert told.level == level and "微信的服务器" in told.only["said"]


def test_the_demos_moved_clock_is_no_fault(clinic):
    c = clinic(environment="demo")
    with c.app.app_context():
        clock.move_to(datetime.now(UTC) + timedelta(days=3))
        db.session.commit()
    assert ask(c.app, "clock").level == GOOD


def test_without_wechat_our_own_address_tells_the_time_and_without_both_nothing(clinic):
    c = clinic()
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert "PUBLIC_URL的服务器" in c.ask("clock", wechat_api_root=nowhere).only["said"]
    told = c.ask("clock", wechat_api_root=nowhere, public_url=nowhere)
    assert told.level == NOTE and "NTP" in told.only["todo"]


def test_the_public_address_leads_to_this_very_installation(clinic):
    c = clinic()
    told = c.ask("public-url")
    assert told.level == GOOD and "就是这一份" in told.only["said"]
    told = c.ask("public-url", data_key=KEY[::-1][1:] + "=")   # another installation answers there
    assert told.level == WRONG and "不是这一份" in told.only["said"]


def test_the_fingerprint_tells_no_key_and_answers_no_idle_question(client, app):
    one, two = (client.get("/healthz", query_string={"nonce": nonce}).json["instance"] for nonce in ("a" * 20, "b" * 20))
    assert len(one) == 32 and one != two
    assert client.get("/healthz", query_string={"nonce": "a" * 20}).json["instance"] == one
    for nonce in ("", "short", "a" * 65, "汉" * 20, "a b" * 8):
        assert client.get("/healthz", query_string={"nonce": nonce}).json == {"status": "ok"}


@pytest.mark.parametrize(("answer", "word"), [
    (Response("", 302, {"Location": "https://elsewhere.example"}), "转到别的网址"), (Response("<h1>welcome to nginx", 200), "不是本网站"),
    (Response("", 502), "HTTP 502"), (Response('{"status": "ok"}', 200), "旧版本")])
def test_something_else_at_the_public_address(make_app, stub, answer, word):
    told = ask(make_app(public_url=stub(lambda _request: answer)), "public-url")
    assert told.level == WRONG and word in told.only["said"]


def test_nothing_or_something_slow_at_the_public_address(make_app, stub, monkeypatch):
    told = ask(make_app(public_url=f"http://127.0.0.1:{free_port()}"), "public-url")
    assert told.level == WRONG and "没有程序在听" in told.only["said"]
    told = ask(make_app(public_url="https://vote.invalid"), "public-url")
    assert told.level == WRONG and "域名解析不到" in told.only["said"]
    monkeypatch.setattr(wire, "READ_SECONDS", 0.2)
    slow = stub(lambda _request: time.sleep(1) or Response("late"))
    told = ask(make_app(public_url=slow), "public-url")
    assert told.level == WRONG and "0.2秒没有回应" in told.only["said"]
    told = ask(make_app(public_url=slow.replace("http://", "https://")), "public-url")   # no TLS there
    assert told.level == WRONG and "证书" in told.only["said"]


def test_metrics_that_strangers_can_read(clinic, monkeypatch):
    """Behind a proxy without X-Forwarded-For everybody seems to sit on this machine."""
    c = clinic()
    monkeypatch.setattr(outside, "_is_loopback", lambda: False)
    told = c.ask("public-url")
    assert [f["level"] for f in told.findings] == [GOOD, WRONG, WRONG]   # here, http instead of https, and the metrics
    assert "/metrics" in told.findings[2]["said"]


def test_the_callback_of_both_apps_answers_as_wechat_wants(clinic):
    c = clinic()
    told = c.ask("callback")
    assert [f["level"] for f in told.findings] == [GOOD, GOOD]
    assert f"{c.url}/wechat/callback/account" in told.findings[0]["said"]
    with c.app.app_context():
        assert set(db.session.scalars(select(InboxMessage.kind))) == {wire.EVENT}
        assert db.session.scalars(select(Alarm).where(Alarm.settled_at.is_(None))).all() == []


def test_the_doctors_try_of_plaintext_never_rings_nor_shouts(clinic):
    """No alarm is opened, not even one that is settled afterwards, and the log of the site says whose try it was."""
    c = clinic()
    query, body = {}, b""
    with c.app.app_context():
        query, body = wire.plain_message("account", datetime.now(UTC))
    with capture_logs() as logs:
        assert c.app.test_client().post("/wechat/callback/account", query_string=query, data=body).status_code == 403
    assert [(line["log_level"], "doctor" in line.get("reason", "")) for line in logs] == [("warning", True)]
    with c.app.app_context():
        assert db.session.scalars(select(Alarm)).all() == []


@pytest.mark.parametrize("nonce", ["0" * 40, "a" * 24 + "0" * 16, "汉" * 40, "doctor", ""])
def test_nobody_else_silences_the_alarm_of_plaintext(clinic, nonce):
    c = clinic()
    with c.app.app_context():
        query = wire._signed("account", datetime.now(UTC))
        token = c.app.extensions["settings"].account_token
        query |= {"nonce": nonce, "signature": wire._sign(token, query["timestamp"], nonce)}
    assert c.app.test_client().post("/wechat/callback/account", query_string=query, data=b"<xml/>").status_code == 403
    with c.app.app_context():
        assert [a.kind for a in alarms.open_alarms()] == ["callback-plaintext"]


def test_a_plaintext_alarm_that_rang_before_is_not_hushed(clinic):
    c = clinic()
    with c.app.app_context():
        alarms.ring("callback-plaintext", "account", datetime.now(UTC))
        db.session.commit()
    c.ask("callback")
    with c.app.app_context():
        assert [a.about for a in alarms.open_alarms()] == ["account"]


def test_an_account_without_a_mini_program_has_one_callback(clinic):
    told = clinic(miniprogram_appid="", miniprogram_secret="", miniprogram_token="", miniprogram_aes_key="").ask("callback")
    assert told.level == GOOD and "公众号" in told.only["said"]


def test_a_token_that_the_running_site_does_not_have(clinic):
    told = clinic().ask("callback", account_token="changedyesterday", miniprogram_appid="")
    assert told.level == WRONG and "ACCOUNT_TOKEN" in told.only["todo"]   # one cause, one finding
    assert "AES_KEY" not in str(told) and "APPID" not in str(told) and "加密的一步" in told.only["said"]
    assert "changedyesterday" not in str(told)


def test_an_aes_key_that_the_running_site_does_not_have(clinic):
    told = clinic().ask("callback", miniprogram_aes_key=KEY[:42] + "A")
    sick = [f for f in told.findings if f["level"] == WRONG]
    assert len(sick) == 1 and "MINIPROGRAM_AES_KEY" in sick[0]["todo"] and "安全模式" in sick[0]["todo"]


@pytest.fixture
def impostor(make_app, stub):
    """The doctor of an installation at whose address something answers the fingerprint as it should, and the rest as the test says."""
    def stands(answer, **settings):
        def says(request):
            if request.path != "/healthz":
                return answer(request)
            with app.app_context():
                nonce = request.args["nonce"]
                return Response(json.dumps({"status": "ok", "instance": fingerprint(nonce)}))

        app = make_app(public_url=stub(says), **settings)
        return app

    return stands


def test_a_server_that_takes_plaintext_is_found_out(impostor):
    """Answers the console's check as it should, and then everything else as well."""
    told = ask(impostor(lambda request: Response(request.args.get("echostr", "success"))), "callback")
    assert {f["level"] for f in told.findings} == {WRONG} and all("明文" in f["said"] for f in told.findings)


def test_a_callback_that_breaks(impostor):
    def breaks(request):
        return Response(request.args.get("echostr", ""), 200 if request.method == "GET" else 500)

    told = ask(impostor(breaks, miniprogram_appid=""), "callback")
    assert told.level == WRONG and "HTTP 500" in told.only["said"]


@pytest.mark.parametrize("answer", [
    Response("<h1>welcome", 200), Response("", 502), Response("", 302, {"Location": "https://x.example"}), None])
def test_a_public_address_that_leads_elsewhere_says_nothing_of_tokens(make_app, stub, answer):
    url = stub(lambda _request: answer) if answer else f"http://127.0.0.1:{free_port()}"
    told = ask(make_app(public_url=url), "callback")
    assert told.level == WRONG and "没有查" in told.only["said"] and "对外网址" in told.only["todo"]
    assert not any(word in str(told.findings) for word in ("TOKEN", "Token", "AES", "签名"))


def test_the_doctors_seal_is_wechats(app):
    """Against the product's own reading, and the simulator's own crypto."""
    at = datetime.now(UTC)
    query, body = wire.sealed_event("account", at)
    message = wechat.open_callback("account", query, body, at)
    assert (message.event, message.openid) == (wire.EVENT, wire.SENDER)
    assert crypto.decrypt(wire.seal("汉字", KEY[:43], "wx1"), KEY[:43], "wx1") == "汉字"


def test_domain_proofs(clinic, stub):
    c = clinic(verify_files="MP_verify_abc.txt:abc,MP_verify_def.txt:def")
    told = c.ask("domain-files")
    assert [f["level"] for f in told.findings] == [GOOD, GOOD]
    told = c.ask("domain-files", verify_files="MP_verify_abc.txt:other")   # set here, the site not restarted
    assert told.level == WRONG and "MP_verify_abc.txt" in told.only["said"]
    told = c.ask("domain-files", verify_files="MP_verify_abc.txt=abc")
    assert told.level == WRONG and "看不懂" in told.only["said"]
    told = c.ask("domain-files", verify_files="MP_verify_abc.txt:abc", public_url=f"http://127.0.0.1:{free_port()}")
    assert told.level == WRONG and "打不开" in told.only["said"]


def test_domain_proofs_are_missed_where_the_site_is_public(make_app):
    assert ask(make_app(), "domain-files").level == GOOD
    told = ask(make_app(public_url="https://vote.example.org"), "domain-files")
    assert told.level == NOTE and "网页授权域名" in told.only["todo"]


def test_the_second_server(make_app, stub):
    assert ask(make_app(), "relay").level == GOOD
    assert ask(make_app(relay_url=stub(lambda _request: Response("", 403)) + "/wx"), "relay").level == GOOD
    assert ask(make_app(relay_url=stub(lambda _request: Response("", 500)) + "/wx"), "relay").level == NOTE
    assert ask(make_app(relay_url=f"http://127.0.0.1:{free_port()}/wx"), "relay").level == WRONG


# at WeChat
def test_keys_that_fit(clinic):
    c = clinic()
    assert c.ask("account-token").level == c.ask("miniprogram-token").level == GOOD


def test_an_address_that_is_not_whitelisted_is_named(clinic):
    c = clinic()
    assert c.ask("features").level == GOOD   # a token lies in the cache: the doctor asks past it
    c.sim("ip-whitelist", addresses=["10.0.0.1"])
    for name, console in (("account-token", "公众平台"), ("miniprogram-token", "小程序后台")):
        told = c.ask(name)
        assert told.level == WRONG and "40164" in told.only["said"] and "加上 127.0.0.1" in told.only["todo"]
        assert console in told.only["todo"] and "IP白名单" in told.only["todo"]


@pytest.mark.parametrize(("errcode", "word"), [(40125, "先核对设置里的AppSecret"), (40001, "AppSecret"), (40013, "AppID"), (40243, "解冻"),
                                               (45009, "过一分钟"), (99999, "rid")])
def test_what_wechat_says_about_the_keys(clinic, errcode, word):
    c = clinic()
    c.refuse("/cgi-bin/stable_token", errcode)
    told = c.ask("account-token")
    assert told.level == WRONG and str(errcode) in told.only["said"] and word in told.only["todo"]


def test_a_wrong_secret_of_the_mini_program(clinic):
    told = clinic().ask("miniprogram-token", miniprogram_secret="wrong-secret-of-ours")
    assert told.level == WRONG and "AppSecret" in told.only["said"] and "wrong-secret" not in str(told)
    assert "没有小程序" in clinic().ask("miniprogram-token", miniprogram_appid="").only["said"]


@pytest.mark.parametrize("trouble", [{"http": 502}, {"html": True}, {"json": {"unheard": "of"}}, {"drop": True}])
def test_wechat_away_or_talking_nonsense(clinic, trouble):
    c = clinic()
    c.sim("fail-next", path="/cgi-bin/stable_token", times=FOREVER, **trouble)
    assert c.ask("account-token").level == WRONG
    assert c.ask("callback-ips").level == NOTE


def test_no_line_to_wechat_at_all(clinic):
    told = clinic().ask("account-token", wechat_api_root=f"http://127.0.0.1:{free_port()}")
    assert told.level == WRONG and "api.weixin.qq.com" in told.only["todo"]


def test_the_addresses_that_callbacks_come_from(clinic):
    told = clinic().ask("callback-ips")
    assert told.level == GOOD and "1个地址" in told.only["said"]


@pytest.mark.parametrize("kind", ["service", "service-unverified", "subscription", "subscription-unverified"])
def test_an_account_that_is_what_the_settings_say(clinic, kind):
    told = clinic(kind).ask("features")
    assert told.level == GOOD, told
    assert ("模板消息" in told.only["said"]) == (kind == "service")
    assert ("/login/h5" in told.only["said"]) == (kind == "service")


def test_an_account_that_is_less_than_the_settings_say(clinic):
    c = clinic("subscription", account_kind="service")
    told = c.ask("features")
    assert told.level == WRONG and "带参数的二维码、模板消息" in told.only["said"]
    assert "ACCOUNT_KIND 改成 subscription（认证订阅号）" in told.only["todo"]


def test_an_account_that_is_more_than_the_settings_say(clinic):
    told = clinic("service", account_kind="subscription-unverified").ask("features")
    assert told.level == NOTE and "菜单" in told.only["said"] and "改成 service" in told.only["todo"]


def test_one_feature_taken_away_fits_no_kind_and_leads_to_the_console(clinic):
    c = clinic()
    c.refuse("/cgi-bin/media/get", 48001)
    told = c.ask("features")
    assert told.level == WRONG and "取图片" in told.only["said"] and "接口权限" in told.only["todo"] and "改成" not in told.only["todo"]


def test_features_that_cannot_be_asked_about_are_no_verdict(clinic):
    c = clinic()
    c.sim("ip-whitelist", addresses=["10.0.0.1"])
    told = c.ask("features")
    assert told.level == NOTE and "公众号的钥匙" in told.only["todo"]


def test_what_is_granted_again_is_offered_again_at_once(clinic):
    c = clinic()
    with c.app.app_context():
        features.switch_off("media")
        assert not features.can("media")
    c.ask("features")
    with c.app.app_context():
        assert features.can("media")


def test_a_site_that_remembers_a_refusal_in_its_own_memory_is_named(clinic):
    """The doctor is another process, whose store is not the site's."""
    c = clinic()
    with c.app.app_context():
        features.switch_off("media")
        features.switch_off("menu")
    told = c.ask("features", account_kind="service")
    kept = [f for f in told.findings if "自己的记忆" in f["said"]]
    assert [f["level"] for f in kept] == [NOTE] and "菜单、取图片" in kept[0]["said"] and "重启网站" in kept[0]["todo"]
    with c.app.app_context():
        features.switch_on(["media", "menu"])
    assert "自己的记忆" not in str(c.ask("features", account_kind="service").findings)


def test_strangers_do_not_learn_what_is_off(client):
    assert set(client.get("/healthz", query_string={"nonce": "a" * 40}).json) == {"status", "instance"}


def comes(app: Flask, appid: str, openid: str, unionid: str | None = None) -> None:
    with app.app_context():
        accounts.login(WxUser(appid, openid, unionid), datetime.now(UTC))
        db.session.commit()


def test_apps_that_are_bound_show_it_by_their_logins(clinic):
    c = clinic()
    assert c.ask("unionid").level == NOTE          # nobody has come yet
    amei = next(p for p in requests.get(f"{c.simulated}/_sim/people", timeout=20).json()["people"] if p["name"] == "阿美")
    comes(c.app, c.config.miniprogram_appid, amei["openids"][c.config.miniprogram_appid], amei["unionid"])
    comes(c.app, c.config.account_appid, amei["openids"][c.config.account_appid])
    told = c.ask("unionid")
    assert told.level == GOOD and "1人里1人有unionid" in told.only["said"]


def test_apps_that_are_said_to_be_bound_and_are_not(clinic):
    c = clinic()
    comes(c.app, c.config.miniprogram_appid, "oMini1")
    comes(c.app, c.config.miniprogram_appid, "oMini2")
    told = c.ask("unionid")
    assert told.level == WRONG and "2人里一个unionid也没有" in told.only["said"] and "open.weixin.qq.com" in told.only["todo"]


def test_a_follower_without_unionid_gives_it_away_too(clinic):
    c = clinic()
    stranger = c.sim("people", name="没绑定的人", bound=False)
    comes(c.app, c.config.account_appid, stranger["openids"][c.config.account_appid])
    comes(c.app, c.config.account_appid, "oOfAnAccountBefore")
    comes(c.app, c.config.account_appid, wire.SENDER)
    told = c.ask("unionid")
    assert told.level == WRONG and "关注者没有unionid" in told.only["said"]


def test_apps_that_are_not_bound_leave_one_door(clinic):
    c = clinic(apps_bound=False)
    told = c.ask("unionid")
    assert told.level == NOTE and "只开一个入口" in told.only["todo"]
    comes(c.app, c.config.miniprogram_appid, "oMini1", "u1")
    told = c.ask("unionid")
    assert told.level == NOTE and "APPS_BOUND 改成 true" in told.only["todo"]
    assert ask(c.beside(miniprogram_appid=""), "unionid").level == GOOD


def test_the_accounts_own_code_where_there_is_no_web_login(make_app):
    assert ask(make_app(), "account-qr").level == GOOD
    assert ask(make_app(account_kind="subscription"), "account-qr").level == NOTE
    assert ask(make_app(account_kind="subscription", account_oauth="yes"), "account-qr").level == GOOD
    assert ask(make_app(account_kind="subscription", account_qr="http://weixin.qq.com/r/x"), "account-qr").level == GOOD


def test_templates_that_can_be_read_and_that_cannot(make_app):
    assert ask(make_app(), "templates").level == GOOD
    told = ask(make_app(notice_template="TPL-123456|thing1=title|time2=at"), "templates")
    assert told.level == GOOD and "NOTICE_TEMPLATE" in told.only["said"]
    told = ask(make_app(account_kind="subscription", account_template="TPL-123456|thing1=title"), "templates")
    assert NOTE in [f["level"] for f in told.findings]
