"""Replies: written, changed by two at once, switched, put away, found again; faults beside what was typed."""

from __future__ import annotations

import re

from tests import factories
from tests.admin.account.conftest import BASE, slots
from tests.inbox.test_duties import write
from wxbackend.inbox import duties, editing


def test_a_keyword_is_written_changed_and_switched(desk, campaign):
    staff = desk("manager")
    typed = {"kind": "keyword", "equal": "停车\n\n怎么停车\n", "contain": "", "action": "text", "text": "B2层。", "is_active": "1",
        "name": "停车"}
    assert staff.post(BASE + "/replies/new", **typed).location == BASE + "/replies"
    assert duties.match("怎么停车？", factories.NOON).text == "B2层。"
    made = editing.replies()[0]
    page = staff.get(f"{BASE}/replies/{made.id}").text
    assert "停车\n怎么停车</textarea>" in page and f'value="{made.stamp}"' in page
    assert staff.post(f"{BASE}/replies/{made.id}", **(typed | {"text": "B3层。", "stamp": str(made.stamp)})).status_code == 302
    assert staff.post(f"{BASE}/replies/{made.id}", **(typed | {"text": "B4层。", "stamp": str(made.stamp - 1)})).status_code == 409
    assert duties.match("停车", factories.NOON).text == "B3层。"
    assert staff.post(f"{BASE}/replies/{made.id}/active").location == BASE + "/replies"
    assert duties.match("停车", factories.NOON) is None
    assert "停用" in staff.get(BASE + "/replies").text
    staff.post(f"{BASE}/replies/{made.id}/active", is_active="1")
    assert duties.match("停车", factories.NOON).text == "B3层。"


def test_whoever_is_slower_keeps_what_she_typed_beside_what_is_new(desk, campaign, row):
    staff, seen = desk("manager"), str(row.stamp)
    typed = {"equal": "停车", "contain": "车位", "action": "text", "is_active": "1", "name": "停车"}
    staff.post(f"{BASE}/replies/{row.id}", text="别人写的B3层。", stamp=seen, **typed)
    answer = staff.post(f"{BASE}/replies/{row.id}", text="我写的B4层。", stamp=seen, **typed)
    assert answer.status_code == 409 and "我写的B4层。</textarea>" in answer.text
    assert "别人写的B3层。" in answer.text and "小李在1月6日（周四）12:00改的" in answer.text
    assert 'aria-label="公众号"' in answer.text and 'href="/admin/account"' in answer.text
    stamp = re.search(r'name="stamp" value="(\d+)"', answer.text)[1]
    assert staff.post(f"{BASE}/replies/{row.id}", text="我写的B4层。", stamp=stamp, **typed).status_code == 302
    assert duties.match("停车", factories.NOON).text == "我写的B4层。"


def test_a_place_nobody_fills_is_refused_where_it_was_typed(desk, campaign):
    staff = desk("manager")
    answer = staff.post(BASE + "/replies/new", kind="default", action="text", text="点{抽奖链接}", is_active="1")
    assert answer.status_code == 422 and 'id="text-x"' in answer.text and "不认识“{抽奖链接}”" in answer.text
    answer = staff.post(BASE + "/menu", **slots(b0_name="抽奖", b0_does="say", b0_text="点{抽奖链接}"))
    assert answer.status_code == 422 and 'id="b0-text-x"' in answer.text and "{投票链接} {活动}" in answer.text


def test_a_word_the_draw_needs_is_saved_with_a_warning(desk, campaign):
    staff = desk("manager")
    staff.post(BASE + "/replies/new", kind="keyword", equal="签号\n停车", action="text", text="B2层。", is_active="1")
    page = staff.get(BASE + "/replies").text
    assert "“签号”在活动进行时由活动自己来答" in page and "停车”在活动" not in page
    assert "由活动自己来答" in staff.get(f"{BASE}/replies/{editing.replies()[0].id}").text


