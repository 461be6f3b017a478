"""A power cut: the database is asked whether it would keep what it confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from tests.conftest import create_database
from tests.doctor.conftest import GOOD, NOTE, WRONG, ask
from tests.doctor.test_here import PRODUCTION
from wxbackend.doctor import power
from wxbackend.extensions import db

MOUNTS = """/dev/vda1 / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
server:/export /srv/shared\\040data nfs4 rw 0 0
/dev/vdb1 /srv xfs rw 0 0
"""


def test_every_engine_as_it_is_set_up_here_keeps_what_it_confirmed(make_app, engine_url):
    told = ask(make_app(database_url=engine_url), "power-cut")
    assert told.level == GOOD and "断电不丢票" in told.only["said"]


@contextmanager
def set_otherwise(url: str, *statements: str) -> Iterator[None]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as line:
        for statement in statements:
            line.execute(text(statement))
    yield


def test_a_database_that_confirms_before_it_writes_is_wrong_in_production(make_app):
    url = create_database("postgresql")
    with set_otherwise(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off"):
        told = ask(make_app(database_url=url, **PRODUCTION), "power-cut")
    assert told.level == WRONG and "synchronous_commit 是 off" in told.only["said"] and "市民已经看到投票成功" in told.only["said"]
    assert "ALTER DATABASE" in told.only["todo"] and told.code == 1


def test_of_a_demo_the_same_is_a_note(make_app):
    url = create_database("postgresql")
    with set_otherwise(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off"):
        told = ask(make_app(database_url=url), "power-cut")
    assert told.level == NOTE and "演示无妨" in told.only["said"] and told.code == 0


def test_a_table_without_transactions_is_named(make_app):
    url = create_database("mariadb")
    with set_otherwise(url, "CREATE TABLE ballot (id INT) ENGINE = MyISAM"):
        told = ask(make_app(database_url=url, **PRODUCTION), "power-cut")
    assert told.level == WRONG and "ballot" in told.only["said"] and "InnoDB" in told.only["todo"]


def test_a_sqlite_that_does_not_wait_for_the_disk(make_app):
    app = make_app(**PRODUCTION)
    with app.app_context():
        event.listen(db.engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=NORMAL").close())
        db.engine.dispose()   # connections opened before keep what they were told
    told = ask(app, "power-cut")
    assert told.level == WRONG and "synchronous 是 1" in told.only["said"]


@pytest.mark.parametrize(("rules", "told", "word"), [
    (power.POSTGRESQL, {"fsync": "off"}, "整个库也可能坏"), (power.POSTGRESQL, {"full_page_writes": "off"}, "写了一半的页"),
    (power.MARIADB, {"innodb_flush_log_at_trx_commit": "2"}, "最后约1秒"),
    (power.MARIADB, {"innodb_flush_log_at_trx_commit": "0"}, "最后约1秒"),
    (power.MARIADB, {"innodb_doublewrite": "OFF"}, "写了一半的页"), (power.MARIADB, {"innodb_flush_method": "nosync"}, "不一定到了磁盘上"),
    ({"sync_binlog": power.BINLOG}, {"sync_binlog": "0"}, "会被撤回")])
def test_what_each_setting_would_cost(app, rules: Any, told: dict[str, str], word: str):
    """Settings that a server takes only at its start are put in its mouth."""
    found = list(power._broken(rules, told))
    assert len(found) == 1 and word in found[0].said and found[0].todo.endswith("。")


def test_what_a_server_has_not_got_cannot_be_wrong(app):
    assert list(power._broken(power.MARIADB, {"innodb_doublewrite": "1"})) == []


@pytest.mark.parametrize(("path", "kind"), [("/srv/wxbackend/wxbackend.db", "xfs"), ("/srv/shared data/a.db", "nfs4"),
                                            ("/run/a.db", "tmpfs"), ("/runner/a.db", "ext4")])
def test_the_disk_a_file_lies_on_is_the_nearest_above_it(path, kind):
    assert power.disk_of(Path(path), MOUNTS) == kind


def test_a_database_file_in_memory_or_on_a_network_disk_is_wrong(make_app, monkeypatch, tmp_path):
    app = make_app(**PRODUCTION)
    for kind, word in (("tmpfs", "断电就全没了"), ("nfs4", "网络盘")):
        (tmp_path / "mounts").write_text(f"somewhere / {kind} rw 0 0\n")
        monkeypatch.setattr(power, "MOUNTS", tmp_path / "mounts")
        assert word in ask(app, "power-cut").only["said"]
