"""The front: votes on the loop, everything else by Flask in threads; and that nobody can tell which it was."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Response, request
from granian.rsgi import ProtocolClosed

from tests.factories import NOON, make_campaign, make_voter, solved_captcha, token_for
from wxbackend.accounts import service as accounts
from wxbackend.ballots import batches, committer
from wxbackend.ballots.log import service as log
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns import snapshots
from wxbackend.extensions import db
from wxbackend.front import Bridge, Front

SLUG = "futian-2021-reform"
PATH = f"/api/v1/campaigns/{SLUG}/ballots"


class Headers:
    """granian's: names in lower case, one value for each pair."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self.pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        return list(self.pairs.items())

    def get(self, name: str, default: Any = None) -> Any:
        return self.pairs.get(name, default)


class Protocol:
    """One request's body in pieces, and what was answered."""

    def __init__(self, pieces: list[bytes], pause: float = 0.0) -> None:
        self.pieces, self.pause = pieces, pause
        self.status, self.headers, self.body, self.is_read = 0, {}, b"", False

    async def __call__(self) -> bytes:
        self.is_read = True
        await asyncio.sleep(self.pause)
        return b"".join(self.pieces)

    async def __aiter__(self) -> Any:
        self.is_read = True
        for piece in self.pieces:
            await asyncio.sleep(self.pause)
            yield piece

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any:
        self.response_bytes(status, headers, b"")

        async def send_bytes(piece: bytes) -> None:
            self.body += piece

        return SimpleNamespace(send_bytes=send_bytes)


