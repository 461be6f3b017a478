"""What the phone shows beside the chat: the account's page, codes to scan, cards, notices, the three doors. With scripts off."""

import re

import pytest

from simulator import chat

MINI = "wxdemomini000001"


def post(phone, path, **form):
    answer = phone.post(path, data=form)
    assert answer.status_code == 303
    return phone.get(answer.location)


@pytest.mark.parametrize(("attributes", "path"), [
    (f'href="http://a/1" data-miniprogram-appid="{MINI}" data-miniprogram-path="pages/vote/vote?c=x&amp;y=1"',
     "/mini/open?page=pages%2Fvote%2Fvote%3Fc%3Dx%26y%3D1"),
    (f"data-miniprogram-path='pages/mine' data-miniprogram-appid='{MINI}' href='http://a/1'", "/mini/open?page=pages%2Fmine"),
    ('href="http://a/1" data-miniprogram-appid="wxother" data-miniprogram-path="pages/vote"', "/open?url=http%3A%2F%2Fa%2F1&amp;from=chat"),
    ('href="http://evil.example/" data-miniprogram-appid="wxother"', "")])
def test_a_link_may_open_the_mini_program_and_falls_back_to_its_address(attributes, path):
    shown = chat.rich(f"点<a {attributes}>这里</a>吧", lambda url: url.startswith("http://a/"), MINI)
    assert shown == (f'点<a href="{path}">这里</a>吧' if path else "点这里吧")


def test_who_does_not_follow_sees_the_accounts_page_first(phone, shop, sim):
    post(phone, "/who", who="afang")
    page = phone.get("/", follow_redirects=True).text
    assert "关注公众号" in page and 'id="say"' not in page and 'href="/article/reform"' in page
    assert "先关注公众号" in post(phone, "/say", text="投票").text and shop.received == []
    shop.answers = ["您好，我是小文文"]
    assert "您好，我是小文文" in post(phone, "/follow").text
    assert (shop.received[0]["Event"], sim.state.people["afang"].follows) == ("subscribe", True)
    phone.post("/follow")
    assert len(shop.received) == 1   # already
    page = post(phone, "/follow", do="leave").text
    assert shop.received[1]["Event"] == "unsubscribe" and "关注公众号" in page


def test_the_accounts_own_code_leads_to_it(phone, sim):
    page = phone.get("/scan").text
    assert f'value="{sim.state.config.account_qr}"' in page
    assert phone.post("/scanned", data={"content": sim.state.config.account_qr}).location == "/profile"
    wechat_less = sim.state.config.changed({"account_qr": ""})
    sim.state.config = wechat_less
    assert "公众号</b></button>" not in phone.get("/scan").text and "没认出来" in post(phone, "/scanned", content="").text


def test_any_code_can_be_scanned(phone, wechat, shop):
    token, mini = wechat.token(), wechat.token(MINI)
    scene = wechat.post("/cgi-bin/qrcode/create", {"action_name": "QR_STR_SCENE", "expire_seconds": 60, "action_info": {
        "scene": {"scene_str": "poster"}}}, access_token=token)["url"]
    link = wechat.post("/wxa/generate_urllink", {"path": "pages/vote/vote", "query": "slug=reform"}, access_token=mini)["url_link"]
    wechat.post("/wxa/getwxacodeunlimit", {"scene": "reform", "page": "pages/vote/vote"}, access_token=mini)
    code = next(p["content"] for p in wechat.get("/_sim/printed")["printed"] if p["kind"] == "mini-code")
    page = phone.get("/scan").text
    assert all(f'value="{content}"' in page for content in (scene, link, code))
    assert phone.post("/scanned", data={"content": scene}).location == "/" and shop.received[-1]["Event"] == "SCAN"
    for content in (link, code):
        first = phone.post("/scanned", data={"content": content}).location
        assert phone.get(first).location == "/mini/c/reform"
    capitals = shop.url.upper() + "/R/ABC"
    assert phone.post("/scanned", data={"content": capitals}).location.endswith("%2FR%2FABC")
    wechat.later(minutes=2)
    for gone in (scene, "http://evil.example/", "javascript:alert(1)"):
        assert phone.post("/scanned", data={"content": gone}).location == "/scan?note=unknown"


