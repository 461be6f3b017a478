"""What reaches the product, how often, and which replies WeChat takes."""

import base64

import pytest

from simulator import crypto, forge
from simulator.envelope import encrypted_part
from tests.simulator.conftest import THURSDAY

FAULT = "该公众号提供的服务出现故障，请稍后再试"


def outbox(wechat, person="amei"):
    return [m["text"] for m in wechat.get("/_sim/outbox", person=person)["messages"]]


def test_a_text_arrives_encrypted_and_the_reply_lands_in_the_chat(wechat, shop, sim):
    shop.answers = ["来啦！<ok> ]]> &"]
    sent = wechat.control("send", person="阿美", text="投票 & <我>")
    got = shop.received[0]
    assert (got["MsgType"], got["Content"], got["MsgId"]) == ("text", "投票 & <我>", sent["msg_id"])
    assert got["FromUserName"] == sim.state.people["amei"].openids["wxdemoaccount0001"] == got["query"]["openid"]
    assert (got["ToUserName"], got["CreateTime"], got["query"]["timestamp"]) == ("gh_demo_account", "1641449760", "1641449760")
    assert got["query"]["encrypt_type"] == "aes" and b"Content" not in got["body"]
    assert int(got["MsgId"]) > 2**53
    assert outbox(wechat) == ["来啦！<ok> ]]> &"] and outbox(wechat, "laochen") == []


def test_an_image_can_be_fetched_by_its_media_id(wechat, shop, sim):
    sent = wechat.control("send", person="amei", image_base64=base64.b64encode(b"\x89PNG picture").decode())
    got = shop.received[0]
    assert got["MsgType"] == "image" and got["MediaId"] == sent["media_id"]
    by_token = wechat.client.get("/cgi-bin/media/get", query_string={"access_token": wechat.token(), "media_id": got["MediaId"]})
    by_address = wechat.client.get(got["PicUrl"].replace("http://127.0.0.1", ""))
    assert by_token.data == by_address.data == b"\x89PNG picture"


def test_the_same_message_comes_three_times_while_the_product_fails(wechat, shop):
    wechat.control("config", callback_timeout_seconds=0.6)
    shop.answers = [500, 1.0, 502]
    assert wechat.control("send", person="amei", text="投票")["outcome"] == "http 502"
    assert len({(r["MsgId"], r["body"], r["query"]["nonce"]) for r in shop.received}) == 1
    assert [c["outcome"] for c in wechat.get("/_sim/callbacks")["callbacks"]] == ["http 500", "timeout", "http 502"]
    assert outbox(wechat) == [FAULT]


def test_a_second_delivery_may_succeed(wechat, shop):
    shop.answers = [500, "来啦！"]
    assert wechat.control("send", person="amei", text="投票")["delivery"] == 2
    assert outbox(wechat) == ["来啦！"]


def test_a_lost_reply_makes_wechat_come_again(wechat, shop):
    shop.answers = ["第一次", "第二次"]
    wechat.control("send", person="amei", text="投票", lose_replies=1)
    assert len(shop.received) == 2 and outbox(wechat) == ["第二次"]


def test_an_unreachable_product_leaves_a_sentence_in_the_chat(wechat):
    wechat.control("config", app_url="http://127.0.0.1:9")
    assert wechat.control("send", person="amei", text="投票")["outcome"] == "unreachable"
    assert outbox(wechat) == [FAULT]


@pytest.mark.parametrize(("spoiled", "why"), [
    ({"MsgSignature": "0" * 40}, "MsgSignature"), ({"Nonce": "7"}, "MsgSignature"), ({"Encrypt": "AAAA"}, "MsgSignature"),
    ({"ToUserName": "o-somebody-else"}, "swapped"), ({"CreateTime": "now"}, "CreateTime"), ({"MsgType": "poem"}, "MsgType"),
    ({"Content": ""}, "empty"), ({"Content": "文" * 700}, "2048")])
