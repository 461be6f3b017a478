"""The mini program's calls: phone, session, 小程序码, links, content security, risk."""

import hashlib
import hmac
import io
import json

import pytest
from PIL import Image

ACCOUNT, MINI = "wxdemoaccount0001", "wxdemomini000001"


@pytest.fixture
def call(wechat):
    """Posts to /wxa/… with the mini program's token."""
    return lambda path, body, **args: wechat.post("/wxa/" + path, body, **({"access_token": wechat.token(MINI)} | args))


# the phone
def test_the_phone_button_gives_a_number_once(wechat, call):
    code = wechat.control("phone-code", person="amei")["code"]
    told = call("business/getuserphonenumber", {"code": code, "openid": wechat.openid("amei", "miniprogram")})
    assert told["phone_info"]["purePhoneNumber"] == "13800000000" and told["phone_info"]["watermark"]["appid"] == MINI
    assert call("business/getuserphonenumber", {"code": code})["errcode"] == 40163


def test_a_login_code_is_no_phone_code_and_time_runs_out(wechat, call):
    assert call("business/getuserphonenumber", {"code": wechat.control("login-code", person="amei")["code"]})["errcode"] == 40029
    late = wechat.control("phone-code", person="amei")["code"]
    wechat.later(minutes=5, seconds=2)
    assert call("business/getuserphonenumber", {"code": late})["errcode"] == 40029


def test_somebody_elses_phone_code_is_refused(wechat, call):
    def ask(openid):
        code = wechat.control("phone-code", person="amei")["code"]
        return call("business/getuserphonenumber", {"code": code, "openid": openid})["errcode"]

    assert ask(wechat.openid("laochen", "miniprogram")) == 40029
    assert ask(wechat.openid("amei")) == 43104
    assert ask("o-nobody") == 40003


def test_the_country_comes_as_number_or_text(wechat, call):
    def country():
        code = wechat.control("phone-code", person="amei")["code"]
        return call("business/getuserphonenumber", {"code": code})["phone_info"]["countryCode"]

    assert {type(country()) for _ in range(4)} == {int, str}
    wechat.control("shape", numbers="string")
    assert [country() for _ in range(3)] == ["86"] * 3
    wechat.control("shape", numbers="number")
    assert [country() for _ in range(3)] == [86] * 3


# the session
def test_a_session_is_checked_by_its_key(wechat, sim):
    openid, token = wechat.visit("amei"), wechat.token(MINI)

    def signed():
        return hmac.new(sim.state.people["amei"].session_keys[MINI].encode(), b"", hashlib.sha256).hexdigest()

    def check(path="checksession", **changes):
        usual = {"access_token": token, "openid": openid, "signature": signed(), "sig_method": "hmac_sha256"}
        return wechat.get("/wxa/" + path, **(usual | changes))

    assert check()["errcode"] == 0
    assert check(signature="0" * 64)["errcode"] == 87009 and check(sig_method="md5")["errcode"] == 87008
    assert check(openid="o-nobody")["errcode"] == 40003
    old = signed()
    assert check("resetusersessionkey")["session_key"] == sim.state.people["amei"].session_keys[MINI]
    assert check(signature=old)["errcode"] == 87009
    again = signed()
    wechat.visit("amei")
    assert check(signature=again)["errcode"] == 87009   # a new login replaced it


def test_a_blocked_person_does_not_get_in(wechat):
    wechat.control("person", person="amei", risk=4)
    code = wechat.control("login-code", person="amei")["code"]
    assert wechat.get("/sns/jscode2session", appid=MINI, secret="simulated-miniprogram-secret", js_code=code,
                      grant_type="authorization_code")["errcode"] == 40226


# 小程序码 and links
def code_of(wechat, **changes):
    body = {"scene": "a1B2-._~", "page": "pages/index/index", "width": 430} | changes
    return wechat.client.post("/wxa/getwxacodeunlimit", query_string={"access_token": wechat.token(MINI)},
                              data=json.dumps(body, ensure_ascii=False).encode())


