"""The staff's pages of the account's own duties, and the same verbs as an API."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from tests import factories
from tests.admin.test_access import staff_routes
from tests.inbox.duty_samples import MENU, REPLIES
from tests.inbox.test_duties import write
from wxbackend import wechat
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.inbox import duties, editing, menu
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.wechat import features

BASE, API = "/admin/account", "/api/v1/staff/account"
PAGES = (BASE, BASE + "/replies", BASE + "/replies/new?kind=human", BASE + "/replies/1", BASE + "/menu", BASE + "/import")
EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'&<a href="javascript:alert(3)">点我</a>'


class WeChatSide:
    """WeChat as the staff's verbs see it; `made` is what was published. No transaction may be open while it is asked."""

    def __init__(self) -> None:
        self.menu: Any = MENU
        self.replies: Any = REPLIES
        self.refuses: Exception | None = None
        self.made: list[Any] = []

    def ask(self, answer: Any) -> Any:
        assert not db.session().in_transaction(), "a transaction is open while WeChat is asked"
        if self.refuses:
            raise self.refuses
        return answer

    def create(self, buttons: Any) -> None:
        self.made.append(self.ask(wechat.checked_menu(buttons)))


@pytest.fixture
def side(monkeypatch) -> WeChatSide:
    one = WeChatSide()
    monkeypatch.setattr(wechat, "current_menu", lambda: one.ask(one.menu))
    monkeypatch.setattr(wechat, "current_replies", lambda: one.ask(one.replies))
    monkeypatch.setattr(wechat, "create_menu", one.create)
    return one


@pytest.fixture
def row(campaign) -> AccountReply:
    return write(equal=["停车"], contain=["车位"], text="B2层。{活动}期间免费。")


def slots(**typed: str) -> dict[str, str]:
    """The menu form as typed: slots(b0_name="去投票", b0_does="vote")."""
    return {name.replace("_", "-"): value for name, value in typed.items()}


def test_every_page_is_there_for_everybody_and_needs_nothing_inline(desk, row, side):
    menu.template("staff:xiaoli", factories.NOON)
    db.session.commit()
    for role in ("manager", "reviewer", "auditor"):
        staff = desk(role)
        for path in PAGES:
            answer = staff.get(path)
            if "new" in path and role != "manager":
                assert answer.status_code == 403
                continue
            assert answer.status_code == 200, (role, path)
            assert not re.search(r"<[^>]+\s(style|on\w+)=|<style|<script(?![^>]+src=)", answer.text), path
            writes = [form for form in re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)', answer.text) if "logout" not in form]
            assert role == "manager" or "</button>" not in answer.text.partition("<main")[2] or set(writes) <= {
                "/admin/account/try#h-try", "/admin/account/replies/1", "/admin/account/menu"}, path
    assert 'href="/admin/account"' in desk("reviewer").get("/admin/").text


def test_who_may_not_write_may_not(app, desk, campaign, row, side, client):
    paths = [path for path in staff_routes(app, BASE, "POST") if path != BASE + "/try"]
    assert len(paths) >= 9
    auditor = factories.staff_bearer(factories.make_staff("laolin", "auditor", "老林"))
    reviewer = desk("reviewer")
    for path in paths:
        answer = reviewer.post(path, is_active="1")
        assert answer.status_code == 403 and "活动管理员" in answer.text, path
    for path in staff_routes(app, API, "POST"):
        answer = client.post(path, json={"say": "停车"}, headers=auditor)
        assert answer.status_code == (200 if path.endswith("/try") else 403), path
    assert side.made == [] and len(editing.replies()) == 1


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


@pytest.mark.parametrize("feature", ["menu", "media"])
def test_what_wechat_refused_today_is_said_as_such_and_can_be_asked_again(desk, campaign, feature):
    features.switch_off(feature)
    staff = desk("manager")
    page = staff.get(BASE).text
    assert "微信今天拒绝过" in page and "这种公众号没有" not in page and f'action="/admin/account/features/{feature}/again"' in page
    shown = staff.get(BASE + "/menu").text
    assert ("微信今天拒绝过“自定义菜单”" in shown) == (feature == "menu") and "认证以后" not in shown
    assert "再问一次" not in desk("reviewer").get(BASE).text.partition("<main")[2]
    assert staff.post(f"{BASE}/features/{feature}/again", back="menu").location == BASE + "/menu" and wechat.can(feature)
    assert "微信今天拒绝过" not in staff.get(BASE).text
    assert staff.post(BASE + "/features/flying/again").status_code == 404


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


def test_buttons_that_were_read_can_be_typed_too(desk, campaign, side):
    staff = desk("manager")
    assert "开放时间。加成关键词" in staff.post(BASE + "/import/menu").text.replace("、公益课报名", "").replace("公益课报名、", "")
    staff.post(BASE + "/menu/names")
    assert duties.match("开放时间", factories.NOON).text == "周二至周日 9:00–21:00，周一闭馆。"
    assert "加成关键词" not in staff.get(BASE + "/import").text


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


