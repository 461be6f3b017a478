"""When somebody was last heard in the account's chat, which decides whether a customer message may be tried."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, literal, or_, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from wxbackend.accounts.models import Identity
from wxbackend.extensions import Instant, db
from wxbackend.notices import rules
from wxbackend.notices.models import ChatWindow

NOTHING: dict[str, Any] = {"message_at": None, "sent_since_message": 0, "tap_at": None, "sent_since_tap": 0, "left_at": None}


def heard(identity: Identity, kind: str, at: datetime) -> None:
    """A message or event of this person: `kind` is "text", "image", … or an event's name. Late and repeated ones change nothing.

    One statement, since every message passes here and two of one person at once must not wait for each other in a circle.
    """
    does, now = rules.opened_by(kind), literal(at, Instant())   # typed: a bare value in a CASE would be stored as it is written
    if does == "left":
        is_last = and_(_before("message_at", at), _before("tap_at", at))
        first, again = {"left_at": at}, {"left_at": case((is_last, now), else_=ChatWindow.left_at)}
    elif does:
        opened, sent = f"{does}_at", f"sent_since_{does}"
        is_newer = _before(opened, at)
        first = {opened: at}
        again = {sent: case((is_newer, 0), else_=getattr(ChatWindow, sent)),   # before the instant: MariaDB sets them one after the other
                 opened: case((is_newer, now), else_=getattr(ChatWindow, opened)),
                 "left_at": case((ChatWindow.left_at < at, None), else_=ChatWindow.left_at)}
    else:
        return
    _upsert(NOTHING | {"identity_id": identity.id} | first, again)


def of(identity_id: int) -> rules.Window | None:
    """What is known of an identity's chat, None where nothing was ever heard."""
    row = db.session.get(ChatWindow, identity_id, populate_existing=True)
    if row is None:
        return None
    return rules.Window(row.message_at, row.sent_since_message, row.tap_at, row.sent_since_tap, row.left_at is not None)


def charge(identity_id: int, at: datetime) -> None:
    """One more customer message went out, or may have."""
    window = of(identity_id)
    pot = rules.pot(window, at) if window else ""
    if pot:
        column = getattr(ChatWindow, f"sent_since_{pot}")
        _change(identity_id, {column: column + 1})


def believe(identity_id: int, errcode: int | None, at: datetime) -> None:
    """WeChat refused a customer message: its own word about the window replaces ours."""
    if errcode == rules.WINDOW_OVER:
        _upsert(NOTHING | {"identity_id": identity_id}, {"message_at": None, "tap_at": None})
    elif errcode == rules.QUOTA_USED:
        _change(identity_id, {ChatWindow.sent_since_message: rules.MESSAGES, ChatWindow.sent_since_tap: rules.TAPS})
    elif errcode == rules.NOT_FOLLOWING:
        _upsert(NOTHING | {"identity_id": identity_id, "left_at": at}, {"left_at": at})


def _before(name: str, at: datetime) -> Any:
    column = getattr(ChatWindow, name)
    return or_(column.is_(None), column < at)


def _change(identity_id: int, values: dict[Any, Any]) -> None:
    db.session.execute(update(ChatWindow).where(ChatWindow.identity_id == identity_id).values(values)
                       .execution_options(synchronize_session=False))


def _upsert(row: dict[str, Any], again: dict[str, Any]) -> None:
    insert: Any = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}.get(db.engine.dialect.name, mysql.insert)
    into = insert(ChatWindow).values(row)
    if hasattr(into, "on_conflict_do_update"):
        db.session.execute(into.on_conflict_do_update(index_elements=["identity_id"], set_=again))
    else:
        db.session.execute(into.on_duplicate_key_update(list(again.items())))
