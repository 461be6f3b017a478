"""A campaign whose vote is over, with people who earned tickets, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from tests.conftest import emptied_database
from wxbackend import keys
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


everywhere = pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"])


@pytest.fixture
def database() -> str:
    """SQLite, unless a test says @everywhere."""
    return "sqlite"


@pytest.fixture
def app(database: str, make_app: Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    url = "" if database == "sqlite" else emptied_database(database, tmp_path_factory)
    app = make_app(database_url=url)
    with app.app_context():
        yield app
        db.session.remove()


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


def at_once(app: Any, deed: Callable[[], Any], times: int = 6) -> list[Any]:
    """The deed in as many threads as `times`, each with a session and transaction of its own; results or exceptions."""
    db.session.rollback()   # on SQLite an open transaction of ours would keep everybody out
    gate, said = threading.Barrier(times), []

    def go() -> None:
        with app.app_context():
            gate.wait()
            try:
                said.append(deed())
                db.session.commit()
            except Exception as e:
                db.session.rollback()
                said.append(e)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=go) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said
