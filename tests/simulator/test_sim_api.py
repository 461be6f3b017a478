"""api.weixin.qq.com: codes, tokens, media, messages, and how they are refused."""

import io
import json
import re
from datetime import timedelta

import pytest

ACCOUNT, MINI = "wxdemoaccount0001", "wxdemomini000001"


def login(wechat, code, **changes):
    args = {"appid": MINI, "secret": "simulated-miniprogram-secret", "js_code": code, "grant_type": "authorization_code"} | changes
    return wechat.get("/sns/jscode2session", **args)


def web_login(wechat, code, **changes):
    args = {"appid": ACCOUNT, "secret": "simulated-account-secret", "code": code, "grant_type": "authorization_code"} | changes
    return wechat.get("/sns/oauth2/access_token", **args)


def test_a_login_code_serves_once_and_tells_openid_and_unionid(wechat, sim):
    code = wechat.control("login-code", person="阿美")["code"]
    answer = wechat.client.get("/sns/jscode2session", query_string={
        "appid": MINI, "secret": "simulated-miniprogram-secret", "js_code": code, "grant_type": "authorization_code"})
    session, amei = json.loads(answer.data), sim.state.people["amei"]
    assert answer.mimetype == "text/plain" and "errcode" not in session
    assert session["openid"] == amei.openids[MINI] and len(session["openid"]) == 28
    assert session["unionid"] == amei.unionid
    assert login(wechat, code)["errcode"] == 40163


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"appid": "wxother"}, 40013), ({"appid": ACCOUNT}, 40013), ({"secret": "guess"}, 40125), ({"js_code": "nobody"}, 40029),
    ({"grant_type": "x"}, 40002)])
def test_a_wrong_login_is_refused_with_its_errcode(wechat, changes, errcode):
    answer = login(wechat, wechat.control("login-code", person="amei")["code"], **changes)
    assert answer["errcode"] == errcode
    assert re.search(r"rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", answer["errmsg"])


def test_a_code_belongs_to_one_app(wechat):
    assert web_login(wechat, wechat.control("login-code", person="amei")["code"])["errcode"] == 40029
    assert login(wechat, wechat.control("oauth-code", person="amei")["code"])["errcode"] == 40029


def test_a_code_lives_five_minutes_of_the_demos_clock(wechat, sim, shop):
    code = wechat.control("login-code", person="amei")["code"]
    shop.at += timedelta(minutes=5, seconds=2)
    sim.extensions["product"].look(fresh=True)
    assert login(wechat, code)["errcode"] == 40029
    code = wechat.control("oauth-code", person="amei")["code"]
    wechat.later(minutes=5, seconds=2)
    assert web_login(wechat, code)["errcode"] == 42003


def test_a_silent_login_gives_no_unionid(wechat, sim):
    silent = web_login(wechat, wechat.control("oauth-code", person="amei")["code"])
    told = web_login(wechat, wechat.control("oauth-code", person="amei", scope="snsapi_userinfo")["code"])
    assert silent["openid"] == told["openid"] == sim.state.people["amei"].openids[ACCOUNT]
    assert "unionid" not in silent and told["unionid"] == sim.state.people["amei"].unionid
    assert wechat.get("/sns/userinfo", access_token=told["access_token"], openid=told["openid"])["nickname"] == "阿美"
    assert wechat.get("/sns/userinfo", access_token=silent["access_token"], openid=silent["openid"])["errcode"] == 48001


def test_a_snapshot_page_gives_ids_that_are_nobodys(wechat):
    first, second = (web_login(wechat, wechat.control("oauth-code", person="小周")["code"]) for _ in range(2))
    assert first["is_snapshotuser"] == 1 and len(first["openid"]) == 28
    assert first["openid"] != second["openid"]