def test_a_reply_wechat_would_not_take(wechat, shop, sim, spoiled, why):
    person = {"FromUserName": sim.state.people["amei"].openids["wxdemoaccount0001"], "ToUserName": "gh_demo_account"}
    shop.raw_reply = shop.sealed(person, "来啦！", **spoiled)
    shop.answers = ["x"] * 3
    outcome = wechat.control("send", person="amei", text="投票")["outcome"]
    assert outcome.startswith("invalid: ") and why in outcome
    assert outbox(wechat) == [FAULT]


@pytest.mark.parametrize("raw", ['{"text": "来啦"}', "<xml><Content>来啦</Content></xml>", "<html></html>", "ok"])
def test_a_reply_in_another_shape_is_a_fault(wechat, shop, raw):
    shop.raw_reply, shop.answers = raw, ["x"] * 3
    assert wechat.control("send", person="amei", text="投票")["outcome"].startswith("invalid: ")
    assert outbox(wechat) == [FAULT]


def test_an_invalid_reply_shows_at_once_and_is_not_asked_for_again(wechat, shop):
    shop.raw_reply, shop.answers = "ok", ["x"] * 3
    wechat.control("send", person="amei", text="投票")
    assert len(shop.received) == 1 and outbox(wechat) == [FAULT]


def test_invalid_replies_may_be_asked_for_again(wechat, shop):
    wechat.config(retry_invalid_replies=True)
    shop.raw_reply, shop.answers = "ok", ["x"] * 3
    wechat.control("send", person="amei", text="投票")
    assert len(shop.received) == 3 and outbox(wechat) == [FAULT]


def test_events_carry_no_msg_id(wechat, shop, sim):
    wechat.control("follow", person="阿芳", scene="poster")
    wechat.control("click", person="amei", key="vote")
    follow, click = shop.received
    assert (follow["Event"], follow["EventKey"], "MsgId" in follow) == ("subscribe", "qrscene_poster", False)
    assert (click["MsgType"], click["Event"], click["EventKey"]) == ("event", "CLICK", "vote")
    assert sim.state.people["afang"].follows


def test_the_last_callback_can_be_sent_again(wechat, shop):
    assert wechat.client.post("/_sim/resend", json={}).status_code == 409
    wechat.control("send", person="amei", text="投票")
    wechat.control("resend", times=2)
    assert len(shop.received) == 3 and len({r["body"] for r in shop.received}) == 1


@pytest.mark.parametrize("how", ["unsigned", "wrong-signature", "wrong-token", "plain", "other-app"])
def test_forged_deliveries_reach_the_product_as_forged(wechat, shop, how):
    assert wechat.control("forge", person="amei", text="投票", how=how)["status"] == 403
    assert shop.received == []


@pytest.mark.parametrize("how", forge.HOWS)
def test_every_forgery_is_what_it_says(sim, shop, how):
    """Each spoils one thing and nothing else: signature, time, key, appid or what is inside."""
    config, person, at = sim.state.config, sim.state.people["amei"], THURSDAY
    made = forge.forged(sim.state, person, "投票", how, at)
    q, signed = made.query, False
    if "<Encrypt>" in made.body and "nonce" in q:
        sealed = encrypted_part(made.body)
        signed = crypto.sign(config.account_token, q["timestamp"], q["nonce"], sealed) == q["msg_signature"]
    broken = {"unsigned", "wrong-signature", "wrong-token", "other-app", "plain", *forge.BODIES}
    assert signed is (how not in broken)
    late = abs(int(q.get("timestamp", at.timestamp())) - at.timestamp()) > 600
    assert late is (how in forge.LATE)
    if how in ("wrong-key", "wrong-appid"):
        with pytest.raises(ValueError):
            crypto.decrypt(sealed, config.account_aes_key, config.account_appid)
    elif signed and how not in forge.LATE:
        inside = crypto.decrypt(sealed, config.account_aes_key, config.account_appid)
        assert how == "huge" and len(inside.encode()) > 1_900_000 or how in forge.INSIDES


def test_an_unknown_forgery_is_refused(wechat):
    assert wechat.client.post("/_sim/forge", json={"person": "amei", "how": "x"}).status_code == 400