def test_a_code_is_a_picture(wechat):
    answer = code_of(wechat)
    assert answer.mimetype == "image/jpeg" and Image.open(io.BytesIO(answer.data)).size == (430, 430)
    assert code_of(wechat).data == answer.data   # it never changes
    zxingcpp = pytest.importorskip("zxingcpp")
    content = zxingcpp.read_barcodes(Image.open(io.BytesIO(answer.data)))[0].text
    assert wechat.get("/_sim/printed")["printed"] == [
        {"kind": "mini-code", "content": content, "scene": "a1B2-._~", "page": "pages/index/index", "query": ""}]


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"scene": ""}, 40169), ({"scene": "x" * 33}, 40169), ({"scene": None}, 40169), ({"scene": "a%20b"}, 40129),
    ({"scene": "投票"}, 40129),
    ({"page": "pages/none"}, 41030), ({"page": "/pages/index/index"}, 41030), ({"page": "pages/index/index?a=1"}, 41030),
    ({"page": "/pages/none", "check_path": False}, 41030), ({"width": 279}, 40097), ({"width": 1281}, 40097),
    ({"env_version": "beta"}, 40097)])
def test_a_code_that_is_refused(wechat, changes, errcode):
    answer = code_of(wechat, **changes)
    assert answer.get_json(force=True)["errcode"] == errcode and answer.headers["Content-Type"] == "application/json; encoding=utf-8"


def test_an_unreleased_page_passes_unchecked(wechat):
    assert code_of(wechat, page="pages/none", check_path=False, env_version="trial").mimetype == "image/jpeg"
    wechat.config(miniprogram_pages="pages/other")
    assert code_of(wechat).get_json(force=True)["errcode"] == 41030
    assert code_of(wechat, page="").mimetype == "image/jpeg"   # the front page


def test_a_form_is_no_body_for_a_code(wechat):
    answer = wechat.client.post("/wxa/getwxacodeunlimit", query_string={"access_token": wechat.token(MINI)}, data={"scene": "a"})
    assert answer.get_json(force=True)["errcode"] == 40169


@pytest.mark.parametrize(("changes", "errcode"), [
    ({}, 0), ({"path": "pages/none"}, 40165), ({"query": "x" * 1025}, 40212), ({"expire_type": 1, "expire_interval": 31}, 85401),
    ({"expire_type": 1, "expire_interval": 30}, 0), ({"expire_type": 0, "expire_time": 1641449760 + 31 * 86400}, 85401),
    ({"expire_type": 0, "expire_time": 1}, 85401), ({"env_version": "beta"}, 40097), ({"expire_type": 2}, 40097)])
def test_links_into_the_mini_program(wechat, call, changes, errcode):
    body = {"path": "/pages/vote/vote", "query": "c=x"} | changes
    answer = call("generate_urllink", body)
    assert answer["errcode"] == errcode
    target = {k: v for k, v in body.items() if k in ("path", "query", "env_version")}
    other = call("generatescheme", {"jump_wxa": target, "is_expire": True} | {k: v for k, v in body.items() if k not in target})
    assert other["errcode"] == errcode
    if errcode == 0:
        assert answer["url_link"].startswith("https://wxaurl.cn/") and other["openlink"].startswith("weixin://dl/business/?t=")


# content security and risk
def check_body(wechat, **changes):
    return {"version": 2, "openid": wechat.openid("amei", "miniprogram"), "scene": 2, "content": "家门口的文化馆"} | changes


def test_a_text_is_judged(wechat, call):
    wechat.visit("amei")
    wechat.control("verdict", contains="加微信", suggest="risky", label=10001)
    for content, suggest, label in (("您好", "pass", 100), ("违规样例词", "risky", 20006), ("可疑样例词", "review", 20001),
                                    ("加微信领奖", "risky", 10001)):
        told = call("msg_sec_check", check_body(wechat, content=content))
        assert (told["result"]["suggest"], int(told["result"]["label"])) == (suggest, label) and told["trace_id"]
    assert call("msg_sec_check", check_body(wechat, nickname="违规样例词"))["result"]["suggest"] == "risky"


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"version": 1}, 40097), ({"version": "2"}, 40097), ({"scene": 5}, 40129), ({"content": ""}, 44002), ({"content": "字" * 2501}, 45002),
    ({"content": None}, 47001), ({"openid": "o-nobody"}, 40003)])
