"""Messages in and replies out, by the app's name in our address: /wechat/callback/account, /wechat/callback/miniprogram."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from wxbackend.wechat import callbacks
from wxbackend.wechat.apps import door
from wxbackend.wechat.callbacks import Message


def open_callback(app_name: str, args: Mapping[str, str], body: bytes, at: datetime) -> Message:
    """The message in WeChat's POST to /wechat/callback/<app_name>. Raises CallbackRefused."""
    return callbacks.open_callback(door(app_name), args, body, at)


def seal_reply(app_name: str, message: Message, text: str | None, at: datetime) -> str:
    """The body to answer a message with: XML, or "success" when there is nothing to say."""
    return callbacks.seal_reply(door(app_name), message, text, at)


def seal_transfer(app_name: str, message: Message, at: datetime) -> str:
    """The body that hands the person on to the staff at WeChat's own desk (转人工)."""
    return callbacks.seal_transfer(door(app_name), message, at)


def check_echo(app_name: str, args: Mapping[str, str], at: datetime) -> str:
    """The plain text to answer when the console checks the address. Raises CallbackRefused."""
    return callbacks.check_echo(door(app_name), args, at)
