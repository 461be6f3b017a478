"""Winners and alternates are told when the draw is public; whoever did not agree, and every loser, finds it in 我的 alone."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from config import demo_env
from config.notice_templates import parse
from simulator.settings import Config
from tests.draws.conftest import BULLETIN, DRAWN, FREEZE, LINE, NUMBERS, OPENS, VOTING, everywhere, make_campaign, make_voter
from tests.notices.conftest import SETTINGS, SUBSCRIBE, Post, configured, post  # noqa: F401
from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity, Person
from wxbackend.draws import service as draws
from wxbackend.draws import tasks, words
from wxbackend.draws.models import Award, Draw
from wxbackend.extensions import db, settings
from wxbackend.jobs.models import Job
from wxbackend.notices import service as notices
from wxbackend.notices.models import Notice
from wxbackend.notices.rules import fill
from wxbackend.submissions import service as submissions

LATER = DRAWN + timedelta(minutes=5)


def follower(campaign, number: int, consents=("draw", "notify"), app: str = "account", **more) -> Person:
    """Person `number` with a ticket, known to the account or to the mini program."""
    person = make_voter(campaign, number, consents=consents, **more)
    appid = settings.account_appid if app == "account" else settings.miniprogram_appid
    db.session.add(Identity(person_id=person.id, appid=appid, openid=f"o{app}{number}", first_seen_at=OPENS))
    db.session.flush()
    return person


def drawn(campaign, at=DRAWN) -> Draw:
    draw = draws.freeze(campaign, FREEZE)
    draws.run(draw, LINE, at)
    db.session.commit()
    return draw


def work(at=LATER) -> None:
    for _ in range(50):
        if not jobs.run_due(at, 1000):
            return


def told() -> dict[int, Notice]:
    """{person: her notice}"""
    db.session.expire_all()
    return {n.identity.person_id: n for n in db.session.query(Notice)}


@pytest.fixture
def small(app):
    """Three prizes, two alternates and two who get nothing; every one of them agreed."""
    campaign = make_campaign(prizes=3, alternates=2)
    for number in range(1, 8):
        follower(campaign, number)
    db.session.commit()
    return campaign


def test_winners_and_alternates_are_told_and_losers_are_not(small, post):  # noqa: F811
    draw = drawn(small)
    assert told() == {}   # in the transaction of the draw there is a promise only
    work()
    ranks = {award.person_id: award for award in draws.awards(draw)}
    assert set(told()) == set(ranks) and len(ranks) == 5
    for person_id, notice in told().items():
        award = ranks[person_id]
        assert (notice.kind, notice.campaign_id, notice.state) == ("result", small.id, "sent")
        assert notice.url == f"{settings.public_url}/c/reform-2021/mine"
        if award.kind == "winner":
            assert notice.text.startswith("您中奖了，恭喜！“2021年改革项目网络评议”抽奖，您抽中青年文化盲盒1份。")
            assert notice.facts["result"] == "中奖" and notice.facts["tip"] == "恭喜，您中奖了，点开看怎么领"
        else:
            assert f"候补第{award.rank - 3}位" in notice.text and notice.facts["prize"] == f"候补第{award.rank - 3}位"
        assert f'<a href="{notice.url}">' in notice.text and notice.facts["at"] == "2022年1月11日 21:30"
    assert sorted(channel for channel, *_ in post.sent) == ["customer"] * 5


@pytest.mark.parametrize("name", ["NOTICE_TEMPLATE", "ACCOUNT_TEMPLATE"])
def test_the_demos_cards_say_that_she_won_in_full(small, post, name):  # noqa: F811
    """The product's template, and the simulated WeChat's, which asks for the same fields."""
    template = parse(demo_env.FIXED[name])
    assert getattr(Config(), name.lower()) == demo_env.FIXED[name]
    card = fill(template, words.facts(draws.awards(drawn(small), "winner")[0]))
    assert "恭喜，您中奖了，点开看怎么领" in card.values()


def test_a_notice_holds_nothing_personal_and_nothing_of_what_is_in_a_box(small, post):  # noqa: F811
    drawn(small)
    work()
    for notice in told().values():
        said = notice.text.replace(notice.url, "") + str(notice.facts)
        assert not re.search(r"1[3-9]\d{9}|张|小三|盒号|o(account|mini)", said)
        assert len(notice.text) <= 600 and len(notice.text.encode()) <= 2048


@pytest.mark.parametrize(("consents", "subscribes", "is_told"), [
    (("draw", "notify"), False, True), (("draw",), False, False), (("draw", "show-name"), False, False), (("draw",), True, True)])
def test_only_whoever_agreed_is_told(app, post, consents, subscribes, is_told):  # noqa: F811
    with configured(app, **SETTINGS):
        campaign = make_campaign(prizes=1)
        person = follower(campaign, 1, consents, "mini")
        if subscribes:
            notices.add_credit(db.session.query(Identity).one(), campaign, SUBSCRIBE, True, VOTING)
        drawn(campaign)
        work()
        assert (person.id in told()) is is_told and post.channels == (["subscribe"] if subscribes else [])


def test_whoever_left_after_the_draw_is_told_nothing(small, post):  # noqa: F811
    draw = drawn(small)
    winner = draws.awards(draw, "winner")[0].person_id
    submissions.withdraw(small, winner, DRAWN + timedelta(minutes=1))
    db.session.commit()
    work()
    assert winner not in told() and len(told()) == 4


def test_somebody_whom_no_channel_reaches_stops_nobody(app, post):  # noqa: F811
    campaign = make_campaign(prizes=2)
    make_voter(campaign, 1, consents=("draw", "notify"))   # known to neither app
    reached = follower(campaign, 2)
    drawn(campaign)
    work()
    assert list(told()) == [reached.id]


@everywhere
def test_hundreds_are_told_in_parts_and_once_each(app, post):  # noqa: F811
    campaign = make_campaign(prizes=60, alternates=60)
    for number in range(1, 131):
        follower(campaign, number)
    db.session.commit()
    draw = drawn(campaign)
    largest = []
    while jobs.run_due(LATER, 1):
        db.session.commit()
        largest.append(db.session.scalar(select(func.count()).select_from(Notice)))
        db.session.commit()
    assert len(told()) == 120 and len({openid for _, openid, _ in post.sent}) == len(post.sent) == 120
    assert max(b - a for a, b in zip([0, *largest], largest, strict=False)) == tasks.TOLD_AT_ONCE == 50
    parts = select(func.count()).select_from(Job).where(Job.kind == "draws.tell")
    assert db.session.scalar(parts) == 3
    tasks.tell_when_public({"draw": draw.public_id, "after": 0}, LATER)   # a worker killed before it said so
    work()
    assert len(told()) == 120 and len(post.sent) == 120


def test_a_draw_that_is_rolled_back_tells_nobody(small, post):  # noqa: F811
    draw = draws.freeze(small, FREEZE)
    db.session.commit()
    draws.run(draw, LINE, DRAWN)
    db.session.rollback()
    work()
    assert told() == {} and db.session.query(Award).count() == 0


def test_two_peoples_numbers_tell_once(small, desk: SimpleNamespace, post):  # noqa: F811
    draw = draws.freeze(small, FREEZE)
    for staff in (desk.xiaoli, desk.laochen):
        draws.enter_numbers(draw, staff, NUMBERS, BULLETIN, DRAWN)
    draws.run(draw, LINE, LATER)   # pressed again: nothing happens any more
    db.session.commit()
    work()
    assert len(told()) == len(post.sent) == 5


def test_two_who_became_one_after_the_list_was_sealed_are_told_once_of_the_better_place(small, post):  # noqa: F811
    draw = drawn(small)
    first, last = draws.awards(draw)[0], draws.awards(draw)[-1]
    accounts.merge(last.person_id, first.person_id, DRAWN, "unionid")
    db.session.commit()
    work()
    person_id = accounts.surviving(first.person_id)
    assert len(told()) == 4 and told()[person_id].text.startswith("您中奖了") and len(post.sent) == 4
