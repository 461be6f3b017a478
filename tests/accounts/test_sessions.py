"""Who a token stands for, kept in Redis: no question to the database while nothing changes, none too few when something does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON, make_voter
from tests.statements import statements
from wxbackend import store
from wxbackend.accounts import service as accounts
from wxbackend.accounts import sessions
from wxbackend.accounts.rules import VOTER_TOKEN_LIFE
from wxbackend.extensions import db
from wxbackend.jobs import service as jobs

MINUTE = timedelta(minutes=1)


@pytest.fixture
def amei(app):
    make_voter("路人")   # noise
    return make_voter("阿美")


@pytest.fixture
def token(amei):
    token, _ = accounts.issue_token(amei.identity, NOON)
    db.session.commit()
    return token


def test_the_second_request_asks_no_database(token, amei):
    with statements() as said:
        first = accounts.voter_of(token, NOON)
        asked = len(said)
        second = accounts.voter_of(token, NOON)
    assert asked == 1 and len(said) == asked
    assert first == second == amei.__class__(amei.person_id, amei.person_key, amei.identity_id, amei.appid, "h5", True)


def test_a_stranger_is_nobody_and_nothing_is_kept_of_him(amei):
    for made_up in ("made up", "", "0a3" + "x" * 43, "中文"):
        assert accounts.voter_of(made_up, NOON) is None
        assert store.get(accounts.session_name_of(made_up)) is None


def test_after_logging_out_the_token_is_nobodys_at_once(token):
    assert accounts.voter_of(token, NOON)
    accounts.revoke_token(token, NOON)
    db.session.commit()
    assert accounts.voter_of(token, NOON) is None


def test_a_slow_reader_of_the_old_state_cannot_bring_it_back(token):
    """It read the token before the logout, and puts it into Redis afterwards."""
    voter, ends = sessions._stored(token, NOON)
    accounts.revoke_token(token, NOON)
    db.session.commit()
    store.put_once(accounts.session_name_of(token), sessions.write(voter, ends), 60)
    assert accounts.voter_of(token, NOON) is None


def test_a_logout_that_is_rolled_back_never_was(token):
    accounts.revoke_token(token, NOON)
    db.session.rollback()
    assert accounts.voter_of(token, NOON)


def test_a_kept_session_ends_with_its_token(token):
    assert accounts.voter_of(token, NOON)
    assert accounts.voter_of(token, NOON + VOTER_TOKEN_LIFE - MINUTE)
    assert accounts.voter_of(token, NOON + VOTER_TOKEN_LIFE) is None


def test_after_a_merge_the_token_stands_for_who_stayed(token, amei):
    older = make_voter("路人")
    assert accounts.voter_of(token, NOON).person_id == amei.person_id
    accounts.merge(older.person_id, amei.person_id, NOON, "unionid")
    db.session.commit()
    assert accounts.voter_of(token, NOON).person_id == older.person_id


def test_a_unionid_that_is_learned_is_known_at_once(app):
    chen = make_voter("老陈", unionid=None)
    token, _ = accounts.issue_token(chen.identity, NOON)
    db.session.commit()
    assert not accounts.voter_of(token, NOON).is_known
    accounts.learn_unionid(chen.identity, "u-new", NOON)
    db.session.commit()
    assert accounts.voter_of(token, NOON).is_known


def test_while_redis_is_away_the_database_is_asked(token, amei, monkeypatch):
    def away(*_):
        raise store.StoreAway("away")

    for verb in ("get", "put", "put_once"):
        monkeypatch.setattr(store, verb, away)
    assert accounts.voter_of(token, NOON).person_id == amei.person_id
    accounts.revoke_token(token, NOON)
    assert accounts.voter_of(token, NOON) is None


def test_a_token_and_its_session_lie_in_its_owners_shard(token, amei):
    assert token.startswith(store.shard_of(amei.person_key))
    assert accounts.session_name_of(token).partition("}")[0] == store.name_of(amei.person_key, "captcha").partition("}")[0]
    assert token not in accounts.session_name_of(token)


def test_a_logout_while_redis_hangs_is_heard_when_it_is_back(token, amei, monkeypatch):
    """What Redis keeps would be believed for ten minutes: a job says it again."""
    assert accounts.voter_of(token, NOON)
    with monkeypatch.context() as hangs:
        hangs.setattr(store, "put", lambda *_: (_ for _ in ()).throw(store.StoreAway("hung")))
        accounts.revoke_token(token, NOON)
        db.session.commit()
    assert accounts.voter_of(token, NOON), "Redis is back and has not heard yet"
    jobs.run_due(NOON)
    assert accounts.voter_of(token, NOON) is None
