"""Who rings: jobs that die, refusals of WeChat in jobs and requests, a disk that takes nothing; and who settles."""

from __future__ import annotations

import errno
import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.factories import NOON
from wxbackend import alarms, jobs, store, wechat
from wxbackend.alarms.models import Alarm
from wxbackend.extensions import db
from wxbackend.jobs import service

LATER = NOON + timedelta(days=2)
LOGIN = "/api/v1/login/miniprogram"


@pytest.fixture
def own_handlers(monkeypatch):
    monkeypatch.setattr(service, "_handlers", {})


def rung() -> list[tuple[str, str, int]]:
    db.session.rollback()
    return [(a.kind, a.about, a.count) for a in db.session.scalars(select(Alarm).where(Alarm.settled_at.is_(None)).order_by(Alarm.id))]


def failing(kind, error, tries=8):
    @jobs.handler(kind, tries=tries)
    def do(payload, at):
        raise error

    jobs.enqueue(kind, {}, NOON)
    db.session.commit()


def test_a_job_that_dies_rings_with_what_may_be_told_of_it(any_app, own_handlers):
    failing("count", ValueError("阿美 13800000000"), tries=2)
    failing("fetch", jobs.GiveUp("the picture is gone"))
    assert jobs.run_due(NOON) == 2
    assert rung() == [("job-dead", "fetch", 1)]                      # the other is tried again
    assert jobs.run_due(LATER) == 1
    assert rung() == [("job-dead", "fetch", 1), ("job-dead", "count", 1)]
    facts = [a.known["error"] for a in alarms.open_alarms()]
    assert facts == ["ValueError", "GiveUp: the picture is gone"]


def test_a_job_whose_worker_was_killed_each_time_rings_once(any_app, own_handlers):
    jobs.handler("deadly", tries=2)(lambda payload, at: None)
    jobs.enqueue("deadly", {}, NOON)
    db.session.commit()
    at = NOON
    for _ in range(2):
        assert service.claim(at) is not None   # and then the worker is gone
        at += timedelta(minutes=5)
    assert [jobs.run_due(at) for _ in range(3)] == [0, 0, 0]
    assert rung() == [("job-dead", "deadly", 1)]


def test_a_worker_that_overslept_rings_for_nobody(any_app, own_handlers):
    slept = []

    @jobs.handler("sleepy", tries=1)
    def sleepy(payload, at):
        if not slept:   # while the first sleeps, its lease ends and the row is taken for dead
            slept.append(1)
            with any_app.app_context():
                assert jobs.run_due(NOON + timedelta(minutes=5)) == 0
            raise ValueError

    jobs.enqueue("sleepy", {}, NOON)
    db.session.commit()
    jobs.run_due(NOON)
    assert rung() == [("job-dead", "sleepy", 1)]


def test_a_refusal_for_operators_rings_and_the_next_success_settles_it(any_app, own_handlers):
    answers = [wechat.WeChatRefused(40164), wechat.WeChatRefused(40164), wechat.WeChatAway("busy"), None]

    @jobs.handler("send")
    def send(payload, at):
        if error := answers.pop(0):
            raise error

    jobs.handler("other")(lambda payload, at: None)
    jobs.enqueue("send", {}, NOON)
    jobs.enqueue("other", {}, NOON + timedelta(hours=5))
    db.session.commit()
    at = NOON
    for expected in (1, 2, 2):
        jobs.run_due(at)
        at += timedelta(hours=1)
        assert rung() == [("wechat-operator", "40164 send", expected)]
    jobs.run_due(at)
    assert rung() == []
    assert db.session.scalars(select(Alarm.settled_at)).one() == at


def test_a_dead_job_stays_rung_when_its_kind_works_again(app, own_handlers):
    failing("fetch", jobs.GiveUp("gone"))
    jobs.run_due(NOON)
    jobs.handler("fetch")(lambda payload, at: None)
    jobs.enqueue("fetch", {}, NOON)
    db.session.commit()
    assert jobs.run_due(LATER) == 1
    assert rung() == [("job-dead", "fetch", 1)]


def test_a_handler_that_rings_and_ends_well_is_not_settled_by_its_own_end(app, own_handlers):
    @jobs.handler("send")
    def send(payload, at):
        alarms.ring_refusal(wechat.WeChatRefused(40037), "send", at)

    jobs.enqueue("send", {}, NOON)
    db.session.commit()
    assert jobs.run_due(NOON) == 1
    assert rung() == [("wechat-operator", "40037 send", 1)]