def test_a_preview_page_can_be_left(phone, sim, shop):
    phone.post("/who", data={"who": "xiaozhou"})
    assert "当前是预览页" in phone.get(f"/open?url={shop.url}/c/reform").text
    page = post(phone, "/full", url=shop.url + "/c/reform").text
    assert "当前是预览页" not in page and not sim.state.people["xiaozhou"].sees_snapshot
    phone.post("/who", data={"who": "amei"}), phone.post("/who", data={"who": "xiaozhou"})
    assert "当前是预览页" in phone.get(f"/open?url={shop.url}/c/reform").text


def test_where_a_page_was_opened_from_is_remembered(phone, shop, wechat):
    for way, kept in (("chat", "chat"), ("menu", "menu"), ("article", "article"), ("<x>", "")):
        phone.get("/open", query_string={"url": shop.url + "/c/reform", "from": way})
        cookie = phone.get_cookie("sim_from", domain="127.0.0.1")
        assert (cookie.value if cookie else "") == kept
    assert shop.received == []   # no menu was made yet
    button = {"type": "view", "name": "看", "url": shop.url + "/c/reform"}
    wechat.post("/cgi-bin/menu/create", {"button": [button]}, access_token=wechat.token())
    phone.get(re.search(r'href="(/open[^"]+from=menu)"', phone.get("/").text)[1].replace("&amp;", "&"))
    wechat.settle()
    assert (shop.received[0]["Event"], shop.received[0]["EventKey"]) == ("VIEW", shop.url + "/c/reform")


def test_a_menu_may_have_sub_menus_and_lead_into_the_mini_program(phone, wechat, shop):
    sub = [{"type": "click", "name": "我的签号", "key": "mine"}, {"type": "view", "name": "说明", "url": shop.url + "/c/reform"},
           {"type": "miniprogram", "name": "小程序", "url": shop.url, "appid": MINI, "pagepath": "pages/vote/vote?c=reform"}]
    wechat.post("/cgi-bin/menu/create", {"button": [{"name": "更多", "sub_button": sub}]}, access_token=wechat.token())
    page = phone.get("/").text
    assert "<summary>更多</summary>" in page and '<button name="key" value="mine">我的签号</button>' in page
    assert 'href="/mini/open?page=pages%2Fvote%2Fvote%3Fc%3Dreform"' in page


def test_cards_are_drawn_and_lead_on(phone, wechat, shop):
    data = {"thing1": {"value": "抽奖<b>"}, "thing3": {"value": "恭喜，您中奖了"}, "time2": {"value": "2022年1月11日 21:15"}}
    wechat.post("/cgi-bin/message/template/send", {"touser": wechat.openid("amei"), "template_id": "SIM-TEMPLATE-DRAW", "data": data,
                                                   "url": shop.url + "/w/reform-1"}, access_token=wechat.token())
    wechat.control("subscribe", person="amei")
    wechat.post("/cgi-bin/message/subscribe/send", {"touser": wechat.openid("amei", "miniprogram"), "template_id": "SIM-NOTICE-DRAW",
                                                    "page": "pages/mine/mine", "data": data}, access_token=wechat.token(MINI))
    wechat.settle()
    page = phone.get("/").text
    assert "抽奖&lt;b&gt;" in page and "%2Fw%2Freform-1" in page and "查看详情" in page
    notices = phone.get("/notices").text
    assert "抽奖&lt;b&gt;" in notices and "/mini/open?page=pages/mine/mine" in notices and "2022年1月11日 21:15" in notices
    assert "抽奖结果通知" in phone.get("/chats").text
    assert phone.get("/mini/open?page=pages/mine/mine").location == "/mini/mine"


def test_the_three_doors_are_explained_and_open(phone, shop, sim):
    page = phone.get("/doors").text
    for words in ("网页登录", "小程序", "发关键词", 'href="/article/reform"', 'href="/mini/c/reform"', 'value="打分"'):
        assert words in page
    sim.state.config = sim.state.config.changed({"miniprogram_appid": ""})
    page = phone.get("/doors").text
    assert "打开小程序" not in page and "发关键词" in page
    assert phone.get("/mini").location == "/?note=nomini"


def test_the_mini_program_says_what_is_wrong_when_the_product_is_away(phone, sim):
    phone.get("/")
    sim.extensions["product"].app_url = "http://127.0.0.1:9"
    page = phone.get("/mini/c/reform").text
    assert "网络不太顺，没连上" in page and "再试一次" in page
