"""The chain of deeds: what was changed or taken away shows, and nobody forks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.databases import ENGINES, fresh_database, small_app
from wxbackend import audit
from wxbackend.audit.models import AuditEntry
from wxbackend.extensions import db

AT = datetime(2022, 1, 6, 1, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=ENGINES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    with fresh_database(request.param, tmp_path) as url:
        app = small_app(url, tmp_path)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def record_some(count: int = 5) -> None:
    for n in range(count):
        at = AT + timedelta(minutes=n)
        audit.record("staff:小李", "draw.freeze", f"campaign:{n}", at, why="到期冻结 🎁 ", facts={"n": n, "说明": "好"})
        db.session.commit()


def change(sql: str, *names: object) -> None:
    """What somebody with the database's password could do."""
    db.session.execute(text(sql.format(*names)))
    db.session.commit()


def test_a_whole_chain_is_whole(app):
    assert audit.verify_chain() is None
    record_some()
    audit.record("staff:小李", "x", "y", AT.astimezone(timezone(timedelta(hours=8))))
    db.session.commit()
    db.session.expire_all()
    assert audit.verify_chain() is None
    entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert entries[0].prev_hash == "0" * 64 and entries[1].prev_hash == entries[0].hash


@pytest.mark.parametrize("column", ["actor", "verb", "subject", "why", "facts", "prev_hash", "hash"])
def test_a_changed_entry_shows(app, column):
    record_some()
    change("UPDATE audit_entry SET {} = 'forged' WHERE id = 3", column)
    assert audit.verify_chain() == 3


def test_a_changed_instant_shows(app):
    record_some()
    change("UPDATE audit_entry SET at = '2022-01-07 00:00:00' WHERE id = 3")
    assert audit.verify_chain() == 3


@pytest.mark.parametrize("gone", [1, 3])
def test_a_removed_entry_shows_at_the_next(app, gone):
    record_some()
    change("DELETE FROM audit_entry WHERE id = {}", gone)
    assert audit.verify_chain() == gone + 1


@pytest.mark.parametrize("left", [0, 3])
def test_entries_removed_from_the_end_are_missed(app, left):
    record_some()
    change("DELETE FROM audit_entry WHERE id > {}", left)
    assert audit.verify_chain() == left + 1


def test_a_lost_head_is_made_again_and_forks_nothing(app):
    change("DELETE FROM audit_head")
    record_some(2)
    assert audit.verify_chain() is None
    change("UPDATE audit_head SET hash = '{}'", "0" * 64)
    with pytest.raises(IntegrityError):
        audit.record("staff:小李", "x", "y", AT)
    db.session.rollback()


def test_a_deed_rolled_back_is_not_recorded(app):
    record_some(1)
    audit.record("staff:小李", "x", "y", AT)
    db.session.rollback()
    record_some(1)
    assert len(db.session.scalars(select(AuditEntry)).all()) == 2
    assert audit.verify_chain() is None


def test_long_words_are_cut_before_they_are_hashed(app):
    audit.record("a" * 200, "v" * 200, "s" * 200, AT, why="长" * 600)
    db.session.commit()
    assert audit.verify_chain() is None


def test_the_program_itself_cannot_change_the_past(app):
    record_some(1)
    entry = db.session.scalars(select(AuditEntry)).one()
    entry.why = "another reason"
    with pytest.raises(TypeError, match="only grows"):
        db.session.flush()
    db.session.rollback()
    db.session.delete(entry)
    with pytest.raises(TypeError, match="only grows"):
        db.session.flush()
    db.session.rollback()


@pytest.mark.parametrize("before", [0, 1])
def test_eight_at_once_continue_one_chain(app, before):
    record_some(before)
    barrier, faults = threading.Barrier(8), []

    def work(n: int) -> None:
        with app.app_context():
            try:
                barrier.wait()
                for m in range(6):
                    audit.record(f"staff:{n}", "review", f"submission:{m}", AT)
                    audit.record(f"staff:{n}", "notify", f"submission:{m}", AT)   # two in one transaction
                    db.session.commit()
            except Exception as e:
                faults.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert faults == []
    db.session.rollback()
    assert len(db.session.scalars(select(AuditEntry.id)).all()) == before + 8 * 12
    assert audit.verify_chain() is None
