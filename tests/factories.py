"""People and campaigns with sensible defaults, so that a test states only what it is about.

阿美 votes, 老陈 prefers the chat, 路人 is a stranger, 小李 and 小周 are staff.
"""

from __future__ import annotations

import copy
import itertools
import random
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import yaml

from wxbackend import clock
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Staff
from wxbackend.accounts.service import Voter
from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.captcha import colour
from wxbackend.captcha import service as captcha_service
from wxbackend.extensions import db, settings
from wxbackend.submissions import service as submissions
from wxbackend.wechat import WxUser

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEMO = Path(__file__).parent.parent / "config" / "demo"
WINDOW = {"opens_at": "2022-01-04T10:00:00+08:00", "closes_at": "2022-01-08T09:00:00+08:00",
          "evidence_until": "2022-01-09T09:00:00+08:00", "freeze_at": "2022-01-11T18:00:00+08:00"}
NOON = datetime(2022, 1, 6, 12, tzinfo=SHANGHAI)     # a Thursday inside the window
PASSWORD = "correct horse"
_seeds = itertools.count(1)


HERS = "hers"   # the unionid that goes with a name


def document(mode: str = "hosted", **changes: Any) -> dict[str, Any]:
    """The reference campaign's document in its real window of January 2022."""
    name = "reference-campaign.yaml" if mode == "hosted" else "external-campaign.yaml"
    doc = copy.deepcopy(_read(DEMO / name))
    del doc["live_demo"]
    doc |= {"window": dict(WINDOW), "entropy": [{"source": "ssq", "issue": "2022005"}]}
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(doc.get(key), dict):
            doc[key] = doc[key] | value
        else:
            doc[key] = copy.deepcopy(value)
    return doc


@cache
def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def make_campaign(mode: str = "hosted", publish: bool = True, **changes: Any) -> Campaign:
    campaign = campaigns.load_document(document(mode, **changes), "test", NOON - timedelta(days=3))
    if publish:
        campaigns.publish(campaign, "test", NOON - timedelta(days=3))
    db.session.commit()
    return campaign


def make_voter(name: str = "阿美", appid: str | None = None, unionid: str | None = HERS) -> Voter:
    """A person as the public account knows her; the same name is the same person. `unionid` None: WeChat has not told it yet."""
    openid = "o" + name.encode().hex().ljust(27, "0")[:27]
    hers = "u" + openid[1:] if unionid == HERS else unionid
    identity = accounts.login(WxUser(appid or settings.account_appid, openid, hers), NOON - timedelta(days=2))
    db.session.commit()
    return Voter.of(identity)


def token_for(voter: Voter) -> str:
    token, _ = accounts.issue_token(voter.identity, clock.now())
    db.session.commit()
    return token


def bearer(voter: Voter) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(voter)}"}


def make_staff(username: str = "xiaoli", role: str = "manager", name: str = "小李") -> Staff:
    staff = accounts.create_staff(username, name, role, PASSWORD, NOON - timedelta(days=30))
    db.session.commit()
    return staff


def staff_bearer(staff: Staff) -> dict[str, str]:
    token, _ = accounts.open_session(staff, clock.now())
    db.session.commit()
    return {"Authorization": f"Bearer {token}"}


def solved_captcha(campaign: Campaign, voter: Voter, at: datetime, purpose: str = "vote") -> tuple[str, str]:
    """A captcha's id and its answer, known because its chance is."""
    seed = next(_seeds)
    with mock.patch.object(captcha_service, "choose", lambda: random.Random(seed)):
        challenge = captcha_service.make(voter.person_key, campaign.slug, purpose, at, family="colour")
    db.session.commit()
    return challenge.id, colour.puzzle(random.Random(seed)).answer


def cast(campaign: Campaign, voter: Voter, grade: str = "优", at: datetime = NOON, source: str = "article") -> ballots.Outcome:
    """A ballot cast the long way: captcha made, solved, redeemed."""
    captcha_id, answer = solved_captcha(campaign, voter, at)
    return ballots.cast(campaign, campaign.subjects[0], voter, grade, captcha_id, answer, at, source)


def enter(campaign: Campaign, voter: Voter, name: str = "张三", phone: str = "13800000000", at: datetime = NOON) -> submissions.Entrant:
    entrant = submissions.enter(campaign, voter.person_id, submissions.EntryForm(name, phone), at)
    db.session.commit()
    return entrant
