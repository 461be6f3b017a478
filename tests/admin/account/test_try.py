"""A sentence tried: what would be answered and why, without being sent or written down."""

from __future__ import annotations

import pytest

from tests import factories
from tests.admin.account.conftest import BASE
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db


def test_a_shared_keyword_is_told_before_publishing_and_when_tried(desk, campaign):
    other = factories.make_campaign(slug="spring", title="春节评议", publish=False)
    staff = desk("manager")
    for path in ("/publish", ""):
        assert f"“改革评议”也是“{campaign.title}”" in staff.get(f"/admin/campaigns/spring{path}").text
    assert "是“" not in staff.get("/admin/campaigns/noise").text.partition("<main")[2].partition("<dl")[0]
    assert "时间有重叠" not in staff.post(BASE + "/try", say="改革评议").text
    campaigns.publish(other, "staff:xiaoli", factories.NOON)
    db.session.commit()
    answer = staff.post(BASE + "/try", say="改革评议").text
    assert "给“春节评议”的投票链接" in answer and "最后发布的那个" in answer


def test_what_is_tried_is_the_whole_sentence(desk, row):
    staff = desk("manager")
    assert "点这里去投票</u>" in staff.post(BASE + "/try", say="改革评议").text
    assert "来啦！每人每天评一次" in staff.post(BASE + "/try", say="改革评议").text
    assert "您还没有参加抽奖" in staff.post(BASE + "/try", say="签号").text


@pytest.mark.parametrize(("said", "how", "text"), [
    ("停车", "对上了“停车、车位”", "B2层。2021年福田区改革项目网络评议期间免费。"), ("有车位吗", "对上了", "B2层"),
    ("改革评议-总馆海报", "来源记作“总馆海报”", ""),
    ("退出", "由活动自己来答", ""), ("签号", "由活动自己来答", ""), ("投票", "投票链接", ""), ("今天天气", "自带的那一句", "想投票，回复"),
])
def test_a_sentence_is_tried_without_being_sent(desk, row, said, how, text):
    answer = desk("reviewer").post(BASE + "/try", say=said)
    assert answer.status_code == 200 and how in answer.text and text in answer.text


def test_what_is_tried_stands_in_no_address_and_no_log(desk, row):
    staff = desk("manager")
    staff.post(BASE + "/try", say="张三 13800000000")
    assert "13800000000" not in staff.get("/admin/log").text
    assert staff.post(BASE + "/try", say="").status_code == 422 and staff.post(BASE + "/try", say="长" * 601).status_code == 422