def test_texts_are_shown_and_never_run(desk, campaign, side):
    write(equal=[EVIL[:40]], text=EVIL, name=EVIL[:40])
    write("greeting", text=EVIL)
    menu.save([menu.shapes.item(name="<b>x", does="say", text=EVIL)], "staff:xiaoli", factories.NOON)
    db.session.commit()
    side.replies = {"keyword_autoreply_info": {"list": [{"rule_name": EVIL, "keyword_list_info": [{"match_mode": "equal", "content": EVIL}],
                                                         "reply_list_info": [{"type": "text", "content": EVIL}]}]}}
    staff = desk("manager")
    pages = [staff.get(path).text for path in PAGES] + [staff.post(BASE + "/import/replies").text, staff.post(BASE + "/try", say=EVIL).text,
                                                        staff.get(f"{BASE}/replies?q={EVIL}").text, staff.get("/admin/log").text]
    for page in pages:
        shown = page.partition("<main")[2]
        assert "<script" not in shown and "<img" not in shown and "onerror=alert(2)>" not in shown and "<a href=\"javascript" not in shown
        assert "<b>x" not in shown
    assert "&lt;script&gt;" in pages[1]


def test_a_link_in_a_reply_looks_like_one_and_leads_nowhere(desk, campaign):
    write("greeting", text='先看<a href="https://a.example/?x=1&y=%22">这里</a>，再看<a href=\'http://b.example\' class="z">那里</a>。')
    page = desk("manager").get(BASE).text
    assert '先看<u title="https://a.example/?x=1&amp;y=%22">这里</u>，再看<u title="http://b.example">那里</u>。' in page


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


def test_the_console_is_read_and_reported(desk, campaign, side):
    staff = desk("manager")
    page = staff.post(BASE + "/import/replies").text
    assert "读到8条，7条马上在用" in page and "市民的下一条消息就这样答" in page
    assert "原来回的图片带不过来" in page and page.count("</svg>原样带过来") == 3
    assert "以前读过" in staff.post(BASE + "/import/replies").text and len(editing.replies()) == 8
    assert staff.post(BASE + "/import/active", is_active="0").status_code == 302
    assert duties.match("开放时间", factories.NOON) is None
    staff.post(BASE + "/import/active", is_active="1")
    assert duties.match("开放时间", factories.NOON) is not None
    assert staff.post(BASE + "/import/else").status_code == 404


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


@pytest.mark.parametrize("raw", [None, "<html>", [], {"x": 1}])
def test_what_wechat_never_documented_changes_nothing(desk, campaign, side, raw):
    side.menu = side.replies = raw
    staff = desk("manager")
    for what in ("menu", "replies"):
        answer = staff.post(f"{BASE}/import/{what}")
        assert answer.status_code == 502 and "没读懂" in answer.text
    assert editing.replies() == [] and menu.newest() is None


def test_an_account_without_a_menu_is_told_so_before_anything_is_typed(make_app, client):
    app = make_app(account_kind="subscription-unverified")
    with app.app_context():
        staff = factories.staff_bearer(factories.make_staff())
        answer = app.test_client().get(API, headers=staff).json
        assert {f["feature"]: f["is_there"] for f in answer["features"]} == dict.fromkeys(
            ("menu", "customer-message", "oauth", "user-info", "media", "scene-qr", "template-message"), False)
        made = app.test_client().post(API + "/menu", json={"buttons": [{"name": "去投票", "does": "vote"}]}, headers=staff).json
        refused = app.test_client().post(API + "/menu/publish", json={"id": made["id"]}, headers=staff)
        assert (refused.status_code, refused.json["type"]) == (409,
            "/problems/account-lacks") and "未认证的订阅号" in refused.json["detail"]


def test_the_api_does_what_the_pages_do(app, client, campaign, side):
    staff = factories.staff_bearer(factories.make_staff())

    def call(path: str, body: Any = None) -> Any:
        return client.post(API + path, json=body if body is not None else {}, headers=staff)

    made = call("/replies", {"kind": "keyword", "equal": ["停车"], "text": "B2层。"})
    assert made.status_code == 201 and made.json["words"] == [{"word": "停车", "match": "equal"}]
    number, stamp = made.json["id"], made.json["stamp"]
    assert call("/try", {"say": "停车。"}).json["text"] == "B2层。"
    changed = call(f"/replies/{number}", {"equal": ["停车"], "text": "B3层。", "campaign": campaign.slug, "stamp": stamp})
    assert changed.json["campaign"] == campaign.slug
    assert call(f"/replies/{number}", {"equal": ["停车"], "text": "B4层。", "stamp": stamp}).json["type"] == "/problems/reply-changed"
    assert call(f"/replies/{number}/active", {"is_active": False}).json["is_active"] is False
    long = call("/replies", {"kind": "keyword", "equal": ["长"], "text": "好" * 700})
    assert long.status_code == 422 and "2100字节" in long.json["errors"][0]["detail"]
    assert call("/replies/import").json["read"] == 8 and call("/replies/import").json["lines"][0]["outcome"] == "known"
    assert call("/replies/import/active", {"is_active": False}).json == {"changed": 7}
    assert [line["called"] for line in call("/menu/import").json["lines"]][-1] == "我的积分"
    seen = client.get(API + "/menu", headers=staff).json
    assert seen["state"] == "draft" and seen["buttons"][0]["sub"][0]["does"] == "view"
    assert call("/menu/publish", {"id": seen["id"]}).json["type"] == "/problems/menu-not-ready"
    saved = call("/menu", {"buttons": [{"name": "更多", "sub": [{"name": "去投票", "does": "vote"}]}], "seen": seen["id"]})
    assert saved.status_code == 201 and call("/menu/publish", {"id": saved.json["id"]}).json["state"] == "live"
    assert side.made == [[{"name": "更多", "sub_button": [{"name": "去投票", "type": "click", "key": "vote"}]}]]
    whole = client.get(API, headers=staff).json
    listed = client.get(API + "/replies", headers=staff).json
    assert (whole["menu"], whole["kind"]) == ("live", "service") and whole["replies"] == sum(one["is_active"] for one in listed) > 0


