"""The message-first door: a link from the chat, one tap, this device. And the page of an account that has no web login."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from tests.factories import NOON, make_voter
from tests.pages.conftest import Form
from wxbackend import wechat
from wxbackend.accounts import links
from wxbackend.accounts.models import EntryLink, VoterToken
from wxbackend.accounts.service import find_identity
from wxbackend.extensions import db, settings


@pytest.fixture
def link(campaign):
    """``link("阿美")``: the path of a fresh link in her chat."""
    def make(name: str = "阿美", at=NOON) -> str:
        voter = make_voter(name)
        path = links.make(find_identity(voter.appid, voter.identity.openid), campaign.slug, "article", at)
        db.session.commit()
        return path

    return make


def tap(phone, path):
    return phone.post(path, data=Form(phone.get(path).text).values)


def test_opening_changes_nothing_and_the_tap_lets_this_device_in(browser, link, campaign):
    path, phone = link(), browser(wechat=True)
    before = db.session.query(VoterToken).count()
    for _ in range(3):
        page = phone.get(path)
        assert page.status_code == 200 and "开始" in page.text and "wxv" not in page.headers.get("Set-Cookie", "")
    assert db.session.query(VoterToken).count() == before and db.session.query(EntryLink).one().bound_at is None
    answer = tap(phone, path)
    assert (answer.status_code, answer.location) == (303, f"/c/{campaign.slug}?s=article")
    assert "HttpOnly" in answer.headers["Set-Cookie"] and "captcha" in phone.get(answer.location).text


def test_the_door_she_came_by_stands_with_her_vote(browser, link):
    phone = browser(wechat=True)
    tap(phone, link())
    token = db.session.query(VoterToken).order_by(VoterToken.id.desc()).first()
    assert token.door == "link"


def test_a_second_device_is_refused_and_the_first_may_tap_again(browser, link):
    path, phone, other = link(), browser(wechat=True), browser(wechat=True)
    page = Form(phone.get(path).text).values
    strange = Form(other.get(path).text).values
    assert phone.post(path, data=page).status_code == 303
    assert phone.post(path, data=page).status_code == 303   # a double tap
    refused = other.post(path, data=strange)
    assert refused.status_code == 409 and "另一部手机" in refused.text and "Set-Cookie" not in refused.headers
    assert phone.get(path).status_code == 302   # she is in: on to the campaign


def test_a_link_in_a_group_serves_one_of_those_who_tap_at_once(make_app, server_url, browser):
    from tests.factories import make_campaign

    app = make_app(database_url=server_url)
    app.extensions["clock"].fixed = NOON
    with app.app_context():
        made = make_campaign()
        voter = make_voter("阿美")
        path = links.make(voter.identity, made.slug, "chat", NOON)
        db.session.commit()
        db.session.remove()
    phones = []
    for _ in range(6):
        phone = app.test_client()
        phone.environ_base["HTTP_USER_AGENT"] = "MicroMessenger/8.0"
        phones.append((phone, Form(phone.get(path).text).values))
    answers, gate = [], threading.Barrier(6)

    def go(phone, form) -> None:
        gate.wait()
        answers.append(phone.post(path, data=form).status_code)

    threads = [threading.Thread(target=go, args=pair) for pair in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 409, 409, 409, 409, 409]


def test_an_old_link_leads_on_where_there_is_web_login_and_says_so_where_there_is_none(browser, link, at, campaign, monkeypatch):
    path, phone = link(), browser(wechat=True)
    at(NOON + links.LIFE)
    assert phone.get(path).location == f"/c/{campaign.slug}?s=chat"
    monkeypatch.setattr(wechat, "can", lambda feature: feature != "oauth")
    page = phone.get(path)
    assert page.status_code == 410 and "过了时间" in page.text and "投票" in page.text
    at(NOON + links.LIFE - timedelta(seconds=1))
    assert phone.get(path).status_code == 200


@pytest.mark.parametrize("bad", ["x", "x.y", "." * 30, "A" * 22 + "." + "0" * 16, "%00", "签名", "A" * 500])
def test_a_made_up_link_is_refused_without_a_look(browser, link, bad):
    link()
    phone = browser(wechat=True)
    assert phone.get(f"/e/{bad}").status_code in (400, 404)
    phone.get(link())   # a page with a form, for its token
    assert phone.post(f"/e/{bad}", data=Form(phone.get(link()).text).values).status_code in (400, 404, 409)


def test_a_link_with_another_mac_is_unknown(browser, link):
    path = link()
    forged = path[:-1] + ("0" if path[-1] != "0" else "1")
    assert browser(wechat=True).get(forged).status_code == 404


def test_the_tap_needs_the_page_it_came_from(browser, link):
    path, phone = link(), browser(wechat=True)
    assert phone.post(path).status_code == 403   # no form token
    form = Form(browser(wechat=True).get(path).text).values   # another browser's form
    assert phone.post(path, data=form).status_code == 403
    assert db.session.query(EntryLink).one().bound_at is None


def test_outside_wechat_the_link_is_not_opened(browser, link):
    page = browser().get(link())
    assert page.status_code == 403 and "微信" in page.text and "<form" not in page.text


def test_whoever_is_logged_in_as_somebody_else_is_not_let_in(browser, link, campaign):
    path, chen = link("阿美"), browser("老陈")
    page = chen.get(path)
    assert page.status_code == 403 and "别人的链接" in page.text and f'href="/c/{campaign.slug}"' in page.text
    form = Form(chen.get(f"/c/{campaign.slug}").text).values
    with chen.session_transaction() as kept:
        kept["door"] = "x" * 32
    assert chen.post(path, data={"csrf_token": form["csrf_token"]}).status_code == 403
    assert db.session.query(EntryLink).one().bound_at is None
    assert browser("阿美").get(link("阿美")).status_code == 302


def test_the_page_asks_whether_it_was_she_who_wrote(browser, link):
    page = browser(wechat=True).get(link()).text
    assert "是您本人给公众号发了消息吗" in page and "1月6日（周四）12:00" in page


def test_nothing_in_the_link_or_the_database_says_whose_it_is(link):
    path = link()
    token = path.removeprefix("/e/")
    row = db.session.query(EntryLink).one()
    assert token not in row.token_hash and row.identity.openid not in path and re.fullmatch(r"[\w-]{22}\.[0-9a-f]{16}", token)


def test_links_are_forgotten_a_day_past_their_end(link):
    link()
    links.forget_over(NOON + timedelta(days=1))
    assert db.session.query(EntryLink).count() == 1
    links.forget_over(NOON + links.LIFE + timedelta(days=1, seconds=1))
    assert db.session.query(EntryLink).count() == 0


def test_an_account_without_web_login_shows_its_code_and_what_to_send(browser, campaign, monkeypatch):
    monkeypatch.setattr(wechat, "can", lambda feature: feature != "oauth")
    page = browser(wechat=True).get(f"/c/{campaign.slug}?s=article")
    word = campaign.content["keyword"]
    number = [s.code for s in campaign.sources].index("article") + 1
    assert page.status_code == 401 and f">{word}{number}<" in page.text and settings.account_name in page.text
    assert "/login/h5" not in page.text
    assert f">{word}<" in browser(wechat=True).get(f"/c/{campaign.slug}?s=nowhere").text