def scope(method: str = "GET", path: str = "/", headers: dict[str, str] | None = None, query: str = "") -> Any:
    return SimpleNamespace(proto="http", method=method, path=path, query_string=query, http_version="1.1", scheme="http",
                           server="127.0.0.1:8000", client="127.0.0.1:50000", headers=Headers({"host": "127.0.0.1"} | (headers or {})))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """On a loop in a thread of its own: a browser test of the same process may have left one running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def ask(front: Any, where: Any, pieces: list[bytes] | None = None) -> Protocol:
    protocol = Protocol(pieces or [])
    run(front.__rsgi__(where, protocol))
    return protocol


@pytest.fixture
def tiny():
    app = Flask("tiny")

    @app.route("/echo", methods=["GET", "POST", "HEAD"])
    def echo():
        return {"path": request.path, "args": request.args.to_dict(), "body": request.get_data().decode(), "from": request.remote_addr,
                "cookie": request.headers.get("Cookie", ""), "spoofed": request.headers.get("X-Forwarded-For", "")}

    @app.get("/中文/<name>")
    def named(name):
        return name

    @app.get("/stream")
    def stream():
        return Response((f"{n}\n" for n in range(3)), mimetype="text/plain")

    @app.get("/slow")
    def slow():
        time.sleep(0.3)
        return threading.current_thread().name

    return Bridge(app, threads=2)


def test_a_request_reaches_flask_whole(tiny):
    headers = {"content-length": "6", "content-type": "text/plain", "cookie": "a=1"}
    said = ask(tiny, scope("POST", "/echo", headers, "x=%E4%B8%AD"), ["春ab\n".encode()])
    assert said.status == 200 and json.loads(said.body) == {
        "path": "/echo", "args": {"x": "中"}, "body": "春ab\n", "from": "127.0.0.1", "cookie": "a=1", "spoofed": ""}
    assert ask(tiny, scope(path="/中文/公告")).body.decode() == "公告"


def test_a_header_with_an_underscore_does_not_pass_for_the_proxys(tiny):
    said = ask(tiny, scope(path="/echo", headers={"x_forwarded_for": "10.0.0.1"}))   # as sent: with underscores
    assert json.loads(said.body)["spoofed"] == ""


def test_a_stream_comes_in_pieces_and_a_missing_page_as_404(tiny):
    assert ask(tiny, scope(path="/stream")).body == b"0\n1\n2\n"
    assert ask(tiny, scope(path="/nowhere")).status == 404
    head = ask(tiny, scope("HEAD", "/echo"))
    assert head.status == 200 and head.body == b""


@pytest.mark.parametrize(("length", "pieces"), [("70000", [b"x"]), ("-1", []), ("1e3", []), (None, [b"x" * 40_000] * 2)])
def test_a_body_that_is_too_large_is_refused_before_memory_is_spent_on_it(tiny, length, pieces):
    headers = {"content-length": length} if length else {"transfer-encoding": "chunked"}
    protocol = Protocol(pieces)
    run(tiny.__rsgi__(scope("POST", "/echo", headers), protocol))
    assert protocol.status == 413 and (protocol.is_read is (length is None))


def test_a_body_in_pieces_of_no_told_length_arrives(tiny):
    said = ask(tiny, scope("POST", "/echo", {"transfer-encoding": "chunked", "content-type": "text/plain"}), [b"ab", b"cd"])
    assert json.loads(said.body)["body"] == "abcd"


@pytest.mark.parametrize("length", ["5", "5000", "60000"])
def test_a_body_that_never_comes_holds_nobody_for_ever(tiny, monkeypatch, length):
    monkeypatch.setattr("wxbackend.front.BODY_SECONDS", 0.1)
    protocol = Protocol([b"x"] * 5, pause=5)
    run(tiny.__rsgi__(scope("POST", "/echo", {"content-length": length}), protocol))
    assert protocol.status == 408


def test_who_still_sends_takes_nobodys_place(tiny):
    """Hundreds of half-sent bodies, and a page is served all the same."""
    tiny._most_inside = 2

    async def crowd() -> Protocol:
        halves = [asyncio.create_task(tiny.__rsgi__(scope("POST", "/echo", {"content-length": "5"}), Protocol([b"x"], pause=30)))
                  for _ in range(300)]
        await asyncio.sleep(0)
        page = Protocol([])
        await tiny.__rsgi__(scope(path="/echo"), page)
        for half in halves:
            half.cancel()
        await asyncio.gather(*halves, return_exceptions=True)
        return page

    assert run(crowd()).status == 200


def test_a_websocket_and_a_client_that_left_are_nobodys_fault(tiny):
    closed: list[int] = []
    run(tiny.__rsgi__(SimpleNamespace(proto="ws", path="/"), SimpleNamespace(close=closed.append)))
    assert closed == [404]

    class Gone(Protocol):
        async def __call__(self) -> bytes:
            raise ProtocolClosed

    run(tiny.__rsgi__(scope("POST", "/echo", {"content-length": "5"}), Gone([])))


def test_more_than_can_wait_are_sent_away_at_once(tiny, monkeypatch):
    tiny._most_inside = 3

    async def crowd() -> list[Protocol]:
        protocols = [Protocol([]) for _ in range(5)]
        await asyncio.gather(*(tiny.__rsgi__(scope(path="/slow"), p) for p in protocols))
        return protocols

    assert sorted(p.status for p in run(crowd())) == [200, 200, 200, 503, 503]


# The product behind it.


@pytest.fixture
def front(app, monkeypatch):
    monkeypatch.setattr(snapshots, "LOOK_AGAIN_SECONDS", 600.0)   # the campaign stays at hand, however slow the machine
    app.extensions["clock"].fixed = NOON
    make_campaign()
    campaigns.live(SLUG)
    db.session.commit()
    return Front(app)


def vote_of(name: str, answer: str = "", grade: str = "优") -> tuple[str, bytes]:
    """(token, body) of somebody with the page before her."""
    voter = make_voter(name)
    token = token_for(voter)
    captcha_id, right = solved_captcha(campaigns.by_slug(SLUG), voter, NOON)
    accounts.voter_of(token, NOON)
    db.session.commit()
    return token, json.dumps({"grade": grade, "captcha_id": captcha_id, "captcha_answer": answer or right}).encode()


def where(token: str, body: bytes, **more: str) -> Any:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "content-length": str(len(body))}
    return scope("POST", PATH, headers | {name.replace("_", "-"): value for name, value in more.items()})


def by_flask(app, token: str, body: bytes) -> Any:
    return app.test_client().post(PATH, data=body, headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})


@pytest.fixture
def flask_is_asked(front, monkeypatch):
    """Which of the front's requests went on to Flask."""
    asked: list[str] = []
    really = front.by_threads

    async def noted(where, *rest):
        asked.append(where.path)
        await really(where, *rest)

    monkeypatch.setattr(front, "by_threads", noted)
    return asked


