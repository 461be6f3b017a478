"""Pages that need nobody's name."""

from __future__ import annotations

import re

import pytest

from tests import factories
from tests.factories import NOON
from wxbackend.draws import service as draws
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions

URL = "/c/futian-2021-reform"


def text_of(response) -> str:
    return response.get_data(as_text=True)


def test_the_front_page_lists_what_is_running(campaign, browser, at):
    assert text_of(browser().get("/")).count("去看看") == 2
    at(campaign.evidence_until)
    assert "现在没有进行中的活动" in text_of(browser().get("/"))


def test_results_stay_hidden_while_people_vote(campaign, browser, at):
    for name in ("阿美", "老陈"):
        factories.cast(campaign, factories.make_voter(name), "优")
    assert "结果还没公布" in text_of(browser().get(URL + "/results"))
    at(campaign.closes_at)
    page = text_of(browser().get(URL + "/results"))
    assert "有效票2张" in page and "样本不足" in page and "%" not in page.split("<main>")[1].replace("100%", "")


def test_results_show_their_formula(campaign, browser, at):
    for n in range(12):
        factories.cast(campaign, factories.make_voter(f"市民{n}"), "优" if n < 9 else "良")
    at(campaign.closes_at)
    page = text_of(browser().get(URL + "/results"))
    assert "75.0" in page and "优 9 ÷ 有效票 12" in page and "满意度 100.0% ＝（优＋良）÷ 有效票" in page


def test_rules_state_prize_way_times_and_fingerprint(campaign, browser):
    page = text_of(browser().get(URL + "/rules"))
    for said in ("青年文化盲盒", "30份", "1月8日（周六）09:00", "1月11日（周二）18:00", "双色球第2022005期", "一人最多中一次", "0755"):
        assert said in page
    assert campaign.rules.sha256 in page.replace(" ", "")
    assert browser().get(URL + "/rules.json").get_data(as_text=True) == campaign.rules.canonical
    assert "最终解释权" not in page and "分享" not in page


def test_privacy_says_what_why_until_when_and_how_to_leave(campaign, browser):
    page = text_of(browser().get(URL + "/privacy"))
    for said in ("姓名、手机号", "30天内删除", "退出抽奖", "区公共文化体育发展中心", "0755"):
        assert said in page


@pytest.mark.parametrize("path", ["/r/", "/R/"])
def test_a_scanned_receipt_shows_its_day_and_nobody(campaign, browser, path):
    receipt = factories.cast(campaign, factories.make_voter("阿美"), "差").receipt
    page = text_of(browser().get(path + receipt.token))
    assert "有效凭证 · 第3日" in page and "差" not in page and receipt.code not in page


def test_a_made_up_receipt_is_not_found(campaign, browser):
    answer = browser().get("/r/" + "0" * 24)
    assert answer.status_code == 404 and "没有找到这张凭证" in text_of(answer)


def test_many_scans_are_slowed(campaign, browser, monkeypatch):
    from wxbackend.pages import public

    monkeypatch.setattr(public, "SCANS_A_MINUTE", 2)
    client = browser()
    assert [client.get("/r/x").status_code for _ in range(3)] == [404, 404, 429]


def test_wechat_finds_its_proof_at_the_root(make_app):
    client = make_app(verify_files="MP_verify_abc.txt:abc,MP_verify_d.txt:d").test_client()
    assert text_of(client.get("/MP_verify_abc.txt")) == "abc" and client.get("/MP_verify_x.txt").status_code == 404


@pytest.mark.parametrize("path", ["/c/nowhere", "/c/nowhere/results", "/w/nothing", "/nothing", "/c/futian-2021-reform/nothing"])
def test_what_is_not_there_is_told_kindly(campaign, browser, path):
    answer = browser().get(path)
    said = text_of(answer)
    assert answer.status_code == 404 and ("没有找到" in said or "还没有抽奖公示" in said) and "Not Found" not in said


def test_the_draw_is_published_masked(campaign, browser, at):
    for n in range(34):
        voter = factories.make_voter(f"市民{n}")
        factories.cast(campaign, voter)
        factories.enter(campaign, voter, "王小梅", f"138{n:08d}")
        submissions.tap(campaign, voter.person_id, NOON.date(), NOON)
    db.session.commit()
    draw = draws.freeze(campaign, at(campaign.freeze_at)) or draws.of(campaign)
    db.session.commit()
    before = text_of(browser().get("/w/" + draw.public_id))
    assert "名单已封存" in before and "双色球第2022005期" in before and "138" not in before.split("<main>")[1].replace(draw.root, "")
    assert "签号名单已封存" in text_of(browser("阿美").get(URL))
    draws.run(draw, "ssq:2022005=03.08.15.21.27.33./06./", at(NOON.replace(day=12)))
    db.session.commit()
    after = text_of(browser().get("/w/" + draw.public_id))
    assert len(re.findall(r"138\*{4}\d{4}", after)) == 30 and not re.search(r"\d{11}", re.sub(r"csrf_token.*?>", "", after))
    assert "王小梅" not in after and "抽奖结果出来了" in text_of(browser("阿美").get(URL))
    told = [text_of(browser(f"市民{n}").get(URL + "/mine")) for n in range(34)]
    assert sum("您中奖了，恭喜！" in page for page in told) == 30 and sum("候补第" in page for page in told) == 4
