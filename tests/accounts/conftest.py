"""阿美 by two doors, and the moment WeChat says that she is one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON, cast, enter, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import PersonMerge
from wxbackend.accounts.service import Voter
from wxbackend.extensions import db, settings
from wxbackend.submissions import service as submissions
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


def take_part(campaign, voter, at, name="陈小美", phone="13800000000"):
    cast(campaign, voter, at=at)
    enter(campaign, voter, name, phone, at)
    submission = submissions.tap(campaign, voter.person_id, None, at)
    db.session.commit()
    return submission
