"""The phone in the hand, with scripts off."""

import io
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from simulator import chat
from simulator.product import read_receipt, with_source

ROOT = Path(__file__).resolve().parents[2]


def post(phone, path, **form):
    answer = phone.post(path, data=form)
    assert answer.status_code == 303
    return phone.get(answer.location)


def test_the_chat_shows_the_article_and_the_menu(phone):
    answer = phone.get("/")
    page = answer.text
    for words in ("家门口的文化馆，请您打个分", "到1月8日（周六）09:00", "1月6日（周四）14:16", "去投票", "我的签号", "抽奖公示",
                  "阿美", "老陈", "路人",
                  'href="/article/reform"', "三种进法", "网页登录", "小程序", "发“打分”"):
        assert words in page
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "frame-src 'self' http://127.0.0.1" in policy
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", page)
    assert phone.get_cookie("sim_wechat", domain="127.0.0.1").value == "1"


def test_the_article_carries_the_qr_to_press(phone, shop):
    page = phone.get("/article/reform").text
    assert "长按识别，就能投票" in page and 'src="data:image/png;base64,' in page
    link = re.search(r'class="press" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert f'src="{shop.url}/c/reform?s=article"' in phone.get(link).text
    assert phone.get("/article/nothing").status_code == 404


def test_a_text_is_sent_and_the_replys_link_opens_inside_the_phone(phone, shop):
    shop.answers = [f'来啦！这是您一个人的入口。\n<a href="{shop.url}/e/token?x=1&amp;y=2">去投票</a>']
    page = post(phone, "/say", text="投票").text
    assert '<div class="b">投票</div>' in page
    link = re.search(r'<a class="go" href="([^"]+)">去投票</a>', page)[1].replace("&amp;", "&")
    assert f'src="{shop.url}/e/token?x=1&amp;y=2"' in phone.get(link).text


@pytest.mark.parametrize(("text", "html"), [
    ("好的", "好的"), ("<b>粗</b>", "&lt;b&gt;粗&lt;/b&gt;"), ("看http://evil.example/x。", "看http://evil.example/x。"),
    ('<a href="javascript:x">点</a>', "点"),
    ("看http://a/c/x。好", '看<a href="/open?url=http%3A%2F%2Fa%2Fc%2Fx&amp;from=chat">a/c/x</a>。好'),
    ('先<a href="http://a/1">这</a>后', '先<a href="/open?url=http%3A%2F%2Fa%2F1&amp;from=chat">这</a>后'),
    ('好\n<a href="http://a/1">去</a>\n再见', '好<a class="go" href="/open?url=http%3A%2F%2Fa%2F1&amp;from=chat">去</a>再见')])
def test_links_of_the_product_are_live_and_all_else_is_words(text, html):
    assert chat.rich(text, lambda url: url.startswith("http://a/")) == html


def test_only_the_products_pages_open(phone, shop):
    assert "家门口的文化馆，请您打个分" in phone.get(f"/open?url={shop.url}/c/reform").text
    for foreign in ("http://evil.example/", shop.url + "@evil.example/", "javascript:alert(1)", "//evil.example/c/reform"):
        assert phone.get("/open", query_string={"url": foreign}).location == "/?note=elsewhere"


def test_without_a_receipt_there_is_nothing_to_shoot(phone):
    assert "先投票，再截图" in post(phone, "/shot", url="").text


def test_a_screenshot_goes_to_the_album_and_then_to_the_account(phone, shop, sim):
    zxingcpp = pytest.importorskip("zxingcpp")
    phone.set_cookie("wxv", "1", domain="127.0.0.1")
    page = post(phone, "/shot", url=shop.url + "/c/reform").text
    picture = Image.open(io.BytesIO(phone.get(re.search(r'src="(/photo/\w+)"', page)[1]).data))
    assert picture.size == (1170, 2532)
    found = zxingcpp.read_barcodes(picture)
    assert {c.text for c in found} == {"HTTPS://VOTE.EXAMPLE.ORG/R/ABCDEFGHJKMNPQRSTVWXYZ23"}
    assert min(c.position.bottom_left.y for c in found) < 2532 / 3
    post(phone, "/album", photo=sim.state.people["amei"].album[0].id, do="send")
    assert shop.received[0]["MsgType"] == "image"


def test_a_photo_may_be_handed_to_a_stranger(phone, shop, sim):
    phone.set_cookie("wxv", "1", domain="127.0.0.1")
    post(phone, "/shot", url="")
    assert "转过去了" in post(phone, "/album", photo=sim.state.people["amei"].album[0].id, to="luren").text
    page = post(phone, "/who", who="luren").text
    assert "阿美转来的" in page
    post(phone, "/album", photo=sim.state.people["luren"].album[0].id, do="send")
    assert shop.received[0]["FromUserName"] == sim.state.people["luren"].openids["wxdemoaccount0001"]


def test_an_uploaded_picture_is_sent_before_the_words(phone, shop):
    phone.post("/say", data={"text": "王小梅 13800000000", "image": (io.BytesIO(b"\xff\xd8\xff picture"), "a.jpg")})
    assert [r["MsgType"] for r in shop.received] == ["image", "text"]


def test_another_persons_phone_has_none_of_the_products_cookies(phone):
    answer = phone.post("/who", data={"who": "laochen"})
    cookies = answer.headers.getlist("Set-Cookie")
    assert any(c.startswith("sim_person=laochen;") for c in cookies) and any(c.startswith("elder=1;") for c in cookies)
    for name in ("wxv", "session"):
        assert any(c.startswith(f"{name}=;") and "Max-Age=0" in c and "Path=/" in c for c in cookies)
    assert not any(c.startswith("wxv=") for c in phone.post("/who", data={"who": "laochen"}).headers.getlist("Set-Cookie"))


def test_the_phone_lives_on_the_products_host_name(phone):
    answer = phone.get("/scan?x=1", base_url="http://localhost:8100")
    assert answer.location == "http://127.0.0.1:8100/scan?x=1"


def test_time_jumps_by_the_products_clock(phone, shop):
    assert "1月7日（周五）14:16" in post(phone, "/time", to="tomorrow").text
    assert shop.at.day == 7


def test_time_does_not_run_back(phone, shop):
    shop.only_forward = True
    assert "时间只能往前走" in post(phone, "/time", to="before-close").text


def test_time_stands_while_the_product_is_away(phone, sim):
    sim.extensions["product"].point_at("http://127.0.0.1:9")
    assert "时间没有动" in post(phone, "/time", to="draw").text


def test_the_accounts_own_menu_is_shown_and_pressed(phone, wechat, shop):
    wechat.post("/cgi-bin/menu/create", {"button": [{"type": "click", "name": "Hi", "key": "hello"}]}, access_token=wechat.token())
    assert '<button name="key" value="hello">Hi</button>' in phone.get("/").text
    shop.answers = ["您好"]
    assert "您好" in post(phone, "/menu", key="hello").text


def test_the_scanner_offers_every_source(phone, shop):
    page = phone.get("/scan").text
    assert "公众号文章" in page and "海报" in page and "s%3Dposter" in page
    assert with_source("http://a/c/x?s=article&y=1", "poster") == "http://a/c/x?y=1&s=poster"


def test_printed_codes_only_and_the_hosted_vote_first(sim, shop):
    named = (("hq", "总馆海报"), ("menu", "公众号菜单"), ("chat", "聊天"))
    sources = [{"code": code, "name": name, "url": f"{shop.url}/c/x?s={code}"} for code, name in named]
    shop.more = [{"slug": "x", "title": "街道评议", "mode": "external", "entry_url": "/c/x", "sources": sources, "draw_url": "/d/x-1"}]
    first, second = sim.extensions["product"].look(fresh=True).campaigns
    assert (first.mode, second.mode, second.menu_url) == ("hosted", "external", f"{shop.url}/c/x?s=menu")
    assert second.sources == (("总馆海报", f"{shop.url}/c/x?s=hq"),) and second.draw_url == f"{shop.url}/d/x-1"


def test_a_mini_programs_login_code_works(phone, wechat):
    code = re.search(r'hold">(\w{32})<', post(phone, "/mini/code").text)[1]
    answer = wechat.get("/sns/jscode2session", appid="wxdemomini000001", secret="simulated-miniprogram-secret", js_code=code,
                        grant_type="authorization_code")
    assert answer["openid"]


def test_a_page_without_receipt_is_none():
    assert read_receipt("<h1>你好</h1><p class=code>7K4M-X2RD</p>") is None
    assert read_receipt('<img class="qr" src="/qr.png"><p class=code>7K4M-X2RD</p>') is None


def test_messages_keep_the_demos_time(phone, shop):
    post(phone, "/say", text="早")
    shop.at += timedelta(hours=3)
    page = post(phone, "/say", text="午").text
    assert "1月6日（周四）17:16" in page


def test_it_starts_from_the_command_line(http):
    env = {"ACCOUNT_SECRET": "a", "ACCOUNT_TOKEN": "b", "ACCOUNT_AES_KEY": "c" * 43, "MINIPROGRAM_SECRET": "d", "PATH": ""}
    command = [sys.executable, "-m", "simulator", "--port", "0", "--app-url", "http://127.0.0.1:9"]
    lacking = subprocess.run(command, cwd=ROOT, env=env | {"ACCOUNT_TOKEN": ""}, capture_output=True, text=True, timeout=20, check=False)
    assert lacking.returncode == 2 and "ACCOUNT_TOKEN" in lacking.stderr
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        assert http.get(url + "_sim/people", timeout=5).status_code == 200
        process.terminate()
        assert process.wait(timeout=5) == 0
