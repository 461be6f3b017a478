"""Two persons turn out to be one: who stays, what follows, what stays where it was sealed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.factories import NOON, cast, enter, make_campaign, make_staff, make_voter
from wxbackend import jobs
from wxbackend.accounts import merge as merging
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity, Person, PersonMerge
from wxbackend.accounts.service import Voter
from wxbackend.ballots import receipts
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns.rules import Grade
from wxbackend.draws import freeze as freezing
from wxbackend.draws import service as draws
from wxbackend.extensions import db, settings
from wxbackend.jobs.models import Job
from wxbackend.notices.models import Notice
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Entrant, Submission
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket
from wxbackend.wechat import WxUser

HOUR = timedelta(hours=1)
U = "uAMEI"


@pytest.fixture
def campaign(any_app):
    make_campaign(slug="futian-2022-other")   # noise
    campaign = make_campaign()
    stranger = make_voter("路人")
    cast(campaign, stranger)
    enter(campaign, stranger, "路小人", "13800000009")
    submissions.tap(campaign, stranger.person_id, None, NOON)
    db.session.commit()
    return campaign


@pytest.fixture
def account(campaign) -> Voter:
    """阿美 in the public account, where WeChat gave no unionid: the older of the two."""
    return make_voter("阿美")


@pytest.fixture
def mini(campaign, account) -> Voter:
    """阿美 in the mini program, which knows her unionid."""
    return make_voter("阿美", settings.miniprogram_appid, U)


def learn(voter: Voter, at=NOON + 2 * HOUR) -> None:
    """WeChat says late whose this identity is."""
    accounts.login(WxUser(voter.appid, voter.identity.openid, U), at)
    db.session.commit()


def log() -> list[PersonMerge]:
    return list(db.session.query(PersonMerge).order_by(PersonMerge.id))


def void_numbers(campaign) -> list[tuple[int, int, str]]:
    found = db.session.query(Ballot).filter_by(campaign_id=campaign.id).order_by(Ballot.id)
    return [(b.person_id, b.void_no, b.grade) for b in found]


# persons

def test_the_older_person_stays_whichever_door_tells(campaign, account, mini):
    older, younger = account.person_id, mini.person_id
    assert older < younger
    learn(account)
    assert (account.person_id, mini.person_id) == (older, older)
    assert accounts.surviving(younger) == older and accounts.all_ids(younger) == accounts.all_ids(older) == [older, younger]


def test_three_become_one_and_every_old_name_leads_to_her(campaign, account, mini):
    """The chain is walked: mini → account → the oldest."""
    link = make_voter("阿美的旧号", unionid=None)
    account.identity.person.unionid = None
    db.session.commit()
    ids = [account.person_id, mini.person_id, link.person_id]
    accounts.merge(ids[2], ids[1], NOON, "unionid")
    accounts.merge(ids[1], ids[0], NOON, "unionid")
    db.session.commit()
    assert {accounts.surviving(one) for one in ids} == {ids[0]}
    assert accounts.all_ids(ids[2]) == ids and db.session.get_one(Person, ids[0]).unionid == U


def test_a_person_nobody_was_merged_into_is_herself(campaign, account):
    assert accounts.all_ids(account.person_id) == [account.person_id] and accounts.all_ids(10**6) == [10**6]


def test_merging_twice_is_merging_once(campaign, account, mini):
    older, younger = account.person_id, mini.person_id
    assert accounts.merge(younger, older, NOON, "unionid") == accounts.merge(older, younger, NOON, "unionid") == older
    assert accounts.merge(older, older, NOON, "unionid") == older and len(log()) == 1


def test_a_new_unionid_of_the_same_identity_is_wechats_last_word(campaign, mini):
    """The institution bound its apps anew: everybody has another unionid from that day."""
    person = mini.person_id
    accounts.login(WxUser(mini.appid, mini.identity.openid, "uNEW"), NOON)
    assert (mini.person_id, mini.identity.person.unionid) == (person, "uNEW")


def test_a_login_that_merges_lasts(campaign, account, mini):
    token, _ = accounts.issue_token(mini.identity, NOON)
    learn(account)
    voter = accounts.voter_of(token, NOON)
    assert voter is not None and voter.person_id == account.person_id and voter.door == "miniprogram"


def test_an_identity_first_seen_after_the_merge_is_the_surviving_persons(campaign, account, mini):
    learn(account)
    third = accounts.login(WxUser("wxanother", "oThird", U), NOON)
    assert third.person_id == account.person_id


# ballots

def test_the_earlier_ballot_of_a_day_stays_and_the_later_is_voided(campaign, account, mini):
    first, second = cast(campaign, account, "差"), cast(campaign, mini, "优", NOON + HOUR)
    learn(account)
    live = receipts.receipts_of(campaign, account.person_id)
    assert [r.receipt_id for r in live] == [first.receipt.receipt_id]
    assert void_numbers(campaign)[1:] == [(account.person_id, 0, "差"), (account.person_id, 1, "优")]
    assert ballots.tally(campaign.subjects[0])[Grade.POOR] == 1 and ballots.tally(campaign.subjects[0])[Grade.EXCELLENT] == 1   # 路人's
    assert ballots.recount(campaign) == []
    with pytest.raises(receipts.ReceiptVoided):
        ballots.read_token(second.receipt.token)


def test_earlier_is_by_the_clock_and_not_by_who_stays(campaign, account, mini):
    first = cast(campaign, mini, "优")
    cast(campaign, account, "差", NOON + HOUR)
    learn(account)
    assert [r.receipt_id for r in receipts.receipts_of(campaign, account.person_id)] == [first.receipt.receipt_id]
    assert ballots.recount(campaign) == [] and ballots.tally(campaign.subjects[0])[Grade.POOR] == 0


def test_ballots_of_different_days_all_stay(campaign, account, mini):
    cast(campaign, account, at=NOON - timedelta(days=1))
    cast(campaign, mini, "良")
    learn(mini)
    learn(account)
    assert [r.day for r in receipts.receipts_of(campaign, account.person_id)] == [NOON.date(), NOON.date() - timedelta(days=1)]
    assert ballots.recount(campaign) == [] and log()[0].facts["ballots_voided"] == []


def test_a_third_ballot_of_the_day_gets_the_next_free_number(campaign, account, mini):
    third = make_voter("阿美的旧号")
    for n, voter in enumerate((third, mini, account)):
        cast(campaign, voter, at=NOON + n * HOUR)
    learn(account, NOON + 4 * HOUR)
    accounts.merge(third.person_id, account.person_id, NOON + 5 * HOUR, "unionid")
    db.session.commit()
    numbers = sorted(n for person, n, _ in void_numbers(campaign) if person == account.person_id)
    assert numbers == [0, 1, 2] and ballots.recount(campaign) == []
    assert receipts.receipts_of(campaign, account.person_id)[0].cast_at == NOON


def test_one_vote_a_day_for_the_whole_campaign_voids_across_subjects(any_app):
    subjects = [{"key": "one", "title": "项目一"}, {"key": "two", "title": "项目二"}]
    campaign = make_campaign(quota="campaign", subjects=subjects)
    account, mini = make_voter("阿美"), make_voter("阿美", settings.miniprogram_appid, U)
    one, two = campaign.subjects
    ballots.cast_many([vote(campaign, account, "a", one)], NOON)
    ballots.cast_many([vote(campaign, mini, "b", two)], NOON + HOUR)
    learn(account)
    assert (sum(ballots.tally(one).values()), sum(ballots.tally(two).values())) == (1, 0) and ballots.recount(campaign) == []


def vote(campaign, voter, mark, subject=None, day=None, person_id=None):
    subject = subject or campaign.subjects[0]
    return ballots.Vote(campaign.id, subject.id, ballots.quota_key(campaign, subject), person_id or voter.person_id, day or NOON.date(),
                        Grade.GOOD, mark.ljust(64, "0"), "", voter.door)


def test_a_vote_whose_voter_was_merged_meanwhile_is_cast_by_who_she_is_now(campaign, account, mini):
    """The request read the person before the merge and writes after it."""
    late, gone = vote(campaign, mini, "late"), mini.person_id
    learn(account)
    (outcome,) = ballots.cast_many([late], NOON)
    assert outcome.is_new and outcome.receipt.person_id == account.person_id != gone
    assert db.session.query(Ballot).filter_by(person_id=gone).count() == 0


def test_a_late_vote_meets_the_vote_of_who_she_is_now(campaign, account, mini):
    late = vote(campaign, mini, "late")
    first = cast(campaign, account)
    learn(account)
    (outcome,) = ballots.cast_many([late], NOON + HOUR)
    assert isinstance(outcome, ballots.AlreadyVoted) and outcome.receipt.receipt_id == first.receipt.receipt_id
    assert ballots.recount(campaign) == []


def test_a_request_repeated_after_its_ballot_was_voided_gets_the_receipt_that_counts(campaign, account, mini):
    first = cast(campaign, account)
    voided = vote(campaign, mini, "again")
    ballots.cast_many([voided], NOON + HOUR)
    learn(account)
    (again,) = ballots.cast_many([voided], NOON + 3 * HOUR)
    assert not isinstance(again, ballots.AlreadyVoted) and again.receipt.receipt_id == first.receipt.receipt_id


def test_a_voided_receipt_in_a_picture_or_typed_still_shows_that_day(campaign, account, mini):
    first, second = cast(campaign, account), cast(campaign, mini, at=NOON + HOUR)
    learn(account)
    assert receipts.evidence(second.receipt.token).receipt_id == first.receipt.receipt_id
    assert ballots.by_code(campaign, account.person_id, second.receipt.code).receipt_id == first.receipt.receipt_id


def test_a_merge_changes_person_and_void_number_and_nothing_else_of_a_ballot(campaign, account, mini):
    cast(campaign, account)
    cast(campaign, mini, "优", NOON + HOUR)
    columns = [c for c in Ballot.__table__.c if c.name not in ("person_id", "void_no")]
    before = db.session.query(*columns).order_by(Ballot.id).all()
    learn(account)
    assert db.session.query(*columns).order_by(Ballot.id).all() == before


# tickets and entries

def take_part(campaign, voter, at, name="陈小美", phone="13800000000"):
    cast(campaign, voter, at=at)
    enter(campaign, voter, name, phone, at)
    submission = submissions.tap(campaign, voter.person_id, None, at)
    db.session.commit()
    return submission


def test_one_ticket_a_day_is_left_the_one_granted_first(campaign, account, mini):
    take_part(campaign, mini, NOON)
    take_part(campaign, account, NOON + HOUR)
    cast(campaign, mini, at=NOON - timedelta(days=1))
    yesterday = tickets.grant(campaign, mini.person_id, NOON.date() - timedelta(days=1), "vote", NOON)
    first = next(t.ticket_id for t in tickets.of(campaign, mini.person_id) if t.day == NOON.date())
    learn(account)
    assert {t.ticket_id for t in tickets.of(campaign, account.person_id)} == {first, yesterday.ticket_id}
    revoked = db.session.query(Ticket).filter(Ticket.revoked_at.is_not(None)).one()
    assert "同一个人" in (revoked.revoked_why or "") and revoked.ticket_id != first
    assert (log()[0].facts["tickets_moved"], log()[0].facts["tickets_revoked"]) == (2, 1)


def test_a_ticket_that_counts_stays_before_one_that_was_revoked(campaign, account, mini):
    take_part(campaign, account, NOON)
    tickets.revoke(tickets.of(campaign, account.person_id)[0], "不是本人的截图", NOON)
    take_part(campaign, mini, NOON + HOUR)
    counts = tickets.of(campaign, mini.person_id)[0].ticket_id
    learn(account)
    assert [t.ticket_id for t in tickets.of(campaign, account.person_id)] == [counts]


def test_a_new_grant_for_the_day_finds_the_ticket_that_stayed(campaign, account, mini):
    take_part(campaign, mini, NOON)
    ticket = tickets.of(campaign, mini.person_id)[0].ticket_id
    learn(account)
    assert tickets.grant(campaign, account.person_id, NOON.date(), "vote", NOON + 3 * HOUR).ticket_id == ticket


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


# what is sealed

def frozen(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, phone="13800000005")
    draw = freezing.freeze(campaign, campaign.freeze_at)
    db.session.commit()
    return draw


def test_a_frozen_campaign_keeps_its_rows_and_she_sees_all_of_hers(campaign, account, mini):
    draw = frozen(campaign, account, mini)
    gone, lines = mini.person_id, draws.lines_of(draw)
    before = db.session.query(Ticket.id, Ticket.person_id, Ticket.revoked_at).order_by(Ticket.id).all()
    learn(account, campaign.freeze_at + HOUR)
    assert db.session.query(Ticket.id, Ticket.person_id, Ticket.revoked_at).order_by(Ticket.id).all() == before
    assert draws.lines_of(draw) == lines
    assert len(tickets.of(campaign, account.person_id)) == 2 and len(submissions.of(campaign, account.person_id)) == 2
    assert {e.person_id for e in submissions.entries_of(campaign, account.person_id)} == {account.person_id, gone}
    facts = log()[0].facts
    assert (facts["left_in_frozen_campaigns"], facts["left_entries"], facts["tickets_moved"], facts["tickets_revoked"]) == (1, 1, 0, 0)


def test_from_freeze_at_on_nothing_moves_though_the_worker_is_late(campaign, account, mini):
    """Else somebody who knows the numbers already could choose the list by letting two of hers become one, or not."""
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, phone="13800000005")
    before = {t.ticket_id for t in tickets.live(campaign)}
    learn(account, campaign.freeze_at)
    assert {t.ticket_id for t in tickets.live(campaign)} == before
    draw = freezing.freeze(campaign, campaign.freeze_at + HOUR)
    assert {line[:16] for line in draws.lines_of(draw)} == before


def test_late_evidence_of_somebody_merged_between_freeze_at_and_the_freeze_still_counts(campaign, account, mini):
    cast(campaign, mini)
    enter(campaign, mini)
    sent = submissions.open_from_chat(campaign, mini.person_id, "m1", "chat:1", NOON, NOON)
    sent.state, sent.day, sent.reading = "pending", NOON.date(), "no-receipt"
    db.session.commit()
    cast(campaign, account, at=NOON + HOUR)
    learn(account, campaign.freeze_at)
    draw = freezing.freeze(campaign, campaign.freeze_at + HOUR)
    assert draw.tickets == 2   # hers, and 路人's


def test_her_award_is_found_though_it_was_given_to_who_she_was(campaign, account, mini):
    draw = frozen(campaign, account, mini)
    draws.run(draw, "ssq:2022005=03.08.15.21.27.33./06./", campaign.freeze_at + HOUR)
    db.session.commit()
    gone = mini.person_id
    ranks = {a.person_id: a.rank for a in draws.awards(draw)}
    learn(account, campaign.freeze_at + 2 * HOUR)
    assert draws.award_of(draw, account.person_id).rank == min(ranks[account.person_id], ranks[gone])
    assert {a.person_id: a.rank for a in draws.awards(draw)} == ranks


def test_leaving_a_frozen_draw_deletes_every_name_she_gave(campaign, account, mini):
    frozen(campaign, account, mini)
    learn(account, campaign.freeze_at + HOUR)
    submissions.withdraw(campaign, account.person_id, campaign.freeze_at + 2 * HOUR)
    db.session.commit()
    assert [e.person_id for e in db.session.query(Entrant) if e.phone_sealed] == [make_voter("路人").person_id]


def test_forgetting_after_the_draw_keeps_the_winner_whoever_she_is_now(campaign, account, mini):
    frozen(campaign, account, mini)
    won, other = mini.person_id, account.person_id
    learn(account, campaign.freeze_at + HOUR)
    submissions.forget(campaign, {won}, campaign.freeze_at + timedelta(days=30))
    names = {e.person_id: bool(e.phone_sealed) for e in db.session.query(Entrant)}
    assert names[won] and not names[other]


# the log, and what comes late

def test_the_log_only_grows_and_names_nobody(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, "陈美", "13800000005")
    openids = [account.identity.openid, mini.identity.openid]
    learn(account)
    (entry,) = log()
    said = json.dumps(entry.facts, ensure_ascii=False)
    assert not any(secret in said for secret in (*openids, U, "13800000005", "陈", *(g.value for g in Grade)))
    assert not any(word in said for word in ("grade", "phone", "name"))
    for statement in ("UPDATE person_merge SET why = 'x'", "DELETE FROM person_merge"):
        with pytest.raises(DBAPIError, match="never change"):
            db.session.execute(text(statement))
        db.session.rollback()


def test_what_was_written_under_the_old_person_after_the_merge_is_brought_over(campaign, account, mini):
    """A request that had the old person in its hands wrote after the merge; the job looks until nothing is left."""
    gone = mini.person_id
    learn(account)
    db.session.add(ChatEntry(campaign_id=campaign.id, person_id=gone, chosen_at=NOON))
    db.session.add(Identity(person_id=gone, appid="wxlate", openid="oLate", first_seen_at=NOON))
    db.session.commit()
    at = NOON + 2 * HOUR
    for _ in range(4):
        at += timedelta(minutes=5)
        jobs.run_due(at)
    assert [db.session.query(model).filter_by(person_id=gone).count() for model in (ChatEntry, Identity)] == [0, 0]
    assert [(m.why, m.facts["chats_moved"]) for m in log()] == [("unionid", 0), ("late", 1)]
    assert db.session.query(Job).filter_by(kind="accounts.tidy-merge", done_at=None).count() == 0   # it ends by itself


def test_tidying_finds_nothing_after_a_merge_even_of_conflicts(campaign, account, mini):
    take_part(campaign, account, NOON)
    take_part(campaign, mini, NOON + HOUR, phone="13800000005")
    gone = mini.person_id
    learn(account)
    assert not accounts.tidy(gone, NOON + 3 * HOUR) and not accounts.tidy(account.person_id, NOON + 3 * HOUR) and len(log()) == 1


def test_every_room_that_knows_persons_follows(any_app):
    """A table with a person in it that nobody follows would stay behind."""
    followed = {room.__module__.split(".")[1] for room in merging._follow}
    tables = {t.name for t in db.metadata.sorted_tables if any(c.name == "person_id" for c in t.c)}
    of_rooms = {"identity": "accounts", "ballot": "ballots", "ticket": "tickets", "entrant": "submissions", "chat_entry": "submissions",
                "submission": "submissions", "draw_line": "sealed", "award": "sealed"}
    assert tables == of_rooms.keys()
    assert followed == set(of_rooms.values()) - {"accounts", "sealed"}


def test_staff_see_a_merged_persons_evidence_as_one(campaign, account, mini):
    make_staff()
    take_part(campaign, mini, NOON)
    learn(account)
    assert {s.person_id for s in submissions.of(campaign, account.person_id)} == {account.person_id}