def test_quota_and_a_full_disk_have_alarms_of_their_own(app, own_handlers):
    failing("send", wechat.WeChatRefused(45009))
    failing("write", OSError(errno.ENOSPC, "No space left on device", "/srv/evidence/oMei.jpg"))
    failing("dial", ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    jobs.run_due(NOON)
    assert rung() == [("wechat-quota", "45009 send", 1), ("storage", "write", 1)]
    assert "oMei" not in str([a.known for a in alarms.open_alarms()])


@pytest.fixture
def login(any_app, monkeypatch):
    """POST a login whose exchange ends as the test says."""
    any_app.extensions["clock"].fixed = NOON
    monkeypatch.setattr(store, "ping", lambda: True)

    def post(error):
        def refuse(_code):
            raise error

        monkeypatch.setattr(wechat, "login_code", refuse)
        return any_app.test_client().post(LOGIN, json={"code": "x"})

    return post


def test_a_login_that_the_accounts_settings_forbid_rings_and_is_answered_as_ever(login):
    for count in (1, 2):
        answer = login(wechat.WeChatRefused(40125, "rid-7"))
        assert (answer.status_code, answer.json["type"]) == (502, "/problems/wechat-refused")
        assert rung() == [("wechat-operator", "40125 login.login_miniprogram", count)]


def test_other_refusals_of_a_login_ring_nothing(login):
    for error, status in ((wechat.WeChatRefused(40003), 502), (wechat.CodeRefused(), 401), (wechat.WeChatAway("busy"), 503)):
        assert login(error).status_code == status
    assert rung() == []


def test_an_alarm_that_cannot_be_kept_leaves_the_answer_alone(app, login, monkeypatch):
    def broken(*_args, **_kwargs):
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr("wxbackend.alarms.service.ring", broken)
    assert login(wechat.WeChatRefused(40164)).status_code == 502


def plaintext(app, token, when=NOON, **more):
    """A message in 明文模式, signed with `token`."""
    stamp = str(int(when.timestamp()))
    signed = {"signature": hashlib.sha1("".join(sorted([token, stamp, "77"])).encode()).hexdigest(), "timestamp": stamp, "nonce": "77"}
    return app.test_client().post("/wechat/callback/account", query_string=signed | {"openid": "oMei"} | more,
                                  data="<xml><ToUserName>gh_1</ToUserName></xml>", content_type="text/xml").status_code


def test_wechats_own_plaintext_rings_and_a_strangers_does_not(app):
    app.extensions["clock"].fixed = NOON
    token = app.extensions["settings"].account_token
    assert plaintext(app, "guessed") == 403
    assert plaintext(app, token, NOON - timedelta(hours=1)) == 403               # an address somebody saw an hour ago
    assert plaintext(app, token, msg_signature="0" * 40) == 403                  # encrypted mode, forged
    assert app.test_client().post("/wechat/callback/account", data="<xml/>").status_code == 403
    assert rung() == []
    assert (plaintext(app, token), plaintext(app, token)) == (403, 403)
    assert rung() == [("callback-plaintext", "account", 2)]


def test_metrics_count_what_is_open(app, client):
    def gauge() -> dict[str, str]:
        lines = client.get("/metrics").text.splitlines()
        return dict(line.removeprefix("wxbackend_open_alarms").split(" ") for line in lines if line.startswith("wxbackend_open_alarms{"))

    assert gauge()['{kind="job-dead"}'] == "0.0"
    for about in ("fetch", "send"):
        alarms.ring("job-dead", about, NOON)
    alarms.ring("unheard-of", "x", NOON)
    db.session.commit()
    assert (gauge()['{kind="job-dead"}'], gauge()['{kind="unheard-of"}'], gauge()['{kind="storage"}']) == ("2.0", "1.0", "0.0")
    alarms.settle("job-dead", "fetch", NOON)
    alarms.settle("unheard-of", "x", NOON)
    db.session.commit()
    assert gauge()['{kind="job-dead"}'] == "1.0" and '{kind="unheard-of"}' not in gauge()


def test_metrics_show_no_old_numbers_while_the_database_is_away(app, client, monkeypatch):
    alarms.ring("job-dead", "fetch", NOON)
    db.session.commit()
    assert "wxbackend_open_alarms{" in client.get("/metrics").text

    def away():
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(alarms, "open_counts", away)
    answer = client.get("/metrics")
    assert answer.status_code == 200 and "wxbackend_open_alarms{" not in answer.text
