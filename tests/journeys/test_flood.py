"""An article goes out and everybody writes at once: real server processes, WeChat's five seconds, and a kill -9 in the middle."""

from __future__ import annotations

import http.client
import itertools
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from flask import Flask

from simulator import crypto
from tests.conftest import emptied_database
from tests.factories import make_campaign
from tests.journeys.servers import Server, running, start, wait_until_ready
from tests.journeys.test_processes import open_now
from wxbackend import jobs, wechat
from wxbackend.extensions import db, settings
from wxbackend.inbox.intake import unseal
from wxbackend.inbox.models import InboxMessage
from wxbackend.submissions.models import Submission

GH, PATIENCE_SECONDS = "gh_wxbackend0001", 5.0
SIZES = {"sqlite": 500, "postgresql": 2000, "mariadb": 500}
CONNECTIONS = 32
_numbers = itertools.count(9_000_000_000_000_000)


@dataclass
class Delivery:
    """One picture sent by one person, sealed as WeChat seals it."""

    media_id: str
    path: str
    body: bytes
    seconds: list[float] = field(default_factory=list)
    status: int = 0


def sealed(app: Flask, n: int) -> Delivery:
    s, now, nonce = app.extensions["settings"], str(int(time.time())), secrets.token_hex(5)
    media_id = f"MEDIA{n}"
    xml = (f"<xml><ToUserName>{GH}</ToUserName><FromUserName>o{n:027d}</FromUserName><CreateTime>{now}</CreateTime><MsgType>image</MsgType>"
           f"<PicUrl>http://127.0.0.1/x</PicUrl><MediaId>{media_id}</MediaId><MsgId>{next(_numbers)}</MsgId></xml>")
    encrypted = crypto.encrypt(xml, s.account_aes_key, s.account_appid)
    query = {"signature": crypto.sign(s.account_token, now, nonce), "timestamp": now, "nonce": nonce, "encrypt_type": "aes",
             "msg_signature": crypto.sign(s.account_token, now, nonce, encrypted)}
    body = f"<xml><ToUserName>{GH}</ToUserName><Encrypt>{encrypted}</Encrypt></xml>".encode()
    return Delivery(media_id, "/wechat/callback/account?" + urlencode(query), body)


def deliver(port: int, deliveries: Iterable[Delivery]) -> None:
    """Over one kept connection, one after the other, each once more as WeChat does when an answer got lost."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for delivery in deliveries:
        began = time.monotonic()
        try:
            line.request("POST", delivery.path, delivery.body, {"Content-Type": "text/xml"})
            answer = line.getresponse()
            answer.read()
            delivery.status = answer.status
        except (OSError, http.client.HTTPException):
            line.close()
        delivery.seconds.append(time.monotonic() - began)


def flood(server: Server, deliveries: list[Delivery]) -> None:
    threads = [threading.Thread(target=deliver, args=(server.port, deliveries[k::CONNECTIONS])) for k in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def crowded_app(request, make_app, redis_url, tmp_path_factory):
    url = "" if request.param == "sqlite" else emptied_database(request.param, tmp_path_factory)
    app = make_app(database_url=url, redis_url=redis_url)
    with app.app_context():
        make_campaign(**open_now())
        db.session.remove()
        app.extensions["flood"] = SIZES[request.param]
        yield app
        db.session.remove()


def answer_the_rest(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the worker does after the rush."""
    monkeypatch.setattr(wechat, "send_text", lambda openid, text: None)   # its side stands still
    monkeypatch.setattr(wechat, "unionid_of", lambda openid: "u" + openid[1:])
    db.session.remove()
    for minutes in (1, 2, 3):
        while jobs.run_due(datetime.now(UTC) + timedelta(minutes=minutes)):
            pass


def test_a_flood_is_acknowledged_within_five_seconds_each(crowded_app: Flask):
    deliveries = [sealed(crowded_app, n) for n in range(crowded_app.extensions["flood"])]
    with running(settings._get_current_object(), 1) as servers:
        flood(servers[0], deliveries)
        flood(servers[0], deliveries[:50])   # delivered again
    late = [d.seconds for d in deliveries if max(d.seconds) > PATIENCE_SECONDS]
    assert [d.status for d in deliveries] == [200] * len(deliveries) and late == []
    db.session.rollback()
    kept = list(db.session.query(InboxMessage))
    waiting = {unseal(m.sealed or "").media_id for m in kept if m.state == "new"}
    answered = {s.media_id for s in db.session.query(Submission)}
    assert len(kept) == len(deliveries) == len(waiting) + len(answered) and waiting | answered == {d.media_id for d in deliveries}


def test_kill_9_between_the_callback_and_the_picture_loses_none(crowded_app: Flask, monkeypatch):
    """The process dies while messages are being answered; whatever was acknowledged becomes a submission, and its picture is fetched."""
    deliveries = [sealed(crowded_app, n) for n in range(120)]
    server = start(settings._get_current_object())
    try:
        wait_until_ready([server])

        def kill_in_the_middle() -> None:
            while sum(d.status == 200 for d in deliveries) < 40:
                time.sleep(0.005)
            server.kill()

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        flood(server, deliveries)
        killer.join()
    finally:
        if server.process.poll() is None:
            server.kill()
    acknowledged = {d.media_id for d in deliveries if d.status == 200}
    assert 40 <= len(acknowledged) < 120
    fetched: list[str] = []

    def picture(media_id: str, pic_url: str = "") -> bytes:
        fetched.append(media_id)
        raise wechat.MediaTooLarge

    monkeypatch.setattr(wechat, "download_media", picture)
    answer_the_rest(crowded_app, monkeypatch)
    answer_the_rest(crowded_app, monkeypatch)
    db.session.rollback()
    assert acknowledged <= {s.media_id for s in db.session.query(Submission)}
    assert acknowledged <= set(fetched) and len(fetched) == len(set(fetched))
