"""WeChat, hardened: the only place of wechatpy. `from wxbackend import wechat`, then `wechat.login_code(…)`."""

from wxbackend.wechat.callbacks import CallbackRefused, Message
from wxbackend.wechat.errcodes import Kind, Meaning, meaning
from wxbackend.wechat.refusals import CodeRefused, MediaLost, MediaTooLarge, WeChatAway, WeChatRefused
from wxbackend.wechat.service import (
    WxUser,
    account,
    check_echo,
    download_media,
    login_code,
    miniprogram,
    oauth_code,
    oauth_url,
    open_callback,
    seal_reply,
    send_text,
    unionid_of,
)

__all__ = [
    "CallbackRefused", "CodeRefused", "Kind", "Meaning", "MediaLost", "MediaTooLarge", "Message", "WeChatAway", "WeChatRefused", "WxUser",
    "account", "check_echo", "download_media", "login_code", "meaning", "miniprogram", "oauth_code", "oauth_url", "open_callback",
    "seal_reply", "send_text", "unionid_of",
]