def test_hours_of_the_way_to_a_person_are_shown(desk, campaign):
    staff = desk("manager")
    typed = {"kind": "human", "equal": "人工", "action": "human", "text": "现在没人。", "is_active": "1"}
    assert staff.post(BASE + "/replies/new", hours="有空的时候", **typed).status_code == 422
    staff.post(BASE + "/replies/new", hours="", **typed)
    number = editing.replies()[0].id
    assert "按活动写的：工作日 09:00–17:00" in staff.get(f"{BASE}/replies/{number}").text
    assert "随时都转" in staff.at(campaign.evidence_until).get(f"{BASE}/replies/{number}").text
    staff.post(f"{BASE}/replies/{number}", hours="每天 9:00-21:00", **typed)
    page = staff.get(f"{BASE}/replies/{number}").text
    assert "按这里写的：每天 9:00-21:00" in page and 'value="每天 9:00-21:00"' in page


def test_a_reply_is_put_away_and_taken_out_again(desk, row):
    staff = desk("manager")
    staff.post(f"{BASE}/replies/{row.id}/hidden", is_hidden="1")
    assert "在用的不能收起" in staff.get(BASE + "/replies").text and "收起的（" not in staff.get(BASE + "/replies").text
    staff.post(f"{BASE}/replies/{row.id}/active")
    staff.post(f"{BASE}/replies/{row.id}/hidden", is_hidden="1")
    page = staff.get(BASE + "/replies").text
    assert "收起的（1条）" in page and "B2层" not in page.partition("收起的（1条）")[0]
    staff.post(f"{BASE}/replies/{row.id}/hidden")
    assert "收起的（" not in staff.get(BASE + "/replies").text


def test_faults_come_back_beside_what_was_typed(desk, campaign, row):
    staff = desk("manager")
    answer = staff.post(BASE + "/replies/new", kind="keyword", equal="退出\n停车", action="text", text="好" * 700, is_active="1")
    assert answer.status_code == 422
    assert 'id="equal-x"' in answer.text and "参加抽奖" in answer.text and "现在是2100字节" in answer.text
    assert "退出\n停车</textarea>" in answer.text
    for odd in ({"kind": "click"}, {"kind": "x"}, {}, {"kind": "keyword", "action": "fly", "equal": "词"},
        {"kind": "keyword", "equal": "词" * 999}):
        assert staff.post(BASE + "/replies/new", **odd).status_code == 422
    assert staff.post(BASE + "/replies/new", kind="keyword", equal="词", text="x", is_active="1", campaign="nowhere").status_code == 404
    assert staff.get(BASE + "/replies/999").status_code == 404 and staff.post(BASE + "/replies/999", text="x").status_code == 404
    assert len(editing.replies()) == 1


def test_a_long_text_is_told_its_bytes_even_where_the_shape_would_refuse_it(desk, campaign):
    answer = desk("manager").post(BASE + "/replies/new", kind="default", text="好" * 2000, is_active="1")
    assert answer.status_code == 422 and "现在是6000字节" in answer.text


def test_a_campaigns_words_are_found_by_campaign_and_by_word(desk, campaign, row):
    write(equal=["礼品"], text="30个盲盒。", campaign=campaign.slug)
    staff = desk("manager")
    page = staff.get(f"{BASE}/replies?campaign={campaign.slug}").text
    assert "30个盲盒" in page and "B2层" not in page and "在用，2021年福田区" in page
    assert "B2层" in staff.get(BASE + "/replies?q=车位").text and "没有找到" in staff.get(BASE + "/replies?q=没有的").text
    assert "等活动进行时用" in staff.at(campaign.evidence_until).get(BASE + "/replies").text


def test_a_link_in_a_reply_looks_like_one_and_leads_nowhere(desk, campaign):
    write("greeting", text='先看<a href="https://a.example/?x=1&y=%22">这里</a>，再看<a href=\'http://b.example\' class="z">那里</a>。')
    page = desk("manager").get(BASE).text
    assert '先看<u title="https://a.example/?x=1&amp;y=%22">这里</u>，再看<u title="http://b.example">那里</u>。' in page