def test_a_users_token_is_refreshed_and_dies(wechat):
    told = web_login(wechat, wechat.control("oauth-code", person="amei", scope="snsapi_userinfo")["code"])
    asked = {"access_token": told["access_token"], "openid": told["openid"]}
    assert wechat.get("/sns/auth", **asked)["errcode"] == 0
    wechat.later(hours=2, minutes=1)
    assert wechat.get("/sns/userinfo", **asked)["errcode"] == 42001
    renew = {"appid": ACCOUNT, "grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert wechat.get("/sns/oauth2/refresh_token", **renew)["openid"] == told["openid"]
    assert wechat.get("/sns/userinfo", **asked)["nickname"] == "阿美"
    for changes, errcode in (({"refresh_token": "x"}, 40030), ({"appid": MINI}, 40013), ({"grant_type": "x"}, 40002)):
        assert wechat.get("/sns/oauth2/refresh_token", **(renew | changes))["errcode"] == errcode
    wechat.later(days=30)
    assert wechat.get("/sns/oauth2/refresh_token", **renew)["errcode"] == 42002
    assert wechat.get("/sns/userinfo", **(asked | {"openid": "o-other"}))["errcode"] in (40003, 42001)


def test_a_users_token_is_no_token_of_the_app(wechat):
    told = web_login(wechat, wechat.control("oauth-code", person="amei")["code"])
    assert wechat.get("/cgi-bin/user/info", access_token=told["access_token"], openid=told["openid"])["errcode"] == 40001
    assert web_login(wechat, "")["errcode"] == 41008


def test_a_snapshots_flag_may_be_missing(wechat):
    wechat.control("person", person="小周", snapshot_flag=False)
    told = web_login(wechat, wechat.control("oauth-code", person="小周", scope="snsapi_userinfo")["code"])
    assert "is_snapshotuser" not in told and told["openid"].startswith("o-snap-") and told["unionid"].startswith("u-snap-")
    wechat.control("person", person="小周", full=True)
    assert web_login(wechat, wechat.control("oauth-code", person="小周")["code"])["openid"] == wechat.openid("小周")


@pytest.mark.parametrize(("changes", "fits"), [
    ({}, True), ({"action_name": "QR_SCENE", "scene": {"scene_id": 5}}, True),
    ({"action_name": "QR_SCENE", "scene": {"scene_id": "5"}}, False),
    ({"scene": {"scene_str": ""}}, False), ({"scene": {"scene_str": "x" * 65}}, False), ({"expire_seconds": 2_592_001}, False),
    ({"action_name": "QR_LIMIT_SCENE", "scene": {"scene_id": 100_001}}, False), ({"action_name": "QR_LIMIT_STR_SCENE"}, True),
    ({"action_name": "QR"}, False), ({"scene": "poster"}, False)])
def test_scene_codes_have_their_bounds(wechat, changes, fits):
    scene = changes.pop("scene", {"scene_str": "poster"})
    body = {"action_name": "QR_STR_SCENE", "expire_seconds": 600, "action_info": {"scene": scene}} | changes
    made = wechat.post("/cgi-bin/qrcode/create", body, access_token=wechat.token())
    assert made.get("errcode") == (None if fits else 40097)
    if fits:
        assert ("expire_seconds" in made) is ("LIMIT" not in body["action_name"])


def test_the_stable_token_repeats_and_the_plain_one_replaces(wechat, sim, shop):
    assert wechat.token() == wechat.token()
    args = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": "simulated-account-secret"}
    old, new = (wechat.get("/cgi-bin/token", **args)["access_token"] for _ in range(2))
    assert old != new
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=old)
    shop.at += timedelta(minutes=6)
    sim.extensions["product"].look(fresh=True)
    assert wechat.get("/cgi-bin/getcallbackip", access_token=old)["errcode"] == 40001
    assert "ip_list" in wechat.get("/cgi-bin/getcallbackip", access_token=new)


def test_a_token_is_looked_at(wechat):
    token = wechat.token()
    for bad, errcode in (("", 41001), ("junk", 40014), ("SIM_stable_unknown", 40001)):
        assert wechat.get("/cgi-bin/getcallbackip", access_token=bad)["errcode"] == errcode
    assert wechat.control("expire-tokens")["expired"] == 1
    assert wechat.get("/cgi-bin/getcallbackip", access_token=token)["errcode"] == 42001
    assert wechat.token() != token


def test_a_mini_programs_token_opens_nothing_of_the_account(wechat, sim):
    openid = sim.state.people["amei"].openids[ACCOUNT]
    assert wechat.get("/cgi-bin/user/info", access_token=wechat.token(MINI), openid=openid)["errcode"] == 40013
    assert wechat.post("/wxa/business/getuserphonenumber", {"code": "x"}, access_token=wechat.token())["errcode"] == 40013
    message = {"touser": openid, "msgtype": "text", "text": {"content": "您好"}}
    assert wechat.post("/cgi-bin/message/custom/send", message, access_token=wechat.token(MINI))["errcode"] == 40003


