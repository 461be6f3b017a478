"""Entries and talks follow a merge: names, consents, evidence, what was said in the chat."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.accounts.conftest import HOUR, learn, log, take_part
from tests.factories import NOON, cast, enter, make_staff
from wxbackend import jobs
from wxbackend.extensions import db
from wxbackend.notices.models import Notice
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Entrant, Submission
from wxbackend.tickets import service as tickets


def test_the_earlier_consent_stays_and_the_other_name_is_emptied_and_she_is_told(campaign, account, mini):
    enter(campaign, mini, "陈小美", "13800000001", NOON)
    enter(campaign, account, "陈美", "13800000002", NOON + HOUR)
    learn(account)
    kept = submissions.entrant(campaign, account.person_id)
    assert (kept.person_id, submissions.named(kept).phone, kept.consented_at) == (account.person_id, "13800000001", NOON)
    other = db.session.query(Entrant).filter(Entrant.id != kept.id, Entrant.withdrawn_at.is_not(None)).one()
    assert (other.name_sealed, other.phone_sealed, other.phone_hash, other.consents) == ("", "", "", [])
    assert "按先填的那份" in db.session.query(Notice).filter_by(kind="merged").one().text
    assert log()[0].facts["entrants_in_conflict"] == 1


def test_the_same_name_and_phone_by_both_doors_need_no_word(campaign, account, mini):
    enter(campaign, mini, "陈小美", "13800000001", NOON)
    enter(campaign, account, "陈小美", "13800000001", NOON + HOUR)
    learn(account)
    assert db.session.query(Notice).filter_by(kind="merged").count() == 0
    assert len(submissions.entries_of(campaign, account.person_id)) == 1


def test_what_a_childs_parent_agreed_to_is_not_lost_to_the_chat_that_did_not_ask(campaign, account, mini):
    enter(campaign, account, "陈小美", "13800000001", NOON)
    form = submissions.EntryForm("陈小美", "13800000001", "<14", ("陈妈妈", "13800000003"))
    submissions.enter(campaign, mini.person_id, form, NOON + HOUR)
    db.session.commit()
    learn(account)
    kept = submissions.entrant(campaign, account.person_id)
    assert (kept.age_band, bool(kept.guardian_sealed), kept.consented_at) == ("<14", True, NOON)


@pytest.mark.parametrize("leaves", ["account", "mini"])
def test_who_left_at_one_door_still_takes_part_by_the_other(campaign, account, mini, leaves):
    enter(campaign, account, "陈小美", "13800000001", NOON)
    enter(campaign, mini, "陈小美", "13800000002", NOON)
    submissions.withdraw(campaign, (account if leaves == "account" else mini).person_id, NOON + HOUR)
    db.session.commit()
    learn(account)
    (kept,) = submissions.entries_of(campaign, account.person_id)
    assert (kept.person_id, submissions.named(kept).phone) == (account.person_id, "13800000002" if leaves == "account" else "13800000001")


def test_whoever_leaves_after_the_merge_has_left_altogether(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR)
    learn(account)
    submissions.withdraw(campaign, account.person_id, NOON + 3 * HOUR)
    db.session.commit()
    everybody = [e for e in db.session.query(Entrant) if e.phone_sealed]
    assert len(everybody) == 1 and tickets.of(campaign, account.person_id) == []   # 路人 alone


def test_evidence_that_waited_for_a_name_has_its_ticket_by_the_merge(campaign, account, mini):
    cast(campaign, account)
    waiting = submissions.open_from_chat(campaign, account.person_id, "m1", "chat:1", NOON, NOON)
    waiting.state, waiting.day = "waiting", NOON.date()
    enter(campaign, mini, at=NOON)
    assert tickets.of(campaign, account.person_id) == []
    learn(account)
    assert db.session.get_one(Submission, waiting.id).state == "approved"
    assert [t.day for t in tickets.of(campaign, account.person_id)] == [NOON.date()]


def test_what_was_said_in_the_chat_follows_and_what_was_held_still_ends(campaign, account, mini):
    end = NOON + timedelta(hours=48)
    db.session.add_all([
        ChatEntry(campaign_id=campaign.id, person_id=account.person_id, chosen_at=NOON),
        ChatEntry(campaign_id=campaign.id, person_id=mini.person_id, notified_at=NOON - HOUR, held_sealed="sealed", held_until=end)])
    db.session.commit()
    learn(account)
    hers = db.session.query(ChatEntry).filter_by(person_id=account.person_id).one()
    assert (hers.chosen_at, hers.notified_at, hers.held_sealed) == (NOON, NOON - HOUR, "sealed")
    assert db.session.query(ChatEntry).filter(ChatEntry.held_sealed != "").count() == 1
    jobs.run_due(end)
    db.session.refresh(hers)
    assert hers.held_sealed == ""


def test_staff_see_a_merged_persons_evidence_as_one(campaign, account, mini):
    make_staff()
    take_part(campaign, mini, NOON)
    learn(account)
    assert {s.person_id for s in submissions.of(campaign, account.person_id)} == {account.person_id}
