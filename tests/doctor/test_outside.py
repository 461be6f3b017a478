"""The way in: the clock, the public address, both callbacks, domain proofs, the second server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from werkzeug import Response

from tests.conftest import KEY
from tests.doctor.conftest import GOOD, NOTE, WRONG, ask, free_port
from wxbackend import alarms, clock
from wxbackend.alarms.models import Alarm
from wxbackend.doctor import outside, wire
from wxbackend.extensions import db
from wxbackend.health import fingerprint
from wxbackend.inbox.models import InboxMessage


@pytest.mark.parametrize(("seconds", "level"), [(0, GOOD), (-100, NOTE), (100, NOTE), (600, WRONG), (-600, WRONG)])
def test_a_clock_beside_wechats(clinic, seconds, level):
    c = clinic()
    c.app.extensions["clock"].fixed = datetime.now(UTC) + timedelta(seconds=seconds)
    told = ask(c.app, "clock")
    assert told.level == level and "微信的服务器" in told.only["said"]


def test_the_demos_moved_clock_is_no_fault(clinic):
    c = clinic(environment="demo")
    with c.app.app_context():
        clock.move_to(datetime.now(UTC) + timedelta(days=3))
        db.session.commit()
    assert ask(c.app, "clock").level == GOOD


def test_without_wechat_our_own_address_tells_the_time_and_without_both_nothing(clinic):
    c = clinic()
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert "PUBLIC_URL的服务器" in c.ask("clock", wechat_api_root=nowhere).only["said"]
    told = c.ask("clock", wechat_api_root=nowhere, public_url=nowhere)
    assert told.level == NOTE and "NTP" in told.only["todo"]


def test_the_public_address_leads_to_this_very_installation(clinic):
    c = clinic()
    told = c.ask("public-url")
    assert told.level == GOOD and "就是这一份" in told.only["said"]
    told = c.ask("public-url", data_key=KEY[::-1][1:] + "=")   # another installation answers there
    assert told.level == WRONG and "不是这一份" in told.only["said"]


def test_the_fingerprint_tells_no_key_and_answers_no_idle_question(client, app):
    one, two = (client.get("/healthz", query_string={"nonce": nonce}).json["instance"] for nonce in ("a" * 20, "b" * 20))
    assert len(one) == 32 and one != two
    assert client.get("/healthz", query_string={"nonce": "a" * 20}).json["instance"] == one
    for nonce in ("", "short", "a" * 65, "汉" * 20, "a b" * 8):
        assert client.get("/healthz", query_string={"nonce": nonce}).json == {"status": "ok"}


@pytest.mark.parametrize(("answer", "word"), [
    (Response("", 302, {"Location": "https://elsewhere.example"}), "转到别的网址"), (Response("<h1>welcome to nginx", 200), "不是本网站"),
    (Response("", 502), "HTTP 502"), (Response('{"status": "ok"}', 200), "旧版本")])
def test_something_else_at_the_public_address(make_app, stub, answer, word):
    told = ask(make_app(public_url=stub(lambda _request: answer)), "public-url")
    assert told.level == WRONG and word in told.only["said"]


def test_nothing_or_something_slow_at_the_public_address(make_app, stub, monkeypatch):
    told = ask(make_app(public_url=f"http://127.0.0.1:{free_port()}"), "public-url")
    assert told.level == WRONG and "没有程序在听" in told.only["said"]
    told = ask(make_app(public_url="https://vote.invalid"), "public-url")
    assert told.level == WRONG and "域名解析不到" in told.only["said"]
    monkeypatch.setattr(wire, "READ_SECONDS", 0.2)
    slow = stub(lambda _request: time.sleep(1) or Response("late"))
    told = ask(make_app(public_url=slow), "public-url")
    assert told.level == WRONG and "0.2秒没有回应" in told.only["said"]
    told = ask(make_app(public_url=slow.replace("http://", "https://")), "public-url")   # no TLS there
    assert told.level == WRONG and "证书" in told.only["said"]


def test_metrics_that_strangers_can_read(clinic, monkeypatch):
    """Behind a proxy without X-Forwarded-For everybody seems to sit on this machine."""
    c = clinic()
    monkeypatch.setattr(outside, "_is_loopback", lambda: False)
    told = c.ask("public-url")
    assert [f["level"] for f in told.findings] == [GOOD, WRONG, WRONG]   # here, http instead of https, and the metrics
    assert "/metrics" in told.findings[2]["said"]


def test_the_callback_of_both_apps_answers_as_wechat_wants(clinic):
    c = clinic()
    told = c.ask("callback")
    assert [f["level"] for f in told.findings] == [GOOD, GOOD]
    assert f"{c.url}/wechat/callback/account" in told.findings[0]["said"]
    with c.app.app_context():
        assert set(db.session.scalars(select(InboxMessage.kind))) == {wire.EVENT}
        assert db.session.scalars(select(Alarm).where(Alarm.settled_at.is_(None))).all() == []


def test_a_plaintext_alarm_that_rang_before_is_not_hushed(clinic):
    c = clinic()
    with c.app.app_context():
        alarms.ring("callback-plaintext", "account", datetime.now(UTC))
        db.session.commit()
    c.ask("callback")
    with c.app.app_context():
        assert [a.about for a in alarms.open_alarms()] == ["account"]


def test_an_account_without_a_mini_program_has_one_callback(clinic):
    told = clinic(miniprogram_appid="", miniprogram_secret="", miniprogram_token="", miniprogram_aes_key="").ask("callback")
    assert told.level == GOOD and "公众号" in told.only["said"]


def test_a_token_that_the_running_site_does_not_have(clinic):
    told = clinic().ask("callback", account_token="changedyesterday", miniprogram_appid="")
    assert told.level == WRONG and "ACCOUNT_TOKEN" in told.only["todo"]   # one cause, one finding
    assert "AES_KEY" not in str(told) and "APPID" not in str(told) and "加密的一步" in told.only["said"]
    assert "changedyesterday" not in str(told)


def test_an_aes_key_that_the_running_site_does_not_have(clinic):
    told = clinic().ask("callback", miniprogram_aes_key=KEY[:42] + "A")
    sick = [f for f in told.findings if f["level"] == WRONG]
    assert len(sick) == 1 and "MINIPROGRAM_AES_KEY" in sick[0]["todo"] and "安全模式" in sick[0]["todo"]


@pytest.fixture
def impostor(make_app, stub):
    """The doctor of an installation at whose address something answers the fingerprint as it should, and the rest as the test says."""
    def stands(answer, **settings):
        def says(request):
            if request.path != "/healthz":
                return answer(request)
            with app.app_context():
                nonce = request.args["nonce"]
                return Response(json.dumps({"status": "ok", "instance": fingerprint(nonce)}))

        app = make_app(public_url=stub(says), **settings)
        return app

    return stands


def test_a_server_that_takes_plaintext_is_found_out(impostor):
    """Answers the console's check as it should, and then everything else as well."""
    told = ask(impostor(lambda request: Response(request.args.get("echostr", "success"))), "callback")
    assert {f["level"] for f in told.findings} == {WRONG} and all("明文" in f["said"] for f in told.findings)


