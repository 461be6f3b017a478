"""Template messages, subscribe messages, and the shapes of customer messages."""

import io

import pytest

ACCOUNT, MINI = "wxdemoaccount0001", "wxdemomini000001"
CUSTOM, TEMPLATE, SUBSCRIBE = (f"/cgi-bin/message/{kind}/send" for kind in ("custom", "template", "subscribe"))
DATA = {"thing1": {"value": "家门口的文化馆抽奖"}, "thing3": {"value": "恭喜，您中奖了"}, "time2": {"value": "2022年1月11日 21:15"}}
LETTER, NOTE = "SIM-TEMPLATE-DRAW", "SIM-NOTICE-DRAW"


@pytest.fixture
def write(wechat):
    """Sends a template message to 阿美."""
    def send(**changes):
        return wechat.post(TEMPLATE, {"touser": wechat.openid("amei"), "template_id": LETTER, "url": "https://example.org/", "data": DATA}
                           | changes, access_token=wechat.token())

    return send


@pytest.fixture
def notify(wechat):
    """Sends a subscribe message to 阿美."""
    def send(**changes):
        return wechat.post(SUBSCRIBE, {"touser": wechat.openid("amei", "miniprogram"), "template_id": NOTE, "page": "pages/mine/mine",
                                       "miniprogram_state": "formal", "lang": "zh_CN", "data": DATA} | changes,
                           access_token=wechat.token(MINI))

    return send


def test_a_template_message_shows_as_a_card_and_its_outcome_comes_by_event(wechat, write, shop):
    told = write(client_msg_id="draw-1")
    wechat.settle()
    card = wechat.get("/_sim/outbox", person="amei")["messages"][-1]
    assert (card["kind"], card["via"]) == ("template", "template")
    assert card["card"]["rows"] == [["事项", "家门口的文化馆抽奖"], ["事项", "恭喜，您中奖了"], ["时间", "2022年1月11日 21:15"]]
    report = shop.received[-1]
    assert (report["Event"], report["MsgID"], report["Status"]) == ("TEMPLATESENDJOBFINISH", str(told["msgid"]), "success")
    assert report["FromUserName"] == wechat.openid("amei") and "MsgId" not in report


def test_the_same_client_msg_id_does_not_go_out_twice(wechat, write, shop):
    first, second, other = write(client_msg_id="a"), write(client_msg_id="a"), write(client_msg_id="b")
    wechat.settle()
    assert first["msgid"] == second["msgid"] != other["msgid"]
    assert len(wechat.get("/_sim/outbox", person="amei")["messages"]) == 2 == len(shop.received)


def test_who_blocked_the_account_is_reported_and_not_reached(wechat, write, shop):
    wechat.control("person", person="amei", blocks_templates=True)
    assert write()["errcode"] == 0
    wechat.settle()
    assert shop.received[-1]["Status"] == "failed:user block" and wechat.get("/_sim/outbox", person="amei")["messages"] == []


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"template_id": "nothing"}, 40037), ({"touser": "o-nobody"}, 40003), ({"data": "{}"}, 47001), ({"data": {}}, 47003),
    ({"data": DATA | {"thing1": {"value": "字" * 21}, "time2": DATA["time2"]}}, 47003),
    ({"data": DATA | {"thing1": {"value": "字" * 20}, "time2": {"value": "明天"}}}, 47003),
    ({"data": DATA | {"thing1": {"value": ""}, "time2": DATA["time2"]}}, 47003),
    ({"data": DATA | {"thing1": "x", "time2": DATA["time2"]}}, 47003),
    ({"miniprogram": {"appid": "wxother", "pagepath": "pages/index"}}, 40166), ({"miniprogram": {"appid": MINI}}, 40165)])
def test_a_template_message_that_is_refused(wechat, write, changes, errcode):
    answer = write(**changes)
    assert answer["errcode"] == errcode and wechat.get("/_sim/outbox", person="amei")["messages"] == []
    if errcode == 47003:
        assert "data." in answer["errmsg"] and "rid: " in answer["errmsg"]


def test_a_template_message_wants_a_follower_of_this_account(wechat, write):
    assert write(touser=wechat.openid("阿芳"))["errcode"] == 43004
    assert write(touser=wechat.openid("amei", "miniprogram"))["errcode"] == 40003


def test_one_accept_is_one_subscribe_message(wechat, notify, shop):
    assert notify()["errcode"] == 43101
    assert wechat.control("subscribe", person="amei", template_id=NOTE)["credits"] == 1
    assert [notify()["errcode"] for _ in range(2)] == [0, 43101]
    wechat.settle()
    assert [r["Event"] for r in shop.received] == ["subscribe_msg_popup_event", "subscribe_msg_sent_event"]
    assert shop.received[0]["List"] == [{"TemplateId": NOTE, "SubscribeStatusString": "accept", "PopupScene": "0"}]
    assert {"app", "type"} <= shop.received[1].keys() and shop.received[1]["app"] == "miniprogram"
    assert shop.received[1]["List"][0]["ErrorStatus"] == "success"
    notices = wechat.get("/_sim/outbox", person="amei")["notices"]
    assert [n["card"]["page"] for n in notices] == ["pages/mine/mine"]


