"""Devices: random tokens, kept as hashes; taken back by logging out, by a new login, by a sixth device, by time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.accounts.test_merge_races import at_once
from tests.factories import NOON, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import VoterToken
from wxbackend.accounts.rules import VOTER_TOKEN_LIFE
from wxbackend.accounts.tokens import MOST_DEVICES, sweep_tokens
from wxbackend.extensions import db, settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
def amei(any_app):
    accounts.issue_token(make_voter("路人").identity, NOON)   # noise
    return make_voter("阿美")


def known(token, at=NOON):
    return accounts.voter_of(token, at) is not None


def test_a_token_is_nowhere_but_with_its_owner(amei):
    token, _ = accounts.issue_token(amei.identity, NOON)
    row = db.session.query(VoterToken).filter_by(token_hash=accounts.voter_hash(token)).one()
    assert token not in [getattr(row, c.name) for c in VoterToken.__table__.c]
    assert accounts.issue_token(amei.identity, NOON)[0] != token


def test_a_token_taken_back_is_refused_at_once_and_for_ever(amei):
    token, other = (accounts.issue_token(amei.identity, NOON)[0] for _ in range(2))
    accounts.revoke_token(token, NOON)
    accounts.revoke_token(token, NOON + MINUTE)
    accounts.revoke_token("made up", NOON)
    assert not known(token) and known(other)
    assert db.session.query(VoterToken).filter_by(revoked_at=NOON).count() == 1


def test_a_new_login_ends_the_token_it_came_with(amei):
    old, tablet = (accounts.issue_token(amei.identity, NOON)[0] for _ in range(2))
    new, _ = accounts.issue_token(amei.identity, NOON + MINUTE, replaces=old)
    assert (known(old), known(new), known(tablet)) == (False, True, True)


@pytest.mark.parametrize("carried", ["somebody's", "x" * 5000, "中文"])
def test_a_login_ends_nobody_elses_token(amei, carried):
    """A phone that was handed on carries another's cookie: that login is not this person's to end."""
    chen = accounts.issue_token(make_voter("老陈").identity, NOON)[0]
    accounts.issue_token(amei.identity, NOON, replaces=chen if carried == "somebody's" else carried)
    assert known(chen)


def test_of_six_devices_the_oldest_is_out(amei):
    tokens = [accounts.issue_token(amei.identity, NOON + n * MINUTE)[0] for n in range(MOST_DEVICES + 1)]
    assert [known(t, NOON + 10 * MINUTE) for t in tokens] == [False] + [True] * MOST_DEVICES


def test_devices_that_were_taken_back_or_are_over_do_not_count(amei):
    first = accounts.issue_token(amei.identity, NOON - VOTER_TOKEN_LIFE)[0]
    tokens = [accounts.issue_token(amei.identity, NOON)[0] for _ in range(MOST_DEVICES - 1)]
    accounts.revoke_token(accounts.issue_token(amei.identity, NOON)[0], NOON)
    tokens.append(accounts.issue_token(amei.identity, NOON)[0])
    assert all(map(known, tokens)) and not known(first)


def test_tokens_past_their_end_are_forgotten_and_no_others(amei):
    over = accounts.issue_token(amei.identity, NOON - VOTER_TOKEN_LIFE)[0]
    live = accounts.issue_token(amei.identity, NOON - VOTER_TOKEN_LIFE + MINUTE)[0]
    before = db.session.query(VoterToken).count()
    assert sweep_tokens(NOON) == 1 and sweep_tokens(NOON) == 0
    assert db.session.query(VoterToken).count() == before - 1 and known(live) and not known(over)


def test_logins_at_once_leave_five_devices(make_app, server_url):
    app = make_app(database_url=server_url)
    with app.app_context():
        identity_id = make_voter("阿美").identity.id

        def issue():
            return accounts.issue_token(db.session.get_one(accounts.Identity, identity_id), NOON)[0]

        said = at_once(app, *[issue] * 8)
        assert not [one for one in said if isinstance(one, Exception)], said
        assert sum(map(known, said)) == MOST_DEVICES


@pytest.mark.parametrize(("door", "seen"), [("h5", "h5"), ("link", "link"), ("", "h5")])
def test_a_voter_knows_by_which_door_of_the_account_she_came(amei, door, seen):
    token, _ = accounts.issue_token(amei.identity, NOON, door=door)
    assert accounts.voter_of(token, NOON).door == seen


def test_the_mini_program_is_known_by_its_identity_whatever_the_token_says(amei):
    token, _ = accounts.issue_token(make_voter("阿美", settings.miniprogram_appid).identity, NOON)
    assert accounts.voter_of(token, NOON).door == "miniprogram"