def test_only_a_follower_has_more_than_an_openid(wechat, sim):
    token, people = wechat.token(), sim.state.people
    assert wechat.get("/cgi-bin/user/info", access_token=token, openid=people["amei"].openids[ACCOUNT])["unionid"] == people["amei"].unionid
    stranger = wechat.get("/cgi-bin/user/info", access_token=token, openid=people["afang"].openids[ACCOUNT])
    assert stranger == {"subscribe": 0, "openid": people["afang"].openids[ACCOUNT]}
    assert wechat.get("/cgi-bin/user/info", access_token=token, openid="o-nobody")["errcode"] == 40003


def test_a_customer_message_needs_real_json(wechat, sim):
    url, args = "/cgi-bin/message/custom/send", {"access_token": wechat.token()}
    body = {"touser": sim.state.people["amei"].openids[ACCOUNT], "msgtype": "text", "text": {"content": "收好啦"}}
    as_form = wechat.client.post(url, query_string=args, data={"touser": "x"}).get_json()
    escaped = wechat.client.post(url, query_string=args, data=json.dumps(body)).get_json()
    assert (as_form["errcode"], escaped["errcode"]) == (47001, 40033)
    wechat.control("send", person="amei", text="在吗")
    assert wechat.client.post(url, query_string=args, data=json.dumps(body, ensure_ascii=False).encode()).get_json()["errcode"] == 0
    assert wechat.get("/_sim/outbox", person="阿美")["messages"][-1] | {"at": ""} == {
        "kind": "text", "text": "收好啦", "media_id": "", "via": "customer", "at": ""}


def test_media_is_fetched_for_three_days(wechat, sim, shop):
    token = wechat.token()
    made = wechat.client.post("/cgi-bin/media/upload", query_string={"access_token": token, "type": "image"},
                              data={"media": (io.BytesIO(b"\x89PNG picture"), "a.png")}).get_json()
    answer = wechat.client.get("/cgi-bin/media/get", query_string={"access_token": token, "media_id": made["media_id"]})
    assert answer.data == b"\x89PNG picture" and answer.mimetype == "image/png" and "attachment" in answer.headers["Content-Disposition"]
    shop.at += timedelta(days=3, minutes=1)
    sim.extensions["product"].look(fresh=True)
    assert wechat.get("/cgi-bin/media/get", access_token=wechat.token(), media_id=made["media_id"])["errcode"] == 40007


def test_menu_and_scene_codes(wechat):
    token = wechat.token()
    assert wechat.get("/cgi-bin/menu/get", access_token=token)["errcode"] == 46003
    menu = {"button": [{"type": "click", "name": "A", "key": "vote"}]}
    assert wechat.post("/cgi-bin/menu/create", menu, access_token=token)["errcode"] == 0
    assert wechat.get("/cgi-bin/menu/get", access_token=token) == {"menu": menu}
    assert wechat.post("/cgi-bin/menu/create", {"button": [{"name": "B"}]}, access_token=token)["errcode"] == 40015
    wanted = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "poster"}}}
    made = wechat.post("/cgi-bin/qrcode/create", wanted, access_token=token)
    assert made["url"].startswith("http://weixin.qq.com/q/")
    assert wechat.client.get("/cgi-bin/showqrcode", query_string={"ticket": made["ticket"]}).data.startswith(b"\x89PNG")


def test_unknown_paths_and_wrong_methods(wechat):
    assert wechat.client.get("/cgi-bin/nonsense").status_code == 404
    assert wechat.client.get("/wxa/nonsense").status_code == 404
    assert wechat.get("/cgi-bin/stable_token")["errcode"] == 43002
    assert wechat.post("/sns/jscode2session", {})["errcode"] == 43001


def test_a_failure_comes_as_often_as_asked(wechat):
    wechat.control("fail-next", path="/cgi-bin/stable_token", errcode=45009, times=2)
    body = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": "simulated-account-secret"}
    answers = [wechat.post("/cgi-bin/stable_token", body).get("errcode") for _ in range(3)]
    assert answers == [45009, 45009, None]
    wechat.control("fail-next", path="/cgi-bin/stable_token", http=502)
    assert wechat.client.post("/cgi-bin/stable_token", json=body).status_code == 502
    seen = wechat.get("/_sim/requests")["requests"]
    assert [r["path"] for r in seen] == ["/cgi-bin/stable_token"] * 4


def test_reset_forgets_everything_but_the_cast(wechat, sim):
    wechat.control("people", name="新来的")
    wechat.token()
    wechat.control("reset")
    assert [p["name"] for p in wechat.get("/_sim/people")["people"]][:3] == ["阿美", "老陈", "路人"]
    assert len(sim.state.people) == 7 and not sim.state.tokens.given and not sim.state.requests
