"""What an account may do by its kind, and what follows from apps that are not bound."""

import pytest

ACCOUNT, MINI = "wxdemoaccount0001", "wxdemomini000001"
KINDS = ("subscription-unverified", "subscription", "service-unverified", "service")


def granted(wechat):
    """Which calls are not refused with 48001."""
    token, person = wechat.token(), wechat.openid("amei")
    text = {"touser": person, "msgtype": "text", "text": {"content": "您好"}}
    scene = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "poster"}}}
    oauth = {"appid": ACCOUNT, "secret": "simulated-account-secret", "grant_type": "authorization_code", "code": "x"}
    answers = {
        "menu": wechat.get("/cgi-bin/menu/get", access_token=token), "media": wechat.get("/cgi-bin/media/get", access_token=token),
        "customer": wechat.post("/cgi-bin/message/custom/send", text, access_token=token),
        "user": wechat.get("/cgi-bin/user/info", access_token=token, openid=person),
        "oauth": wechat.get("/sns/oauth2/access_token", **oauth), "scene": wechat.post("/cgi-bin/qrcode/create", scene, access_token=token),
        "template": wechat.post("/cgi-bin/message/template/send", {"touser": person}, access_token=token),
        "ticket": wechat.get("/cgi-bin/ticket/getticket", access_token=token, type="jsapi")}
    return {name for name, answer in answers.items() if answer.get("errcode") != 48001}


@pytest.mark.parametrize(("kind", "rights"), list(zip(KINDS, (
    {"ticket"}, {"ticket", "menu", "media", "customer", "user"}, {"ticket", "menu"},
    {"ticket", "menu", "media", "customer", "user", "oauth", "scene", "template"}), strict=True)))
def test_each_kind_has_its_rights(wechat, kind, rights):
    wechat.config(account_kind=kind)
    assert granted(wechat) == rights


def test_a_government_account_may_be_granted_web_login(wechat, phone, shop):
    from tests.simulator.test_sim_oauth import address
    wechat.config(account_kind="subscription")
    refused = phone.get(address(shop))
    assert refused.status_code == 400 and "10005" in refused.text
    wechat.config(account_oauth="yes")
    assert phone.get(address(shop)).status_code == 302
    wechat.config(account_kind="service", account_oauth="no")
    assert phone.get(address(shop)).status_code == 400


def test_the_phone_offers_only_the_doors_there_are(wechat, phone):
    assert "三种进法" in phone.get("/").text
    wechat.config(account_kind="subscription")
    page = phone.get("/doors").text
    assert "两种进法" in page and "打开文章" not in page and "发关键词" in page
    wechat.config(miniprogram_appid="")
    assert "一种进法" in phone.get("/doors").text


def test_the_demo_has_a_console_to_import_from(shop):
    import simulator
    app = simulator.create_app({"app_url": shop.url, "console_made": True})
    console = app.test_client().post("/_sim/console", json={}).get_json()
    assert 1 <= len(console["menu"]["button"]) <= 3 and console["replies"]["keyword_autoreply_info"]["list"]


def test_messages_arrive_whatever_the_kind(wechat, shop):
    wechat.config(account_kind="subscription-unverified")
    shop.answers = ["来啦"]
    assert wechat.control("send", person="amei", text="投票")["reply"] == "来啦"


def test_apps_that_are_not_bound_give_no_unionid_anywhere(wechat, sim):
    def seen(person):
        code = wechat.control("oauth-code", person=person, scope="snsapi_userinfo")["code"]
        web = wechat.get("/sns/oauth2/access_token", appid=ACCOUNT, secret="simulated-account-secret", code=code,
                         grant_type="authorization_code")
        mini = wechat.get("/sns/jscode2session", appid=MINI, secret="simulated-miniprogram-secret", grant_type="authorization_code",
                          js_code=wechat.control("login-code", person=person)["code"])
        told = wechat.get("/sns/userinfo", access_token=web["access_token"], openid=web["openid"])
        info = wechat.get("/cgi-bin/user/info", access_token=wechat.token(), openid=wechat.openid(person))
        return {answer.get("unionid") for answer in (web, mini, told, info)}

    assert seen("amei") == {sim.state.people["amei"].unionid}
    assert seen("小何") == {None}
    wechat.config(apps_bound=False)
    assert seen("amei") == {None}
    wechat.config(apps_bound=True)
    late = wechat.control("person", person="小何", bound=True)["unionid"]
    assert seen("小何") == {late} and late


def test_without_a_mini_program_there_is_nothing_to_log_in_to(shop):
    import simulator
    app = simulator.create_app({"app_url": shop.url, "miniprogram_appid": ""})
    client = app.test_client()
    for appid in ("", MINI):
        answer = client.get("/sns/jscode2session", query_string={"appid": appid, "secret": "", "js_code": "x"}).get_json(force=True)
        assert answer["errcode"] == 40013
    assert client.post("/_sim/send", json={"person": "amei", "text": "x", "app": "miniprogram"}).status_code == 400


def test_settings_come_from_the_environment():
    from simulator import Config
    base = {"ACCOUNT_SECRET": "a", "ACCOUNT_TOKEN": "b", "ACCOUNT_AES_KEY": "c" * 43, "MINIPROGRAM_SECRET": "d"}
    assert Config.from_env("http://127.0.0.1:9", base).miniprogram_appid == MINI
    given = Config.from_env("http://127.0.0.1:9/", base | {"ACCOUNT_KIND": "subscription", "ACCOUNT_QR": "http://weixin.qq.com/r/x",
                                                           "APPS_BOUND": "False", "NOTICE_TEMPLATE": "N|thing1=title"})
    assert (given.account_kind, given.account_qr, given.apps_bound, given.notice_template, given.app_url) == (
        "subscription", "http://weixin.qq.com/r/x", False, "N|thing1=title", "http://127.0.0.1:9")
    alone = Config.from_env("http://127.0.0.1:9", base | {"MINIPROGRAM_APPID": "", "MINIPROGRAM_SECRET": ""})
    assert not alone.has_miniprogram and list(alone.secrets) == [ACCOUNT]
    with pytest.raises(KeyError, match="MINIPROGRAM_SECRET"):
        Config.from_env("http://127.0.0.1:9", base | {"MINIPROGRAM_SECRET": ""})
