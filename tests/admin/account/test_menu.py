"""The menu: drafted, changed by two at once, published, refused by WeChat."""

from __future__ import annotations

import re

import pytest

from tests.admin.account.conftest import BASE, slots
from wxbackend import wechat
from wxbackend.inbox import editing, menu


def test_whoever_is_slower_with_the_menu_keeps_what_she_typed(desk, campaign):
    staff = desk("manager")
    staff.post(BASE + "/menu", **slots(b0_name="别人的", b0_does="say", b0_text="别人写的话。"), seen="0")
    mine = slots(b0_name="我写的", b0_does="say", b0_text="我写的话。")
    answer = staff.post(BASE + "/menu", **mine, seen="0")
    assert answer.status_code == 409 and "我写的话。</textarea>" in answer.text and 'value="我写的"' in answer.text
    assert "别人写的话。" in answer.text and "小李在1月6日（周四）12:00存了新的一版" in answer.text and 'aria-label="公众号"' in answer.text
    seen = re.search(r'name="seen" value="(\d+)"', answer.text)[1]
    assert staff.post(BASE + "/menu", **mine, seen=seen).status_code == 302 and menu.newest().buttons[0]["name"] == "我写的"


def test_a_menu_changed_before_it_is_published_is_shown_again(desk, campaign, side):
    staff = desk("manager")
    staff.post(BASE + "/menu/template")
    old = menu.newest().id
    staff.post(BASE + "/menu", **slots(b0_name="新的", b0_does="vote"))
    answer = staff.post(BASE + "/menu/publish", id=str(old))
    assert answer.status_code == 409 and "菜单刚刚被别人改过" in answer.text and 'value="新的"' in answer.text and side.made == []


@pytest.mark.parametrize(("errcode", "which"), [(40166, "“日历”"), (40055, "“官网”")])
def test_a_refused_menu_names_the_button_that_is_likely_meant(desk, campaign, side, errcode, which):
    staff = desk("manager")
    staff.post(BASE + "/menu", **slots(
        b0_name="去投票", b0_does="vote", b1_name="官网", b1_does="view", b1_url="https://a.example",
        b2_name="日历", b2_does="miniprogram", b2_url="https://a.example", b2_appid="wx0123456789abcdef", b2_pagepath="p"))
    side.refuses = wechat.WeChatRefused(errcode)
    answer = staff.post(BASE + "/menu/publish", id=str(menu.newest().id))
    assert answer.status_code == 502 and which in answer.text.partition('role="alert"')[2].partition("</section>")[0]
    assert ("小程序管理" in answer.text) == (errcode == 40166)


def test_our_own_mini_program_is_already_written_and_alone_is_no_button(desk, campaign, app):
    staff, ours = desk("manager"), app.extensions["settings"].miniprogram_appid
    page = staff.get(BASE + "/menu").text
    assert page.count(f'value="{ours}"') == 18 and 'value="pages/index/index"' in page
    typed = slots(b0_name="小程序", b0_does="miniprogram", b0_url="https://a.example", b0_appid=ours, b0_pagepath="pages/index/index",
                  b1_appid=ours, b1_pagepath="pages/index/index", b2s1_appid=ours, b2s1_pagepath="pages/index/index")
    assert staff.post(BASE + "/menu", **typed).status_code == 302 and len(menu.newest().buttons) == 1
    assert menu.newest().buttons[0]["appid"] == ours


def test_the_menu_is_read_finished_and_published(desk, campaign, side):
    staff = desk("manager")
    assert "读到7个按钮" in staff.post(BASE + "/import/menu").text
    draft = menu.newest()
    refused = staff.post(BASE + "/menu/publish", id=str(draft.id))
    assert refused.status_code == 422 and "“馆内地图”点了以后回什么，还没有写" in refused.text and side.made == []
    form = dict(re.findall(r'<input[^>]* name="(b\d(?:s\d)?-\w+|seen)" value="([^"]*)"', refused.text))
    form |= {name: chosen[0] for name, options in re.findall(r'<select[^>]* name="(b[^"]+)"[^>]*>(.*?)</select>', refused.text)
             if (chosen := re.findall(r'<option value="([^"]*)" selected', options))}
    form |= {name: text.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
             for name, text in re.findall(r'<textarea[^>]* name="(b[^"]+)"[^>]*>(.*?)</textarea>', refused.text, re.S)}
    form = {name: value.replace("&#34;", '"').replace("&amp;", "&") for name, value in form.items()}
    form |= {"b0s3-text": "地图在一楼。", "b2s1-does": "mine"}
    assert staff.post(BASE + "/menu", **form).status_code == 302
    made = menu.newest()
    assert made.buttons[0] == draft.buttons[0] and made.buttons[2]["sub_button"][1] == {"type": "click", "name": "我的积分", "key": "mine"}
    assert made.buttons[2]["sub_button"][0] == draft.buttons[2]["sub_button"][0]   # 照原样
    answer = staff.post(BASE + "/menu/publish", id=str(made.id))
    assert answer.location == BASE + "/menu" and side.made == [made.buttons]
    assert menu.live().id == made.id and "已发布" in staff.get(BASE + "/menu").text
    assert "把菜单发布到了公众号" in staff.get("/admin/log").text


def test_faults_of_the_menu_come_back_beside_what_was_typed(desk, campaign):
    staff = desk("manager")
    typed = slots(b1_name="去投票评议吧", b1_does="vote", b2s3_name="官网", b2s3_does="view", b2s3_url="www")
    answer = staff.post(BASE + "/menu", **typed)
    assert answer.status_code == 422
    assert "最多5个汉字" in answer.text and 'id="b0-name-x"' in answer.text   # the first that was written
    assert 'id="b1s0-url-x"' in answer.text and 'value="www"' in answer.text and 'id="b1-name-x"' in answer.text
    assert staff.post(BASE + "/menu").status_code == 422 and menu.newest() is None
    staff.post(BASE + "/menu/template")
    assert staff.post(BASE + "/menu", **slots(b0_name="x", b0_does="vote"), seen="0").status_code == 409


@pytest.mark.parametrize(("refusal", "status", "said"), [
    (wechat.NotGranted(), 409, "未认证的订阅号没有自定义菜单"), (wechat.WeChatRefused(40054), 502, "域名不允许"),
    (wechat.WeChatAway("x"), 503, "微信那边暂时没有回应"),
    (wechat.WeChatRefused(40164), 502, "IP不在白名单"), (wechat.WeChatRefused(45009), 502, "次数已用完"),
    (wechat.Unsendable("按钮“x”的名字要改。"), 502, "按钮“x”的名字要改"),
])
def test_what_wechat_refuses_is_said_and_the_draft_stays(desk, campaign, side, refusal, status, said):
    staff = desk("manager")
    staff.post(BASE + "/menu/template")
    side.refuses = refusal
    number = str(menu.newest().id)
    answer = staff.post(BASE + "/menu/publish", id=number)
    assert answer.status_code == status and said in answer.text and menu.live() is None and menu.newest().state == "draft"
    assert not re.search(r"4\d{4}", answer.text.partition("<main")[2].partition("<form")[0])
    if not isinstance(refusal, wechat.Unsendable):   # which is said of what we send only
        for what in ("menu", "replies"):
            answer = staff.post(f"{BASE}/import/{what}")
            assert answer.status_code == status and 'role="alert"' in answer.text
    assert editing.replies() == []
    side.refuses = None
    assert staff.post(BASE + "/menu/publish", id=number).status_code == 302
