"""One open row for each thing that is wrong, however many say so at once; on the three engines."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from structlog.testing import capture_logs

from tests.factories import NOON
from wxbackend import alarms, wechat
from wxbackend.alarms.models import Alarm
from wxbackend.extensions import db
from wxbackend.wechat.refusals import refusal

HOUR = timedelta(hours=1)


def rows() -> list[Alarm]:
    db.session.rollback()
    return list(db.session.scalars(select(Alarm).order_by(Alarm.id)))


def test_the_second_ring_counts_and_keeps_the_beginning(any_app):
    alarms.ring("job-dead", "inbox.fetch", NOON, {"error": "ValueError"})
    alarms.ring("job-dead", "notices.send", NOON)   # noise
    alarms.ring("job-dead", "inbox.fetch", NOON + HOUR, {"error": "KeyError"})
    db.session.commit()
    first, noise = rows()
    assert (first.count, first.first_at, first.last_at, first.known) == (2, NOON, NOON + HOUR, {"error": "KeyError"})
    assert (noise.count, noise.known) == (1, {})
    assert [a.about for a in alarms.open_alarms()] == ["inbox.fetch", "notices.send"]
    assert alarms.open_counts() == {"job-dead": 2}


def test_what_was_settled_opens_anew_and_the_old_row_stays(any_app):
    alarms.ring("storage", "inbox.fetch", NOON)
    assert alarms.settle("storage", "inbox.fetch", NOON + HOUR)
    assert not alarms.settle("storage", "inbox.fetch", NOON + HOUR)
    assert not alarms.settle("storage", "other", NOON + HOUR)
    for _ in range(2):
        alarms.ring("storage", "inbox.fetch", NOON + 2 * HOUR)
        assert alarms.settle("storage", "inbox.fetch", NOON + 3 * HOUR)
    alarms.ring("storage", "inbox.fetch", NOON + 4 * HOUR)
    db.session.commit()
    assert [(a.count, a.settled_at is None, a.open_key is None) for a in rows()] == [(1, False, True)] * 3 + [(1, True, False)]
    assert len(alarms.open_alarms()) == 1


def test_kind_and_about_are_told_apart_to_the_letter(any_app):
    for kind, about in (("storage", "a b"), ("storage a", "b"), ("storage", "A b"), ("storage", "a b "), ("storage", "")):
        alarms.ring(kind, about, NOON)
    db.session.commit()
    assert [a.count for a in rows()] == [1] * 5


def test_eight_that_ring_at_once_leave_one_row_and_a_count_of_eight(any_app):
    barrier, faults = threading.Barrier(8), []

    def ring() -> None:
        with any_app.app_context():
            try:
                for _ in range(5):
                    barrier.wait(20)
                    alarms.ring("wechat-operator", "40164 notices.send", NOON, {"errcode": 40164})
                    db.session.commit()
            except Exception as e:
                faults.append(e)

    threads = [threading.Thread(target=ring) for _ in range(8)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert faults == []
    assert [(a.count, a.about) for a in rows()] == [(40, "40164 notices.send")]


def test_ringing_and_settling_against_each_other_never_fails_nor_leaves_two_open(any_app):
    start, faults = threading.Barrier(6), []

    def work(n: int) -> None:
        with any_app.app_context():
            start.wait(20)
            for turn in range(15):
                try:
                    if n < 4:
                        alarms.ring("relay-away", "second", NOON + timedelta(seconds=turn))
                    else:
                        alarms.settle("relay-away", "second", NOON)
                    db.session.commit()
                except Exception as e:
                    faults.append(e)
                    db.session.rollback()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert faults == []
    found = rows()
    assert sum(a.count for a in found) == 60
    assert len([a for a in found if a.settled_at is None]) <= 1


def test_an_alarm_of_a_transaction_that_failed_never_was(any_app):
    alarms.ring("storage", "x", NOON)
    db.session.rollback()
    assert rows() == []


def test_the_database_itself_keeps_one_open_row(any_app):
    alarms.ring("storage", "x", NOON)
    db.session.commit()
    again = {"kind": "storage", "about": "x", "facts": "{}", "first_at": NOON, "last_at": NOON, "count": 1, "open_key": rows()[0].open_key}
    with pytest.raises(IntegrityError):
        db.session.execute(insert(Alarm).values(again))
    db.session.rollback()


def test_what_is_too_long_is_cut_and_what_is_no_json_is_written_out(any_app):
    alarms.ring("k" * 50, "关" * 500, NOON, {"error": "错" * 9000, "day": NOON.date(), "n": 3})
    alarms.ring("k" * 50, "关" * 500, NOON)
    db.session.commit()
    (found,) = rows()
    assert (found.kind, found.about, found.count) == ("k" * 32, "关" * 120, 2)
    assert alarms.settle("k" * 50, "关" * 500, NOON)


def test_refusals_that_only_an_operator_can_mend_ring(any_app):
    refused = [wechat.WeChatRefused(40164, "rid-1"), wechat.WeChatRefused(45009), wechat.WeChatRefused(43101), wechat.WeChatAway("busy"),
               wechat.CodeRefused(), ValueError("x")]
    assert [alarms.ring_refusal(error, "notices.send", NOON) for error in refused] == [True, True] + [False] * 4
    db.session.commit()
    assert [(a.kind, a.about, a.known) for a in rows()] == [
        ("wechat-operator", "40164 notices.send", {"errcode": 40164, "where": "notices.send", "rid": "rid-1"}),
        ("wechat-quota", "45009 notices.send", {"errcode": 45009, "where": "notices.send", "rid": ""})]


def test_what_we_refused_without_asking_wechat_rings_nothing(any_app):
    """It rang when WeChat itself said 48001; while the feature is off, each job would ring again."""
    unasked = wechat.NotGranted(was_asked=False)
    assert not alarms.ring_refusal(unasked, "inbox.fetch", NOON)
    alarms.ring_refusal_alone(unasked, "inbox.fetch", NOON)
    assert rows() == []
    assert alarms.ring_refusal(wechat.NotGranted("rid-1"), "inbox.fetch", NOON)


def test_a_missing_whitelist_keeps_the_address_that_wechat_saw(any_app):
    said = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 61725984-6126f6f9"
    alarms.ring_refusal(refusal(40164, said), "notices.send", NOON)
    db.session.commit()
    assert rows()[0].known["our_ip"] == "203.0.113.7"


def test_success_settles_older_refusals_of_its_own_place_alone(any_app):
    for where in ("notices.send", "inbox.fetch", "send"):
        alarms.ring_refusal(wechat.WeChatRefused(40164), where, NOON)
    alarms.ring("job-dead", "notices.send", NOON)
    assert alarms.settle_refusals("notices.send", NOON) == 0          # what rang within the same run is no old story
    assert alarms.settle_refusals("notices.send", NOON + HOUR) == 1
    db.session.commit()
    assert {(a.kind, a.about) for a in alarms.open_alarms()} == {
        ("wechat-operator", "40164 inbox.fetch"), ("wechat-operator", "40164 send"), ("job-dead", "notices.send")}


def test_ringing_alone_rolls_back_what_failed_and_keeps_the_alarm(any_app):
    db.session.execute(text("INSERT INTO clock_offset (id, offset_ms) VALUES (1, 5)"))
    alarms.ring_alone("storage", "x", NOON)
    assert len(rows()) == 1
    assert db.session.execute(text("SELECT count(*) FROM clock_offset")).scalar() == 0


def test_ringing_alone_never_raises_for_the_database(app, monkeypatch):
    def broken(*_args, **_kwargs):
        raise OperationalError("INSERT oMei 13800000000", {}, Exception("disk full"))

    monkeypatch.setattr("wxbackend.alarms.service.ring", broken)
    with capture_logs() as logs:
        alarms.ring_alone("storage", "x", NOON)
    assert logs == [{"event": "alarm not kept", "reason": "OperationalError", "log_level": "error"}]
