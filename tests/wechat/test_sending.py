"""What goes out: checked before it is sent, so that WeChat never has to refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.wrappers import Response

from tests.wechat.verbs import BUTTONS, MENU, OK
from wxbackend import wechat
from wxbackend.wechat import fields
from wxbackend.wechat.refusals import Unsendable

CUSTOM = "/cgi-bin/message/custom/send"
SUBSCRIBE = "/cgi-bin/message/subscribe/send"
TEMPLATE = "/cgi-bin/message/template/send"
CODE = "/wxa/getwxacodeunlimit"


def sent(host: Any) -> dict[str, Any]:
    return json.loads(host.asked[-1]["body"])


def never_asked(host: Any, call: Any, problem: Any, match: str | None = None) -> None:
    with pytest.raises(problem, match=match):
        call()
    assert host.asked == []


def test_a_customer_message_is_sent_as_wechat_wants_it(app, wechat_host):
    wechat_host.say(CUSTOM, OK)
    wechat.send_text("oMei", "已收到您的截图🎉")
    assert sent(wechat_host) == {"touser": "oMei", "msgtype": "text", "text": {"content": "已收到您的截图🎉"}}
    wechat.send_text("oMei", "长" * 682)
    assert len(sent(wechat_host)["text"]["content"]) == 682


@pytest.mark.parametrize("text", ["", "\x00\x08", "长" * 683])
def test_an_empty_or_long_message_is_not_sent(app, wechat_host, text):
    never_asked(wechat_host, lambda: wechat.send_text("oMei", text), Unsendable)


@pytest.mark.parametrize("openid", ["", "o Mei", "o'--", "x" * 65, None, 7])
def test_an_openid_that_cannot_be_one_is_a_fault_of_ours(app, wechat_host, openid):
    for call in (lambda: wechat.send_text(openid, "您好"), lambda: wechat.send_template(openid, "T1", {"thing1": "a"}),
                 lambda: wechat.send_subscribe(openid, "T1", {"thing1": "a"}), lambda: wechat.check_text(openid, "好"),
                 lambda: wechat.risk_rank(openid, "203.0.113.5")):
        never_asked(wechat_host, call, ValueError, "openid")


def test_a_subscribe_message_is_sent_as_wechat_wants_it(app, wechat_host):
    wechat_host.say(SUBSCRIBE, OK)
    assert wechat.send_subscribe("oMei", "T_1-a", {"thing1": "太极", "time2": "2022年1月8日 09:00"}, "pages/mine/mine?a=1") == ""
    assert sent(wechat_host) == {
        "touser": "oMei", "template_id": "T_1-a", "page": "pages/mine/mine?a=1", "miniprogram_state": "formal", "lang": "zh_CN",
        "data": {"thing1": {"value": "太极"}, "time2": {"value": "2022年1月8日 09:00"}}}


def test_a_template_message_is_sent_as_wechat_wants_it(app, wechat_host):
    wechat_host.say(TEMPLATE, OK | {"msgid": "200163836"})
    assert wechat.send_template("oMei", "T1", {"thing1": "太极"}) == "200163836"
    assert sent(wechat_host) == {"touser": "oMei", "template_id": "T1", "data": {"thing1": {"value": "太极"}}}
    wechat.send_template("oMei", "T1", {"thing1": "太极"}, "https://vote.example/c/1", "draw-7")
    assert (sent(wechat_host)["url"], sent(wechat_host)["client_msg_id"]) == ("https://vote.example/c/1", "draw-7")


@pytest.mark.parametrize("changes", [
    {"template_id": ""}, {"template_id": "a b"}, {"data": {}}, {"data": {"thing": ""}}, {"data": {"nonsense1": "x"}}, {"data": {"1": "x"}}])
def test_a_template_that_cannot_be_one_is_not_sent(app, wechat_host, changes):
    args = {"openid": "oMei", "template_id": "T1", "data": {"thing1": "x"}} | changes
    for verb in (wechat.send_subscribe, wechat.send_template):
        never_asked(wechat_host, lambda verb=verb: verb(**args), (ValueError, Unsendable))


def test_links_of_a_notice_are_checked(app, wechat_host):
    for url in ("javascript:alert(1)", "vote.example", "https://x/" + "y" * 1100):
        never_asked(wechat_host, lambda url=url: wechat.send_template("oMei", "T1", {"thing1": "x"}, url), ValueError)
    never_asked(wechat_host, lambda: wechat.send_template("oMei", "T1", {"thing1": "x"}, client_msg_id="x" * 33), ValueError)
    for page in ("/pages/mine", "pages/a b", "pages/\n"):
        never_asked(wechat_host, lambda page=page: wechat.send_subscribe("oMei", "T1", {"thing1": "x"}, page), ValueError)


FINE = [
    ("thing1", "二" * 20), ("thing2", "𠮷🎉"), ("number3", "-12.5"), ("letter4", "abc"), ("symbol5", "!!"),
    ("character_string6", "A-2021/7"), ("time7", "2022年1月8日 09:00"), ("time7", "09:00"), ("time7", "2022-01-08 09:00:30"),
    ("date8", "2022年01月08日"), ("date8", "2022/1/8"), ("amount9", "¥100.50元"), ("amount9", "100"), ("phone_number10", "+86-0755-1234"),
    ("car_number11", "粤B12345"), ("name12", "买买提·艾力"), ("name12", "Zhang San"), ("phrase13", "已中奖"), ("const14", "审核通过"),
]
WRONG = [
    ("thing1", "二" * 21), ("thing1", "  "), ("number3", "十二"), ("number3", "1" * 33), ("letter4", "a1"), ("symbol5", "!!!!!!"),
    ("character_string6", "中文"), ("time7", "明天"), ("time7", "25:00"), ("date8", "2022-1/8"), ("amount9", "一百元"),
    ("phone_number10", "abc"),    ("phone_number10", "1" * 18), ("car_number11", "粤B123456789"),
    ("name12", "买" * 11), ("phrase13", "恭喜您中奖啦"), ("phrase13", "ok"),
]


@pytest.mark.parametrize(("key", "value"), FINE)
def test_a_field_of_its_kind_goes_through(key, value):
    assert fields.values({key: value}) == {key: {"value": value}}
    assert wechat.fit(key, value) == value


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_field_of_another_kind_is_named(key, value):
    with pytest.raises(Unsendable, match=key):
        fields.values({key: value})


def test_free_text_is_shortened_and_nothing_else():
    assert wechat.fit("thing1", "二" * 30) == "二" * 19 + "…"
    assert wechat.fit("thing1", " 一行\n二行\x08 ") == "一行 二行"
    for key, value in (("phrase1", "恭喜您中奖啦"), ("number1", "1" * 40), ("name1", "买" * 11)):
        with pytest.raises(Unsendable):
            wechat.fit(key, value)


def test_a_menu_is_made_as_wechat_wants_it(app, wechat_host):
    wechat_host.say("/cgi-bin/menu/create", OK)
    bridge = {"name": "小程序", "type": "miniprogram", "url": "https://vote.example/", "appid": "wxmini", "pagepath": "pages/vote/vote"}
    wechat.create_menu([*BUTTONS, bridge | {"note": "ours", "sub_button": []}])
    assert sent(wechat_host) == {"button": [*BUTTONS, bridge]}


CLICK = {"name": "投票", "type": "click", "key": "vote"}


@pytest.mark.parametrize("buttons", [
    [], [CLICK] * 4, [CLICK | {"name": ""}], [CLICK | {"name": "六个汉字太长"}], [CLICK | {"key": ""}], [CLICK | {"key": "k" * 129}],
    [CLICK | {"key": 7}], [CLICK | {"type": "dance"}], [{"name": "投票"}], [{"name": "官网", "type": "view", "url": "vote.example"}],
    [{"name": "官网", "type": "view", "url": "javascript:alert(1)"}], [{"name": "官网", "type": "view", "url": "https://x/" + "y" * 1024}],
    [{"name": "小程序", "type": "miniprogram", "url": "https://vote.example/", "appid": "wxmini"}],
    [{"name": "更多", "sub_button": [CLICK] * 6}], [{"name": "更多", "sub_button": [CLICK | {"name": "长" * 21}]}],
    [{"name": "更多", "sub_button": [{"name": "再多", "sub_button": [CLICK]}]}], [{"name": "更多", "sub_button": "x"}],
    [{"name": "更多", "sub_button": ["x"]}], ["x"], [None],
    [{"name": "媒体", "type": "media_id"}]])
def test_a_menu_wechat_would_refuse_is_not_sent(app, wechat_host, buttons):
    never_asked(wechat_host, lambda: wechat.create_menu(buttons), Unsendable)


def test_a_closed_menu_and_an_open_one_have_one_shape(app, wechat_host):
    path = "/cgi-bin/get_current_selfmenu_info"
    wechat_host.say(path, {"is_menu_open": 0}, {"errcode": 46003, "errmsg": "menu no exist"}, MENU, {"is_menu_open": 1})
    closed = {"is_menu_open": 0, "selfmenu_info": {"button": []}}
    assert [wechat.current_menu() for _ in range(3)] == [closed, closed, MENU]
    with pytest.raises(wechat.WeChatAway):
        wechat.current_menu()


def test_replies_never_set_are_empty(app, wechat_host):
    wechat_host.say("/cgi-bin/get_current_autoreply_info", {"is_add_friend_reply_open": 0, "is_autoreply_open": 0})
    assert wechat.current_replies() == {
        "is_add_friend_reply_open": 0, "is_autoreply_open": 0, "add_friend_autoreply_info": {}, "message_default_autoreply_info": {},
        "keyword_autoreply_info": {"list": []}}


def test_a_menu_nested_without_end_is_no_menu(app, wechat_host):
    value: Any = "x"
    for _ in range(30):
        value = [value]
    wechat_host.say("/cgi-bin/get_current_selfmenu_info", MENU | {"more": value})
    with pytest.raises(wechat.WeChatAway):
        wechat.current_menu()


@pytest.mark.parametrize(("lives", "wanted"), [
    (None, {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "hall-2"}}}),
    (3600, {"action_name": "QR_STR_SCENE", "expire_seconds": 3600, "action_info": {"scene": {"scene_str": "hall-2"}}})])
def test_a_scene_lives_for_ever_or_for_a_time(app, wechat_host, lives, wanted):
    wechat_host.say("/cgi-bin/qrcode/create", {"ticket": "t", "url": "http://weixin.qq.com/q/1"})
    wechat.scene_qr("hall-2", lives)
    assert sent(wechat_host) == wanted


@pytest.mark.parametrize("args", [("",), ("x" * 65,), ("二楼",), ("a b",), ("hall", 59), ("hall", 2_592_001), ("hall", 0), ("hall", -1)])
def test_a_scene_wechat_would_refuse_is_not_asked_for(app, wechat_host, args):
    never_asked(wechat_host, lambda: wechat.scene_qr(*args), ValueError)


def test_a_program_code_is_fetched_once_and_kept(app, wechat_host):
    wechat_host.say(CODE, Response(b"\x89PNG1", content_type="image/png"), Response(b"\x89PNG2", content_type="image/png"))
    assert [wechat.miniprogram_code("a1", "pages/vote/vote") for _ in range(3)] == [b"\x89PNG1"] * 3
    assert sent(wechat_host) == {"scene": "a1", "page": "pages/vote/vote", "check_path": True, "env_version": "release", "width": 430}
    assert wechat.miniprogram_code("a1", "pages/vote/vote", check_path=False, env_version="trial", width=280) == b"\x89PNG2"
    assert sent(wechat_host) == {"scene": "a1", "page": "pages/vote/vote", "check_path": False, "env_version": "trial", "width": 280}
    assert wechat_host.times(CODE) == 2


@pytest.mark.parametrize("changes", [
    {"scene": ""}, {"scene": "x" * 33}, {"scene": "活动"}, {"scene": "a%20"}, {"scene": "a b"}, {"scene": "a\n"}, {"page": "/pages/vote"},
    {"page": "pages/vote?a=1"}, {"env_version": "beta"}, {"width": 279}, {"width": 1281}])
def test_a_program_code_wechat_would_refuse_is_not_asked_for(app, wechat_host, changes):
    args = {"scene": "a1", "page": "pages/vote/vote"} | changes
    never_asked(wechat_host, lambda: wechat.miniprogram_code(args.pop("scene"), args.pop("page"), **args), ValueError)


@pytest.mark.parametrize("args", [("/pages/vote", "", 7), ("pages/vote?a=1", "", 7), ("pages/vote", "x" * 1025, 7), ("pages/vote", "", 0),
                                  ("pages/vote", "", 31), ("pages/vote", "a\nb", 7)])
def test_a_link_wechat_would_refuse_is_not_asked_for(app, wechat_host, args):
    never_asked(wechat_host, lambda: wechat.miniprogram_link(*args), ValueError)


def test_a_link_says_how_long_it_lives(app, wechat_host):
    wechat_host.say("/wxa/generate_urllink", OK | {"url_link": "https://wxaurl.cn/abc"})
    wechat.miniprogram_link("pages/vote/vote", "c=2021")
    assert sent(wechat_host) == {
        "path": "pages/vote/vote", "query": "c=2021", "expire_type": 1, "expire_interval": 30, "env_version": "release"}


def test_a_text_is_judged_by_its_result_whatever_the_types(app, wechat_host):
    answers = [OK | {"trace_id": "t", "result": {"suggest": "pass", "label": 100}}, OK | {"result": {"suggest": "risky", "label": "20002"}},
               OK | {"result": {"suggest": "fine"}}]
    wechat_host.say("/wxa/msg_sec_check", *answers)
    assert wechat.check_text("oMei", "好") == wechat.Verdict("pass", 100, "t")
    verdict = wechat.check_text("oMei", "好", 1, nickname="阿美")
    assert verdict == wechat.Verdict("risky", 20002, "") and not verdict.is_fine
    assert sent(wechat_host) == {"version": 2, "openid": "oMei", "scene": 1, "content": "好", "nickname": "阿美"}
    with pytest.raises(wechat.WeChatAway):
        wechat.check_text("oMei", "好")


def test_what_cannot_be_judged_is_not_sent(app, wechat_host):
    for content in ("", "  ", "长" * 2501):
        never_asked(wechat_host, lambda content=content: wechat.check_text("oMei", content), Unsendable)
    never_asked(wechat_host, lambda: wechat.check_text("oMei", "好", 5), ValueError, "scene")
    never_asked(wechat_host, lambda: wechat.check_text("oMei", "好", openid2="x"), ValueError)
    never_asked(wechat_host, lambda: wechat.check_media("oMei", "file:///etc/passwd"), ValueError)
    never_asked(wechat_host, lambda: wechat.risk_rank("oMei", "not an address"), ValueError)


@pytest.mark.parametrize(("answer", "rank"), [
    ({"risk_rank": 0}, 0), ({"risk_rank": "4"}, 4), ({"risk_rank": 4.0}, 4), ({"risk_rank": 9}, None), ({"risk_rank": None}, None),
    (OK, None),    ({"errcode": 61010, "errmsg": "code is expired"}, None), ({"errcode": 48001}, None)])
def test_a_risk_is_a_number_from_0_to_4_or_unknown(app, wechat_host, answer, rank):
    wechat_host.say("/wxa/getuserriskrank", answer)
    assert wechat.risk_rank("oMei", "2001:db8::1") == rank
    assert sent(wechat_host) == {"appid": "wxmini", "openid": "oMei", "scene": 1, "client_ip": "2001:db8::1"}


def test_a_text_of_one_who_is_long_gone_is_refused_for_good(app, wechat_host):
    wechat_host.say("/wxa/msg_sec_check", {"errcode": 61010, "errmsg": "code is expired"})
    with pytest.raises(wechat.WeChatRefused) as caught:
        wechat.check_text("oMei", "好")
    assert (caught.value.errcode, caught.value.kind) == (61010, wechat.Kind.PERMANENT)
