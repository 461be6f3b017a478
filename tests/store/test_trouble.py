"""Redis hung, stopped, back, too old; a second process, a forked one, one that is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.store.apps import make_store_app, redis_server
from wxbackend import store
from wxbackend.store import Limit
from wxbackend.store.connection import PAUSE_SECONDS
from wxbackend.store.service import TAKE

ROOT = Path(__file__).resolve().parents[2]
VERBS = {
    "put_once": lambda: store.put_once("n", "v", 60),
    "put": lambda: store.put("n", "v", 60),
    "get": lambda: store.get("n"),
    "pop_once": lambda: store.pop_once("n"),
    "drop": lambda: store.drop("n"),
    "take": lambda: store.take([Limit("n", 1, 1)]),
    "lock": lambda: store.lock("n", 1, 1).__enter__(),
}


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A TCP server that gives one answer to whatever it is told, or accepts and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            taken.append(connection)
            if answer is not None:
                threading.Thread(target=reply, args=(connection,), daemon=True).start()

    def reply(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            lines = b"+OK\r\n" * data.count(b"SETINFO")
            connection.sendall(lines or (answer or b""))

    threading.Thread(target=accept, daemon=True).start()
    yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
    server.close()
    for connection in taken:
        connection.close()


def timed(work) -> float:
    started = time.monotonic()
    with pytest.raises(store.StoreAway):
        work()
    return time.monotonic() - started


def test_a_hung_server_is_given_up_quickly_and_the_next_call_does_not_wait(tmp_path):
    with listening(None) as url, make_store_app(tmp_path, url).app_context():
        first, second = timed(VERBS["get"]), timed(VERBS["get"])
        print(f"hung: {first * 1000:.0f} ms, then {second * 1000:.2f} ms")
        assert first < 0.5 and second < 0.02
        assert store.ping() is False


def test_sixteen_threads_before_a_hung_server_do_not_queue(tmp_path):
    with listening(None) as url:
        app = make_store_app(tmp_path, url)
        spent: list[float] = []

        def one() -> None:
            with app.app_context():
                spent.append(timed(VERBS["get"]))

        threads = [threading.Thread(target=one) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(spent) == 16 and max(spent) < 0.8


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_away_when_nobody_listens(verb, tmp_path):
    with make_store_app(tmp_path, f"unix://{tmp_path}/none.sock").app_context():
        assert timed(VERBS[verb]) < 0.3


def test_a_server_that_hangs_later_and_wakes_up_is_used_again(start_server, tmp_path):
    url, process = start_server()
    with make_store_app(tmp_path, url).app_context():
        store.put("n", "kept", 60)
        process.send_signal(signal.SIGSTOP)
        assert timed(VERBS["get"]) < 0.4
        assert timed(VERBS["get"]) < 0.02
        process.send_signal(signal.SIGCONT)
        time.sleep(PAUSE_SECONDS + 0.1)
        assert store.get("n") == "kept"


def test_a_stopped_server_is_away_and_one_that_is_back_works(start_server, tmp_path):
    url, process = start_server()
    with make_store_app(tmp_path, url).app_context():
        assert store.take([Limit("n", 5, 60)]).allowed
        process.kill()
        process.wait()
        assert timed(VERBS["take"]) < 0.3
        start_server()
        time.sleep(PAUSE_SECONDS + 0.1)
        assert store.take([Limit("n", 5, 60)]).allowed   # the new server does not know the script either
        assert store.ping() is True


def test_a_lock_whose_server_dies_inside_ends_quietly(start_server, tmp_path):
    url, process = start_server()
    with make_store_app(tmp_path, url).app_context(), store.lock("n", 60, 0):
        process.kill()
        process.wait()


def test_a_server_that_cannot_write_is_away(start_server, tmp_path):
    url, _process = start_server()
    app = make_store_app(tmp_path, url)
    with app.app_context():
        app.extensions["store"].run(lambda c: c.config_set("maxmemory", "1"))
        with pytest.raises(store.StoreAway):
            store.put("n", "x" * 100, 60)


def test_an_old_server_is_refused_in_one_line(tmp_path):
    info = b"# Server\r\nredis_version:6.2.14\r\n"
    with listening(b"$%d\r\n%s\r\n" % (len(info), info)) as url, make_store_app(tmp_path, url).app_context():
        with pytest.raises(store.StoreRefused, match="6.2.14: version 7.0 or newer") as caught:
            store.ping()
        assert "\n" not in str(caught.value)


def test_a_url_that_is_none_is_refused_in_one_line(tmp_path):
    with make_store_app(tmp_path, "localhost").app_context(), pytest.raises(store.StoreRefused, match="REDIS_URL cannot be used"):
        store.ping()


def test_making_an_app_touches_no_store(tmp_path):
    make_store_app(tmp_path / "embedded")
    make_store_app(tmp_path / "spawned", "spawn")
    assert list(tmp_path.iterdir()) == []


OTHER = """
import sys
from pathlib import Path
from tests.store.apps import make_store_app
from wxbackend import store
app = make_store_app(Path(sys.argv[1]), sys.argv[2])
print("made", flush=True)
with app.app_context():
    try:
        print(store.ping(), flush=True)
    except store.StoreRefused as e:
        print("refused:", e, flush=True)
