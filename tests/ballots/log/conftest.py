"""A campaign whose votes, tickets and decisions go into its log."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import insert

from tests.factories import NOON, cast, make_campaign, make_voter, token_for
from wxbackend.ballots.log import service as log
from wxbackend.ballots.models import Ballot
from wxbackend.ballots.rules import new_receipt_id
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db

GRADES = ("优", "良", "中", "差")
HOUR = timedelta(hours=1)


@pytest.fixture
def campaign(app) -> Campaign:
    """Another beside it, for noise."""
    make_campaign(slug="futian-2022-other")
    return make_campaign()


def put_in(campaign: Campaign, count: int, at: datetime = NOON, day: date | None = None, first_person: int = 1) -> list[str]:
    """As many ballots straight into the box, a person each; their receipt ids in order."""
    receipts = [new_receipt_id() for _ in range(count)]
    subject = campaign.subjects[0].id
    db.session.execute(insert(Ballot), [
        {"receipt_id": receipt, "captcha_hash": secrets.token_hex(32), "campaign_id": campaign.id, "subject_id": subject,
         "quota_key": f"s{subject}", "person_id": first_person + n, "day": day or campaign.day(at), "void_no": 0, "grade": GRADES[n % 4],
         "source_code": "", "door": "h5", "degraded": False, "cast_at": at} for n, receipt in enumerate(receipts)])
    db.session.commit()
    return receipts


@pytest.fixture
def amei(app):
    """阿美's phone, logged in."""
    app.extensions["clock"].fixed = NOON
    client = app.test_client()
    client.set_cookie("wxv", token_for(make_voter("阿美")))
    client.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Linux; Android 10) MicroMessenger/8.0"
    return client


def entered(campaign: Campaign, at: datetime = NOON) -> None:
    """阿美 and twenty others have voted, then ten more, and it is all in the log: 32 lines with the rules."""
    cast(campaign, make_voter("阿美"), "良", at)
    put_in(campaign, 20, at, first_person=1000)
    log.keep_up(campaign, at)
    put_in(campaign, 10, at + HOUR, first_person=2000)
    log.keep_up(campaign, at + HOUR)
    log.keep_up(campaign, at + 2 * HOUR)
