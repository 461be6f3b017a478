"""Every verb that asks WeChat, with a good answer and what the verb makes of it: what holds for one holds for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Response

from wxbackend import wechat
from wxbackend.wechat import endpoints
from wxbackend.wechat.endpoints import Endpoint

CODE, OPENID, PHONE, MEDIA, TEMPLATE = "CODE-1", "oMeiMeiMei", "13800000000", "MEDIA-1", "TEMPLATE-1"
SECRETS = ("SECRET-", "TOKEN-", "TICKET-", CODE, OPENID, PHONE, MEDIA, "uMeiMei", "127.0.0.1", "session-key-1")   # never in logs
OK = {"errcode": 0, "errmsg": "ok"}
JPEG = b"\xff\xd8\xff" + b"x" * 100
BUTTONS = [{"name": "投票", "type": "click", "key": "vote"},
           {"name": "更多", "sub_button": [{"name": "官网", "type": "view", "url": "https://vote.example.org/"}]}]
MENU = {"is_menu_open": 1, "selfmenu_info": {"button": [
    {"name": "活动", "sub_button": {"list": [{"type": "view", "name": "官网", "url": "https://vote.example.org/"}]}},
    {"name": "地址", "type": "text", "value": "福田区"}]}}
REPLIES = {
    "is_add_friend_reply_open": 1, "is_autoreply_open": 1, "add_friend_autoreply_info": {"type": "text", "content": "您好"},
    "message_default_autoreply_info": {"type": "text", "content": "收到"},
    "keyword_autoreply_info": {"list": [{
        "rule_name": "地址", "create_time": 1423028166, "reply_mode": "reply_all",
        "keyword_list_info": [{"type": "text", "match_mode": "contain", "content": "地址"}],
        "reply_list_info": [{"type": "text", "content": "福田区"}]}]}}
PHONE_INFO = {
    "phoneNumber": PHONE, "purePhoneNumber": PHONE, "countryCode": "86", "watermark": {"timestamp": 1641430800, "appid": "wxmini"}}
CHECKED = OK | {"trace_id": "trace-1", "result": {"suggest": "review", "label": 20003}, "detail": [{"strategy": "keyword", "errcode": 0}]}


@dataclass(frozen=True)
class Verb:
    """`good`: WeChat's answer; `made`: what the verb returns for it (None: nothing, or a different one each time)."""

    name: str
    endpoint: Endpoint
    call: Callable[[], Any] = field(repr=False)
    good: dict[str, Any] | bytes = field(repr=False)
    made: Any = None
    is_code: bool = False
    needs_nothing: bool = False   # {} is an answer: success may leave out errcode

    def answer(self) -> Any:
        return Response(self.good, content_type="image/jpeg") if isinstance(self.good, bytes) else self.good

    @property
    def is_tokenless(self) -> bool:
        return self.endpoint in (endpoints.LOGIN_CODE, endpoints.OAUTH_CODE)

    @property
    def is_miniprogram(self) -> bool:
        return self.endpoint.app == endpoints.MINIPROGRAM


VERBS = [
    Verb("login_code", endpoints.LOGIN_CODE, lambda: wechat.login_code(CODE),
         {"openid": OPENID, "session_key": "session-key-1", "unionid": "uMeiMei"}, wechat.WxUser("wxmini", OPENID, "uMeiMei"), True),
    Verb("oauth_code", endpoints.OAUTH_CODE, lambda: wechat.oauth_code(CODE),
         {"access_token": "TOKEN-U", "expires_in": 7200, "refresh_token": "TOKEN-R", "openid": OPENID, "scope": "snsapi_base"},
         wechat.WxUser("wxaccount", OPENID), True),
    Verb("phone_of", endpoints.PHONE_CODE, lambda: wechat.phone_of(CODE, OPENID), OK | {"phone_info": PHONE_INFO}, PHONE, True),
    Verb("follower", endpoints.USER_INFO, lambda: wechat.follower(OPENID),
         {"subscribe": 1, "openid": OPENID, "unionid": "uMeiMei", "subscribe_time": 1640966400},
         wechat.Follower(True, "uMeiMei", datetime(2021, 12, 31, 16, tzinfo=UTC))),
    Verb("unionid_of", endpoints.USER_INFO, lambda: wechat.unionid_of(OPENID), {"subscribe": 1, "openid": OPENID, "unionid": "uMeiMei"},
         "uMeiMei"),
    Verb("download_media", endpoints.MEDIA, lambda: wechat.download_media(MEDIA), JPEG, JPEG),
    Verb("send_text", endpoints.CUSTOMER_MESSAGE, lambda: wechat.send_text(OPENID, "已收到"), OK, needs_nothing=True),
    Verb("send_subscribe", endpoints.SUBSCRIBE_MESSAGE,
         lambda: wechat.send_subscribe(OPENID, TEMPLATE, {"thing1": "太极", "time2": "2022年1月8日 09:00"}, "pages/mine/mine?from=notice"),
         OK | {"msgid": 4000163836}, "4000163836", needs_nothing=True),
    Verb("send_template", endpoints.TEMPLATE_MESSAGE,
         lambda: wechat.send_template(OPENID, TEMPLATE, {"thing1": "太极"}, "https://vote.example.org/c/2021", "draw-7"),
         OK | {"msgid": 200163836}, "200163836", needs_nothing=True),
    Verb("create_menu", endpoints.MENU_CREATE, lambda: wechat.create_menu(BUTTONS), OK, needs_nothing=True),
    Verb("current_menu", endpoints.MENU_NOW, lambda: wechat.current_menu(), MENU, MENU),
    Verb("current_replies", endpoints.REPLIES_NOW, lambda: wechat.current_replies(), REPLIES, REPLIES),
    Verb("scene_qr", endpoints.SCENE_QR, lambda: wechat.scene_qr("hall-2", 3600),
         {"ticket": "qr-ticket", "expire_seconds": 3600, "url": "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI"},
         wechat.SceneQr("http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI", "qr-ticket")),
    Verb("jssdk", endpoints.PAGE_TICKET, lambda: wechat.jssdk("http://127.0.0.1:8000/c/2021"),
         OK | {"ticket": "TICKET-1", "expires_in": 7200}),
    Verb("miniprogram_code", endpoints.PROGRAM_CODE, lambda: wechat.miniprogram_code("a1b2c3", "pages/vote/vote"), JPEG, JPEG),
    Verb("miniprogram_link", endpoints.PROGRAM_LINK, lambda: wechat.miniprogram_link("pages/vote/vote", "c=2021", 7),
         OK | {"url_link": "https://wxaurl.cn/abc"}, "https://wxaurl.cn/abc"),
    Verb("check_text", endpoints.CHECK_TEXT, lambda: wechat.check_text(OPENID, "评语", nickname="阿美"), CHECKED,
         wechat.Verdict("review", 20003, "trace-1")),
    Verb("check_media", endpoints.CHECK_MEDIA, lambda: wechat.check_media(OPENID, "https://vote.example.org/i/1"),
         OK | {"trace_id": "trace-2"}, "trace-2"),
    Verb("risk_rank", endpoints.RISK_RANK, lambda: wechat.risk_rank(OPENID, "203.0.113.5"), OK | {"risk_rank": 3, "unoin_id": 123}, 3,
         needs_nothing=True),
    Verb("callback_addresses", endpoints.CALLBACK_IPS, lambda: wechat.callback_addresses(),
         {"ip_list": ["101.226.103.0/25", "203.0.113.9"]}, ["101.226.103.0/25", "203.0.113.9"]),
]
