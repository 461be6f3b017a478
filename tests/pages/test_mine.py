"""我的中奖: who won, who waits in line and who got nothing reads it here, whether or not anybody was told."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests import factories
from tests.factories import NOON
from wxbackend.draws import service as draws
from wxbackend.extensions import db
from wxbackend.jobs.models import Job
from wxbackend.notices.models import Notice
from wxbackend.submissions import service as submissions

LINE = "ssq:2022005=03.08.15.21.27.33./06./"
URL = "/c/futian-2021-reform/mine"


def text_of(response) -> str:
    return unescape(response.get_data(as_text=True))


@pytest.fixture
def few(app, at):
    """Two prizes and one alternate for four people; none agreed to be told. Beside it a campaign that is not drawn."""
    at(NOON)
    boxes = {"boxes": None, "prizes": [{"tier": "box", "name": "青年文化盲盒", "count": 2, "value_yuan": 200}], "alternates": 1}
    factories.make_campaign(slug="futian-2022-other", **boxes)
    campaign = factories.make_campaign(**boxes)
    for n in range(4):
        voter = factories.make_voter(f"市民{n}")
        factories.cast(campaign, voter)
        factories.enter(campaign, voter, "王小梅", f"138{n:08d}")
        submissions.tap(campaign, voter.person_id, NOON.date(), NOON)
    db.session.commit()
    at(campaign.freeze_at)
    draws.freeze(campaign, campaign.freeze_at)
    db.session.commit()
    return campaign


def pages(browser) -> list[str]:
    return [text_of(browser(f"市民{n}").get(URL)) for n in range(4)]


def test_before_the_draw_everybody_may_look_whether_she_is_on_the_list(few, browser):
    for page in pages(browser):
        assert page.count("签号名单已封存") == 1 and "抽完奖，结果就在这里" in page and "/d/futian-2021-reform-1#lost" in page
        assert "中奖了" not in page and "候补" not in page


def test_everybody_reads_how_it_ended_with_no_notice_at_all(few, browser, at):
    draw = draws.of(few)
    draws.run(draw, LINE, at(NOON.replace(day=12)))
    db.session.commit()
    db.session.query(Job).delete()   # no worker, no channel, nothing is ever sent
    db.session.commit()
    kinds = {award.person_id: award for award in draws.awards(draw)}
    for n, page in enumerate(pages(browser)):
        award = kinds.get(factories.make_voter(f"市民{n}").person_id)
        said = [word for word in ("您中奖了，恭喜！", "您排在候补第1位", "这次没有抽中") if word in page]
        assert said == [{"winner": "您中奖了，恭喜！", "alternate": "您排在候补第1位"}.get(award.kind if award else "", "这次没有抽中")]
        assert 'href="/d/futian-2021-reform-1"' in page
        is_winner = award is not None and award.kind == "winner"
        assert ("青年文化盲盒1份" in page and "凭“我的”里的中奖签号" in page and award.ticket_id[-4:] in page) is is_winner
    assert db.session.query(Notice).count() == 0


def test_whoever_has_no_ticket_is_told_so_and_a_stranger_nothing_of_others(few, browser, at):
    draws.run(draws.of(few), LINE, at(NOON.replace(day=12)))
    db.session.commit()
    page = text_of(browser("路人").get(URL))
    assert "没有参加抽取" in page and "中奖了" not in page and "候补第" not in page
    assert not re.search(r"1[3-9]\d{9}|王小梅", page)


def test_a_draw_of_another_campaign_shows_nothing_here(few, browser, at):
    draws.run(draws.of(few), LINE, at(NOON.replace(day=12)))
    db.session.commit()
    for n in range(4):
        assert "中奖了" not in text_of(browser(f"市民{n}").get("/c/futian-2022-other/mine"))
