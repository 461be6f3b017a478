"""The desk, a campaign's overview, making and publishing one."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
import yaml
from PIL import Image

from tests import factories
from tests.admin.conftest import Desk, send, votes
from tests.admin.test_rules import FORM
from tests.factories import NOON
from wxbackend.admin import forms
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.submissions.models import STATES

BASE = "/admin/campaigns/futian-2021-reform"
PAGES = ("/admin/", "/admin/log?check=1", "/admin/campaigns/new", BASE, BASE + "/review", BASE + "/draw", "/admin/campaigns/spring/publish")


@pytest.fixture
def busy(campaign):
    """Two voters, one screenshot that waits, one ticket, and a draft."""
    amei, chen = factories.make_voter("阿美"), factories.make_voter("老陈")
    votes(campaign, amei)
    votes(campaign, chen, days=1)
    send(campaign, amei)
    factories.make_campaign(publish=False, slug="spring", title="春节民俗评议")
    return campaign


def test_the_desk_names_what_waits_and_what_comes(desk, busy):
    page = desk("manager").get("/admin/").text
    assert "小李，中午好" in page and "有2件事在等您，最急的是截图待审" in page
    assert "周六 09:00" in page and "2个活动，" in page   # both campaigns close at once
    assert "草稿待发布" in page


def test_a_reviewer_is_not_asked_to_publish(desk, busy):
    page = desk("reviewer").get("/admin/").text
    assert "截图待审" in page and "草稿待发布" not in page and "新建活动" not in page


def test_the_overview_counts_people_ballots_and_sources(desk, busy):
    page = desk("manager").get(BASE).text
    figures = re.findall(r'<dd class="v">([^<]+)', page)
    assert figures == ["2", "3", "0", "1"]
    assert "公众号文章" in page and "100.0%" in page


def test_what_became_of_the_pictures_adds_up_to_those_that_came(desk, campaign):
    """One of each state, and one more on its way: nobody's picture is missing from the sum."""
    for n, state in enumerate((*STATES, "arriving")):
        send(campaign, factories.make_voter(f"市民{n}"), phone=f"1380000000{n}").state = state
    db.session.commit()
    page = desk("manager").get(BASE).text
    panel = re.search(r"<h2>截图与签号</h2>.*?</section>", page, re.S)[0]
    shown = {word: int(n) for word, n in re.findall(r"<dt[^>]*>([^<]+)</dt><dd[^>]*>(\d+)", panel)}
    assert shown.pop("共收到") == sum(shown.values()) == len(STATES) + 1
    assert shown["还在取"] == 2 and shown["没取到，或本人退出了"] == 1


def test_grades_are_counted_in_sight_only_after_the_close(desk, campaign):
    for n in range(10):
        factories.cast(campaign, factories.make_voter(f"市民{n}"))
    staff = desk("manager").at(campaign.closes_at - timedelta(seconds=1))
    assert not re.search(r"<dt>[优良中差]</dt>", staff.get(BASE).text)
    page = staff.at(campaign.closes_at).get(BASE).text
    assert re.search(r"<dt>优</dt><dd>10</dd>", page) and "<dt>优率</dt><dd>100.0%</dd>" in page


def test_grades_of_fewer_than_ten_ballots_are_never_shown(desk, busy):
    page = desk("manager").at(busy.closes_at).get(BASE).text
    assert not re.search(r"<dt>[优良中差]</dt>", page) and "样本不足" in page


def test_results_that_live_by_the_rules_still_wait_for_the_close_here(desk, app, at):
    campaign = factories.make_campaign(results="live")
    votes(campaign, factories.make_voter())
    assert not re.search(r"<dt>[优良中差]</dt>", desk("manager").get(BASE).text)


def test_no_page_needs_an_inline_style_or_script(desk, busy):
    staff = desk("manager")
    for path in PAGES:
        answer = staff.get(path)
        assert answer.status_code == 200, path
        assert not re.search(r"<[^>]+\s(style|on\w+)=|<style|<script(?![^>]+src=)", answer.text), path
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_no_page_shows_a_whole_phone(desk, busy):
    staff = desk("manager")
    for path in PAGES:
        shown = re.sub(r'value="[^"]*"|[?&]v=\w+|data-\w+="[^"]*"', "", staff.get(path).text)
        assert not re.search(r"(?<![0-9a-f])1[3-9][0-9]{9}(?![0-9a-f])", shown), path