def test_a_plain_vote_is_cast_without_flask_and_answered_as_flask_answers(front, app, flask_is_asked):
    token, body = vote_of("阿美")
    said = ask(front, where(token, body), [body])
    assert said.status == 201 and flask_is_asked == []
    again = by_flask(app, token, body)
    assert again.status_code == 200 and again.json == json.loads(said.body)
    different = {name for name in {*said.headers, *(n.lower() for n, _ in again.headers)}
                 if said.headers.get(name) != again.headers.get(name)}
    assert different <= {"content-length", "vary"}, different   # granian writes the one, and so small an answer is never packed
    assert db.session.query(Ballot).one().door == "h5"


def test_a_replay_and_a_second_vote_are_answered_as_flask_answers(front, app, flask_is_asked):
    token, body = vote_of("阿美")
    first = ask(front, where(token, body), [body])
    replay = ask(front, where(token, body), [body])
    _, another = vote_of("阿美", grade="差")
    second = ask(front, where(token, another), [another])
    assert (replay.status, json.loads(replay.body)) == (200, json.loads(first.body))
    assert (second.status, json.loads(second.body)["type"]) == (409, "/problems/already-voted")
    assert json.loads(second.body)["receipt_code"] == json.loads(first.body)["receipt_code"]
    assert len(flask_is_asked) == 2, "the flag sends both the long way"


def test_a_wrong_answer_brings_a_fresh_captcha_through_flask(front, flask_is_asked):
    token, body = vote_of("阿美", answer="000")
    said = ask(front, where(token, body), [body])
    told = json.loads(said.body)
    assert said.status == 422 and told["type"] == "/problems/captcha-wrong" and told["captcha"]["image"].startswith("data:image/")
    assert flask_is_asked == [PATH] and db.session.query(Ballot).count() == 0


@pytest.mark.parametrize(("more", "status"), [
    ({"x_wx_openid": "o1"}, 400), ({"cookie": "openid=o1"}, 400), ({"authorization": "Bearer nobody"}, 401)])
def test_whatever_is_not_plain_is_decided_by_flask(front, flask_is_asked, more, status):
    token, body = vote_of("阿美")
    said = ask(front, where(token, body, **more), [body])
    assert said.status == status and flask_is_asked == [PATH] and said.headers["content-type"] == "application/problem+json"
    assert db.session.query(Ballot).count() == 0


def test_a_full_queue_is_told_on_the_loop_while_everything_else_hangs(front, app, monkeypatch):
    """The database hangs, the committer with it, and every thread: one vote too many hears so all the same."""
    go, arrived, write = threading.Event(), threading.Event(), batches.write

    def hangs(*batch):
        arrived.set()
        return go.wait(20) and write(*batch)

    monkeypatch.setattr(batches, "write", hangs)
    queue = app.extensions[committer.EXTENSION]
    votes = [vote_of(f"市民{n}") for n in range(5)]
    monkeypatch.setattr(queue, "_most_waiting", 2)

    async def rush() -> list[Protocol]:
        protocols = [Protocol([body]) for _, body in votes]
        tasks = []
        for (token, body), protocol in zip(votes, protocols, strict=True):
            tasks.append(asyncio.create_task(front.__rsgi__(where(token, body), protocol)))
            await asyncio.sleep(0)
            if len(tasks) == 1:   # in the committer's hands
                await asyncio.to_thread(arrived.wait, 20)
        for protocol in protocols[3:]:
            while not protocol.status:
                await asyncio.sleep(0.01)
        early = [p.status for p in protocols]
        go.set()
        await asyncio.gather(*tasks)
        return [early, protocols]   # type: ignore[list-item,return-value]

    early, protocols = run(rush())
    assert early == [0, 0, 0, 503, 503] and [p.status for p in protocols] == [201, 201, 201, 503, 503]
    refused = json.loads(protocols[3].body)
    assert refused["type"] == "/problems/too-many-at-once" and protocols[3].headers["retry-after"] == "3"
    assert db.session.query(Ballot).count() == 3


