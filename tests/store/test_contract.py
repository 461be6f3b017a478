"""The same promises from every kind of store: in process, spawned, server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from wxbackend import store
from wxbackend.store import Limit


def together(app: Flask, count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(i)` returned in each of `count` threads that start at one moment."""
    gate = threading.Barrier(count)

    def one(i: int) -> Any:
        with app.app_context():
            gate.wait()
            return work(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def warm(client_threads: int, app: Flask) -> None:
    """Connections opened beforehand, so that a busy machine's handshakes are not what is tested."""
    together(app, client_threads, lambda _i: store.ping())


def test_the_kind_is_told_and_it_answers(app):
    assert store.kind in ("embedded", "spawned", "server")
    assert store.ping() is True


def test_sixteen_threads_put_one_name_and_one_succeeds(app):
    warm(16, app)
    for attempt in range(5):
        won = together(app, 16, lambda i, n=attempt: store.put_once(f"{{阿美}}:once:{n}", str(i), 60))
        assert won.count(True) == 1 and won.count(False) == 15
        assert store.get(f"{{阿美}}:once:{attempt}") == str(won.index(True))


def test_sixteen_threads_pop_one_value_and_one_gets_it(app):
    warm(16, app)
    for attempt in range(5):
        store.put(f"pop:{attempt}", "红色", 60)
        got = together(app, 16, lambda _i, n=attempt: store.pop_once(f"pop:{n}"))
        assert sorted(got, key=str).count("红色") == 1 and got.count(None) == 15


def test_put_replaces_and_drop_forgets(app):
    store.put("name", "one", 60)
    store.put("name", "two", 60)
    assert store.get("name") == "two"
    store.drop("name")
    store.drop("name")
    assert store.get("name") is None and store.pop_once("name") is None


def test_a_value_ends_with_its_time(app):
    store.put("short", "x", 0.15)
    assert store.put_once("short-once", "x", 0.15)
    assert store.get("short") == "x"
    time.sleep(0.25)
    assert store.get("short") is None
    assert store.put_once("short-once", "y", 60)


def test_two_namespaces_do_not_see_each_other(app):
    store.put("shared", "ours", 60)
    connection = app.extensions["store"]
    ours, connection.namespace = connection.namespace, connection.namespace + "-other"
    assert store.get("shared") is None
    connection.namespace = ours
    assert store.get("shared") == "ours"


def test_a_limit_refuses_the_call_after_its_last(app):
    limit = [Limit("{阿美}:captcha", 3, 600)]
    assert [store.take(limit).allowed for _ in range(5)] == [True, True, True, False, False]
    verdict = store.take(limit)
    assert verdict.limit_name == "{阿美}:captcha"
    assert 1 <= verdict.retry_after_seconds <= 1200
    assert store.take([Limit("{路人}:captcha", 3, 600)]).allowed


def test_sixteen_threads_share_ten_calls(app):
    warm(16, app)
    verdicts = together(app, 16, lambda _i: store.take([Limit("{阿美}:all", 10, 600)]).allowed)
    assert verdicts.count(True) == 10


def test_a_refused_call_counts_against_no_limit(app):
    narrow, wide = Limit("{阿美}:narrow", 1, 600), Limit("{阿美}:wide", 3, 600)
    assert store.take([narrow, wide]).allowed
    for _ in range(5):
        verdict = store.take([wide, narrow])
        assert not verdict.allowed and verdict.limit_name == "{阿美}:narrow"
    assert store.take([wide]).allowed and store.take([wide]).allowed
    assert not store.take([wide]).allowed


def test_a_limit_opens_after_what_it_said(app):
    limit = [Limit("{阿美}:second", 2, 1)]
    while time.time() % 1 > 0.5:   # start in the first half of a window
        time.sleep(0.05)
    assert store.take(limit).allowed and store.take(limit).allowed
    verdict = store.take(limit)
    assert not verdict.allowed and 1 <= verdict.retry_after_seconds <= 2
    time.sleep(verdict.retry_after_seconds)
    assert store.take(limit).allowed


def test_a_window_slides_and_does_not_open_all_at_once(app):
    """Four calls at the end of one second do not allow four more at the start of the next."""
    limit = [Limit("{阿美}:slide", 4, 1)]
    time.sleep((1.75 - time.time() % 1) % 1)
    assert all(store.take(limit).allowed for _ in range(4))
    time.sleep(1.02 - time.time() % 1)
    assert [store.take(limit).allowed for _ in range(4)].count(True) <= 1


def test_of_several_limits_the_longest_wait_is_told(app):
    short, long = Limit("{阿美}:short", 1, 60), Limit("{阿美}:long", 1, 3600)
    assert store.take([short, long]).allowed
    verdict = store.take([short, long])
    assert verdict.limit_name == "{阿美}:long" and verdict.retry_after_seconds <= 7200


def test_no_limit_allows(app):
    assert store.take([]).allowed


def test_a_lock_holds_one_at_a_time(app):
    warm(8, app)
    inside, most = [], []

    def work(i: int) -> None:
        with store.lock("token", 10, 10):
            inside.append(i)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(i)

    together(app, 8, work)
    assert most == [1] * 8


def test_a_held_lock_says_so_after_the_wait(app):
    with store.lock("token", 10, 0):
        started = time.monotonic()
        with pytest.raises(store.StillLocked), store.lock("token", 10, 0.2):
            pass
        assert 0.2 <= time.monotonic() - started < 1
    with store.lock("token", 10, 0):
        pass


def test_a_lock_that_ran_out_is_not_taken_from_its_next_holder(app):
    with store.lock("token", 0.05, 0):
        time.sleep(0.1)
        second = store.lock("token", 10, 0)
        second.__enter__()
    with pytest.raises(store.StillLocked), store.lock("token", 10, 0):
        pass
    second.__exit__(None, None, None)


def test_a_server_that_forgot_the_scripts_is_sent_them_again(app):
    limit = [Limit("{阿美}:noscript", 5, 60)]
    assert store.take(limit).allowed
    if store.kind == "embedded":
        app.extensions["store"].run(lambda c: c.script_flush())
    else:
        app.extensions["store"].run(lambda c: c.execute_command("SCRIPT", "FLUSH"))
    assert store.take(limit).allowed


def test_a_fault_of_ours_is_not_called_away(app):
    with pytest.raises(Exception) as caught:
        app.extensions["store"].run(lambda c: c.execute_command("NONSENSE"))
    assert not isinstance(caught.value, store.StoreAway)
    assert store.ping()