def test_a_text_check_that_is_refused(wechat, call, changes, errcode):
    wechat.visit("amei")
    assert call("msg_sec_check", check_body(wechat, **changes))["errcode"] == errcode
    assert call("msg_sec_check", {"content": "v1 has nothing else"})["errcode"] == 40097
    assert call("msg_sec_check", check_body(wechat, openid=wechat.openid("amei")))["errcode"] == 43104


@pytest.mark.parametrize("path", ["msg_sec_check", "media_check_async", "getuserriskrank"])
def test_a_visit_is_fresh_for_two_hours(wechat, call, path):
    body = check_body(wechat, media_url="http://127.0.0.1:9/x", media_type=2, appid=MINI, client_ip="10.0.0.1")
    body["scene"] = 1
    assert call(path, body)["errcode"] == 61010
    wechat.visit("amei")
    assert call(path, body)["errcode"] == 0
    wechat.later(hours=2, minutes=1)
    assert call(path, body)["errcode"] == 61010


def media_body(wechat, url, **changes):
    return {"version": 2, "openid": wechat.openid("amei", "miniprogram"), "scene": 1, "media_type": 2, "media_url": url} | changes


def test_a_picture_is_really_fetched_and_its_verdict_comes_later(wechat, call, shop):
    wechat.visit("amei")
    shop.pictures["a.png"] = b"\x89PNG picture"
    wechat.control("hold")
    wechat.control("verdict", media={"suggest": "risky", "label": 20002})
    told = call("media_check_async", media_body(wechat, shop.url + "/picture/a.png"))
    assert told["trace_id"] and shop.received == []
    wechat.settle()
    seen = wechat.get("/_sim/checked")["checked"]
    assert [(c["fetched"], c["sha256"]) for c in seen] == [(True, hashlib.sha256(b"\x89PNG picture").hexdigest())]
    event = shop.received[-1]
    assert (event["app"], event["Event"], event["trace_id"], event["version"]) == ("miniprogram", "wxa_media_check", told["trace_id"], 2)
    assert event["result"]["suggest"] == "risky" and int(event["result"]["label"]) == 20002
    assert "media_url" not in event and event["FromUserName"] == wechat.openid("amei", "miniprogram")


def test_a_picture_nobody_can_fetch_passes(wechat, call, shop):
    wechat.visit("amei")
    for url in (shop.url + "/picture/none.png", "https://vote.example.org/p.png"):
        wechat.control("verdict", media={"suggest": "risky", "label": 20002})
        call("media_check_async", media_body(wechat, url))
        wechat.settle()
        assert shop.received[-1]["result"]["suggest"] == "pass"
    assert [c["fetched"] for c in wechat.get("/_sim/checked")["checked"]] == [False, False]


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"media_url": "file:///etc/hostname"}, 40097), ({"media_type": 3}, 40097), ({"version": 1}, 40097), ({"scene": 0}, 40129)])
def test_a_media_check_that_is_refused(wechat, call, changes, errcode):
    wechat.visit("amei")
    assert call("media_check_async", media_body(wechat, "http://127.0.0.1:9/x") | changes)["errcode"] == errcode


def test_the_verdict_may_come_as_xml(wechat, call, shop):
    wechat.config(miniprogram_format="xml")
    wechat.visit("amei")
    call("media_check_async", media_body(wechat, "http://127.0.0.1:9/x"))
    wechat.settle()
    assert shop.received[-1]["type"] == "text/xml" and shop.received[-1]["Event"] == "wxa_media_check"


def test_a_persons_risk(wechat, call):
    wechat.visit("amei")
    wechat.control("person", person="amei", risk=3)
    body = {"appid": MINI, "openid": wechat.openid("amei", "miniprogram"), "scene": 1, "client_ip": "10.0.0.1"}
    told = call("getuserriskrank", body)
    assert int(told["risk_rank"]) == 3 and "unoin_id" in told
    for changes, errcode in (({"appid": ACCOUNT}, 40013), ({"scene": 7}, 40129), ({"client_ip": ""}, 40097),
                             ({"openid": wechat.openid("amei")}, 43104)):
        assert call("getuserriskrank", body | changes)["errcode"] == errcode
