"""How many people were told, on the campaign's overview: counts and reasons, nobody's name."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests import factories
from tests.draws.conftest import LINE
from tests.factories import NOON
from tests.notices.conftest import SETTINGS, Post, configured, post, tell  # noqa: F401
from wxbackend import jobs
from wxbackend.draws import service as draws
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions

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


def win(campaign, consents: tuple[str, ...], notices_work: bool) -> None:
    """阿美 and 老陈 take part and win; 阿美 agreed as `consents` say, 老陈 to the draw alone."""
    for n, (name, agreed) in enumerate((("阿美", consents), ("老陈", ("draw",)))):
        voter = factories.make_voter(name)
        factories.cast(campaign, voter)
        factories.enter(campaign, voter, name, f"1380000000{n}")
        submissions.entrant(campaign, voter.person_id).consents = list(agreed)
        submissions.tap(campaign, voter.person_id, None, NOON)
    draw = draws.freeze(campaign, campaign.freeze_at)
    draws.run(draw, LINE, campaign.freeze_at + timedelta(hours=4))
    db.session.commit()
    if notices_work:
        for _ in range(5):
            jobs.run_due(campaign.freeze_at + timedelta(hours=5))


@pytest.mark.parametrize(("consents", "notices_work", "said"), [
    (("draw", "notify"), True, "中奖的2人里，1人同意接收通知，1人通知到了。"),
    (("draw", "notify"), False, "<b>没有人被通知</b>：中奖的2人里，1人同意接收通知，还没有一个通知到。"),
    (("draw",), True, "<b>没有人被通知</b>：中奖的2人里，没有人同意接收通知。")])
def test_after_the_draw_it_says_how_many_winners_agreed_and_were_told(desk, campaign, app, post, consents, notices_work, said):  # noqa: F811
    with configured(app, **SETTINGS):
        win(campaign, consents, notices_work)
    assert said in panel(desk("auditor").at(campaign.freeze_at + timedelta(hours=6)).get(BASE).text)