def test_three_who_read_at_the_same_moment_add_it_once(make_app, server_url, side):
    app = make_app(database_url=server_url)
    with app.app_context():
        staff = factories.staff_bearer(factories.make_staff())
        db.session.remove()
    start, answers = threading.Barrier(3), []

    def read() -> None:
        client = app.test_client()
        start.wait(10)
        answers.extend(client.post(f"{API}/{what}/import", headers=staff) for what in ("replies", "menu"))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with app.app_context():
        assert [answer.status_code for answer in answers] == [200] * 6
        assert len([row for row in editing.replies() if row.kind != "click"]) == 8 and len(menu.versions()) == 1
        assert duties.match("开放时间", factories.NOON) is not None
        db.session.remove()


@pytest.mark.parametrize(("path", "body"), [
    ("/replies", {"kind": "click", "text": "x"}), ("/replies", {"kind": "keyword", "equal": "停车"}),
    ("/replies", {"kind": "keyword", "equal": [5]}),
    ("/replies", {"kind": 5}), ("/replies", []), ("/replies", {"kind": "default", "text": None}),
    ("/replies", {"kind": "default", "text": "x", "more": 1}),
    ("/replies", {"kind": "keyword", "equal": [["x"]], "text": "x"}), ("/try", {}), ("/try", {"say": 5}), ("/menu", {}),
    ("/menu", {"buttons": []}),
    ("/menu", {"buttons": [{"name": 5}]}), ("/menu", {"buttons": [{"name": "x", "does": "fly"}]}),
    ("/menu", {"buttons": [{"name": "x", "sub": {}}]}),
    ("/menu", {"buttons": [{"name": "x", "sub": [{"name": "y", "sub": [{"name": "z"}]}]}]}), ("/menu/publish", {"id": "x"}),
    ("/menu/publish", {}),
    ("/replies/1/active", {"is_active": "maybe"}), ("/replies/import/active", {}),
])
def test_the_api_refuses_other_shapes(client, campaign, path, body):
    staff = factories.staff_bearer(factories.make_staff())
    answer = client.post(API + path, json=body, headers=staff)
    assert answer.status_code == 422 and answer.json["errors"], answer.json
    assert editing.replies() == [] and menu.newest() is None


def test_pages_work_in_a_browser_without_script_and_do_not_scroll_sideways(chromium, app, live, campaign, side, desk):
    desk("manager").post(BASE + "/import/replies")
    desk("manager").post(BASE + "/menu/template")
    db.session.rollback()
    for width, height, script in ((390, 844, False), (1280, 800, True)):
        page = chromium.new_context(viewport={"width": width, "height": height}, java_script_enabled=script).new_page()
        page.set_default_timeout(10_000)
        page.goto(live + "/admin/login?next=" + BASE)
        page.fill("#u", "xiaoli")
        page.fill("#p", factories.PASSWORD)
        page.click("button.primary")
        page.fill("#say", "几点开门")
        page.click("text=看看回什么")
        page.wait_for_selector("text=周一闭馆")
        for path in (BASE, BASE + "/replies", BASE + "/replies/1", BASE + "/menu", BASE + "/import"):
            page.goto(live + path)
            boxes = [box for part in page.locator("main > *").all() if (box := part.bounding_box())]
            assert boxes and max(box["x"] + box["width"] for box in boxes) <= width, path
        page.goto(live + BASE + "/menu")
        assert page.locator("#b0-url").is_visible() is (width == 1280)   # it belongs to a button that opens a page
        page.select_option("#b0-does", "view")
        page.fill("#b0-url", "https://a.example/")
        page.click("text=存成草稿")
        page.wait_for_selector("text=菜单存好了" if width == 390 else "text=菜单")
        page.context.close()
    assert menu.newest().buttons[0] == {"type": "view", "name": "去投票", "url": "https://a.example/"}
