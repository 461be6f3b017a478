"""The load generator against a small server on a port: what it counts is what happened."""

from __future__ import annotations

import http.server
import math
import threading
import time
from collections.abc import Iterator

import pytest

from bench import load
from bench.wire import Ask, Talk, parse, request

WAIT_SECONDS = 0.02


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path: /ok, /slow, /full (503), /drop (closes without an answer), /once (answers and closes); counts what arrived."""

    protocol_version = "HTTP/1.1"
    arrived: list[str] = []

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        said = self.rfile.read(length)
        self.arrived.append(self.path)
        if self.path == "/drop":
            self.close_connection = True
            return
        if self.path == "/slow":
            time.sleep(WAIT_SECONDS)
        self.send_response(503 if self.path == "/full" else 200)
        self.send_header("Content-Length", str(len(said)))
        if self.path == "/once":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Handler.arrived = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def ask(path: str, kind: str = "ask", pause_seconds: float = 0.0) -> Ask:
    return Ask(kind, request("POST", path, data={"grade": "优"}), pause_seconds)


def asking(path: str) -> Talk:
    while True:
        yield ask(path)


def test_every_answer_is_counted_those_of_warm_up_and_end_apart(url: str):
    figures = load.closed([url], lambda: asking("/ok"), 4, 0.3, warm_up=0.1)
    assert figures.answers["ask", 200] == len(Handler.arrived) > figures.count("ask") > 0
    assert figures.unanswered == 0 and not figures.failures and not figures.ran_dry
    assert figures.faults("ask", [200]) == {}


def test_a_latency_is_never_shorter_than_the_server_took(url: str):
    figures = load.closed([url], lambda: asking("/slow"), 2, 0.2, warm_up=0)
    assert figures.ms(0.01) >= WAIT_SECONDS * 1000
    assert figures.ms(0.5) <= figures.ms(0.99)


def test_a_refusal_is_told_apart_from_an_acceptance(url: str):
    figures = load.closed([url], lambda: asking("/full"), 2, 0.1, warm_up=0)
    assert figures.count("ask", [200]) == 0 < figures.count("ask", [503]) and math.isnan(figures.ms(0.5, "ask", [200]))
    assert figures.faults("ask", [200]) == {"ask 503": figures.answers["ask", 503]}


def test_a_connection_that_breaks_is_a_failure_told_to_the_talk(url: str):
    heard: list[int] = []

    def talk() -> Talk:
        while True:
            heard.append((yield ask("/drop")).status)

    figures = load.closed([url], talk, 1, 0.2, warm_up=0)
    assert sum(figures.failures.values()) == len(Handler.arrived) >= 1 and set(heard) == {0}
    assert figures.count() == 0 and figures.faults("ask", [200]) == dict(figures.failures)


def test_a_server_that_is_not_there_is_a_failure_and_no_endless_loop():
    figures = load.closed(["http://127.0.0.1:9"], lambda: asking("/"), 1, 0.2, warm_up=0)
    assert set(figures.failures) == {"ask ConnectionRefusedError"} and sum(figures.failures.values()) < 10


def test_a_connection_the_server_closes_after_its_answer_is_opened_anew(url: str):
    figures = load.closed([url], lambda: asking("/once"), 2, 0.2, warm_up=0)
    assert figures.answers["ask", 200] == len(Handler.arrived) > 4 and not figures.failures


def test_the_next_request_is_made_from_the_answer(url: str):
    seen: list[bytes] = []

    def journey() -> Talk:
        page = yield Ask("page", request("POST", "/ok", data={"captcha_id": "r1"}))
        vote = yield Ask("vote", request("POST", "/ok", data={"was": page.body.decode()}))
        seen.append(vote.body)

    figures = load.closed([url], journey, 1, 0.1, warm_up=0)
    assert seen and set(seen) == {b'{"was": "{\\"captcha_id\\": \\"r1\\"}"}'}
    assert {kind for kind, _status in figures.answers} == {"page", "vote"}


def test_prepared_votes_that_run_out_are_told(url: str):
    votes = iter([ask("/ok")] * 5)

    def talk() -> Talk:
        for vote in votes:
            assert (yield vote).status == 200

    figures = load.closed([url], talk, 2, 0.1, warm_up=0)
    assert figures.ran_dry and figures.answers["ask", 200] == 5


def test_connections_are_spread_evenly_over_the_servers(url: str):
    figures = load.closed([url, "http://127.0.0.1:9"], lambda: asking("/slow"), 4, 0.1, warm_up=0)
    assert figures.answers["ask", 200] >= 2 and figures.failures["ask ConnectionRefusedError"] >= 2


def test_who_arrives_while_the_server_is_busy_waits_and_the_wait_counts(url: str, monkeypatch):
    monkeypatch.setattr(load, "LINES_AT_MOST", 1)

    def one() -> Talk:
        yield ask("/slow")

    figures = load.arrive([url], [(0.0, one()) for _ in range(5)], 0.3)
    assert figures.count("ask") == 5 and figures.ms(1.0) >= 5 * WAIT_SECONDS * 1000


def test_a_talk_under_way_when_the_time_is_up_is_finished(url: str):
    done: list[int] = []

    def one() -> Talk:
        yield ask("/ok")
        done.append((yield ask("/ok", pause_seconds=0.2)).status)

    figures = load.arrive([url], [(0.05, one())], 0.1)
    assert done == [200] and figures.unanswered == 0 and figures.answers["ask", 200] == 2 and figures.count() == 1


def test_arrivals_keep_their_instants(url: str):
    seen: list[float] = []
    began = time.perf_counter()

    def one() -> Talk:
        seen.append(time.perf_counter() - began)
        yield ask("/ok")

    load.arrive([url], [(0.1, one()), (0.2, one())], 0.3)
    assert seen[0] >= 0.1 and seen[1] >= 0.2


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"])
def test_an_answer_that_is_not_whole_yet_is_waited_for(data: bytes):
    assert parse(data) is None


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"])
def test_an_answer_we_cannot_read_is_a_fault(data: bytes):
    with pytest.raises(ValueError):
        parse(data)


def test_an_answer_is_read_whole():
    found = parse(b"HTTP/1.1 303 See Other\r\nLocation: /c/x\r\ncontent-length: 2\r\n\r\nab")
    assert found is not None and (found.status, found.body, found.header("location"), found.header("x")) == (303, b"ab", "/c/x", "")
    empty = parse(b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n")
    assert empty is not None and (empty.status, empty.body) == (204, b"")
