"""The two apps at WeChat: one client and one door for messages each. A site may have no mini program."""

from __future__ import annotations

import threading

from flask import current_app

from wxbackend.extensions import settings
from wxbackend.problems import Problem
from wxbackend.wechat.callbacks import CallbackRefused, Door
from wxbackend.wechat.client import WxClient
from wxbackend.wechat.endpoints import ACCOUNT, MINIPROGRAM

_making = threading.Lock()


class NoMiniProgram(Problem):
    """The settings name no mini program; nothing is asked of WeChat."""

    status, type, title = 404, "no-miniprogram", "这里没有小程序。"
    hint = "请从公众号的文章或菜单进入。"


def account() -> WxClient:
    """The public account's client, one per process."""
    return _client(settings.account_appid, settings.account_secret)


def miniprogram() -> WxClient:
    """The mini program's client, one per process. Raises NoMiniProgram."""
    if not settings.has_miniprogram:
        raise NoMiniProgram
    return _client(settings.miniprogram_appid, settings.miniprogram_secret)


def client_of(app: str) -> WxClient:
    """By its name in our settings: "account" or "miniprogram"."""
    if app not in (ACCOUNT, MINIPROGRAM):
        raise ValueError("an app is account or miniprogram")
    return account() if app == ACCOUNT else miniprogram()


def door(app: str) -> Door:
    """Where this app's messages come in. Raises CallbackRefused for an app that we have not."""
    if app == ACCOUNT:
        return Door(app, settings.account_appid, settings.account_token, settings.account_aes_key)
    if app == MINIPROGRAM and settings.has_miniprogram:
        return Door(app, settings.miniprogram_appid, settings.miniprogram_token, settings.miniprogram_aes_key)
    raise CallbackRefused


def _client(appid: str, secret: str) -> WxClient:
    with _making:
        clients: dict[str, WxClient] = current_app.extensions.setdefault("wechat", {})
        if appid not in clients:
            clients[appid] = WxClient(appid, secret, api_root=settings.wechat_api_root, mp_root=settings.wechat_mp_root,
                                      timeout_seconds=settings.wechat_timeout_seconds)
        return clients[appid]
