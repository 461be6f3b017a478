"""The second server: what it gets, what may come back, and that nobody waits for it in vain."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from wxbackend.inbox import relay

QUERY = {"signature": "5f1a", "timestamp": "1641441600", "nonce": "n+1&x=y", "openid": "oSECRETOPENID", "encrypt_type": "aes",
    "msg_signature": "ab9"}
BODY = "<xml><ToUserName>gh_1</ToUserName><Encrypt>你好ABC==</Encrypt></xml>".encode()
REPLY = "<xml><Encrypt><![CDATA[xyz]]></Encrypt></xml>"


class Quiet(WSGIRequestHandler):
    def log(self, *_args: Any) -> None: ...


class Second:
    """The institution's older system; `answer` is what it does with a request, `asked` what came."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer: Callable[[], Response] = lambda: Response(REPLY, content_type="text/xml")

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        self.asked.append(request)
        return self.answer()(environ, start_response)


@pytest.fixture
def second() -> Iterator[tuple[Second, str]]:
    one = Second()
    server = make_server("127.0.0.1", 0, one, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield one, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def relayed(second, make_app) -> Iterator[Second]:
    one, root = second
    with make_app(relay_url=root + "/wx/api.php").app_context():
        yield one


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def test_it_gets_what_wechat_sent_byte_for_byte(relayed):
    assert relay.forward(MultiDict(QUERY), BODY) == REPLY
    asked = relayed.asked[0]
    assert (asked.method, asked.path, asked.get_data()) == ("POST", "/wx/api.php", BODY)
    assert asked.args.to_dict() == QUERY and asked.content_type == "text/xml" and not asked.cookies


def test_an_address_with_a_query_of_its_own(second, make_app):
    one, root = second
    with make_app(relay_url=root + "/wx?id=3").app_context():
        assert relay.forward(QUERY, BODY) == REPLY
    assert one.asked[0].args.to_dict() == {"id": "3"} | QUERY


@pytest.mark.parametrize(("answered", "passed"), [
    (REPLY, REPLY), ("", ""), ("success", "success"), ("\n success \n", "success"), ("\ufeff" + REPLY + "\n", REPLY), ("<xml/>", "<xml/>"),
    ("<html><body>登录</body></html>", None), ("Success", None), ("<?xml version='1.0'?><html/>", None), ('{"errcode": 0}', None),
    ("<XML></XML>", None),
    (b"\xff\xfe<xml>", None), (REPLY.ljust(65_536), REPLY), (REPLY + "x" * 65_536, None),
], ids=range(14))
def test_a_reply_is_passed_on_and_nothing_else(relayed, answered, passed):
    relayed.answer = lambda: Response(answered, content_type="text/html")
    assert relay.forward(QUERY, BODY) == passed


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 404, 500, 503])
def test_an_answer_of_another_status_is_none_and_no_redirect_is_followed(relayed, status):
    relayed.answer = lambda: Response("" if status == 204 else REPLY, status, headers={"Location": "/elsewhere"})
    assert relay.forward(QUERY, BODY) is None
    assert [asked.path for asked in relayed.asked] == ["/wx/api.php"]


def test_without_an_address_nothing_is_asked(app):
    assert relay.forward(QUERY, BODY) is None and "relay" not in app.extensions


def test_a_slow_one_is_not_waited_for(relayed):
    relayed.answer = lambda: (time.sleep(10), Response(REPLY))[1]
    answer, took = timed(lambda: relay.forward(QUERY, BODY))
    assert answer is None and 3.5 < took < 5   # WeChat waits no longer
    answer, took = timed(lambda: relay.forward(QUERY, BODY, seconds=0.3))
    assert answer is None and took < 3.5   # the time that is left counts, not the usual four


def test_an_answer_that_drips_costs_no_more_than_the_time_agreed(make_app):
    """Not even where the headers come byte by byte, which no timeout of a socket notices."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        line, _ = listener.accept()
        line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not stop.wait(0.05):
            line.sendall(b"x")
        line.close()

    threading.Thread(target=drip, daemon=True).start()
    with make_app(relay_url=f"http://127.0.0.1:{listener.getsockname()[1]}/").app_context():
        answer, took = timed(lambda: relay.forward(QUERY, BODY, seconds=0.5))
    stop.set()
    listener.close()
    assert answer is None and took < 5   # it drips for as long as anybody listens


def test_one_that_is_away_is_left_alone_for_a_while(make_app):
    with make_app(relay_url="http://127.0.0.1:9/").app_context(), structlog.testing.capture_logs() as lines:
        for _n in range(8):
            assert relay.forward(QUERY, BODY) is None
    assert [line["why"] for line in lines[5:]] == ["resting"] * 3
    assert len(lines) == 8 and lines[0]["log_level"] == "warning"


def test_the_log_names_neither_sender_nor_message(relayed, caplog, capsys):
    answers = iter([lambda: Response("<html>"), lambda: Response("x", 500), lambda: Response("x" * 70_000)])
    relayed.answer = lambda: next(answers)()
    with structlog.testing.capture_logs() as lines:
        for _n in range(3):
            relay.forward(QUERY, BODY)
    said = repr(lines) + caplog.text + "".join(capsys.readouterr())
    assert len(lines) == 3 and not any(word in said for word in ("SECRETOPENID", "你好", "msg_signature", "wechat away"))


class Tick:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_breaker_opens_after_five_failures_in_a_row_and_lets_one_through_after_half_a_minute():
    tick = Tick()
    breaker = relay.Breaker(tick)
    for _n in range(4):
        assert breaker.may_try()
        breaker.ended(False)
    breaker.ended(True)                       # one that succeeds begins the count anew
    for n in range(5):
        assert breaker.may_try(), n
        breaker.ended(False)
    assert not breaker.may_try()
    tick.now += 29.9
    assert not breaker.may_try()
    tick.now += 0.1
    assert breaker.may_try() and not breaker.may_try()   # one sees, the others wait for it
    breaker.ended(False)
    assert not breaker.may_try()
    tick.now += 30
    assert breaker.may_try()
    breaker.ended(True)
    assert breaker.may_try() and breaker.may_try()


def test_many_at_once_do_not_take_all_threads(second, make_app):
    one, root = second
    one.answer = lambda: (time.sleep(1.5), Response(REPLY))[1]
    app = make_app(relay_url=root)
    found: list[str | None] = []

    def ask(app: Flask) -> None:
        with app.app_context():
            found.append(relay.forward(QUERY, BODY, seconds=4))

    began = time.monotonic()
    threads = [threading.Thread(target=ask, args=(app,)) for _ in range(relay.MOST_AT_ONCE + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 5
    assert found.count(None) >= 4 and found.count(REPLY) + found.count(None) == len(threads)


@pytest.mark.parametrize("seconds", [0, -0.5])
def test_with_no_time_left_nobody_is_asked(relayed, seconds):
    assert relay.forward(QUERY, BODY, seconds=seconds) is None and relayed.asked == []
