"""Two persons turn out to be one: who stays, and where her old names lead."""

from __future__ import annotations

from tests.accounts.conftest import U, learn, log
from tests.factories import NOON, make_voter
from wxbackend.accounts import merge as merging
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Person
from wxbackend.extensions import db
from wxbackend.wechat import WxUser


def test_the_older_person_stays_whichever_door_tells(campaign, account, mini):
    older, younger = account.person_id, mini.person_id
    assert older < younger
    learn(account)
    assert (account.identity.person_id, mini.identity.person_id) == (older, older)
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


def test_every_room_that_knows_persons_follows(any_app):
    """A table with a person in it that nobody follows would stay behind."""
    followed = {room.__module__.split(".")[1] for room in merging._follow}
    tables = {t.name for t in db.metadata.sorted_tables if any(c.name == "person_id" for c in t.c)}
    of_rooms = {"identity": "accounts", "ballot": "ballots", "ticket": "tickets", "entrant": "submissions", "chat_entry": "submissions",
                "submission": "submissions", "draw_line": "sealed", "award": "sealed", "ticket_event": "sealed"}
    assert tables == of_rooms.keys()
    assert followed == set(of_rooms.values()) - {"accounts", "sealed"}
