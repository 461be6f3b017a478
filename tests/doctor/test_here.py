"""This machine: settings, database, migrations, Redis, disk, worker, open alarms."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest
import redis
from sqlalchemy import select, text

from tests.conftest import create_database
from tests.doctor.conftest import GOOD, NOTE, ROOT, WRONG, ask, free_port, worker_for
from wxbackend import alarms, jobs
from wxbackend.doctor import here
from wxbackend.doctor.checks import Level
from wxbackend.extensions import db
from wxbackend.jobs.models import Job

STRONG = "0123456789abcdef" * 4
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
                              stdout=subprocess.PIPE, text=True, cwd=ROOT)
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
