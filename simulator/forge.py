"""What somebody else might post to the product's callback, or WeChat's own messages in a shape nobody expects."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

import requests

from simulator import crypto
from simulator.callbacks import post
from simulator.envelope import Callback, encrypted_part, make, seal, xml
from simulator.people import Person
from simulator.product import Product
from simulator.settings import Config
from simulator.state import State

LATE = {"old": timedelta(hours=1), "day-old": timedelta(days=1), "early": timedelta(minutes=-15)}
HUGE_BYTES = 2 * 1024 * 1024
# Rightly encrypted and signed, but with this inside; {head} is what every message begins with.
INSIDES = {
    "xxe": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><xml>{head}<MsgType>text</MsgType><Content>&x;</Content><MsgId>1</MsgId></xml>',
    "bomb": '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
            "<xml>{head}<MsgType>text</MsgType><Content>&c;</Content><MsgId>1</MsgId></xml>",
    "not-xml": "hello", "empty-inside": "", "root-not-xml": "<a>1</a>", "no-msgtype": "<xml>{head}</xml>",
    "repeated-msgtype": "<xml>{head}<MsgType>text</MsgType><MsgType>x</MsgType></xml>",
    "msgid-no-number": "<xml>{head}<MsgType>text</MsgType><Content>a</Content><MsgId>abc</MsgId></xml>",
    "empty-content": "<xml>{head}<MsgType>text</MsgType><Content></Content><MsgId>2</MsgId></xml>",
}
BODIES = {"garbage": "\x00\x01\x02 not a message", "empty": "", "json": '{"MsgType":"text"}', "half": "<xml><ToUserName><![CDATA[gh"}
HOWS = ("unsigned", "wrong-signature", "wrong-token", "wrong-key", "wrong-appid", "other-app", "plain", "huge", *LATE, *INSIDES, *BODIES)


def forge(state: State, product: Product, person: Person, text: str, how: str) -> requests.Response:
    """Post it once. `how` is one of HOWS: "plain" is clear XML, "old" is rightly signed an hour ago, "huge" has 2 MB."""
    return post(state, forged(state, person, text, how, product.now(fresh=True)))


def forged(state: State, person: Person, text: str, how: str, at: datetime) -> Callback:
    config = _spoiled(state.config, how)
    if how in INSIDES:
        stamp = str(int(at.timestamp()))
        openid = person.openids[config.account_appid]
        head = xml({"ToUserName": config.account_original_id, "FromUserName": openid, "CreateTime": int(stamp)})
        inside = INSIDES[how].replace("{head}", head.removeprefix("<xml>").removesuffix("</xml>"))
        return seal(config.changed({"account_mode": "secure"}), person, "text", 1, inside, stamp)
    content = "文" * (HUGE_BYTES // 3) if how == "huge" else text
    at -= LATE.get(how, timedelta())
    made = make(config, person, "text", at, {"Content": content}, state.next_msg_id())
    if how in BODIES:
        return replace(made, body=BODIES[how])
    if how == "unsigned":
        return replace(made, query={"openid": made.query["openid"]})
    if how == "wrong-signature":
        return replace(made, query=made.query | {"msg_signature": "0" * 40, "signature": "0" * 40})
    return wrong_appid(config, made) if how == "wrong-appid" else made


def _spoiled(config: Config, how: str) -> Config:
    """With what a stranger would get wrong."""
    if how == "wrong-token":
        return config.changed({"account_token": "somebodyelse"})
    if how == "wrong-key":
        return config.changed({"account_aes_key": config.account_aes_key[::-1]})
    if how == "plain":
        return config.changed({"account_mode": "plain"})
    if how == "other-app" and config.has_miniprogram:
        return config.changed({"account_token": config.miniprogram_token, "account_aes_key": config.miniprogram_aes_key})
    return config


def wrong_appid(config: Config, made: Callback) -> Callback:
    """The message of another account that shares token and key with ours."""
    plain = crypto.decrypt(encrypted_part(made.body), config.account_aes_key, config.account_appid)
    sealed = crypto.encrypt(plain, config.account_aes_key, "wx" + secrets.token_hex(8))
    query = made.query | {"msg_signature": crypto.sign(config.account_token, made.query["timestamp"], made.query["nonce"], sealed)}
    return replace(made, query=query, body=xml({"ToUserName": config.account_original_id, "Encrypt": sealed}))

