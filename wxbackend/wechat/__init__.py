"""WeChat, hardened: the only place of wechatpy. `from wxbackend import wechat`, then `wechat.login_code(…)`.

No database here: callers end their transaction before they call out. Every verb raises Problems only: WeChatAway, WeChatRefused and its
NotGranted, CodeRefused, MediaLost, MediaTooLarge, Unsendable, NoMiniProgram; ValueError for what no caller should ask.
"""

from wxbackend.wechat.addresses import callback_addresses
from wxbackend.wechat.apps import NoMiniProgram, account, miniprogram
from wxbackend.wechat.callbacks import CallbackRefused, Message
from wxbackend.wechat.checks import Verdict, check_media, check_text, risk_rank
from wxbackend.wechat.codes import SceneQr, miniprogram_code, miniprogram_link, scene_qr
from wxbackend.wechat.errcodes import Kind, Meaning, meaning
from wxbackend.wechat.features import ask_again, can, switched_off
from wxbackend.wechat.fields import fit
from wxbackend.wechat.media import download_media
from wxbackend.wechat.menus import checked_menu, create_menu, current_menu, current_replies
from wxbackend.wechat.messages import send_subscribe, send_template, send_text
from wxbackend.wechat.people import Follower, WxUser, follower, login_code, oauth_code, oauth_url, phone_of, unionid_of
from wxbackend.wechat.refusals import CodeRefused, MediaLost, MediaTooLarge, NotGranted, Unsendable, WeChatAway, WeChatRefused
from wxbackend.wechat.service import check_echo, open_callback, seal_reply, seal_transfer
from wxbackend.wechat.signing import NotOurPage, jssdk

__all__ = [
    "CallbackRefused", "CodeRefused", "Follower", "Kind", "Meaning", "MediaLost", "MediaTooLarge", "Message", "NoMiniProgram", "NotGranted",
    "NotOurPage", "SceneQr", "Unsendable", "Verdict", "WeChatAway", "WeChatRefused", "WxUser",
    "account", "ask_again", "callback_addresses", "can", "check_echo", "check_media", "check_text", "checked_menu", "create_menu",
    "current_menu", "current_replies", "download_media", "fit", "follower", "jssdk", "login_code", "meaning", "miniprogram",
    "miniprogram_code", "miniprogram_link", "oauth_code", "oauth_url", "open_callback", "phone_of", "risk_rank", "scene_qr",
    "seal_reply", "seal_transfer", "send_subscribe", "send_template", "send_text", "switched_off", "unionid_of",
]
