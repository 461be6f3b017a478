"""Evidence becomes tickets: read, paired, decided, settled, taken back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from PIL import Image

from tests.factories import NOON, cast, enter, make_campaign, make_staff, make_voter
from tests.submissions.pictures import encoded, qr, screenshot
from wxbackend.accounts.models import Staff
from wxbackend.audit.models import AuditEntry
from wxbackend.ballots.models import Ballot
from wxbackend.draws import freeze as freezing
from wxbackend.extensions import db
from wxbackend.notices.models import Notice
from wxbackend.submissions import images
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Submission
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket

FORM = submissions.EntryForm("张小三", "13800000000")
TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def campaign(app):
    other = make_campaign(slug="futian-2022-other")   # noise: 老陈 has voted there
    cast(other, make_voter("老陈"))
    return make_campaign()


@pytest.fixture
def amei(app):
    return make_voter("阿美")


@pytest.fixture
def xiaoli(app):
    return make_staff()


def upload(campaign, voter, raw, at=NOON, form=FORM):
    return submissions.receive_upload(campaign, voter, raw, form, at)


def blank(shade: int = 255) -> bytes:
    return encoded(Image.new("L", (60, 120), shade))


def days(campaign, voter):
    return [t.day for t in tickets.of(campaign, voter.person_id)]


def test_ones_own_receipt_is_a_ticket_at_once(any_app):
    campaign, amei = make_campaign(), make_voter("阿美")
    receipt = cast(campaign, amei).receipt
    sent = upload(campaign, amei, encoded(screenshot(receipt)))
    assert (sent.state, sent.reading, sent.day, sent.receipt_id) == ("approved", "own-receipt", NOON.date(), receipt.receipt_id)
    assert days(campaign, amei) == [NOON.date()] and submissions.image_path(sent).is_file()
    db.session.commit()
    assert db.session.query(Ticket).one().id == sent.ticket_row_id


def test_the_receipts_day_counts_and_not_the_day_it_was_sent(campaign, amei):
    receipt = cast(campaign, amei).receipt
    assert upload(campaign, amei, encoded(screenshot(receipt)), campaign.evidence_until - timedelta(seconds=1)).day == NOON.date()


def test_somebody_elses_receipt_goes_to_the_staff(campaign, amei):
    chen = make_voter("老陈")
    receipt = cast(campaign, chen).receipt
    sent = upload(campaign, amei, encoded(screenshot(receipt)))
    assert (sent.state, sent.reading, sent.day, days(campaign, amei), days(campaign, chen)) == ("pending", "foreign-receipt", None, [], [])


def test_of_two_receipts_in_one_picture_the_senders_counts(campaign, amei):
    theirs, hers = cast(campaign, make_voter("老陈")).receipt, cast(campaign, amei).receipt
    for n, pair in enumerate(((theirs, hers), (hers, theirs))):
        sent = upload(campaign, amei, encoded(screenshot(*pair)), NOON + timedelta(minutes=n))
        assert (sent.state, sent.receipt_id) == ("approved", hers.receipt_id)
    assert days(campaign, amei) == [NOON.date()]


def test_a_picture_without_a_receipt_waits_for_a_person(campaign, amei):
    cast(campaign, amei)
    sent = upload(campaign, amei, blank())
    assert (sent.state, sent.reading) == ("pending", "no-receipt") and submissions.queue(campaign) == [sent]


@pytest.mark.parametrize("url", ["HTTP://127.0.0.1:8000/R/" + "0" * 24, "https://evil.example/R/AAAA", "WIFI:S:x;;", "", "中文",
                                 "x" * 2000])
def test_a_code_that_is_no_receipt_of_ours_is_none(campaign, amei, url, monkeypatch):
    cast(campaign, amei)
    monkeypatch.setattr(images, "read_codes", lambda _pixels: [url])
    assert upload(campaign, amei, blank()).reading == "no-receipt"


def test_a_receipt_tampered_with_is_none(campaign, amei, monkeypatch):
    receipt = cast(campaign, amei).receipt
    other = "0" if receipt.url[-1] != "0" else "1"
    monkeypatch.setattr(images, "read_codes", lambda _pixels: [receipt.url[:-1] + other])
    assert upload(campaign, amei, blank()).reading == "no-receipt"


def test_the_same_picture_twice_is_one_submission(campaign, amei):
    raw = encoded(screenshot(cast(campaign, amei).receipt))
    first, again = upload(campaign, amei, raw), upload(campaign, amei, raw, NOON + timedelta(hours=1))
    assert first.id == again.id and days(campaign, amei) == [NOON.date()]
    assert len(list(images.folder().iterdir())) == 1


def test_the_same_picture_of_two_people_is_two_and_only_one_is_hers(campaign, amei):
    raw, stranger = encoded(screenshot(cast(campaign, amei).receipt)), make_voter("路人")
    assert [upload(campaign, voter, raw).state for voter in (amei, stranger)] == ["approved", "pending"]


def test_two_pictures_of_one_day_are_one_ticket(campaign, amei):
    receipt = cast(campaign, amei).receipt
    sent = [upload(campaign, amei, encoded(screenshot(receipt), "JPEG", quality=q), NOON + timedelta(minutes=q)) for q in (60, 80)]
    assert [s.state for s in sent] == ["approved"] * 2 and sent[0].id != sent[1].id and days(campaign, amei) == [NOON.date()]


def test_every_day_sent_is_a_ticket_more(campaign, amei):
    for n in range(3):
        at = NOON + timedelta(hours=20 * n)
        upload(campaign, amei, encoded(screenshot(cast(campaign, amei, at=at).receipt)), at)
    assert [d.day for d in days(campaign, amei)] == [6, 7, 8]


def test_a_picture_that_cannot_be_read_leaves_nothing(campaign, amei):
    with pytest.raises(images.ImageUnreadable):
        upload(campaign, amei, b"<svg/>")
    db.session.rollback()
    assert submissions.entrant(campaign, amei.person_id) is None and db.session.query(Submission).count() == 0


def test_what_comes_out_of_time_is_refused(campaign, amei):
    for at in (campaign.opens_at - timedelta(seconds=1), campaign.evidence_until):
        with pytest.raises(submissions.EntryClosed):
            upload(campaign, amei, blank(), at)
    assert upload(campaign, amei, blank(), campaign.evidence_until - timedelta(microseconds=1)).state == "pending"


def test_one_tap_is_as_good_as_a_picture(any_app):
    campaign, amei = make_campaign(), make_voter("阿美")
    cast(campaign, amei)
    enter(campaign, amei)
    sent = submissions.tap(campaign, amei.person_id, None, NOON)
    again = submissions.tap(campaign, amei.person_id, NOON.date(), NOON + timedelta(hours=1))
    assert (sent.state, sent.reading, sent.id) == ("approved", "tap", again.id) and days(campaign, amei) == [NOON.date()]


def test_a_tap_needs_a_ballot_of_that_day_and_a_name(campaign, amei):
    with pytest.raises(submissions.NotEntered):
        submissions.tap(campaign, amei.person_id, None, NOON)
    enter(campaign, amei)
    for day in (None, NOON.date(), TOMORROW.date()):
        with pytest.raises(submissions.NoBallotThatDay):
            submissions.tap(campaign, amei.person_id, day, NOON)
    cast(campaign, amei)
    assert submissions.tap(campaign, amei.person_id, NOON.date(), TOMORROW).day == NOON.date()   # yesterday's, a day later


def from_chat(campaign, voter, key="chat:1", at=NOON):
    return submissions.open_from_chat(campaign, voter.person_id, "MEDIA", key, at, at)


def test_a_picture_before_the_name_waits_and_is_promoted(campaign, amei):
    receipt, chen = cast(campaign, amei).receipt, make_voter("老陈")
    sent = submissions.judge(from_chat(campaign, amei), images.open_picture(encoded(qr(receipt))), NOON)
    assert sent.state == "waiting" and days(campaign, amei) == []
    enter(campaign, chen)
    submissions.promote(campaign, chen.person_id, NOON)
    assert sent.state == "waiting"
    enter(campaign, amei)
    assert submissions.promote(campaign, amei.person_id, NOON) == [sent]
    assert sent.state == "approved" and days(campaign, amei) == [NOON.date()] and submissions.promote(campaign, amei.person_id, NOON) == []


def test_the_same_message_again_is_the_same_submission(campaign, amei):
    assert from_chat(campaign, amei).id == from_chat(campaign, amei).id != from_chat(campaign, amei, "chat:2").id


def test_a_receipt_decides_which_campaign_it_is_of(campaign, amei):
    """Sent while the chat was about the vote held elsewhere."""
    external = make_campaign("external")
    receipt = cast(campaign, amei).receipt
    sent = submissions.judge(from_chat(external, amei), images.open_picture(encoded(qr(receipt))), NOON)
    assert (sent.campaign.slug, sent.state) == (campaign.slug, "waiting")


def test_in_a_vote_held_elsewhere_a_person_looks_at_everything(app, amei, xiaoli):
    external = make_campaign("external")
    sent = upload(external, amei, blank())
    assert (sent.state, sent.reading, sent.day) == ("pending", "external", NOON.date())
    submissions.approve(sent, xiaoli, None, NOON)
    assert sent.state == "approved" and days(external, amei) == [NOON.date()]


def test_staff_say_yes_on_the_day_of_a_ballot_alone(campaign, amei, xiaoli):
    receipt = cast(campaign, amei).receipt
    sent = upload(campaign, amei, blank(), TOMORROW)
    db.session.commit()
    with pytest.raises(submissions.DayUnknown):
        submissions.approve(sent, xiaoli, None, TOMORROW)
    for day in (NOON.date() - timedelta(days=9), campaign.day(campaign.closes_at) + timedelta(days=1)):
        with pytest.raises(submissions.DayUnknown):
            submissions.approve(sent, xiaoli, day, TOMORROW)
    with pytest.raises(submissions.NoBallotThatDay):
        submissions.approve(sent, xiaoli, TOMORROW.date(), TOMORROW)
    db.session.rollback()
    submissions.approve(sent, xiaoli, NOON.date(), TOMORROW)
    assert (sent.state, sent.day, sent.receipt_id, sent.decided_by) == ("approved", NOON.date(), receipt.receipt_id, xiaoli.id)
    assert days(campaign, amei) == [NOON.date()]


def test_staff_say_no_with_a_reason_that_is_told(campaign, amei, xiaoli):
    sent = upload(campaign, amei, blank())
    with pytest.raises(Exception, match="请选一个不通过的原因"):
        submissions.reject(sent, xiaoli, "ugly", "", NOON)
    submissions.reject(sent, xiaoli, "not-ours", "这是别的活动", NOON)
    db.session.commit()
    assert (sent.state, sent.reason, sent.note, days(campaign, amei)) == ("rejected", "not-ours", "这是别的活动", [])
    assert "不是这次活动的投票成功页" in db.session.query(Notice).one().text


@pytest.mark.parametrize(("contact", "said"), [
    ({"phone": "0755-88887777"}, "打活动电话0755-88887777说一声"), ({}, "打活动电话说一声"), (None, "打活动电话说一声")])
def test_whoever_is_told_to_call_is_told_the_number(campaign, amei, xiaoli, contact, said):
    campaign.content = dict(campaign.content) | {"contact": contact}
    submissions.reject(upload(campaign, amei, blank()), xiaoli, "edited", "", NOON)
    db.session.commit()
    assert said in db.session.query(Notice).one().text


def test_what_is_decided_is_decided(campaign, amei, xiaoli):
    cast(campaign, amei)
    sent = upload(campaign, amei, blank())
    submissions.approve(sent, xiaoli, NOON.date(), NOON)
    for again in (lambda: submissions.approve(sent, xiaoli, NOON.date(), NOON),
                  lambda: submissions.reject(sent, xiaoli, "edited", "", NOON)):
        with pytest.raises(submissions.AlreadyDecided):
            again()


def test_two_reviewers_at_once_decide_once(make_app, server_url):
    app = make_app(database_url=server_url)
    with app.app_context():
        campaign, amei = make_campaign(), make_voter("阿美")
        cast(campaign, amei)
        number = upload(campaign, amei, blank()).id
        make_staff()
        make_staff("xiaozhou", "reviewer", "小周")
        db.session.commit()
        db.session.remove()
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def decide(username: str) -> None:
        with app.app_context():
            sent, staff = submissions.by_id(number), db.session.query(Staff).filter_by(username=username).one()
            gate.wait()
            try:
                if username == "xiaoli":
                    submissions.approve(sent, staff, NOON.date(), NOON)
                else:
                    submissions.reject(sent, staff, "edited", "", NOON)
                db.session.commit()
                outcomes.append(sent.state)
            except submissions.AlreadyDecided:
                db.session.rollback()
                outcomes.append("too late")
            db.session.remove()

    threads = [threading.Thread(target=decide, args=(name,)) for name in ("xiaoli", "xiaozhou")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        kept = db.session.query(Submission).one().state
        assert sorted(outcomes) == sorted([kept, "too late"]) and db.session.query(Ticket).count() == (kept == "approved")


def test_leaving_erases_name_phone_and_pictures_and_the_vote_still_counts(any_app):
    campaign, amei, chen = make_campaign(), make_voter("阿美"), make_voter("老陈")
    for voter in (amei, chen):
        upload(campaign, voter, encoded(screenshot(cast(campaign, voter).receipt)))
    held = {"notified_at": NOON, "held_sealed": "sealed", "held_until": TOMORROW}
    db.session.add(ChatEntry(campaign_id=campaign.id, person_id=amei.person_id, **held))
    db.session.commit()
    submissions.withdraw(campaign, amei.person_id, NOON)
    db.session.commit()
    assert submissions.entrant(campaign, amei.person_id) is None and days(campaign, amei) == []
    row = db.session.query(submissions.Entrant).filter_by(person_id=amei.person_id).one()
    assert (row.name_sealed, row.phone_sealed, row.phone_hash, row.guardian_sealed, row.withdrawn_at) == ("", "", "", "", NOON)
    chat = db.session.query(ChatEntry).one()
    assert (chat.held_sealed, chat.held_until, chat.notified_at) == ("", None, None)
    assert len(list(images.folder().iterdir())) == 1 and days(campaign, chen) == [NOON.date()]
    assert db.session.query(Ballot).count() == 2
    with pytest.raises(submissions.NotEntered):
        submissions.withdraw(campaign, amei.person_id, NOON)


def test_who_left_may_come_back(campaign, amei):
    raw = encoded(screenshot(cast(campaign, amei).receipt))
    upload(campaign, amei, raw)
    submissions.withdraw(campaign, amei.person_id, NOON)
    assert upload(campaign, amei, raw, NOON + timedelta(hours=1)).state == "approved" and days(campaign, amei) == [NOON.date()]


def test_after_the_freeze_name_and_phone_go_and_the_list_stays(campaign, amei):
    upload(campaign, amei, encoded(screenshot(cast(campaign, amei).receipt)))
    with pytest.raises(submissions.FreezeUnderWay):
        submissions.withdraw(campaign, amei.person_id, campaign.freeze_at)
    freezing.freeze(campaign, campaign.freeze_at)
    submissions.withdraw(campaign, amei.person_id, campaign.freeze_at + timedelta(days=1))
    assert submissions.entrant(campaign, amei.person_id) is None and days(campaign, amei) == [NOON.date()]


def test_a_wrong_name_is_set_right_until_the_freeze(campaign, amei):
    with pytest.raises(submissions.NotEntered):
        submissions.correct(campaign, amei.person_id, "张三", "13800000000", NOON)
    before = enter(campaign, amei, "张山").phone_hash
    fixed = submissions.correct(campaign, amei.person_id, " 张三 ", "139 0000 0000", NOON)
    assert (submissions.named(fixed).name, submissions.named(fixed).phone) == ("张三", "13900000000") and fixed.phone_hash != before
    with pytest.raises(submissions.EntryInvalid) as refused:
        submissions.correct(campaign, amei.person_id, "", "12345", NOON)
    assert {e["pointer"] for e in refused.value.facts["errors"]} == {"#/name", "#/phone"}
    with pytest.raises(submissions.EntryClosed):
        submissions.correct(campaign, amei.person_id, "张三", "13800000000", campaign.freeze_at)


def test_names_and_phones_are_sealed_and_equal_phones_found(campaign, amei):
    one, two = enter(campaign, amei), enter(campaign, make_voter("老陈"), "李四")
    assert one.phone_hash == two.phone_hash and one.phone_sealed != two.phone_sealed
    assert "张三" not in one.name_sealed and "13800000000" not in one.phone_sealed
    assert "张三" not in repr(submissions.named(one)) and "138" not in repr(submissions.named(one))
    assert (submissions.named(one).masked_name, submissions.named(one).masked_phone) == ("张*", "138****0000")


@pytest.mark.parametrize(("form", "pointers"), [
    (submissions.EntryForm("", ""), {"#/name", "#/phone"}), (submissions.EntryForm("张三", "1380000000"), {"#/phone"}),
    (submissions.EntryForm("张三", "13800000000", consents=()), {"#/consents"}),
    (submissions.EntryForm("张三", "13800000000", consents=("show-name",)), {"#/consents"}),
    (submissions.EntryForm("张三", "13800000000", consents=("draw", "everything")), {"#/consents"}),
    (submissions.EntryForm("张三", "13800000000", "<14"), {"#/guardian"}),
    (submissions.EntryForm("张三", "13800000000", "<14", ("老陈", "1")), {"#/guardian"}),
])
def test_an_entry_says_what_is_missing(campaign, amei, form, pointers):
    with pytest.raises(submissions.EntryInvalid) as refused:
        submissions.enter(campaign, amei.person_id, form, NOON)
    assert {e["pointer"] for e in refused.value.facts["errors"]} == pointers
    assert submissions.entrant(campaign, amei.person_id) is None


def test_what_nobody_looked_at_before_the_freeze_counts_by_the_ballot(campaign, amei, xiaoli):
    """A delay of ours is nobody's loss; a stranger's receipt, a picture without a ballot and a rejection stay what they are."""
    voters = {name: make_voter(name) for name in ("老陈", "没投票", "别人的图", "被拒")}
    for voter in (amei, voters["老陈"], voters["别人的图"], voters["被拒"]):
        cast(campaign, voter)
    upload(campaign, amei, blank(1))
    upload(campaign, voters["没投票"], blank(2))
    upload(campaign, voters["别人的图"], encoded(screenshot(cast(campaign, voters["老陈"], at=TOMORROW).receipt)), TOMORROW)
    submissions.reject(upload(campaign, voters["被拒"], blank(3)), xiaoli, "edited", "", NOON)
    draw = freezing.freeze(campaign, campaign.freeze_at)
    assert draw.tickets == 1 and days(campaign, amei) == [NOON.date()]
    assert [s.note for s in submissions.of(campaign, amei.person_id)] == ["封存前未审，按投票记录计入"]
    assert {name: days(campaign, voter) for name, voter in voters.items()} == {name: [] for name in voters}


def test_the_record_names_deeds_and_no_persons(campaign, amei, xiaoli):
    cast(campaign, amei)
    submissions.approve(upload(campaign, amei, blank()), xiaoli, NOON.date(), NOON)
    submissions.withdraw(campaign, amei.person_id, NOON)
    db.session.commit()
    said = " ".join(f"{e.verb} {e.subject} {e.why} {e.facts}" for e in db.session.query(AuditEntry))
    assert "submission.approved" in said and "entrant.withdrawn" in said
    for private in ("张小三", "13800000000", amei.identity.openid, amei.person_key):
        assert private not in said


@pytest.mark.parametrize("grade", ["优", "良", "中", "差"])
def test_a_ticket_is_blind_to_the_grade(campaign, amei, grade):
    """投差 wins as 投优: nothing that grants a ticket has seen the grade."""
    receipt = cast(campaign, amei, grade).receipt
    assert grade not in repr(receipt) and not hasattr(receipt, "grade")
    assert upload(campaign, amei, encoded(screenshot(receipt))).state == "approved"