def test_publishing_shows_the_hash_and_fixes_what_was_shown(desk, busy):
    staff = desk("manager")
    page = staff.get("/admin/campaigns/spring/publish").text
    seen = re.search(r'name="sha256" value="([0-9a-f]{64})"', page)
    assert seen and page.count(seen[1]) == 2 and "将要固定的" in page
    assert staff.post("/admin/campaigns/spring/publish", sha256="0" * 64).status_code == 409
    assert not campaigns.by_slug("spring").is_published
    assert staff.post("/admin/campaigns/spring/publish", sha256=seen[1]).status_code == 302
    assert campaigns.by_slug("spring").is_published
    assert staff.get("/admin/campaigns/spring/publish").status_code == 409


def test_a_source_has_its_qr_once_published(desk, busy):
    staff = desk("manager")
    answer = staff.get(BASE + "/sources/article.png")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="futian-2021-reform_article.png"'
    assert min(Image.open(io.BytesIO(answer.data)).size) >= 430
    assert staff.get("/admin/campaigns/spring/sources/article.png").status_code == 404
    assert staff.get(BASE + "/sources/nowhere.png").status_code == 404


def test_the_plain_form_makes_a_draft(desk, app):
    staff = desk("manager")
    answer = staff.post("/admin/campaigns/new", **FORM, grades=["优", "良", "中", "差"])
    assert answer.location == "/admin/campaigns/spring-2022"
    made = campaigns.by_slug("spring-2022")
    assert (made.title, made.is_published, len(made.boxes), made.say(made.closes_at)) == ("春节评议", False, 4, "1月8日（周六）09:00")
    assert "这是草稿" in staff.get("/admin/campaigns/spring-2022").text


def test_faults_come_back_beside_what_was_typed(desk, app):
    answer = desk("manager").post("/admin/campaigns/new", **(FORM | {"closes_at": "2022-01-03T09:00", "account_seal": ""}))
    assert answer.status_code == 422
    assert 'id="closes_at-x"' in answer.text and 'id="account_seal-x"' in answer.text
    assert 'value="春节评议"' in answer.text and "办到家门口" in answer.text


def test_digits_typed_with_a_chinese_keyboard_count(desk, app):
    typed = {"prizes": "盲盒｜４｜１８０", "per_box": "２", "stock": "帽子｜４\n雨伞｜４", "entropy_issue": "２０２２００５",
             "slug": "Spring-2022"}
    assert desk("manager").post("/admin/campaigns/new", **(FORM | typed), grades=["优", "差"]).location == "/admin/campaigns/spring-2022"


def test_a_numbered_drawing_is_named_with_its_issue(desk, app):
    answer = desk("manager").post("/admin/campaigns/new", **(FORM | {"entropy_issue": ""}), grades=["优", "差"])
    assert answer.status_code == 422 and 'href="#entropy_issue"' in answer.text and "请写明是哪一期" in answer.text


def test_a_draft_comes_back_in_its_form_and_changes(desk, app):
    staff = desk("manager")
    staff.post("/admin/campaigns/new", **FORM, grades=["优", "差"])
    page = staff.get("/admin/campaigns/spring-2022/edit").text
    assert 'value="2022-01-08T09:00"' in page and "雨伞｜4" in page and "街道书房｜微改革项目｜" in page
    changed = FORM | {"title": "元宵评议"}
    assert staff.post("/admin/campaigns/new", **changed, grades=["优", "差"]).status_code == 409   # not by chance over another's
    assert staff.post("/admin/campaigns/new", **changed, editing="spring-2022", grades=["优", "差"]).status_code == 302
    assert campaigns.by_slug("spring-2022").title == "元宵评议"


def test_only_a_draft_the_form_can_hold_is_edited_there(desk, busy):
    staff = desk("manager")
    assert staff.get(BASE + "/edit").status_code == 409
    campaigns.by_slug("spring").subjects[0].content |= {"story_title": "门口的馆"}
    assert not forms.holds(campaigns.by_slug("spring"))
    assert desk("reviewer").get("/admin/campaigns/spring/edit").status_code == 403


def test_a_draft_whose_days_are_over_is_not_published(desk, busy):
    staff = desk("manager").at(busy.closes_at)
    seen = re.search(r'name="sha256" value="([0-9a-f]{64})"', staff.get("/admin/campaigns/spring/publish").text)
    assert seen and staff.post("/admin/campaigns/spring/publish", sha256=seen[1]).status_code == 422
    assert "先改时间" in staff.get("/admin/").text


