"""Starting the demo: which port, whether it is filled, and when it is begun anew."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.factories import make_campaign
from wxbackend import clock
from wxbackend.campaigns import service as campaigns
from wxbackend.demo import REFERENCE, prepare, seed, serve
from wxbackend.extensions import db, settings


def test_a_taken_port_gives_the_next_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.free_port(port) > port


def database() -> Path:
    db.session.commit()
    return Path(settings.instance_dir, "wxbackend.db")


def test_a_demo_counts_as_filled_while_its_own_campaign_is_open(app):
    assert not serve.looks_filled(database()) and not serve.looks_filled(Path("nowhere.db"))
    seed._load("external-campaign.yaml", clock.now())
    assert not serve.looks_filled(database()), "another open campaign is not the demo's own"
    seed._load("reference-campaign.yaml", clock.now())
    assert serve.looks_filled(database()) and not prepare._is_stale()


def test_a_demo_whose_vote_is_over_is_begun_anew(app):
    make_campaign()   # of January 2022
    assert not serve.looks_filled(database()) and prepare._is_stale()
    prepare._wipe(app)
    with pytest.raises(campaigns.NoSuchCampaign):
        campaigns.by_slug(REFERENCE)


def test_the_staffs_passwords_hold_until_the_next_start(app):
    from wxbackend.accounts import service as accounts
    first, second = prepare._passwords(), prepare._passwords()
    assert [a["username"] for a in first] == [a["username"] for a in second]
    now = clock.now()
    assert accounts.check_password(second[0]["username"], second[0]["password"], now).name == second[0]["name"]
    with pytest.raises(accounts.WrongPassword):
        accounts.check_password(first[0]["username"], first[0]["password"], now)
