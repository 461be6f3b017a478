"""The verbs of WeChat, for the app at hand. No database here: callers end their transaction before they call out."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from flask import current_app

from wxbackend.extensions import settings
from wxbackend.wechat import callbacks
from wxbackend.wechat.callbacks import CallbackRefused, Door, Message
from wxbackend.wechat.client import WxClient
from wxbackend.wechat.oauth import OAuth
from wxbackend.wechat.refusals import CodeRefused, MediaLost, WeChatAway, WeChatRefused

log = structlog.get_logger()

NOT_GRANTED = 48001
LONGEST_CODE = 512
_making = threading.Lock()


@dataclass(frozen=True)
class WxUser:
    """Who WeChat says is there. `is_snapshot`: a virtual identity of the preview page, never to be accepted."""

    appid: str
    openid: str = field(repr=False)
    unionid: str | None = field(default=None, repr=False)
    is_snapshot: bool = False


def account() -> WxClient:
    """The public account's client, one per process."""
    return _client(settings.account_appid, settings.account_secret)


def miniprogram() -> WxClient:
    """The mini program's client, one per process."""
    return _client(settings.miniprogram_appid, settings.miniprogram_secret)


def login_code(code: str) -> WxUser:
    """Who stands behind a mini program's login code. Codes serve once, for five minutes.

    Raises CodeRefused, WeChatAway, WeChatRefused.
    """
    client = miniprogram()
    return _user(client.appid, _redeem(client.code_to_session, code))


def oauth_url(redirect_uri: str, state: str, scope: str = "snsapi_base") -> str:
    """Where to send a browser for web login. `state`: 1-128 letters and digits. snsapi_userinfo only after a tap:
    asked at landing, WeChat shows a snapshot with virtual identities."""
    return _oauth().url(redirect_uri, state, scope)


def oauth_code(code: str) -> WxUser:
    """Who stands behind the code of a web login. Callers refuse `is_snapshot`.

    Raises CodeRefused, WeChatAway, WeChatRefused.
    """
    return _user(settings.account_appid, _redeem(_oauth().exchange, code))


def download_media(media_id: str) -> bytes:
    """A picture sent to the public account; WeChat keeps it for three days.

    Raises MediaLost, MediaTooLarge (over settings.max_image_bytes), WeChatAway, WeChatRefused.
    """
    found = account().fetch_file("media/get", {"media_id": media_id}, settings.max_image_bytes)
    if not isinstance(found, bytes):
        raise MediaLost   # a video comes as JSON with its address
    return found


def send_text(openid: str, text: str) -> None:
    """A customer message of the public account, at most five within 48 hours of the person's own.

    Raises WeChatRefused (45015 window over, 45047 quota used), WeChatAway; if that is `unsure`, do not send again.
    """
    account().message.send_text(openid, text)


def unionid_of(openid: str) -> str | None:
    """The follower's unionid; None for one who does not follow, apps that are not bound, or an account without this API."""
    try:
        return account().user.get(openid).get("unionid") or None
    except WeChatRefused as e:
        if e.errcode == NOT_GRANTED:
            return None
        raise


def open_callback(app_name: str, args: Mapping[str, str], body: bytes, at: datetime) -> Message:
    """The message in WeChat's POST to /wechat/callback/<app_name>. Raises CallbackRefused."""
    return callbacks.open_callback(_door(app_name), args, body, at)


def seal_reply(app_name: str, message: Message, text: str | None, at: datetime) -> str:
    """The body to answer a message with: XML, or "success" when there is nothing to say."""
    return callbacks.seal_reply(_door(app_name), message, text, at)


def check_echo(app_name: str, args: Mapping[str, str], at: datetime) -> str:
    """The plain text to answer when the console checks the address. Raises CallbackRefused."""
    return callbacks.check_echo(_door(app_name), args, at)


def _client(appid: str, secret: str) -> WxClient:
    with _making:
        clients: dict[str, WxClient] = current_app.extensions.setdefault("wechat", {})
        if appid not in clients:
            clients[appid] = WxClient(appid, secret, api_root=settings.wechat_api_root, mp_root=settings.wechat_mp_root,
                                      timeout_seconds=settings.wechat_timeout_seconds)
        return clients[appid]


def _oauth() -> OAuth:
    return OAuth(settings.account_appid, settings.account_secret, line=account().line,
                 api_root=settings.wechat_api_root, open_root=settings.wechat_open_root)


def _door(app_name: str) -> Door:
    if app_name == "account":
        return Door(app_name, settings.account_appid, settings.account_token, settings.account_aes_key)
    if app_name == "miniprogram":
        return Door(app_name, settings.miniprogram_appid, settings.miniprogram_token, settings.miniprogram_aes_key)
    raise CallbackRefused


def _redeem(exchange: Any, code: str) -> dict[str, Any]:
    if not 0 < len(code) <= LONGEST_CODE or not code.isprintable():
        raise CodeRefused
    try:
        return exchange(code)
    except WeChatAway as e:
        if e.why != "busy":
            raise
    raise CodeRefused   # "system busy" may have used the code up


def _user(appid: str, found: dict[str, Any]) -> WxUser:
    openid, unionid = found.get("openid"), found.get("unionid")
    if not isinstance(openid, str) or not callbacks.NAME.fullmatch(openid):
        log.error("wechat named nobody", appid=appid)
        raise WeChatAway("no openid in the answer")
    return WxUser(appid, openid, unionid if isinstance(unionid, str) and unionid else None,
                  str(found.get("is_snapshotuser") or 0).lower() not in ("0", "false"))
