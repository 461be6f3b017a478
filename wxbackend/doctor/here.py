"""This machine: settings, database, migrations, Redis, disk, worker, open alarms."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError

from config.settings import LOOPBACK, Settings
from migrations.triggers import TRIGGERS
from wxbackend import jobs, store
from wxbackend.admin import alarms
from wxbackend.admin.words import waited
from wxbackend.doctor.checks import Finding, check, good, note, wrong
from wxbackend.doctor.tasks import PING
from wxbackend.extensions import db, reading, settings
from wxbackend.jobs.models import Job
from wxbackend.store.service import connection

SHORTEST_KEY = 32
LOW_BYTES, LEAST_BYTES = 2 * 1024**3, 300 * 1024**2
PING_SECONDS, LOOK_SECONDS = 6.0, 0.2
LATE = timedelta(minutes=2)
INVENTED = {"account_appid", "account_name"}   # defaults that serve the demo and nobody else
STANDING = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
}
UPGRADE = "运行 flask --app app db upgrade。"


@check("settings", "设置")
def look_at_settings(_at: datetime) -> Iterator[Finding]:
    """What loads and is still not fit for citizens; faults of form have kept the program from starting."""
    if settings.environment != "production":
        told = "演示用的设置，都读到了。" if settings.is_demo else "测试用的设置，都读到了。"
        yield good(told) if not _is_public() else note(told, "对外开放之前，把 ENVIRONMENT 改成 production。")
        return
    found = list(_unfit())
    yield from found or [good("都读到了，是正式环境。")]


def _is_public() -> bool:
    return urlsplit(settings.public_url).hostname not in LOOPBACK


def _unfit() -> Iterator[Finding]:
    if len(settings.secret_key) < SHORTEST_KEY:
        yield wrong("SECRET_KEY 太短，登录的签名可能被猜出来。", "换成 openssl rand -hex 32 的输出，重启；大家要重新登录一次。")
    for name in sorted(INVENTED):
        if getattr(settings, name) == Settings.__dataclass_fields__[name].default:
            yield wrong(f"{name.upper()} 还是演示用的值。", "改成您公众号自己的（“设置与开发→基本配置”“公众号设置”）。")
    if not _is_public():
        yield wrong("PUBLIC_URL 是本机地址，手机打不开。", "改成市民打开的网址，如 https://vote.example.org。")
    elif settings.trusted_proxies == 0:
        yield note("TRUSTED_PROXIES 是0：前面有nginx之类的话，所有人看起来都来自一个地址，限次会误伤。", "有几层反向代理就写几。")
    if settings.wechat_api_root.rstrip("/") != Settings.__dataclass_fields__["wechat_api_root"].default:
        yield note("WECHAT_API_ROOT 不是微信的地址。", "不是特意经代理的话，删掉这项设置。")


@check("database", "数据库")
def look_at_database(_at: datetime) -> Iterator[Finding]:
    """It answers, and keeps texts and transactions as the product needs them."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as e:
        yield wrong(f"连不上（{type(e).__name__}）。", "看 DATABASE_URL 的主机、库名、账号，和数据库有没有启动。")
        return
    yield {"sqlite": _sqlite, "postgresql": _postgresql}.get(db.engine.dialect.name, _mariadb)()


def _sqlite() -> Finding:
    mode = str(db.session.execute(text("PRAGMA journal_mode")).scalar())
    if mode != "wal":
        return wrong(f"SQLite 的日志模式是{mode}，不是WAL，读写会互相卡住。", "数据文件放在本机磁盘上（不放网络盘），再重启。")
    return good("SQLite（WAL），适合一台服务器。")


def _postgresql() -> Finding:
    encoding = db.session.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        return wrong(f"PostgreSQL 的编码是{encoding}，存不下汉字和表情。", "新建一个 UTF8 的库：createdb -E UTF8 -T template0。")
    return good(f"PostgreSQL {str(db.session.execute(text('SHOW server_version')).scalar()).split()[0]}，UTF8。")


def _mariadb() -> Finding:
    version, charset, collation = db.session.execute(text("SELECT VERSION(), @@character_set_database, @@collation_database")).one()
    if (charset, collation) != ("utf8mb4", "utf8mb4_bin"):
        return wrong(f"库的字符集是{charset}、排序规则是{collation}：大小写不同的openid会被当成一个人。",
                     "ALTER DATABASE 库名 CHARACTER SET utf8mb4 COLLATE utf8mb4_bin；已有的表请重新导入。")
    return good(f"{str(version)[:40]}，utf8mb4_bin。")


@check("migrations", "表结构")
def look_at_migrations(_at: datetime) -> Iterator[Finding]:
    """At this version's tables, with the triggers that keep ballots and draws from being changed."""
    head = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    with db.engine.connect() as line:
        current = MigrationContext.configure(line).get_current_revision()
    if current != head:
        yield wrong(f"数据库在{current or '空白'}，这个版本要{head}。", UPGRADE)
        return
    missing = sorted(set(TRIGGERS) - set(db.session.scalars(text(STANDING.get(db.engine.dialect.name, STANDING["mysql"])))))
    if missing:
        yield wrong(f"少了{len(missing)}个触发器（{'、'.join(missing[:3])}…），选票和抽奖结果就没有锁。",
                    "多半是恢复备份时漏了：用带触发器的备份重新恢复（mariadb-dump --triggers）。")
    else:
        yield good(f"{head}，{len(TRIGGERS)}个触发器都在。")


