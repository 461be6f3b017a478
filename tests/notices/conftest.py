"""WeChat's side of our messages, and people it can be tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from tests.factories import NOON, make_campaign, make_voter
from wxbackend import wechat
from wxbackend.accounts.service import Voter
from wxbackend.extensions import db, settings
from wxbackend.notices import service as notices
from wxbackend.notices.models import Notice, NoticeAttempt, NoticeCredit

SUBSCRIBE, TEMPLATE = "SIM-NOTICE-DRAW", "SIM-TEMPLATE-DRAW"
SETTINGS = {"notice_template": f"{SUBSCRIBE}|thing1=title|time2=at", "account_template": f"{TEMPLATE}|thing1=title|phrase2=result|time3=at"}
FACTS = {"title": "2021年改革项目网络评议", "result": "中奖", "prize": "青年文化盲盒", "at": "2022年1月11日 21:30", "tip": "点开看怎么领"}
BOTH = "u-amei"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Post:
    """The three verbs that send. `answers` by channel, one a call: an errcode, an exception, or what the verb gives back.

    `sent` holds (channel, openid, what) of what WeChat took, or may have taken; `asked` every call.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = {"customer": [], "subscribe": [], "template": []}
        self.asked: list[str] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.refused_features: set[str] = set()
        self.before: Callable[[], None] = lambda: None

    def send_text(self, openid: str, text: str) -> None:
        self._take("customer", openid, text)

    def send_subscribe(self, openid: str, template_id: str, data: dict[str, str], page: str = "") -> str:
        return self._take("subscribe", openid, {"id": template_id, "page": page, **data}) or ""

    def send_template(self, openid: str, template_id: str, data: dict[str, str], url: str = "", client_msg_id: str = "") -> str:
        return self._take("template", openid, {"id": template_id, "url": url, "mark": client_msg_id, **data}) or ""

    def can(self, feature: str) -> bool:
        return feature not in self.refused_features

    def _take(self, channel: str, openid: str, what: Any) -> Any:
        assert not db.session.registry().in_transaction(), "WeChat is asked while a transaction is open"
        self.asked.append(channel)
        self.before()
        answer = self.answers[channel].pop(0) if self.answers[channel] else None
        if isinstance(answer, int):
            raise wechat.WeChatRefused(answer, "rid")
        if answer is None or isinstance(answer, str) or getattr(answer, "unsure", False):
            self.sent.append((channel, openid, what))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def channels(self) -> list[str]:
        return [channel for channel, _, _ in self.sent]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    post = Post()
    for verb in ("send_text", "send_subscribe", "send_template", "can"):
        monkeypatch.setattr(wechat, verb, getattr(post, verb))
    return post


@contextmanager
def configured(app: Flask, **changes: Any) -> Iterator[None]:
    """The app with other settings for a while."""
    before = app.extensions["settings"]
    app.extensions["settings"] = replace(before, **changes)
    yield
    app.extensions["settings"] = before


@pytest.fixture
def templates(app: Flask) -> Iterator[None]:
    with configured(app, **SETTINGS):
        yield


def both_doors(name: str = "阿美", unionid: str = BOTH) -> tuple[Voter, Voter]:
    """One person, as the account knows her and as the mini program does."""
    account = make_voter(name, unionid=unionid)
    mini = make_voter(name + "小程序", settings.miniprogram_appid, unionid)
    assert account.person_id == mini.person_id
    return account, mini


@pytest.fixture
def amei(app, templates):
    """阿美 by both doors, who subscribed in the mini program and wrote to the account last week; beside her 路人, who did so just now."""
    stranger = make_voter("路人")
    notices.heard(stranger.identity, "text", NOON)
    account, mini = both_doors()
    notices.heard(account.identity, "text", NOON - timedelta(days=7))
    notices.add_credit(mini.identity, make_campaign(), SUBSCRIBE, True, NOON - DAY)
    db.session.commit()
    return account


def tell(person_id: int, at: datetime = NOON, **more: Any) -> Notice:
    """A result, which may go by every channel."""
    notice = notices.tell(person_id, "result", "您中奖了，恭喜！", at, **({"data": FACTS, "url": "https://vote.example/c/x/mine"} | more))
    db.session.commit()
    assert notice is not None
    return notice


def writes(voter, at=NOON) -> None:
    notices.heard(voter.identity, "text", at)
    db.session.commit()


def states() -> list[tuple[str, int | None]]:
    db.session.expire_all()
    return [(n.state, n.errcode) for n in db.session.query(Notice).order_by(Notice.id)]


def attempts() -> list[tuple[str, str, int | None, str]]:
    """(channel, state, errcode, why) of every turn, in order."""
    db.session.expire_all()
    return [(a.channel, a.state, a.errcode, a.why) for a in db.session.query(NoticeAttempt).order_by(NoticeAttempt.id)]


def credit() -> str:
    db.session.expire_all()
    return db.session.query(NoticeCredit).one().state


def report(event: str, voter: Voter, facts: Any, at: datetime = NOON, app: str = "miniprogram") -> wechat.Message:
    """An event as the inbox hands it on."""
    return wechat.Message(app=app, appid=voter.appid, openid=voter.identity.openid, to="gh_test", kind="event", event=event, event_key="",
                          content="", media_id="", msg_id="", create_time=at.astimezone(UTC), dedupe_key="k", facts=facts)