def test_a_vote_nobody_answers_is_given_up_in_time(front, app, monkeypatch):
    go, write = threading.Event(), batches.write
    monkeypatch.setattr(batches, "write", lambda *batch: go.wait(20) and write(*batch))
    front._bell._patience = 0.2
    monkeypatch.setattr("wxbackend.front.LOOK_SECONDS", 0.1)
    token, body = vote_of("阿美")
    said = ask(front, where(token, body), [body])
    go.set()
    told = json.loads(said.body)
    assert said.status == 503 and told["type"] == "/problems/vote-not-kept" and told["captcha"]["captcha_id"]
    committer.stop(app)
    found = ask(Front(app), where(token, body), [body])
    assert found.status == 200, "it was kept after all, and the same request finds it"


def test_a_page_in_a_crowd_is_a_calm_page(front):
    front._most_inside = 0
    page, api = ask(front, scope(path="/c/" + SLUG)), ask(front, scope(path="/api/v1/campaigns/" + SLUG))
    assert page.status == api.status == 503 and page.headers["retry-after"] == api.headers["retry-after"] == "5"
    assert "有点挤" in page.body.decode() and page.headers["content-type"].startswith("text/html")
    assert json.loads(api.body)["type"] == "/problems/unavailable"
    assert page.headers["content-security-policy"] == api.headers["content-security-policy"]


def test_a_body_is_read_only_where_one_so_large_is_taken(front):
    headers = {"content-length": "5000000", "content-type": "application/json"}
    for path in (PATH, "/nowhere", "/login/h5"):
        protocol = Protocol([b"x"])
        run(front.__rsgi__(scope("POST", path, headers), protocol))
        assert protocol.status == 413 and not protocol.is_read, path
    upload = Protocol([b"x" * 100])
    run(front.__rsgi__(scope("POST", f"/api/v1/campaigns/{SLUG}/submissions", headers), upload))
    assert upload.status == 401 and upload.is_read


def test_the_logs_files_come_whole_over_the_loop(front):
    """A stream has no length until it is read; a wrong one told beforehand makes clients drop it."""
    log.keep_up(campaigns.by_slug(SLUG), NOON + timedelta(hours=1))
    lines, hashes = (ask(front, scope(path=f"/campaigns/{SLUG}/log/{name}")) for name in ("lines.txt", "hashes.txt"))
    assert lines.status == hashes.status == 200
    assert lines.body.startswith(b"rules|1|") and "content-length" not in lines.headers
    assert len(hashes.body) == int(hashes.headers["content-length"])
    for number in ("99999999999999999999", "-1", "7"):
        assert ask(front, scope(path=f"/campaigns/{SLUG}/log/lines.txt", query=f"head={number}")).status == 404, number


def test_whoever_watches_is_answered_in_any_crowd(front):
    front._most_inside = 0
    assert ask(front, scope(path="/healthz")).status == 200


def test_a_vote_that_came_before_the_close_counts_by_its_coming(front, app, monkeypatch):
    """It goes the long way, and Flask gets to it after the close."""
    campaign = campaigns.live(SLUG)
    app.extensions["clock"].fixed = campaign.closes_at - timedelta(seconds=1)
    voter = make_voter("阿美")
    token = token_for(voter)
    captcha_id, right = solved_captcha(campaigns.by_slug(SLUG), voter, app.extensions["clock"].fixed)
    db.session.commit()
    body = json.dumps({"grade": "优", "captcha_id": captcha_id, "captcha_answer": right}).encode()
    really = front.by_threads

    async def late(*request):
        app.extensions["clock"].fixed = campaign.closes_at + timedelta(seconds=1)
        await really(*request)

    monkeypatch.setattr(front, "by_threads", late)
    assert ask(front, where(token, body), [body]).status == 201
    assert db.session.query(Ballot.cast_at).scalar() < campaign.closes_at


def test_a_page_comes_through_as_it_is(front, app):
    said, direct = ask(front, scope(path=f"/api/v1/campaigns/{SLUG}")), app.test_client().get(f"/api/v1/campaigns/{SLUG}")
    assert said.status == 200 and json.loads(said.body) == direct.json
    assert ask(front, scope(path="/healthz")).status == 200
