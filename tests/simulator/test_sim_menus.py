"""The account's menu and what the console holds."""

import json

import pytest

MINI = "wxdemomini000001"
VIEW = {"type": "view", "name": "看看", "url": "https://example.org/"}


@pytest.fixture
def create(wechat):
    def make(*buttons):
        return wechat.post("/cgi-bin/menu/create", {"button": list(buttons)}, access_token=wechat.token())["errcode"]

    return make


def click(**changes):
    return {"type": "click", "name": "投票", "key": "vote"} | changes


def sub(*buttons):
    return {"name": "更多", "sub_button": list(buttons)}


def test_what_fits_is_taken(wechat, create):
    to_mini = {"type": "miniprogram", "name": "小程序", "url": "https://example.org/", "appid": MINI, "pagepath": "pages/index/index"}
    assert create(click(name="五个汉字宽"), click(key="k" * 128), sub(VIEW, to_mini, click(name="字" * 20), VIEW, VIEW)) == 0
    assert wechat.get("/cgi-bin/menu/get", access_token=wechat.token())["menu"]["button"][2]["name"] == "更多"


@pytest.mark.parametrize(("buttons", "errcode"), [
    ([], 40016), ([VIEW] * 4, 40016), ([sub(*[VIEW] * 6)], 40023), ([click(name="六个汉字太宽")], 40018), ([click(name="")], 40018),
    ([sub(click(name="字" * 21))], 40025), ([click(key="k" * 129)], 40019), ([click(key="")], 40019), ([sub(click(key="k" * 129))], 40026),
    ([VIEW | {"url": "https://example.org/" + "x" * 1024}], 40020), ([sub(VIEW | {"url": ""})], 40027),
    ([VIEW | {"url": "example.org"}], 40055), ([sub(VIEW | {"url": "javascript:alert(1)"})], 40054), ([click(type="poem")], 40015),
    ([sub(click(type="poem"))], 40024), ([{"name": "B"}], 40015), (["x"], 40015),
    ([VIEW | {"type": "miniprogram", "appid": "wxother", "pagepath": "p"}], 40166),
    ([VIEW | {"type": "miniprogram", "appid": MINI}], 40165)])
def test_what_does_not_fit_is_named(wechat, create, buttons, errcode):
    assert create(*buttons) == errcode
    assert wechat.get("/cgi-bin/menu/get", access_token=wechat.token())["errcode"] == 46003


def test_a_menu_is_real_json_without_escapes(wechat):
    args, url = {"access_token": wechat.token()}, "/cgi-bin/menu/create"
    assert wechat.client.post(url, query_string=args, data=json.dumps({"button": [click()]})).get_json()["errcode"] == 40033
    assert wechat.client.post(url, query_string=args, data={"button": "x"}).get_json()["errcode"] == 47001
    assert wechat.client.post(url, query_string=args).get_json()["errcode"] == 44002


def test_a_deleted_menu_is_gone(wechat, create):
    create(VIEW)
    assert wechat.get("/cgi-bin/menu/delete", access_token=wechat.token())["errcode"] == 0
    assert wechat.get("/cgi-bin/menu/get", access_token=wechat.token())["errcode"] == 46003


def test_the_console_menu_is_seen_until_the_api_makes_one(wechat, create):
    token = wechat.token()
    assert wechat.get("/cgi-bin/get_current_selfmenu_info", access_token=token) == {"is_menu_open": 0}
    by_hand = {"button": [{"type": "text", "name": "开放时间", "value": "9:00-21:00"}, sub(VIEW, click())]}
    wechat.control("console", menu=by_hand)
    seen = wechat.get("/cgi-bin/get_current_selfmenu_info", access_token=token)
    assert seen["is_menu_open"] == 1
    assert seen["selfmenu_info"]["button"] == [by_hand["button"][0], {"name": "更多", "sub_button": {"list": [VIEW, click()]}}]
    assert wechat.get("/cgi-bin/menu/get", access_token=token)["errcode"] == 46003
    create(VIEW)
    assert wechat.get("/cgi-bin/get_current_selfmenu_info", access_token=token)["selfmenu_info"]["button"] == [VIEW]


def test_the_consoles_replies_can_be_read(wechat):
    token, url = wechat.token(), "/cgi-bin/get_current_autoreply_info"
    assert wechat.get(url, access_token=token)["is_autoreply_open"] == 0
    replies = {"is_add_friend_reply_open": 1, "is_autoreply_open": 1, "add_friend_autoreply_info": {"type": "text", "content": "您好"}}
    wechat.control("console", replies=replies)
    assert wechat.get(url, access_token=token) == replies
