"""Who is there: logins by code, a phone by its button, and what WeChat tells about a follower."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from wxbackend.extensions import settings
from wxbackend.wechat import endpoints
from wxbackend.wechat.apps import account, miniprogram
from wxbackend.wechat.callbacks import NAME
from wxbackend.wechat.calls import ask, inner, whole, word
from wxbackend.wechat.oauth import authorize_url
from wxbackend.wechat.refusals import BUSY_WHY, CodeRefused, NotGranted, WeChatAway

log = structlog.get_logger()

LONGEST_CODE = 512
PHONE = re.compile(r"[0-9]{5,15}")
COUNTRY = re.compile(r"[0-9]{1,4}")
HOME = "86"
LAST_SECOND = 4_000_000_000


@dataclass(frozen=True)
class WxUser:
    """Who WeChat says is there. `is_snapshot`: a virtual identity of the preview page, never to be accepted."""

    appid: str
    openid: str = field(repr=False)
    unionid: str | None = field(default=None, repr=False)
    is_snapshot: bool = False


@dataclass(frozen=True)
class Follower:
    """What WeChat tells about an openid of the public account; nothing but that she is none, for one who does not follow."""

    is_follower: bool
    unionid: str | None = field(default=None, repr=False)
    since: datetime | None = None


def login_code(code: str) -> WxUser:
    """Who stands behind a mini program's login code. Codes serve once, for five minutes.

    Raises CodeRefused, WeChatAway, WeChatRefused, NoMiniProgram.
    """
    client = miniprogram()
    return _user(client.appid, _redeem(client.code_to_session, code))


def oauth_url(redirect_uri: str, state: str, scope: str = "snsapi_base") -> str:
    """Where to send a browser for web login. `state`: 1-128 letters and digits. snsapi_userinfo only after a tap:
    asked at landing, WeChat shows a snapshot with virtual identities."""
    return authorize_url(settings.wechat_open_root, settings.account_appid, redirect_uri, state, scope)


def oauth_code(code: str) -> WxUser:
    """Who stands behind the code of a web login. Callers refuse `is_snapshot`.

    Raises CodeRefused, WeChatAway, WeChatRefused.
    """
    client = account()
    return _user(client.appid, _redeem(client.oauth_to_user, code))


def phone_of(code: str, openid: str | None = None) -> str:
    """The phone number behind the code of the mini program's phone button (not of wx.login); with `openid`, only of that person.

    A number of the mainland comes as its 11 digits, another as +852…. Raises CodeRefused, WeChatAway, WeChatRefused, NoMiniProgram.
    """
    who = {"openid": openid} if openid else {}
    answer = _redeem(lambda once: ask(endpoints.PHONE_CODE, data={"code": once} | who), code)
    info = inner(answer, "phone_info")
    watermark = info.get("watermark")
    if isinstance(watermark, dict) and watermark.get("appid") not in (None, settings.miniprogram_appid):
        raise WeChatAway("a phone of another app")
    number, country = word(info, "purePhoneNumber", PHONE), word(info, "countryCode", COUNTRY, HOME)   # the country: number or text
    return number if country == HOME else f"+{country}{number}"


def follower(openid: str) -> Follower:
    """Whether this openid follows the account, her unionid where the apps are bound, and since when (aware UTC).

    Raises NotGranted (an account that is not verified), WeChatRefused (40003: not an openid of ours), WeChatAway.
    """
    answer = ask(endpoints.USER_INFO, params={"openid": openid, "lang": "zh_CN"})
    if not whole(answer, "subscribe"):
        return Follower(False)
    seconds = whole(answer, "subscribe_time", 0)
    return Follower(True, _unionid(answer), datetime.fromtimestamp(seconds, UTC) if 0 < seconds < LAST_SECOND else None)


def unionid_of(openid: str) -> str | None:
    """The follower's unionid; None for one who does not follow, apps that are not bound, or an account without this API."""
    try:
        return follower(openid).unionid
    except NotGranted:
        return None


def _redeem(exchange: Callable[[str], dict[str, Any]], code: str) -> dict[str, Any]:
    if not 0 < len(code) <= LONGEST_CODE or not code.isprintable():
        raise CodeRefused
    try:
        return exchange(code)
    except WeChatAway as e:
        if e.why != BUSY_WHY or not e.unsure:   # sure: the token call was busy, the code is still good
            raise
    raise CodeRefused   # "system busy" may have used the code up


def _user(appid: str, found: Mapping[str, Any]) -> WxUser:
    openid = found.get("openid")
    if not isinstance(openid, str) or not NAME.fullmatch(openid):
        log.error("wechat named nobody", appid=appid)
        raise WeChatAway("no openid in the answer")
    return WxUser(appid, openid, _unionid(found), str(found.get("is_snapshotuser") or 0).lower() not in ("0", "false"))


def _unionid(found: Mapping[str, Any]) -> str | None:
    unionid = found.get("unionid")
    return unionid if isinstance(unionid, str) and NAME.fullmatch(unionid) else None