if len(sys.argv) > 3:
    sys.stdin.read()
"""


def other_process(folder: Path, url: str = "", *more: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", OTHER, str(folder), url, *more], cwd=ROOT, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_second_process_makes_its_app_but_is_refused_the_embedded_store(tmp_path):
    app = make_store_app(tmp_path)
    with app.app_context():
        assert store.ping()
        said = other_process(tmp_path).communicate()[0].splitlines()
    assert said[0] == "made" and len(said) == 2
    assert said[1].startswith("refused: another process holds") and "REDIS_URL" in said[1]


def test_a_killed_process_leaves_the_embedded_store_free(tmp_path):
    first = other_process(tmp_path, "", "stay")
    assert [first.stdout.readline().strip() for _ in range(2)] == ["made", "True"]
    with make_store_app(tmp_path).app_context(), pytest.raises(store.StoreRefused):
        store.ping()
    first.kill()
    first.communicate()
    with make_store_app(tmp_path).app_context():
        assert store.ping()


def test_two_apps_of_one_process_share_the_folder_but_not_the_values(tmp_path):
    one, two = make_store_app(tmp_path), make_store_app(tmp_path)
    two.extensions["store"].namespace = one.extensions["store"].namespace
    with one.app_context():
        store.put("n", "v", 60)
    with two.app_context():
        assert store.get("n") is None


def in_child(work) -> str:
    """What `work` returned in a forked child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as f:
        return f.read()


def test_a_forked_child_does_not_inherit_the_embedded_store(tmp_path):
    app = make_store_app(tmp_path)

    def ping() -> str:
        try:
            return str(store.ping())
        except store.StoreRefused:
            return "refused"

    with app.app_context():
        assert in_child(ping) == "True"       # nobody held it yet, and the child's end frees it
        assert store.ping()
        assert in_child(ping) == "refused"
        assert store.ping()
        assert other_process(tmp_path).communicate()[0].splitlines()[1].startswith("refused")   # the child freed nothing


def test_processes_of_one_folder_share_the_spawned_server(tmp_path):
    redis_server()
    with make_store_app(tmp_path, "spawn").app_context():
        assert store.ping()
        pid = int((tmp_path / "redis.pid").read_text())
        assert other_process(tmp_path, "spawn").communicate()[0].splitlines() == ["made", "True"]
        assert int((tmp_path / "redis.pid").read_text()) == pid
        assert store.ping()


@pytest.mark.parametrize("how", ["exit", "terminate", "kill"])
def test_a_spawned_server_ends_with_its_process(how, tmp_path):
    redis_server()
    if how != "exit" and sys.platform != "linux":
        pytest.skip("only Linux tells a child of its parent's death")
    process = other_process(tmp_path, "spawn", "stay")
    assert [process.stdout.readline().strip() for _ in range(2)] == ["made", "True"]
    pid = int((tmp_path / "redis.pid").read_text())
    os.kill(pid, 0)
    {"exit": process.stdin.close, "terminate": process.terminate, "kill": process.kill}[how]()
    process.wait()
    for _ in range(300):
        if not alive(pid):
            return
        time.sleep(0.01)
    pytest.fail("the redis-server outlived its process")


def test_a_spawned_server_that_died_is_started_again(tmp_path):
    redis_server()
    with make_store_app(tmp_path, "spawn").app_context():
        assert store.ping()
        os.kill(int((tmp_path / "redis.pid").read_text()), signal.SIGKILL)
        time.sleep(0.1)
        assert timed(VERBS["get"]) < 0.3
        time.sleep(PAUSE_SECONDS + 0.1)
        assert store.put_once("n", "v", 60)


def test_a_folder_with_a_long_path_still_gets_its_server(tmp_path):
    redis_server()
    with make_store_app(tmp_path / ("长" * 40), "spawn").app_context():
        assert store.ping()


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for url in ("", "spawn"):
        with make_store_app(tmp_path / "file", url).app_context(), pytest.raises(store.StoreRefused, match="INSTANCE_DIR"):
            store.ping()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_local_buckets_stand_in_without_redis(tmp_path):
    at = datetime(2022, 1, 8, tzinfo=UTC)
    limits = [Limit("{阿美}:a", 2, 60), Limit("{阿美}:b", 5, 600)]
    with make_store_app(tmp_path, f"unix://{tmp_path}/none.sock").app_context():
        assert [store.take_locally(limits, at).allowed for _ in range(3)] == [True, True, False]
        refused = store.take_locally(limits, at)
        assert refused.limit_name == "{阿美}:a" and refused.retry_after_seconds == 30
        assert store.take_locally(limits, at + timedelta(seconds=30)).allowed
        assert store.take_locally([Limit("{路人}:a", 2, 60)], at).allowed


def test_every_script_says_what_it_takes_and_returns():
    for path in (ROOT / "wxbackend/store").glob("*.lua"):
        opening = path.read_text().split("\nlocal")[0].split("\nif")[0]
        assert opening.startswith("--") and all(word in opening for word in ("KEYS[", "ARGV[", "Returns")), path.name
    assert "milliseconds" in TAKE.text
