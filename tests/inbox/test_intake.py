"""Messages are kept first and answered in time or later: floods, faults, a killed process, the database away."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from tests.factories import NOON, make_campaign
from tests.inbox.conftest import Chat
from tests.submissions.pictures import encoded, screenshot
from wxbackend import jobs, wechat
from wxbackend.alarms import service as alarms
from wxbackend.ballots import sql
from wxbackend.extensions import db
from wxbackend.inbox import duties, intake, relay, talk, words
from wxbackend.inbox import views as inbox_views
from wxbackend.inbox.models import InboxMessage
from wxbackend.inbox.talk import Reply
from wxbackend.jobs.models import Job
from wxbackend.submissions.models import Entrant, Submission

HELLO = {"MsgType": "text", "Content": "投票"}
SHOT = {"MsgType": "image", "MediaId": "M1", "PicUrl": "x"}


def later(site, minutes: int = 1) -> int:
    """Let the worker do what is due after some minutes."""
    site.now(site.app.extensions["clock"].fixed + timedelta(minutes=minutes))
    with site.inside():
        return jobs.run_due(site.app.extensions["clock"].fixed)


def states(site) -> list[str]:
    with site.inside():
        return [m.state for m in db.session.query(InboxMessage).order_by(InboxMessage.id)]


@pytest.fixture
def broken(monkeypatch):
    """``broken(True)``: answering fails with a fault of ours."""
    really, switch = talk.reply, {"on": False}

    def reply(*args):
        if switch["on"]:
            raise RuntimeError("a fault of ours")
        return really(*args)

    monkeypatch.setattr(talk, "reply", reply)
    return lambda on: switch.update(on=on)


def test_a_fault_of_ours_loses_no_message_and_the_answer_comes_later(site, chat, wechat_side, broken):
    broken(True)
    assert chat.post(HELLO).text == "success" and states(site) == ["new"]
    broken(False)
    later(site)
    later(site)
    assert states(site) == ["done"]
    assert wechat_side.told[chat.openid][0].startswith(words.LATER) and "点这里去投票" in wechat_side.told[chat.openid][0]


def test_what_waits_is_sealed_and_emptied_with_the_answer(site, chat, broken):
    broken(True)
    chat.post({"MsgType": "text", "Content": "张小三 13800000000"})
    with site.inside():
        row = db.session.query(InboxMessage).one()
        assert "13800000000" not in row.sealed and intake.unseal(row.sealed).content == "张小三 13800000000"
    broken(False)
    later(site)
    with site.inside():
        assert db.session.query(InboxMessage).one().sealed is None


def test_what_can_never_be_answered_rings_and_holds_up_nobody(site, chat, broken, caplog):
    broken(True)
    chat.post(HELLO)
    for _ in range(6):
        later(site)
    with site.inside():
        assert [(a.kind, a.about) for a in alarms.open_alarms()] == [("inbox-stuck", "text")]
        assert db.session.query(InboxMessage).one().state == "stuck"
    broken(False)
    assert "点这里去投票" in chat.say("投票")


def test_while_all_desks_are_taken_messages_are_kept_for_the_worker(site, chat, wechat_side):
    counter = site.app.extensions["inbox_counter"] = inbox_views.Counter()
    desks = counter.desks
    for _ in range(inbox_views.DESKS):
        desks.acquire()
    assert chat.post(SHOT).text == "success" and site.count(Submission) == 0
    for _ in range(inbox_views.DESKS):
        desks.release()
    later(site)
    assert site.count(Submission) == 1


def test_in_a_crowd_messages_are_kept_alone(site, chat):
    counter = site.app.extensions["inbox_counter"] = inbox_views.Counter()
    with ExitStack() as crowd:
        for _ in range(inbox_views.CROWD):
            assert crowd.enter_context(counter.visit())
        assert chat.post(HELLO).text == "success" and states(site) == ["new"]
    assert "点这里去投票" in chat.say("投票")


def test_an_account_that_may_not_write_waits_for_a_desk_instead(site, chat, monkeypatch):
    monkeypatch.setattr(wechat, "can", lambda feature: feature != "customer-message")
    desks = (site.app.extensions.setdefault("inbox_counter", inbox_views.Counter())).desks
    for _ in range(inbox_views.DESKS):
        desks.acquire()
    threading.Timer(0.2, desks.release, (inbox_views.DESKS,)).start()
    assert "点这里去投票" in chat.say("投票")


def test_a_flood_is_kept_whole_and_answered_once_each(make_app, server_url, wechat_side):
    """64 people at once, each delivered twice, on the three engines."""
    flood(make_app(database_url=server_url), wechat_side)


def test_a_flood_on_sqlite(make_app, wechat_side):
    flood(make_app(), wechat_side)


def flood(app, wechat_side) -> None:
    app.extensions["clock"].fixed = NOON
    with app.app_context():
        make_campaign()
        db.session.remove()
    people = [Chat(app, f"人{n}") for n in range(64)]
    acknowledged, gate = [], threading.Barrier(16)

    def deliver(mine: list[Chat]) -> None:
        gate.wait()
        for n, person in mine:
            for _ in range(2):
                acknowledged.append(person.post({"MsgType": "image", "MediaId": f"M{n}", "PicUrl": "x", "MsgId": 1000 + n}).status_code)

    numbered = list(enumerate(people))
    threads = [threading.Thread(target=deliver, args=(numbered[k::16],)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert acknowledged == [200] * 128
    for minutes in (1, 2):
        app.extensions["clock"].fixed = NOON + timedelta(minutes=minutes)
        with app.app_context():
            while jobs.run_due(app.extensions["clock"].fixed):
                pass
            db.session.remove()
    with app.app_context():
        assert [m.state for m in db.session.query(InboxMessage)] == ["done"] * 64
        assert sorted(s.media_id for s in db.session.query(Submission)) == sorted(f"M{n}" for n in range(64))


def test_messages_that_wait_share_one_commit(app, at, monkeypatch):
    """While one thread writes, the others pile up; the next write takes them all."""
    at(NOON)
    batches: list[int] = []
    really, gate = sql.insert_missing, threading.Event()

    def slow(model, rows):
        batches.append(len(rows))
        if len(batches) == 1:
            gate.wait(5)
        really(model, rows)

    monkeypatch.setattr(sql, "insert_missing", slow)
    pile = intake.Intake()

    def keep(n: int) -> None:
        with app.app_context():
            pile.keep(a_message(n), NOON)
            db.session.remove()

    threads = [threading.Thread(target=keep, args=(n,)) for n in range(9)]
    threads[0].start()
    while not batches:
        pass
    for thread in threads[1:]:
        thread.start()
    while len(pile._pile) < 8:
        pass
    gate.set()
    for thread in threads:
        thread.join()
    assert batches == [1, 8]
    assert db.session.query(InboxMessage).count() == 9


def test_one_that_cannot_be_written_fails_alone(make_app, server_url):
    """SQLite takes texts of any length."""
    app = make_app(database_url=server_url)
    with app.app_context():
        write_one_that_is_too_long()
        db.session.remove()


def write_one_that_is_too_long() -> None:
    pile = intake.Intake()
    good, bad = a_message(1), a_message(2, app="a name that is far too long for its column" * 9)
    batch = [intake.Kept(good, NOON), intake.Kept(bad, NOON), intake.Kept(a_message(3), NOON)]
    pile._pile = list(batch)
    pile._write_pile()
    assert [kept.is_in for kept in batch] == [True, False, True]
    assert sorted(db.session.scalars(db.select(InboxMessage.dedupe_key))) == sorted([good.dedupe_key, batch[2].message.dedupe_key])


def test_with_the_database_away_wechat_is_asked_to_come_again(site, chat, monkeypatch):
    def away(*_args):
        raise OperationalError("INSERT", {}, Exception("gone"))

    monkeypatch.setattr(sql, "insert_missing", away)
    assert chat.post(HELLO).status_code == 503
    monkeypatch.undo()
    assert "点这里去投票" in chat.say("投票")


def test_a_retry_during_the_answer_waits_for_it_and_says_the_same(make_app, server_url, wechat_side, monkeypatch):
    app = make_app(database_url=server_url)
    app.extensions["clock"].fixed = NOON
    with app.app_context():
        make_campaign()
        db.session.remove()
    chat, really, calls, gate = Chat(app), talk.reply, [], threading.Event()

    def slow(*args):
        calls.append(1)
        gate.wait(2)
        return really(*args)

    monkeypatch.setattr(talk, "reply", slow)
    replies: list[str] = []
    same = {"MsgType": "text", "Content": "投票", "MsgId": 77}
    threads = [threading.Thread(target=lambda: replies.append(chat.reply_of(chat.post(same)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and len(set(replies)) == 1 and "/e/" in replies[0]


def test_an_unknown_kind_is_kept_as_it_came_and_acknowledged(site, chat):
    assert chat.post({"MsgType": "event", "Event": "user_gets_a_robot", "MsgId": None, "Robot": "R2"}).text == "success"
    with site.inside():
        row = db.session.query(InboxMessage).one()
        assert row.state == "done" and intake.unseal(row.sealed).facts["Robot"] == "R2"


def test_what_is_not_ours_goes_to_the_second_server_and_its_answer_back(site, chat, monkeypatch):
    seen = []

    def forward(query, body, seconds):
        assert 0 < seconds < 5
        seen.append((query["msg_signature"], body))
        return "<xml>theirs</xml>"

    monkeypatch.setattr(talk, "_not_ours", lambda otherwise, *_: Reply(otherwise, "relay"))
    monkeypatch.setattr(relay, "forward", forward)
    assert chat.post({"MsgType": "text", "Content": "图书馆几点开门"}).text == "<xml>theirs</xml>"
    assert "点这里去投票" in chat.say("投票") and len(seen) == 1
    monkeypatch.setattr(relay, "forward", lambda query, body, seconds: None)
    assert chat.say("图书馆几点开门") == words.HELP
    with site.inside():
        assert [a.kind for a in alarms.open_alarms()] == ["relay-away"]


def test_that_wechat_writes_in_plaintext_is_told_and_a_stranger_cannot_make_it_so(site, chat):
    assert chat.post(HELLO, query={"msg_signature": None, "signature": "0" * 40}, body=chat.xml(HELLO)).status_code == 403
    with site.inside():
        assert alarms.open_alarms() == []
    for _ in range(3):
        assert chat.post(HELLO, query={"msg_signature": None, "encrypt_type": None}, body=chat.xml(HELLO)).status_code == 403
    with site.inside():
        assert [(a.kind, a.about) for a in alarms.open_alarms()] == [("callback-plaintext", "account")]


@pytest.mark.parametrize("minutes", [-11, 11, 60 * 24])
def test_a_clock_that_is_off_is_told_and_a_stranger_cannot_make_it_so(site, chat, minutes):
    stale = str(int((NOON + timedelta(minutes=minutes)).timestamp()))
    assert chat.post(HELLO, timestamp=stale, token="guessed").status_code == 403
    with site.inside():
        assert alarms.open_alarms() == []
    assert chat.post(HELLO, timestamp=stale).status_code == 403
    with site.inside():
        assert [(a.kind, a.about) for a in alarms.open_alarms()] == [("callback-clock", "account")]
    assert states(site) == []


def test_what_a_stranger_sends_takes_no_place(site, chat, monkeypatch):
    """A place among the callbacks is taken once the body is read and its signature believed."""
    taken: list[bool] = []
    really = inbox_views.Counter.visit
    monkeypatch.setattr(inbox_views.Counter, "visit", lambda self: taken.append(True) or really(self))
    chat.post(HELLO, token="guessed")
    assert taken == []
    chat.post(HELLO)
    assert taken == [True]


def test_a_picture_lost_by_our_own_delay_is_the_operators_matter(site, chat, wechat_side):
    wechat_side.pictures["M1"] = wechat.WeChatAway("ConnectTimeout")
    chat.post(SHOT)
    later(site)
    wechat_side.pictures["M1"] = wechat.MediaLost()
    later(site, 60 * 24 * 3)
    with site.inside():
        assert [(a.kind, a.about) for a in alarms.open_alarms()] == [("media-lost", f"campaign:{site.slug}")]


def test_a_picture_that_never_was_one_is_told_to_its_sender_alone(site, chat, wechat_side):
    chat.post(SHOT)
    later(site)
    with site.inside():
        assert alarms.open_alarms() == []
    assert "再发一次" in wechat_side.told[chat.openid][-1]


def test_what_came_in_time_counts_however_late_it_is_answered(site, chat, broken):
    """The last minute is when the crowd comes: a picture and a name, kept before the end and answered after it."""
    with site.inside():
        campaign = site.campaign()
        last, frozen = campaign.evidence_until - timedelta(seconds=5), campaign.freeze_at
    assert last + timedelta(minutes=2) < frozen
    broken(True)
    site.now(last)
    chat.post(SHOT)
    chat.post({"MsgType": "text", "Content": "张小三 13800000000"})
    broken(False)
    later(site, 2)
    later(site, 1)
    with site.inside():
        assert [s.arrived_at <= last + timedelta(minutes=3) for s in db.session.query(Submission)] == [True]
        assert db.session.query(Entrant).one().withdrawn_at is None


def test_a_late_answer_fits_wherever_it_goes(make_app, server_url, wechat_side, broken, monkeypatch):
    """The staff may write 2048 bytes; behind LATER that is more than a message holds."""
    app = make_app(database_url=server_url)
    app.extensions["clock"].fixed = NOON
    with app.app_context():
        make_campaign()
        db.session.remove()
    monkeypatch.setattr("wxbackend.inbox.duties.default", lambda at: "好" * 682)
    chat = Chat(app)
    broken(True)
    chat.post({"MsgType": "text", "Content": "几点开门"})
    broken(False)
    for minutes in (1, 2):
        app.extensions["clock"].fixed = NOON + timedelta(minutes=minutes)
        with app.app_context():
            jobs.run_due(app.extensions["clock"].fixed)
            db.session.remove()
    assert len(wechat_side.told[chat.openid][0].encode()) <= 2048 and wechat_side.told[chat.openid][0].startswith(words.LATER)


def test_a_late_wish_for_a_person_is_not_promised(site, chat, wechat_side, broken, monkeypatch):
    monkeypatch.setattr("wxbackend.inbox.duties.match", lambda text, at: duties.Answer("这就转给工作人员。", action="human"))
    broken(True)
    chat.post({"MsgType": "text", "Content": "人工"})
    broken(False)
    later(site)
    later(site)
    assert wechat_side.told[chat.openid] == [words.LATER + words.ASK_AGAIN]


def test_what_got_stuck_is_tried_again_the_next_day(site, chat, broken):
    broken(True)
    chat.post({"MsgType": "text", "Content": "张小三 13800000000"})
    for _ in range(6):
        later(site)
    assert states(site) == ["stuck"]
    broken(False)
    later(site, 60)
    for _ in range(2):
        later(site)
    assert states(site) == ["done"]


def test_nobody_sends_the_same_evidence_by_two_doors_as_two(site, chat, wechat_side, monkeypatch):
    """A vote held elsewhere, doors open on both sides, and WeChat does not say who the sender is: her picture is not taken."""
    with site.inside():
        make_campaign("external")
    known: list[str | None] = [None]
    monkeypatch.setattr(wechat, "unionid_of", lambda openid: known[0])
    stranger = Chat(site.app, "外人")
    wechat_side.pictures["M1"] = wechat_side.pictures["M2"] = encoded(screenshot())
    stranger.show("M1")
    later(site)
    with site.inside():
        assert [s.state for s in db.session.query(Submission)] == ["dropped"]
    known[0] = "u-hers"
    stranger.show("M2")
    later(site)
    with site.inside():
        assert sorted(s.state for s in db.session.query(Submission)) == ["dropped", "pending"]


def test_replies_are_forgotten_after_a_day_and_messages_after_a_month(site, chat):
    chat.say("投票")
    with site.inside():
        assert db.session.query(InboxMessage).one().reply
    later(site)
    later(site, 60 * 24 + 61)
    with site.inside():
        jobs.enqueue("inbox.tidy", {}, site.app.extensions["clock"].fixed)
        db.session.commit()
    later(site)
    with site.inside():
        assert db.session.query(InboxMessage).one().reply == ""
        jobs.enqueue("inbox.tidy", {}, site.app.extensions["clock"].fixed, run_at=site.app.extensions["clock"].fixed + timedelta(days=31))
        db.session.commit()
    later(site, 60 * 24 * 31 + 10)
    assert site.count(InboxMessage) == 0


def test_no_sweep_is_promised_twice_for_the_same_seconds(site, chat):
    for _ in range(3):
        chat.say("投票")
    with site.inside():
        assert db.session.query(Job).filter(Job.kind == "inbox.sweep").count() == 1


def a_message(n: int, **changes) -> wechat.Message:
    fields = {"app": "account", "appid": "wx1", "openid": f"o{n}", "to": "gh", "kind": "text", "event": "", "event_key": "",
              "content": "好", "media_id": "", "msg_id": str(n), "create_time": NOON, "dedupe_key": f"{n:064x}"}
    return wechat.Message(**(fields | changes))
