"""What WeChat's errcodes ask of us.

WeChat answers HTTP 200 even for errors; the number in `errcode` decides. Source: Tencent's table of global
return codes and the pages of each endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    RETRY = "retry"              # renew the access token and try once more
    LATER = "later"              # back off; jobs try again by themselves
    RELOGIN = "relogin"          # the person needs a fresh code
    VOTER = "tell voter"         # the person must do something first
    PERMANENT = "permanent"      # this request will never succeed
    OPERATOR = "tell operator"   # the account's configuration is wrong; calling again does not help


@dataclass(frozen=True)
class Meaning:
    """A kind and a sentence for those who run the site."""

    kind: Kind
    about: str


TOKEN_ERRORS = frozenset({40001, 40014, 42001})

MEANINGS: dict[int, Meaning] = {
    -1: Meaning(Kind.LATER, "微信繁忙"),
    40001: Meaning(Kind.RETRY, "access_token不是最新的；若发生在取token时，是AppSecret填错了"),
    40014: Meaning(Kind.RETRY, "access_token无效"),
    42001: Meaning(Kind.RETRY, "access_token过期"),
    41001: Meaning(Kind.PERMANENT, "请求里没有access_token"),
    40013: Meaning(Kind.OPERATOR, "AppID不对，请核对配置"),
    40125: Meaning(Kind.OPERATOR, "AppSecret不对，请在公众平台核对后重新配置"),
    40243: Meaning(Kind.OPERATOR, "AppSecret已冻结，请在公众平台解冻"),
    40164: Meaning(Kind.OPERATOR, "服务器的IP不在白名单，请在公众平台「基本配置→IP白名单」添加（约5分钟生效）"),
    89503: Meaning(Kind.OPERATOR, "此IP调用需要管理员确认"),
    89506: Meaning(Kind.OPERATOR, "此IP调用已被管理员拒绝"),
    89507: Meaning(Kind.OPERATOR, "此IP调用已被管理员拒绝"),
    40029: Meaning(Kind.RELOGIN, "code无效或过期"),
    40163: Meaning(Kind.RELOGIN, "code已用过"),
    41008: Meaning(Kind.RELOGIN, "缺少code"),
    42003: Meaning(Kind.RELOGIN, "网页授权code过期"),
    40226: Meaning(Kind.RELOGIN, "微信判定为高风险用户，拦截登录"),
    87009: Meaning(Kind.RELOGIN, "session签名不对"),
    40003: Meaning(Kind.PERMANENT, "openid不属于本应用"),
    43104: Meaning(Kind.PERMANENT, "openid与AppID不匹配"),
    40007: Meaning(Kind.PERMANENT, "media_id无效或已超过3天"),
    40033: Meaning(Kind.PERMANENT, "请求正文里有\\uxxxx转义"),
    40097: Meaning(Kind.PERMANENT, "请求内容有误"),
    44002: Meaning(Kind.PERMANENT, "请求正文为空"),
    47001: Meaning(Kind.PERMANENT, "请求正文不是JSON"),
    40129: Meaning(Kind.PERMANENT, "scene含有不允许的字符"),
    40169: Meaning(Kind.PERMANENT, "scene太长，或正文不是JSON"),
    45002: Meaning(Kind.PERMANENT, "消息太长"),
    45015: Meaning(Kind.PERMANENT, "超过48小时的回复期，请改用别的渠道"),
    45047: Meaning(Kind.PERMANENT, "客服消息条数已用完，要等对方再发消息"),
    43101: Meaning(Kind.PERMANENT, "用户没有订阅，或订阅次数已用完"),
    47003: Meaning(Kind.PERMANENT, "模板的某一项不合规"),
    48002: Meaning(Kind.PERMANENT, "用户关闭了接收消息"),
    50002: Meaning(Kind.PERMANENT, "用户受限"),
    61010: Meaning(Kind.PERMANENT, "用户最近2小时没有进入小程序"),
    87014: Meaning(Kind.PERMANENT, "内容有风险"),
    43004: Meaning(Kind.VOTER, "需要先关注公众号"),
    40037: Meaning(Kind.OPERATOR, "模板ID不对"),
    41030: Meaning(Kind.OPERATOR, "小程序页面不在已发布的版本里"),
    48001: Meaning(Kind.OPERATOR, "这个账号没有此接口的权限（账号类型或认证）"),
    48004: Meaning(Kind.OPERATOR, "接口被封禁"),
    45009: Meaning(Kind.LATER, "今天（或这一分钟）的调用次数已用完"),
    45011: Meaning(Kind.LATER, "调用太频繁"),
}

UNKNOWN = Meaning(Kind.PERMANENT, "没有见过的错误码，请凭rid向微信查询")


def meaning(errcode: int, *, token_call: bool = False) -> Meaning:
    """What to do about `errcode`. On the token call itself 40001 says that the secret is wrong: nothing to renew."""
    known = MEANINGS.get(errcode, UNKNOWN)
    if token_call and errcode in TOKEN_ERRORS:
        return Meaning(Kind.OPERATOR, known.about)
    return known
