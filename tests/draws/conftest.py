"""A campaign whose vote is over, with people who earned tickets, on a real database."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from config.settings import Settings
from tests.databases import ENGINES, fresh_database
from wxbackend import create_app, keys
from wxbackend.accounts.models import Person, Staff
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign, Prize
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

OPENS = datetime(2022, 1, 4, 2, tzinfo=UTC)
VOTING = OPENS + timedelta(hours=3)
FREEZE = datetime(2022, 1, 11, 10, tzinfo=UTC)
DRAWN = datetime(2022, 1, 11, 13, 30, tzinfo=UTC)
NUMBERS = [{"source": "ssq", "issue": "2022005", "groups": [[33, 8, 3, 15, 27, 21], ["06"]]}]
LINE = "ssq:2022005=03.08.15.21.27.33./06./"
BULLETIN = "https://www.cwl.gov.cn/ssq/2022005"


def make_settings(url: str, folder: Path) -> Settings:
    key = base64.b64encode(bytes(32)).decode()
    return Settings(environment="test", instance_dir=str(folder), database_url=url, secret_key="test", data_key=key,
                    account_secret="test", account_token="test", account_aes_key=key[:43],
                    miniprogram_secret="test", miniprogram_token="test", miniprogram_aes_key=key[:43])


@pytest.fixture
def database() -> str:
    """SQLite, unless a test asks for others: @everywhere."""
    return "sqlite"


everywhere = pytest.mark.parametrize("database", ENGINES)


@pytest.fixture
def app(database: str, tmp_path: Path) -> Iterator[Flask]:
    with fresh_database(database, tmp_path) as url:
        app = create_app(make_settings(url, tmp_path))
        with app.app_context():
            db.create_all()
            yield app
            db.session.remove()
            db.engine.dispose()


def make_campaign(slug: str = "reform-2021", prizes: int = 5, **changes) -> Campaign:
    values = {"title": "2021年改革项目网络评议", "mode": "hosted", "opens_at": OPENS, "closes_at": datetime(2022, 1, 8, 1, tzinfo=UTC),
              "evidence_until": datetime(2022, 1, 9, 1, tzinfo=UTC), "freeze_at": FREEZE, "alternates": 4, "created_at": OPENS,
              "content": {}, "entropy": [{"source": "ssq", "issue": "2022005"}], "ticket_key_sealed": keys.seal("ticket-key", "5a" * 32)}
    campaign = Campaign(slug=slug, **values | changes)
    campaign.prizes = [Prize(tier="box", position=0, name="青年文化盲盒", count=prizes)]
    db.session.add(campaign)
    db.session.flush()
    campaigns.publish(campaign, "staff:xiaoli", OPENS)
    return campaign


def make_voter(campaign: Campaign, number: int, days: int = 1, enters: bool = True, phone: str | None = None, consents=("draw",)) -> Person:
    """Person `number` with one ticket a day, in the draw under 138000000NN."""
    person = Person(public_id=f"{number:032x}", created_at=OPENS)
    db.session.add(person)
    db.session.flush()
    if enters:
        form = submissions.EntryForm("张小三", phone or f"138{number:08d}", consents=consents)
        submissions.enter(campaign, person.id, form, VOTING + timedelta(seconds=number))
    for day in range(days):
        tickets.grant(campaign, person.id, date(2022, 1, 4 + day), "vote", VOTING)
    return person


@pytest.fixture
def campaign(app: Flask) -> Campaign:
    """Twenty people with one to four tickets; beside it another campaign with its own."""
    other = make_campaign("other-campaign")
    make_voter(other, 900)
    campaign = make_campaign()
    for number in range(1, 21):
        make_voter(campaign, number, days=1 + number % 4, consents=("draw", "show-name") if number % 2 else ("draw",))
    db.session.commit()
    return campaign


@pytest.fixture
def desk(app: Flask) -> SimpleNamespace:
    """小李 and 老陈 may type numbers, 阿明 reviews only."""
    people = (("xiaoli", "小李", "manager"), ("laochen", "老陈", "auditor"), ("aming", "阿明", "reviewer"))
    found = {username: Staff(username=username, name=name, role=role, password_hash="!", created_at=OPENS)
             for username, name, role in people}
    db.session.add_all(found.values())
    db.session.commit()
    return SimpleNamespace(**found)
