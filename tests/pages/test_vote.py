"""The ballot: its states, its refusals, its success, all without script."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from tests.factories import NOON
from tests.pages.conftest import Form, send
from wxbackend.ballots import committer
from wxbackend.ballots import service as ballots
from wxbackend.campaigns.rules import Grade
from wxbackend.captcha import service as captcha_service
from wxbackend.extensions import db

URL = "/c/futian-2021-reform"


def text_of(response) -> str:
    return response.get_data(as_text=True)


def count(campaign) -> dict[str, int]:
    return {g.value: n for g, n in ballots.tally(campaign.subjects[0]).items() if n}


def test_a_vote_by_plain_form_ends_on_the_success_page(campaign, amei, answer):
    done = send(amei, URL + "?s=article", grade="优", captcha_answer=answer)
    assert (done.status_code, done.location) == (303, URL + "/receipts/2022-01-06")
    assert count(campaign) == {"优": 1}
    page = text_of(amei.get(done.location))
    receipt = ballots.receipts_of(campaign, factories.make_voter("阿美").person_id)[0]
    assert "投票成功" in page and "第3天" in page and "1月6日（周四）" in page and receipt.code in page
    assert page.count("data:image/png;base64,") == 2 and "一键参加抽奖" in page and "截图" in page


def test_the_success_page_carries_no_grade(campaign, amei, answer):
    page = text_of(amei.get(send(amei, URL, grade="差", captcha_answer=answer).location))
    assert not any(f">{g.value}<" in page or f"“{g.value}”" in page for g in Grade)
    assert "差" not in page.replace("还差一步", "")


def test_the_source_of_the_code_reaches_the_ballot(campaign, amei, answer):
    from wxbackend.ballots.models import Ballot

    send(amei, URL + "?s=hq", grade="良", captcha_answer=answer)
    assert db.session.query(Ballot).one().source_code == "hq"


def test_a_wrong_captcha_keeps_the_grade_and_brings_a_fresh_picture(campaign, amei, answer):
    first = Form(text_of(amei.get(URL))).values
    refused = amei.post(URL, data=first | {"grade": "良", "captcha_answer": "0"})
    page, form = text_of(refused), Form(text_of(refused)).values
    assert refused.status_code == 422 and "没对上，已换了一张新的" in page and 'aria-invalid="true"' in page
    assert form["grade"] == "良" and form["captcha_id"] != first["captcha_id"] and count(campaign) == {}
    assert amei.post(URL, data=form | {"captcha_answer": answer}).status_code == 303


def test_a_picture_kept_too_long_says_so(campaign, amei, answer, at):
    form = Form(text_of(amei.get(URL))).values
    at(NOON + timedelta(minutes=11))
    late = amei.post(URL, data=form | {"grade": "中", "captcha_answer": answer})
    assert late.status_code == 422 and "这张图放久了，已换新的，您的选择还在。" in text_of(late)


def test_without_a_grade_nothing_is_spent(campaign, amei, answer):
    form = Form(text_of(amei.get(URL))).values
    refused = amei.post(URL, data=form | {"captcha_answer": answer})
    assert refused.status_code == 422 and "请先选一个等级" in text_of(refused)
    assert amei.post(URL, data=form | {"grade": "优", "captcha_answer": answer}).status_code == 303


@pytest.mark.parametrize(("button", "family"), [("again", "colour"), ("other", "arithmetic")])
def test_the_picture_is_swapped_by_a_button_and_the_choice_stays(campaign, amei, button, family):
    first = Form(text_of(amei.get(URL + "?s=hq"))).values
    swapped = amei.post(URL, data=first | {"grade": "差", button: "1"})
    form = Form(text_of(swapped)).values
    assert swapped.status_code == 200 and form["family"] == family and form["captcha_id"] != first["captcha_id"]
    assert (form["grade"], form["s"]) == ("差", "hq")


def test_no_grade_is_chosen_beforehand(campaign, amei):
    assert "grade" not in Form(text_of(amei.get(URL))).values


def test_the_same_form_sent_twice_is_one_vote(campaign, amei, answer):
    form = Form(text_of(amei.get(URL))).values | {"grade": "优", "captcha_answer": answer}
    assert [amei.post(URL, data=form).location for _ in range(2)] == [URL + "/receipts/2022-01-06"] * 2
    assert count(campaign) == {"优": 1}


def test_a_second_vote_of_the_day_shows_the_first_ones_receipt(campaign, amei, answer):
    other_tab = Form(text_of(amei.get(URL))).values | {"grade": "差", "captcha_answer": answer}
    send(amei, URL, grade="优", captcha_answer=answer)
    refused = amei.post(URL, data=other_tab)
    code = ballots.receipts_of(campaign, factories.make_voter("阿美").person_id)[0].code
    assert refused.status_code == 409 and "今天已经投过啦" in text_of(refused) and code in text_of(refused)
    assert "今天已经投过啦" in text_of(amei.get(URL)) and count(campaign) == {"优": 1}


def test_after_midnight_there_is_a_ballot_again(campaign, amei, answer, at):
    send(amei, URL, grade="优", captcha_answer=answer)
    at(NOON.replace(day=7, hour=0))
    assert send(amei, URL, grade="优", captcha_answer=answer).location == URL + "/receipts/2022-01-07"


def test_at_the_closing_instant_the_page_says_closed_and_spends_nothing(campaign, amei, answer, at):
    at(campaign.closes_at - timedelta(milliseconds=1))
    form = Form(text_of(amei.get(URL))).values | {"grade": "优", "captcha_answer": answer}
    at(campaign.closes_at)
    late = amei.post(URL, data=form)
    assert late.status_code == 409 and "投票已经截止" in text_of(late) and count(campaign) == {}


def test_too_many_tries_keep_the_choice(campaign, amei, monkeypatch):
    def too_often(*_: object) -> None:
        raise captcha_service.TooOften(retry_after=60)

    form = Form(text_of(amei.get(URL))).values
    monkeypatch.setattr(committer, "cast", too_often)
    refused = amei.post(URL, data=form | {"grade": "中", "captcha_answer": "1"})
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "60" and "点得有点快" in text_of(refused)
    assert Form(text_of(refused)).values["grade"] == "中"


@pytest.mark.parametrize(("day", "hour", "said"), [
    (3, 12, "还没开始"), (6, 12, "您来评一评"), (8, 9, "投票已经截止"), (9, 9, "投票已经截止"), (11, 18, "正在封存签号名单")])
def test_the_page_stands_where_the_campaign_stands(campaign, amei, at, day, hour, said):
    at(NOON.replace(day=day, hour=hour))
    page = text_of(amei.get(URL))
    assert said in page and ("captcha_answer" in page) == (day == 6)


def test_in_wechat_a_stranger_is_sent_to_log_in_and_back(campaign, browser):
    answer = browser(None, wechat=True).get(URL + "?s=article")
    assert answer.status_code == 302 and answer.location == "/login/h5?next=%2Fc%2Ffutian-2021-reform%3Fs%3Darticle"


def test_outside_wechat_a_stranger_is_shown_the_code(campaign, browser):
    answer = browser().get(URL)
    assert answer.status_code == 403 and "请在微信中打开" in text_of(answer) and "data:image/png;base64," in text_of(answer)


def test_a_stranger_cannot_vote(campaign, browser, answer):
    assert browser().post(URL, data={"grade": "优"}).status_code in (401, 403)


def test_a_form_without_its_token_is_refused(campaign, amei, answer):
    refused = send(amei, URL, grade="优", captcha_answer=answer, csrf_token=None)
    assert refused.status_code == 403 and "这一页放得太久了" in text_of(refused) and count(campaign) == {}


def test_several_subjects_are_rated_one_by_one(app, amei, at, answer):
    at(NOON)
    subjects = [{"key": key, "title": title, "category": "街道改革项目"} for key, title in (("a", "夜间开放"), ("b", "口袋剧场"))]
    campaign = factories.make_campaign(slug="two-subjects", subjects=subjects)
    assert "夜间开放" in text_of(amei.get("/c/two-subjects")) and "captcha_answer" not in text_of(amei.get("/c/two-subjects"))
    done = send(amei, "/c/two-subjects?p=b", grade="优", captcha_answer=answer)
    assert done.location == "/c/two-subjects/receipts/2022-01-06?p=b" and "口袋剧场" in text_of(amei.get(done.location))
    assert sum(ballots.tally(campaign.subjects[1]).values()) == 1 and "今天评过了" in text_of(amei.get("/c/two-subjects"))


def test_nobody_elses_receipt_is_shown(campaign, amei, browser, answer):
    send(amei, URL, grade="优", captcha_answer=answer)
    assert browser("路人").get(URL + "/receipts/2022-01-06").status_code == 404