@check("redis", "Redis")
def look_at_redis(_at: datetime) -> Iterator[Finding]:
    """It answers and is new enough. What it keeps may vanish, so nothing is asked of its disk."""
    try:
        answers = store.ping()
    except store.StoreRefused as e:
        held = not settings.redis_url and "another process" in str(e)
        why = "版本太旧" if "version 7.0" in str(e) else "地址或文件夹不对"
        yield good("内置的，由旁边正在运行的网站占着，正常。") if held else wrong(
            f"不能用：{why}。", "装 Redis 7 或更新的版本，核对 REDIS_URL 和 INSTANCE_DIR。")
        return
    if not answers:
        yield wrong("没有回应。投票还能进行，可登录、验证码和限次都受影响，工作人员登录不了。", "启动 Redis，核对 REDIS_URL。")
    elif store.kind == "embedded":
        alone = settings.environment == "production"
        yield good("内置的，演示够用。") if not alone else note(
            "内置的，只能一个进程用，重启就清空。", "worker 要单独运行的话，装 Redis 或设 REDIS_URL=spawn。")
    else:
        yield good(f"{_version()}，不用开持久化。")


def _version() -> str:
    try:
        return f"Redis {connection().run(lambda c: c.info('server')).get('redis_version', '')}"
    except Exception:   # INFO may be forbidden; the version was looked at when it was opened
        return "Redis 有回应"


@check("storage", "磁盘")
def look_at_storage(_at: datetime) -> Iterator[Finding]:
    """Where screenshots go: writable, with room for a campaign."""
    folder = Path(settings.instance_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"wxbackend")
        free = shutil.disk_usage(folder).free
    except OSError as e:
        yield wrong(f"写不进 INSTANCE_DIR（{e.strerror or type(e).__name__}）。", "把文件夹的所有者改成运行网站的账号，或腾出空间。")
        return
    room = f"还剩{free / 1024**3:.1f} GB"
    if free < LEAST_BYTES:
        yield wrong(f"快满了，{room}。", "马上腾出空间：满了就收不了截图，SQLite 连票也记不下。")
    elif free < LOW_BYTES:
        yield note(f"不多了，{room}。一万张截图约占2 GB。", "活动开始前腾出空间。")
    else:
        yield good(f"能写，{room}。")


@check("worker", "后台任务")
def look_at_worker(at: datetime) -> Iterator[Finding]:
    """A job that does nothing is promised and waited for: when it is done, a worker lives."""
    waiting, oldest = _waiting(at)
    if _pinged(at):
        late = oldest is not None and at - oldest > LATE
        yield good("在跑。") if not late else note(
            f"在跑，可有{waiting}件到点还没办，最早的等了{waited(oldest or at, at)}。", "再开一个 worker，或看日志里的“job failed”。")
    elif _is_busy(at):
        yield note(f"正忙着一件，还有{waiting}件在等。", "过几分钟再查一次；一直这样，就再开一个 worker。")
    else:
        yield wrong(f"没有在跑，{waiting}件在等：截图没有人取，通知没有人发，名单到点也不会封存。",
                    "启动 flask --app app worker（systemd 的 wxbackend-worker）。")


def _waiting(at: datetime) -> tuple[int, datetime | None]:
    """(how many jobs are due and in nobody's hands, since when the oldest is)."""
    due = (*_open(), Job.run_at <= at, or_(Job.lease_until.is_(None), Job.lease_until < at), Job.kind != PING)
    count, oldest = db.session.execute(select(func.count(), func.min(Job.run_at)).where(*due)).one()
    db.session.rollback()
    return count, oldest


def _is_busy(at: datetime) -> bool:
    held = db.session.scalar(select(func.count()).select_from(Job).where(*_open(), Job.lease_until >= at))
    return bool(held)


def _open() -> tuple[Any, ...]:
    return Job.done_at.is_(None), Job.dead_at.is_(None)


def _pinged(at: datetime) -> bool:
    payload = {"nonce": secrets.token_hex(8)}
    mine = (Job.kind == PING, Job.payload == json.dumps(payload))
    with reading(False):
        try:
            jobs.enqueue(PING, payload, at)
            db.session.commit()
            until = time.monotonic() + PING_SECONDS
            while time.monotonic() < until:
                if db.session.scalar(select(Job.done_at).where(*mine)) is not None:
                    return True
                db.session.rollback()
                time.sleep(LOOK_SECONDS)
            return False
        finally:
            db.session.rollback()
            db.session.execute(delete(Job).where(Job.kind == PING, or_(Job.done_at.is_not(None), Job.lease_until.is_(None))))
            db.session.commit()


@check("alarms", "没处理的提醒")
def look_at_alarms(_at: datetime) -> Iterator[Finding]:
    found = alarms.shown()
    yield from (note(alarm.what, alarm.todo + "处理好了，请活动管理员在工作台点“已处理”。") for alarm in found)
    if not found:
        yield good("没有。")
