"""How a call to WeChat ends when it does not succeed. None of these carries a URL, a token, a secret or an openid."""

from __future__ import annotations

import re

import structlog

from wxbackend.problems import Problem
from wxbackend.wechat.errcodes import Kind, meaning

log = structlog.get_logger()

BUSY = -1
BUSY_WHY = "busy"
MEDIA_GONE = 40007
NOT_GRANTED = 48001


class WeChatAway(Problem):
    """No usable answer: no connection, too slow, HTTP 5xx, not JSON, or errcode -1.

    `why` is a word for the log. `unsure` says that WeChat may have acted before the line broke: a message
    must then not be sent again blindly.
    """

    status, type, title = 503, "wechat-away", "微信那边暂时没有回应，请稍等一下。"
    hint = "过一分钟再试就好。"

    def __init__(self, why: str = "", *, unsure: bool = False):
        super().__init__(retry_after=60)
        self.why, self.unsure = why, unsure


class CodeRefused(Problem):
    """The login code is used, expired or not ours: only a fresh one helps."""

    status, type, title = 401, "login-code-refused", "这次登录没有接上。"
    hint = "请从公众号的文章或菜单重新进入。"


class WeChatRefused(Problem):
    """WeChat said no: `errcode`, `kind`, the `rid` that Tencent's support asks for, and for 40164 `our_ip`, the address to whitelist."""

    status, type, title = 502, "wechat-refused", "微信那边这一步没办成。"
    hint = "请稍后再试；如果一直这样，请告诉工作人员。"

    def __init__(self, errcode: int, rid: str = "", kind: Kind | None = None, our_ip: str = ""):
        super().__init__()
        self.errcode, self.rid, self.kind, self.our_ip = errcode, rid, kind or meaning(errcode).kind, our_ip


class NotGranted(WeChatRefused):
    """48001: this kind of account has not got the feature. Also raised without asking, while `can(feature)` is False: `was_asked` tells."""

    status, type, title = 502, "wechat-not-granted", "这个账号没有开通这项功能。"
    hint = "请换一种方式；如果一直这样，请告诉工作人员。"

    def __init__(self, rid: str = "", *, was_asked: bool = True):
        super().__init__(NOT_GRANTED, rid)
        self.was_asked = was_asked


class Unsendable(Problem):
    """WeChat would refuse it, so it is not sent: too long, or of a form it does not take. The sentence names what and how long."""

    status, type, title = 422, "unsendable", "这条内容微信不收。"
    hint = "请改一改再发。"


class MediaLost(Problem):
    """WeChat keeps what people send for three days; this one is gone, or was no picture."""

    status, type, title = 410, "media-lost", "这张截图在微信那边已经取不到了。"
    hint = "请您再发一次。"


class MediaTooLarge(Problem):
    status, type, title = 413, "media-too-large", "这张图片太大了。"
    hint = "截图请控制在10 MB以内。"


def refusal(errcode: int, errmsg: str, *, token_call: bool = False) -> Problem:
    """The exception for an errcode, said once in the log: kind, rid, and for 40164 the address to whitelist."""
    known = meaning(errcode, token_call=token_call)
    rid, our_ip = _found(r"rid: ?([0-9a-fA-F-]{8,40})", errmsg), _found(r"invalid ip ([0-9a-fA-F.:]{3,45})", errmsg)
    say = log.error if known.kind is Kind.OPERATOR and errcode != NOT_GRANTED else log.warning   # that one is told once, by features.py
    say("wechat refused", errcode=errcode, rid=rid, kind=known.kind.value, about=known.about, our_ip=our_ip or None)
    if errcode == BUSY:
        return WeChatAway(BUSY_WHY, unsure=True)
    if errcode == NOT_GRANTED:
        return NotGranted(rid)
    if errcode == MEDIA_GONE:
        return MediaLost()
    return CodeRefused() if known.kind is Kind.RELOGIN else WeChatRefused(errcode, rid, known.kind, our_ip)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
