"""WeChat as the staff's verbs of the account see it, and what is typed into their forms."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inbox.duty_samples import MENU, REPLIES
from tests.inbox.test_duties import write
from wxbackend import wechat
from wxbackend.extensions import db
from wxbackend.inbox.duty_models import AccountReply

BASE, API = "/admin/account", "/api/v1/staff/account"
PAGES = (BASE, BASE + "/replies", BASE + "/replies/new?kind=human", BASE + "/replies/1", BASE + "/menu", BASE + "/import")


class WeChatSide:
    """WeChat as the staff's verbs see it; `made` is what was published. No transaction may be open while it is asked."""

    def __init__(self) -> None:
        self.menu: Any = MENU
        self.replies: Any = REPLIES
        self.refuses: Exception | None = None
        self.made: list[Any] = []

    def ask(self, answer: Any) -> Any:
        assert not db.session().in_transaction(), "a transaction is open while WeChat is asked"
        if self.refuses:
            raise self.refuses
        return answer

    def create(self, buttons: Any) -> None:
        self.made.append(self.ask(wechat.checked_menu(buttons)))


@pytest.fixture
def side(monkeypatch) -> WeChatSide:
    one = WeChatSide()
    monkeypatch.setattr(wechat, "current_menu", lambda: one.ask(one.menu))
    monkeypatch.setattr(wechat, "current_replies", lambda: one.ask(one.replies))
    monkeypatch.setattr(wechat, "create_menu", one.create)
    return one


@pytest.fixture
def row(campaign) -> AccountReply:
    return write(equal=["停车"], contain=["车位"], text="B2层。{活动}期间免费。")


def slots(**typed: str) -> dict[str, str]:
    """The menu form as typed: slots(b0_name="去投票", b0_does="vote")."""
    return {name.replace("_", "-"): value for name, value in typed.items()}
