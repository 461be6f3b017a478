"""Who somebody is: what WeChat vouched for, joined by unionid; devices, staff, sessions."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from tests.factories import NOON, PASSWORD, cast, make_campaign, make_staff, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity, Person, StaffSession, VoterToken
from wxbackend.accounts.rules import STAFF_SESSION_LIFE, VOTER_TOKEN_LIFE
from wxbackend.audit.models import AuditEntry
from wxbackend.extensions import db, settings
from wxbackend.wechat import WxUser


@pytest.fixture
def app(app):
    make_voter("路人")   # noise
    return app


@pytest.fixture
def any_app(any_app):
    make_voter("路人")
    return any_app


def user(openid: str, door: str = "account", unionid: str | None = None, is_snapshot: bool = False) -> WxUser:
    return WxUser(settings.account_appid if door == "account" else settings.miniprogram_appid, openid, unionid, is_snapshot)


def test_the_same_openid_is_the_same_person(any_app):
    first, again = accounts.login(user("oAMEI"), NOON), accounts.login(user("oAMEI"), NOON + timedelta(days=1))
    assert first.id == again.id and db.session.query(Person).count() == 2


def test_two_openids_without_a_unionid_are_two_persons(app):
    assert accounts.login(user("oAMEI"), NOON).person_id != accounts.login(user("oCHEN"), NOON).person_id


def test_the_same_openid_of_another_app_is_somebody_else(app):
    assert accounts.login(user("oAMEI"), NOON).person_id != accounts.login(user("oAMEI", "mini"), NOON).person_id


def test_a_unionid_joins_both_doors(any_app):
    account, mini = accounts.login(user("oA1", unionid="u1"), NOON), accounts.login(user("oM1", "mini", "u1"), NOON)
    assert account.person_id == mini.person_id and account.id != mini.id


def test_a_unionid_that_comes_late_is_learnt(app):
    """Silent web login brings none; the mini program does. What comes later must find the same person."""
    account = accounts.login(user("oA1"), NOON)
    accounts.login(user("oA1", unionid="u1"), NOON + timedelta(hours=1))
    assert accounts.login(user("oM1", "mini", "u1"), NOON + timedelta(hours=2)).person_id == account.person_id


def test_a_unionid_known_of_somebody_else_makes_the_two_one(any_app):
    account, mini = accounts.login(user("oA1"), NOON), accounts.login(user("oM1", "mini", "u1"), NOON)
    older, younger = account.person_id, mini.person_id
    again = accounts.login(user("oA1", unionid="u1"), NOON)
    assert (again.person_id, again.person.unionid, mini.person_id) == (older, "u1", older)
    gone = db.session.get_one(Person, younger)
    assert (gone.merged_into_id, gone.unionid) == (older, None)


def test_a_virtual_identity_is_never_somebody(app):
    with pytest.raises(accounts.VirtualIdentity):
        accounts.login(user("oSNAP", unionid="u9", is_snapshot=True), NOON)
    assert db.session.query(Identity).filter_by(openid="oSNAP").count() == 0


def test_eight_first_logins_at_once_are_one_person(make_app, server_url):
    app = make_app(database_url=server_url)
    seen: list[int] = []
    gate = threading.Barrier(8)

    def arrive(n: int) -> None:
        with app.app_context():
            gate.wait()
            identity = accounts.login(user(f"oA{n % 2}", unionid="u1"), NOON)
            db.session.commit()
            seen.append(identity.person_id)
            db.session.remove()

    threads = [threading.Thread(target=arrive, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8 and len(set(seen)) == 1
    with app.app_context():
        assert db.session.query(Person).filter_by(unionid="u1").count() == 1 and db.session.query(Identity).count() == 2


def test_a_token_stands_for_its_voter_until_it_ends(any_app):
    amei = make_voter("阿美")
    token, ends = accounts.issue_token(amei.identity, NOON)
    assert ends == NOON + VOTER_TOKEN_LIFE and len(token) >= 43
    for at, known in ((NOON, True), (ends - timedelta(microseconds=1), True), (ends, False)):
        found = accounts.voter_of(token, at)
        assert (found is not None) == known and (not known or found.person_id == amei.person_id)


@pytest.mark.parametrize("wrong", ["", "x", "{token}x", "{cut}", "{swapped}", "中文", "x" * 10_000])
def test_a_tampered_token_is_nobody(app, wrong):
    token, _ = accounts.issue_token(make_voter("阿美").identity, NOON)
    assert accounts.voter_of(wrong.format(token=token, cut=token[:-1], swapped=token.swapcase()), NOON) is None


def test_two_devices_are_two_tokens_and_one_is_revoked_alone(app):
    amei = make_voter("阿美")
    phone, tablet = (accounts.issue_token(amei.identity, NOON)[0] for _ in range(2))
    db.session.query(VoterToken).filter_by(token_hash=accounts.voter_hash(phone)).one().revoked_at = NOON
    db.session.flush()
    assert accounts.voter_of(phone, NOON) is None and accounts.voter_of(tablet, NOON) is not None


def test_a_voter_knows_her_door(app):
    assert make_voter("阿美").door == "h5" and make_voter("老陈", settings.miniprogram_appid).door == "miniprogram"


def test_staff_log_in_by_password(any_app):
    make_staff("xiaozhou", "reviewer", "小周")   # noise
    staff = make_staff()
    assert accounts.check_password("xiaoli", PASSWORD, NOON).id == staff.id
    assert PASSWORD not in staff.password_hash and staff.password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(("username", "password"),
                         [("xiaoli", "wrong"), ("xiaoli", ""), ("nobody", PASSWORD), ("", ""), ("XIAOLI", PASSWORD),
                                                    ("xiaoli' OR '1'='1", PASSWORD), ("xiaoli", PASSWORD + " ")])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(app, username, password):
    make_staff()
    with pytest.raises(accounts.WrongPassword) as refused:
        accounts.check_password(username, password, NOON)
    assert refused.value.said == accounts.WrongPassword.title


def test_somebody_who_left_cannot_log_in_and_is_out_at_once(app):
    staff = make_staff()
    token, _ = accounts.open_session(staff, NOON)
    staff.is_active = False
    db.session.flush()
    assert accounts.seat_of(token, NOON) is None
    with pytest.raises(accounts.WrongPassword):
        accounts.check_password("xiaoli", PASSWORD, NOON)


def test_a_username_is_taken_once(app):
    make_staff()
    with pytest.raises(accounts.UsernameTaken):
        accounts.create_staff("xiaoli", "别人", "auditor", "another password", NOON)


def test_a_role_is_one_of_three(any_app):
    with pytest.raises(Exception, match="role"):
        accounts.create_staff("root", "谁", "root", PASSWORD, NOON)
    db.session.rollback()


def test_a_session_ends_by_time_and_by_logging_out(app):
    token, ends = accounts.open_session(make_staff(), NOON)
    assert ends == NOON + STAFF_SESSION_LIFE
    assert accounts.seat_of(token, ends - timedelta(seconds=1)).staff.username == "xiaoli"
    assert accounts.seat_of(token, ends) is None
    accounts.close_session(token, NOON + timedelta(hours=1))
    accounts.close_session("nobody's", NOON)
    assert accounts.seat_of(token, NOON + timedelta(hours=2)) is None
    assert db.session.query(StaffSession).one().ended_at == NOON + timedelta(hours=1)


def test_a_new_password_ends_the_sessions_of_the_old_one(app):
    staff, other = make_staff(), make_staff("xiaozhou", "reviewer", "小周")
    mine, theirs = accounts.open_session(staff, NOON)[0], accounts.open_session(other, NOON)[0]
    accounts.set_password(staff, "a new password", NOON)
    assert accounts.seat_of(mine, NOON) is None and accounts.seat_of(theirs, NOON) is not None
    with pytest.raises(accounts.WrongPassword):
        accounts.check_password("xiaoli", PASSWORD, NOON)
    assert accounts.check_password("xiaoli", "a new password", NOON).id == staff.id


def test_deeds_of_staff_are_on_record_without_their_words(app):
    staff = make_staff()
    accounts.check_password("xiaoli", PASSWORD, NOON)
    accounts.set_password(staff, "a new password", NOON)
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [e.verb for e in entries] == ["staff.created", "staff.logged-in", "staff.password-set"]
    assert not any(secret in f"{e.facts}{e.why}" for e in entries for secret in (PASSWORD, "a new password"))


def test_the_conflict_log_is_read_by_command(app, at):
    """What a merge did, a line each, with voided ballots by number and nothing about grades or people."""
    at(NOON)
    campaign = make_campaign()
    account, mini = make_voter("阿美"), make_voter("阿美小程序", settings.miniprogram_appid, "uMini")
    cast(campaign, account, "优")
    cast(campaign, mini, "差", NOON + timedelta(minutes=1))
    accounts.login(WxUser(account.appid, account.identity.openid, "uMini"), NOON + timedelta(hours=1))
    db.session.commit()
    said = app.test_cli_runner().invoke(args=["merges"]).output
    line = json.loads(said)
    assert (line["why"], line["ballots_moved"], len(line["ballots_voided"])) == ("unionid", 1, 1)
    assert not [word for word in ("优", "差", "uMini", account.identity.openid) if word in said]
