"""The doors: whose code opens which, and what trying passwords costs."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import create_engine, text

from tests.factories import NOON, PASSWORD, bearer, make_campaign, make_staff, make_voter
from wxbackend import wechat
from wxbackend.accounts import service as accounts
from wxbackend.accounts import views
from wxbackend.accounts.finders import VOTER_COOKIE
from wxbackend.extensions import db, settings


@pytest.fixture
def codes(app, monkeypatch):
    """WeChat's answers to codes, each given once."""
    answers = {"CODE": wechat.WxUser(settings.account_appid, "oAMEI0000000000000000000000")}

    def redeem(code: str) -> wechat.WxUser:
        if code not in answers:
            raise wechat.CodeRefused
        return answers.pop(code)

    monkeypatch.setattr(wechat, "oauth_code", redeem)
    return answers


def begin(browser: Any) -> str:
    """Go to the door; the state that WeChat is to bring back."""
    return parse_qs(urlsplit(browser.get("/login/h5?next=/c/x").location).query)["state"][0]


def come_back(browser: Any, state: str, code: str = "CODE") -> Any:
    return browser.get(f"/login/h5/callback?code={code}&state={state}")


def test_a_code_that_arrives_twice_logs_in_twice(app, codes):
    browser = app.test_client()
    state = begin(browser)
    assert [come_back(browser, state).status_code for _ in range(2)] == [302, 302]


def test_somebody_elses_code_opens_nothing_even_while_it_is_remembered(app, codes):
    hers, his = app.test_client(), app.test_client()
    assert come_back(hers, begin(hers)).status_code == 302
    stolen = come_back(his, begin(his))
    assert stolen.status_code == 401 and his.get_cookie(VOTER_COOKIE) is None


def test_an_empty_authorization_does_not_stand_in_for_a_forms_token(app):
    app.extensions["clock"].fixed = NOON
    make_campaign()
    client = app.test_client()
    client.set_cookie(VOTER_COOKIE, bearer(make_voter())["Authorization"].removeprefix("Bearer "))
    assert client.post("/c/futian-2021-reform/tap", headers={"Authorization": ""}).status_code == 401


def test_made_up_names_from_one_address_are_counted_together(app, monkeypatch):
    monkeypatch.setattr(views, "TRIES_OF_AN_ADDRESS", 3)
    client = app.test_client()
    tries = [client.post("/api/v1/staff/login", json={"username": f"nobody{n}", "password": "x"}).status_code for n in range(4)]
    assert tries == [401, 401, 401, 429]


def test_others_may_write_while_a_password_is_checked(app, monkeypatch):
    make_staff()
    other = create_engine(app.config["SQLALCHEMY_DATABASE_URI"], connect_args={"timeout": 0.2})

    class Hasher:
        def verify(self, _hash: str, _password: str) -> None:
            with other.begin() as connection:
                connection.execute(text("UPDATE person SET unionid = NULL"))

    monkeypatch.setattr(accounts, "_hasher", Hasher())
    assert accounts.check_password("xiaoli", PASSWORD, NOON).username == "xiaoli"
    other.dispose()


def test_another_spelling_of_a_name_has_no_tries_of_its_own(any_app):
    make_staff()
    for spelling in ("XIAOLI", "xiaoli ", "xiàoli"):
        with pytest.raises(accounts.WrongPassword):
            accounts.check_password(spelling, PASSWORD, NOON)
    assert accounts.check_password("xiaoli", PASSWORD, NOON).username == "xiaoli"
    db.session.rollback()


@pytest.mark.parametrize("header", ["X-Real-IP", "Forwarded", "X-Forwarded-Proto", "Via"])
def test_what_a_proxy_passed_on_is_not_of_this_machine(app, header):
    assert app.test_client().get("/metrics", headers={header: "203.0.113.9"}).status_code == 404
    assert app.test_client().get("/metrics").status_code == 200