def test_two_doors_that_are_not_bound_cannot_be_published_and_lead_back_to_the_draft(make_app):
    """Before the button is pressed and after: the reason, the way to mend it, and not a word of the program's own."""
    app = make_app(apps_bound=False)
    with app.app_context():
        app.extensions["clock"].fixed = NOON
        factories.make_staff()
        staff = Desk(app, "xiaoli")
        form = FORM | {"slug": "spring", "doors": "account,miniprogram"}
        assert staff.post("/admin/campaigns/new", **form, grades=["优", "差"]).status_code == 302
        page = staff.get("/admin/campaigns/spring/publish")
        seen = re.search(r'name="sha256" value="([0-9a-f]{64})"', page.text)
        refused = staff.post("/admin/campaigns/spring/publish", sha256=seen[1])
        assert (page.status_code, refused.status_code) == (200, 422)
        for text in (page.text, refused.text):
            assert re.search(r"<button[^>]* disabled[^>]*>确认发布", text) and "没有绑在同一个微信开放平台账号" in text
            assert 'href="/admin/campaigns/spring/edit"' in text
            assert "doors" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.S)
        assert not campaigns.by_slug("spring").is_published


def test_a_draft_that_may_be_published_has_its_button(desk, busy):
    page = desk("manager").get("/admin/campaigns/spring/publish").text
    assert re.search(r"<button[^>]*>确认发布", page) and "disabled" not in page and "小程序去投" not in page
    campaigns.by_slug("spring").doors = ["miniprogram"]
    db.session.commit()
    assert "会被请到小程序去投" in desk("manager").get("/admin/campaigns/spring/publish").text


def test_stock_that_does_not_fill_the_boxes_is_said(desk, app):
    answer = desk("manager").post("/admin/campaigns/new", **(FORM | {"stock": "帽子｜3"}), grades=["优", "差"])
    assert answer.status_code == 422 and "一共要8件" in answer.text


def test_a_pasted_or_uploaded_document_makes_a_draft(desk, app):
    staff, text = desk("manager"), yaml.safe_dump(factories.document(slug="pasted"), allow_unicode=True)
    assert staff.post("/admin/campaigns/new", yaml=text).location == "/admin/campaigns/pasted"
    upload = (io.BytesIO(text.replace("pasted", "uploaded").encode("utf-8-sig")), "x.yaml")
    assert staff.post("/admin/campaigns/new", file=upload).location == "/admin/campaigns/uploaded"


@pytest.mark.parametrize("text", ["a: [", "a: &x [1]\nb: *x", "只是一句话"])
def test_a_document_that_cannot_be_read_says_so(desk, app, text):
    answer = desk("manager").post("/admin/campaigns/new", yaml=text)
    assert answer.status_code == 422 and "没读懂" in answer.text


def test_a_published_campaign_is_not_overwritten(desk, busy):
    answer = desk("manager").post("/admin/campaigns/new", yaml=yaml.safe_dump(factories.document(), allow_unicode=True))
    assert answer.status_code == 409 and "已经发布" in answer.text


def test_the_log_tells_deeds_in_sentences(desk, busy):
    staff = desk("manager")
    page = staff.get("/admin/log?check=1").text
    assert "<b>小李</b>登录了。" in page and "首尾相接" in page and "发布了“2021年福田区改革项目网络评议”" in page
    assert "登录了" not in staff.get("/admin/log?what=campaign").text


def test_the_api_makes_publishes_and_lists(client, app, at):
    at(factories.NOON)
    staff = factories.staff_bearer(factories.make_staff())
    made = client.post("/api/v1/staff/campaigns", json=factories.document(slug="by-api"), headers=staff)
    assert (made.status_code, made.json["state"]) == (201, "draft")
    assert client.post("/api/v1/staff/campaigns", json={"slug": "x"}, headers=staff).status_code == 422
    published = client.post("/api/v1/staff/campaigns/by-api/publish", headers=staff)
    assert (published.status_code, published.json["state"], len(published.json["rules_sha256"])) == (200, "open", 64)
    assert client.post("/api/v1/staff/campaigns/by-api/publish", headers=staff).status_code == 409
    assert [c["slug"] for c in client.get("/api/v1/staff/campaigns", headers=staff).json] == ["by-api"]
    assert client.get("/api/v1/staff/campaigns/by-api/sources/article.png", headers=staff).mimetype == "image/png"


def test_a_recount_agrees_with_the_shown_tally(client, campaign, at):
    at(factories.NOON)
    votes(campaign, factories.make_voter())
    staff = factories.staff_bearer(factories.make_staff(role="auditor"))
    assert client.get("/api/v1/staff/campaigns/futian-2021-reform/recount", headers=staff).json == {"equal": True, "differences": []}
