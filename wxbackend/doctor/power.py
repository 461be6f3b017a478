"""A power cut: would the database still have every vote it confirmed? Asked of the database itself, whatever its files say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.engine import make_url

from wxbackend.doctor.checks import Finding, check, good, note, wrong
from wxbackend.extensions import db, settings

MOUNTS = Path("/proc/mounts")
IN_MEMORY, OVER_A_NETWORK = {"tmpfs", "ramfs", "devtmpfs"}, re.compile("nfs|cifs|smb|fuse|9p|ceph|gluster|lustre")
SURVIVES = "断电不丢票：{}。"


class Rule(NamedTuple):
    """A setting under which a confirmed vote can be lost: which values are safe, what the others do, and how it is mended."""

    safe: frozenset[str]
    harm: str
    todo: str


def _rule(safe: str, harm: str, todo: str) -> Rule:
    return Rule(frozenset(safe.split()), harm, todo)


SQLITE = {"synchronous": _rule("2 3", "断电前最后几张票会丢，而市民已经看到投票成功", "不要改动程序里 SQLite 的 synchronous=FULL。")}
POSTGRESQL = {
    "fsync": _rule("on", "断电会丢票，整个库也可能坏", "在 postgresql.conf 里写 fsync = on，重启数据库。"),
    "synchronous_commit": _rule("on local remote_write remote_apply", "断电前不到1秒里的票会丢，而市民已经看到投票成功",
                                "写 synchronous_commit = on，重新加载；再看 ALTER ROLE、ALTER DATABASE 有没有给这个账号或库另设。"),
    "full_page_writes": _rule("on", "断电时只写了一半的页修不回来", "在 postgresql.conf 里写 full_page_writes = on，重新加载。"),
}
MARIADB = {
    "innodb_flush_log_at_trx_commit": _rule("1 3", "断电会丢最后约1秒的票，而市民已经看到投票成功",
                                            "在 my.cnf 的 [mysqld] 里写 innodb_flush_log_at_trx_commit = 1，重启。"),
    "innodb_doublewrite": _rule("1 ON fast DETECT_AND_RECOVER", "断电时只写了一半的页修不回来",
                                "在 my.cnf 的 [mysqld] 里写 innodb_doublewrite = 1，重启。"),
    "innodb_flush_method": _rule("fsync O_DSYNC O_DIRECT O_DIRECT_NO_FSYNC littlesync", "写进去的东西不一定到了磁盘上",
                                 "在 my.cnf 里写 innodb_flush_method = O_DIRECT，重启。"),
}
BINLOG = _rule("1", "开着二进制日志，断电后没记进日志的票会被撤回",
               "在 my.cnf 里写 sync_binlog = 1，重启；不做主从的话，也可以关掉 log_bin。")


@check("power-cut", "断电")
def look_at_power(_at: datetime) -> Iterator[Finding]:
    """Whether a commit is on the disk when it is confirmed. What a disk itself says falsely, nobody can ask."""
    found = {"sqlite": _sqlite, "postgresql": _postgresql}.get(db.engine.dialect.name, _mariadb)
    lost = list(found())
    yield from lost or [good(SURVIVES.format(_name()))]


def _sqlite() -> Iterator[Finding]:
    value = str(db.session.execute(text("PRAGMA synchronous")).scalar())
    yield from _broken(SQLITE, {"synchronous": value})
    kind = disk_of(Path(make_url(settings.resolved_database_url).database or "."), MOUNTS.read_text() if MOUNTS.exists() else "")
    if kind in IN_MEMORY:
        yield _amiss(f"数据文件在内存盘（{kind}）上：断电就全没了", "把 INSTANCE_DIR 放到真的磁盘上。")
    elif OVER_A_NETWORK.search(kind):
        yield _amiss(f"数据文件在网络盘（{kind}）上：WAL在那里不可靠", "放到本机磁盘上，或改用 PostgreSQL、MariaDB。")


def _postgresql() -> Iterator[Finding]:
    yield from _broken(POSTGRESQL, {name: str(db.session.execute(text(f"SHOW {name}")).scalar()) for name in POSTGRESQL})


def _mariadb() -> Iterator[Finding]:
    told = {str(name): str(value) for name, value in db.session.execute(text("SHOW VARIABLES"))}
    yield from _broken(MARIADB, told)
    if told.get("log_bin") == "ON":
        yield from _broken({"sync_binlog": BINLOG}, told)
    tables = text("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND engine <> 'InnoDB' ORDER BY 1")
    other = list(db.session.scalars(tables))
    if other:
        yield _amiss(f"{len(other)}张表不是InnoDB（{'、'.join(other[:3])}…）：没有事务，断电会坏",
                     "ALTER TABLE 表名 ENGINE = InnoDB；改好 default_storage_engine。")


def _broken(rules: Mapping[str, Rule], told: Mapping[str, str]) -> Iterator[Finding]:
    """Of settings that this server knows; one it has not got cannot be wrong."""
    for name, rule in rules.items():
        if told.get(name) is not None and told[name] not in rule.safe:
            yield _amiss(f"{name} 是 {told[name]}：{rule.harm}", rule.todo)


def _amiss(said: str, todo: str) -> Finding:
    """Of a demo nobody's vote is lost."""
    return wrong(said + "。", todo) if settings.environment == "production" else note(said + "（演示无妨）。", todo)


def disk_of(path: Path, mounts: str) -> str:
    """The kind of file system a path lies on, by the lines of /proc/mounts: the longest mount point above it. "" where it is unknown."""
    above = [(len(where), kind) for _, where, kind, *_ in map(str.split, mounts.splitlines())
             if path.resolve().is_relative_to(where.replace("\\040", " "))]
    return max(above, default=(0, ""))[1]


def _name() -> str:
    return {"sqlite": "SQLite（WAL，synchronous=FULL）", "postgresql": "fsync、synchronous_commit、full_page_writes 都开着"}.get(
        db.engine.dialect.name, "InnoDB 每次提交都写到磁盘")
