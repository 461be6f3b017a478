"""How many people were told, on the campaign's overview: counts and reasons, nobody's name."""

from __future__ import annotations

import re

from tests import factories
from tests.factories import NOON
from tests.notices.conftest import SETTINGS, Post, configured, post, tell  # noqa: F401
from wxbackend import jobs

BASE = "/admin/campaigns/futian-2021-reform"


def panel(page: str) -> str:
    found = re.search(r"<h2>通知</h2>.*?</section>", page, re.S)
    return found[0] if found else ""


def test_the_overview_says_who_was_reached_how_and_why_not(desk, campaign, app, post):  # noqa: F811
    with configured(app, **SETTINGS):
        post.answers = {"customer": [None, 45015, 45015], "subscribe": [], "template": [None, 43004]}
        for n in range(3):
            tell(factories.make_voter(f"市民{n}").person_id, campaign=campaign)
        jobs.run_due(NOON)
    shown = panel(desk("auditor").get(BASE).text)
    assert re.findall(r"<dt[^>]*>([^<]+)</dt><dd[^>]*>(\d+)", shown) == [
        ("送到", "2"), ("公众号聊天", "1"), ("模板消息", "1"), ("还没发出", "0"), ("说不准送到没有", "0"), ("没有送到", "1")]
    assert re.findall(r"<li>([^<]+)</li>", shown) == [
        "公众号聊天：超过48小时的回复期，请改用别的渠道，1条", "模板消息：需要先关注公众号，1条"]
    assert not re.search(r"o[0-9a-f]{20}|市民\d", shown)


def test_our_own_reasons_are_sentences_too(desk, campaign, app, post):  # noqa: F811
    with configured(app, **SETTINGS | {"account_template": ""}):
        post.refused_features = {"customer-message"}
        tell(factories.make_voter("阿美").person_id, campaign=campaign)
        jobs.run_due(NOON)
    assert "公众号聊天：账号没有这项权限，1条" in panel(desk("manager").get(BASE).text)


def test_there_is_nothing_to_say_before_anybody_was_told(desk, campaign):
    assert panel(desk("manager").get(BASE).text) == ""