def test_refused_or_switched_off_means_no_message(wechat, notify, shop):
    wechat.control("subscribe", person="amei", template_id=NOTE, accept=False)
    assert notify()["errcode"] == 43101
    wechat.control("subscribe", person="amei", template_id=NOTE, times=3)
    wechat.control("subscribe", person="amei", template_id=NOTE, off=True)
    assert notify()["errcode"] == 43101
    wechat.settle()
    assert sorted(r["Event"] for r in shop.received) == ["subscribe_msg_change_event", *["subscribe_msg_popup_event"] * 2]


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"template_id": LETTER}, 40037), ({"touser": "o-nobody"}, 40003), ({"page": "pages/nothing"}, 41030),
    ({"miniprogram_state": "x"}, 40097),
    ({"data": DATA | {"thing1": {"value": "字" * 21}, "time2": DATA["time2"]}}, 47003)])
def test_a_subscribe_message_that_is_refused_costs_no_credit(wechat, notify, changes, errcode):
    wechat.control("subscribe", person="amei", template_id=NOTE)
    assert notify(**changes)["errcode"] == errcode
    assert notify()["errcode"] == 0


def test_the_accounts_openid_is_nobody_to_the_mini_program(wechat, notify):
    wechat.control("subscribe", person="amei", template_id=NOTE)
    assert notify(touser=wechat.openid("amei"))["errcode"] == 40003


def test_further_templates_can_be_added(wechat, write):
    assert wechat.control("templates", template="T2|character_string1=code|phrase2=result") == {
        "id": "T2", "fields": ["character_string1", "phrase2"]}
    assert write(template_id="T2", data={"character_string1": {"value": "7K4M-X2RD"}, "phrase2": {"value": "已中奖"}})["errcode"] == 0
    assert write(template_id="T2", data={"character_string1": {"value": "汉字"}, "phrase2": {"value": "已中奖"}})["errcode"] == 47003


@pytest.mark.parametrize(("message", "errcode"), [
    ({"msgtype": "text", "text": {"content": "字" * 683}}, 45002), ({"msgtype": "text", "text": {"content": ""}}, 44002),
    ({"msgtype": "text", "text": "您好"}, 40097), ({"msgtype": "text", "text": {"content": 5}}, 47001), ({"msgtype": "poem"}, 40008),
    ({"msgtype": "image", "image": {"media_id": "nothing"}}, 40007),
    ({"msgtype": "news", "news": {"articles": [{"title": "a"}, {"title": "b"}]}}, 45008),
    ({"msgtype": "miniprogrampage", "miniprogrampage": {"title": "a", "appid": "wxother", "pagepath": "pages/index"}}, 40166)])
def test_a_customer_message_in_a_wrong_shape_costs_nothing(wechat, message, errcode):
    wechat.control("send", person="amei", text="在吗")
    args, touser = {"access_token": wechat.token()}, {"touser": wechat.openid("amei")}
    assert wechat.post(CUSTOM, touser | message, **args)["errcode"] == errcode
    fine = touser | {"msgtype": "text", "text": {"content": "字" * 682}}
    assert [wechat.post(CUSTOM, fine, **args)["errcode"] for _ in range(6)] == [0] * 5 + [45047]


def test_cards_and_choices_arrive_in_the_chat(wechat):
    wechat.control("send", person="amei", text="在吗")
    token = wechat.token()
    thumb = wechat.client.post("/cgi-bin/media/upload", query_string={"access_token": token, "type": "image"},
                               data={"media": (io.BytesIO(b"\x89PNG"), "a.png")}).get_json()["media_id"]
    page = {"title": "去投票", "appid": MINI, "pagepath": "pages/vote/vote?c=x", "thumb_media_id": thumb}
    choices = {"head_content": "满意吗", "list": [{"id": "1", "content": "满意"}, {"id": "2", "content": "还行"}], "tail_content": "谢谢"}
    article = {"articles": [{"title": "文章", "description": "说明", "url": "https://example.org/", "picurl": ""}]}
    for kind, content in (("miniprogrampage", page), ("msgmenu", choices), ("news", article)):
        sent = wechat.post(CUSTOM, {"touser": wechat.openid("amei"), "msgtype": kind, kind: content}, access_token=token)
        assert sent["errcode"] == 0, sent
    told = wechat.get("/_sim/outbox", person="amei")["messages"]
    assert [m["kind"] for m in told] == ["miniprogrampage", "msgmenu", "news"]
    assert told[1]["card"]["choices"] == ["满意", "还行"]


def test_success_may_come_without_an_errcode(wechat, write):
    wechat.control("shape", optional="missing")
    assert write().keys() == {"msgid"}
