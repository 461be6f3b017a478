"""What goes back to WeChat: the echo of the console's check, sealed replies, or success."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import xmltodict
from wechatpy.crypto import PrpCrypto, WeChatCrypto

from tests.wechat.pushes import AES_KEY, AT, BY_ID, DOOR, VECTORS, posted, text_xml
from wxbackend.wechat import callbacks
from wxbackend.wechat.callbacks import CallbackRefused, Door

ENCRYPTED = [vector for vector in VECTORS["vectors"] if vector["kind"] == "callback_encrypt"]


def test_the_console_check_of_the_vectors_is_answered():
    vector = BY_ID["url-verify-get"]
    door = Door("miniprogram", "wxmini", vector["token"], AES_KEY)
    at = datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    args = {name: vector[name] for name in ("signature", "timestamp", "nonce", "echostr")}
    assert callbacks.check_echo(door, args, at) == vector["expect_response_body"]
    for change in ({"signature": "0" * 40}, {"nonce": "1"}, {"nonce": "\ud800"}, {"timestamp": "x"},
                   {"echostr": "<script>"}, {"echostr": ""}):
        with pytest.raises(CallbackRefused):
            callbacks.check_echo(door, args | change, at)
    with pytest.raises(CallbackRefused):
        callbacks.check_echo(door, args, at + timedelta(minutes=11))
    with pytest.raises(CallbackRefused):
        callbacks.check_echo(door, {}, at)


@pytest.mark.parametrize("vector", ENCRYPTED, ids=lambda v: v["id"])
def test_our_crypto_writes_the_published_ciphertexts(vector, monkeypatch):
    monkeypatch.setattr(PrpCrypto, "get_random_string", lambda self: vector["random"])
    crypto = WeChatCrypto(vector["token"], vector["encoding_aes_key"], vector["appid"])
    sealed = xmltodict.parse(crypto.encrypt_message(vector["plaintext"], vector["nonce"], vector["timestamp"]))["xml"]
    assert (sealed["Encrypt"], sealed["MsgSignature"]) == (vector["encrypt"], vector["msg_signature"])


def read_reply(text: str) -> dict[str, Any]:
    message = callbacks.open_callback(DOOR, *posted(text_xml()), AT)
    sealed = xmltodict.parse(callbacks.seal_reply(DOOR, message, text, AT))["xml"]
    assert sealed["TimeStamp"] == str(int(AT.timestamp()))
    plain = WeChatCrypto(DOOR.token, DOOR.aes_key, DOOR.appid).decrypt_message(
        {"Encrypt": sealed["Encrypt"]}, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])
    return xmltodict.parse(plain)["xml"]


def test_a_person_is_handed_on_to_the_staffs_desk():
    message = callbacks.open_callback(DOOR, *posted(text_xml()), AT)
    sealed = xmltodict.parse(callbacks.seal_transfer(DOOR, message, AT))["xml"]
    plain = WeChatCrypto(DOOR.token, DOOR.aes_key, DOOR.appid).decrypt_message(
        {"Encrypt": sealed["Encrypt"]}, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])
    assert xmltodict.parse(plain)["xml"] == {"ToUserName": "oMei", "FromUserName": "gh_1", "CreateTime": str(int(AT.timestamp())),
                                             "MsgType": "transfer_customer_service"}
    assert callbacks.seal_transfer(replace(DOOR, app="miniprogram"), message, AT) == "success"


def test_a_reply_goes_back_to_its_sender():
    reply = read_reply("已收到，谢谢您")
    assert (reply["ToUserName"], reply["FromUserName"], reply["MsgType"], reply["Content"]) == ("oMei", "gh_1", "text", "已收到，谢谢您")
    assert reply["CreateTime"] == str(int(AT.timestamp()))


def test_what_a_person_wrote_cannot_break_out_of_our_reply():
    injected = "]]></Content><MsgType>x</MsgType><Content><![CDATA["
    reply = read_reply(injected)
    assert reply["Content"] == injected and reply["MsgType"] == "text"
    assert read_reply("a\x08b\x00c\ufffe")["Content"] == "abc"


def test_a_long_reply_is_cut_between_characters():
    content = read_reply("长" * 1000)["Content"]
    assert content.endswith("长…") and len(content.encode()) <= 2048


def test_nothing_to_say_is_said_as_success():
    message = callbacks.open_callback(DOOR, *posted(text_xml()), AT)
    assert callbacks.seal_reply(DOOR, message, None, AT) == callbacks.seal_reply(DOOR, message, "", AT) == "success"
    assert callbacks.seal_reply(replace(DOOR, app="miniprogram"), message, "您好", AT) == "success"