def test_a_callback_that_breaks(impostor):
    def breaks(request):
        return Response(request.args.get("echostr", ""), 200 if request.method == "GET" else 500)

    told = ask(impostor(breaks, miniprogram_appid=""), "callback")
    assert told.level == WRONG and "HTTP 500" in told.only["said"]


@pytest.mark.parametrize("answer", [
    Response("<h1>welcome", 200), Response("", 502), Response("", 302, {"Location": "https://x.example"}), None])
def test_a_public_address_that_leads_elsewhere_says_nothing_of_tokens(make_app, stub, answer):
    url = stub(lambda _request: answer) if answer else f"http://127.0.0.1:{free_port()}"
    told = ask(make_app(public_url=url), "callback")
    assert told.level == WRONG and "没有查" in told.only["said"] and "对外网址" in told.only["todo"]
    assert not any(word in str(told.findings) for word in ("TOKEN", "Token", "AES", "签名"))


def test_domain_proofs(clinic, stub):
    c = clinic(verify_files="MP_verify_abc.txt:abc,MP_verify_def.txt:def")
    told = c.ask("domain-files")
    assert [f["level"] for f in told.findings] == [GOOD, GOOD]
    told = c.ask("domain-files", verify_files="MP_verify_abc.txt:other")   # set here, the site not restarted
    assert told.level == WRONG and "MP_verify_abc.txt" in told.only["said"]
    told = c.ask("domain-files", verify_files="MP_verify_abc.txt=abc")
    assert told.level == WRONG and "看不懂" in told.only["said"]
    told = c.ask("domain-files", verify_files="MP_verify_abc.txt:abc", public_url=f"http://127.0.0.1:{free_port()}")
    assert told.level == WRONG and "打不开" in told.only["said"]


def test_domain_proofs_are_missed_where_the_site_is_public(make_app):
    assert ask(make_app(), "domain-files").level == GOOD
    told = ask(make_app(public_url="https://vote.example.org"), "domain-files")
    assert told.level == NOTE and "网页授权域名" in told.only["todo"]


def test_the_second_server(make_app, stub):
    assert ask(make_app(), "relay").level == GOOD
    assert ask(make_app(relay_url=stub(lambda _request: Response("", 403)) + "/wx"), "relay").level == GOOD
    assert ask(make_app(relay_url=stub(lambda _request: Response("", 500)) + "/wx"), "relay").level == NOTE
    assert ask(make_app(relay_url=f"http://127.0.0.1:{free_port()}/wx"), "relay").level == WRONG
