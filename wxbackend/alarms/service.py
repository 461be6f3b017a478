"""Ringing and settling. One open row for each (kind, about), counted; `at` is the caller's instant.

Whoever rings must not fail by it, since what rings is trouble already: twins are no error on any engine, what is too long
is cut, and a kind without words of its own is still shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from wxbackend.alarms.models import Alarm
from wxbackend.alarms.rules import OPERATOR_KIND, QUOTA
from wxbackend.audit.models import AuditHead
from wxbackend.extensions import db, reading
from wxbackend.problems import Problem

log = structlog.get_logger()

KIND_CHARS, ABOUT_CHARS, FACT_CHARS = 32, 120, 200
REFUSALS = ("wechat-operator", "wechat-quota")


class NoSuchAlarm(Problem):
    status, type, title = 404, "no-such-alarm", "没有找到这条提醒。"


def ring(kind: str, about: str, at: datetime, facts: Mapping[str, Any] | None = None) -> None:
    """Open an alarm, or count one more of the open one, in the caller's transaction. **No personal data**, in `facts` least of all.

    Eight that ring at once leave one row and a count of eight. On MariaDB two who ring or settle wait for each other until one's
    transaction ends: like an audit record, ring last, just before the commit.
    """
    about, known = about[:ABOUT_CHARS], _short(facts or {})
    newest = {"last_at": at, "facts": json.dumps(known, ensure_ascii=False, sort_keys=True, default=str)}
    new = newest | {"kind": kind[:KIND_CHARS], "about": about, "first_at": at, "count": 1, "open_key": _open_key(kind, about)}
    again = newest | {"count": Alarm.count + 1}
    _queue()
    if _is_mysql():
        db.session.execute(mysql.insert(Alarm).values(new).on_duplicate_key_update(again))
    else:
        into = (postgresql if db.engine.dialect.name == "postgresql" else sqlite).insert(Alarm).values(new)
        db.session.execute(into.on_conflict_do_update(index_elements=["open_key"], set_=again))
    log.error("alarm", kind=kind, about=about, facts=known)


def ring_refusal(error: BaseException, where: str, at: datetime) -> bool:
    """Ring for a refusal of WeChat that only an operator can mend, or a quota used up; whether it is one.

    Read by its attributes (`kind`, `errcode`), since `wechat` stands after `jobs`. `where` is a job's kind or an endpoint.
    """
    kind = _kind_of(error)
    if not kind:
        return False
    errcode, our_ip = getattr(error, "errcode", None), str(getattr(error, "our_ip", ""))
    facts = {"errcode": errcode, "where": where, "rid": str(getattr(error, "rid", ""))} | ({"our_ip": our_ip} if our_ip else {})
    ring(kind, f"{errcode} {where}", at, facts)
    return True


def ring_alone(kind: str, about: str, at: datetime, facts: Mapping[str, Any] | None = None) -> None:
    """`ring` in a transaction of its own, for an edge that has just failed: what was open is rolled back. Never raises for the database."""
    _alone(lambda: ring(kind, about, at, facts))


def ring_refusal_alone(error: BaseException, where: str, at: datetime) -> None:
    """`ring_refusal` likewise; nothing is touched for refusals of another kind."""
    if _kind_of(error):
        _alone(lambda: ring_refusal(error, where, at))


def _kind_of(error: BaseException) -> str:
    """"" also for what we refused without asking WeChat, since it had refused before: that rang, and nothing is new."""
    errcode = getattr(error, "errcode", None)
    if not isinstance(errcode, int) or not getattr(error, "was_asked", True):
        return ""
    return "wechat-quota" if errcode == QUOTA else "wechat-operator" if getattr(error, "kind", None) == OPERATOR_KIND else ""


def _alone(work: Any) -> None:
    try:
        with reading(False):
            db.session.rollback()
            work()
            db.session.commit()
    except SQLAlchemyError as e:
        db.session.rollback()
        log.error("alarm not kept", reason=type(e).__name__)


def settle(kind: str, about: str, at: datetime) -> bool:
    """Close the open alarm of this kind and about; whether there was one. In the caller's transaction."""
    return _close(Alarm.open_key == _open_key(kind, about[:ABOUT_CHARS]), at) == 1


def settle_one(alarm: Alarm, at: datetime) -> bool:
    """Close this very one, as staff do; False where it was closed already. Should it come again, it opens anew."""
    closed = _close((Alarm.id == alarm.id) & Alarm.open_key.is_not(None), at) == 1
    db.session.expire(alarm)
    return closed


def settle_refusals(where: str, at: datetime) -> int:
    """What worked before WeChat's eyes settles the refusals of the same place that are older than `at`; how many."""
    query = select(Alarm.id, Alarm.about).where(Alarm.settled_at.is_(None), Alarm.kind.in_(REFUSALS), Alarm.last_at < at)
    ids = [row.id for row in db.session.execute(query) if row.about.partition(" ")[2] == where]
    return _close(Alarm.id.in_(ids) & Alarm.open_key.is_not(None), at) if ids else 0


def by_id(number: int) -> Alarm:
    """Raises NoSuchAlarm."""
    found = db.session.get(Alarm, number)
    if found is None:
        raise NoSuchAlarm()
    return found


def open_alarms() -> list[Alarm]:
    """The open ones, the latest first."""
    return list(db.session.scalars(select(Alarm).where(Alarm.settled_at.is_(None)).order_by(Alarm.last_at.desc(), Alarm.id.desc())))


def open_counts() -> dict[str, int]:
    """How many are open of each kind that has any: {"job-dead": 1}."""
    query = select(Alarm.kind, func.count().label("n")).where(Alarm.settled_at.is_(None)).group_by(Alarm.kind)
    return {row.kind: row.n for row in db.session.execute(query)}


def _queue() -> None:
    """On MariaDB and MySQL: wait at the audit's head row. At a unique key that opens and closes, several who wait share the lock of the gap
    into which each then wants to insert, and all but one die of the deadlock, the caller's work with them."""
    if _is_mysql():
        db.session.execute(select(AuditHead.id).where(AuditHead.id == 1).with_for_update())


def _is_mysql() -> bool:
    return db.engine.dialect.name in ("mysql", "mariadb")


def _close(which: Any, at: datetime) -> int:
    _queue()
    closing = update(Alarm).where(which).values(settled_at=at, open_key=None).execution_options(synchronize_session=False)
    return db.session.execute(closing).rowcount   # type: ignore[attr-defined]


def _open_key(kind: str, about: str) -> str:
    return sha256(json.dumps([kind, about]).encode()).hexdigest()


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[:FACT_CHARS] if isinstance(value, str) else value for name, value in facts.items()}
