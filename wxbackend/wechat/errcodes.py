"""What WeChat's errcodes ask of us.

WeChat answers HTTP 200 even for errors; the number in `errcode` decides. Source: Tencent's table of global
return codes and the pages of each endpoint. docs/wechat.md has a row for each; a test holds both together.
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

SENTENCES: dict[Kind, dict[int, str]] = {
    Kind.RETRY: {
        40001: "access_token不是最新的；若发生在取token或登录时，是AppSecret填错了",
        40014: "access_token无效",
        42001: "access_token过期",
    },
    Kind.LATER: {
        -1: "微信繁忙",
        45009: "今天（或这一分钟）的调用次数已用完",
        45011: "调用太频繁，过一分钟再试",
    },
    Kind.RELOGIN: {
        40029: "code无效或过期（手机号的code与登录的code不能混用）",
        40163: "code已用过",
        40226: "微信判定为高风险用户，拦截登录",
        41008: "缺少code",
        42003: "网页授权code过期",
        87008: "session签名的方法不对",
        87009: "session签名不对",
    },
    Kind.VOTER: {
        43004: "需要先关注公众号",
    },
    Kind.PERMANENT: {
        40002: "grant_type不对",
        40003: "openid不属于本应用",
        40007: "media_id无效或已超过3天",
        40008: "消息类型不对",
        40015: "菜单类型不对",
        40016: "菜单的按钮个数不对",
        40017: "菜单按钮的类型不对",
        40018: "菜单按钮的名字太长",
        40019: "菜单按钮的KEY太长",
        40020: "菜单按钮的网址太长",
        40023: "子菜单的按钮个数不对",
        40024: "子菜单按钮的类型不对",
        40025: "子菜单按钮的名字太长",
        40026: "子菜单按钮的KEY太长",
        40027: "子菜单按钮的网址太长",
        40033: "请求正文里有\\uxxxx转义",
        40035: "参数不对",
        40097: "请求内容有误",
        40129: "scene含有不允许的字符",
        40169: "scene太长，或正文不是JSON",
        40212: "小程序链接的参数不对",
        41001: "请求里没有access_token",
        41002: "请求里没有AppID",
        41004: "请求里没有AppSecret",
        43001: "这个接口要用GET",
        43002: "这个接口要用POST",
        43101: "用户没有订阅，或订阅次数已用完",
        43104: "openid与AppID不匹配",
        43302: "请求方法不对",
        44002: "请求正文为空",
        45002: "消息太长",
        45008: "图文消息只能有一条",
        45015: "超过48小时的回复期，请改用别的渠道",
        45047: "客服消息条数已用完，要等对方再发消息",
        46003: "没有设置过菜单",
        47001: "请求正文不是JSON",
        47003: "模板的某一项不合规",
        48002: "用户关闭了接收消息",
        50002: "用户受限",
        61010: "用户最近2小时没有进入小程序",
        76021: "查询额度的接口路径不对",
        85401: "小程序链接的有效期要在1分钟到30天之间",
        87014: "内容有风险",
        -40001: "收到的消息签名不对",
        -40002: "收到的XML读不出来",
        -40003: "签名算不出来",
        -40004: "EncodingAESKey不对",
        -40005: "收到的消息属于别的AppID",
        -40006: "加密失败",
        -40007: "解密失败",
        -40008: "解密后的内容不对",
        -40009: "base64编码失败",
        -40010: "base64解码失败",
    },
    Kind.OPERATOR: {
        40013: "AppID不对，请核对配置",
        40125: "AppSecret不对，请在公众平台核对后重新配置",
        40164: "服务器的IP不在白名单，请在公众平台「基本配置→IP白名单」添加（约5分钟生效）",
        40243: "AppSecret已冻结，请在公众平台解冻",
        40037: "模板ID不对，请在公众平台核对",
        40054: "子菜单按钮的网址域名不允许",
        40055: "菜单按钮的网址域名不允许",
        40165: "小程序链接的页面路径不对，请核对小程序是否已发布",
        40166: "小程序的AppID不对，或没有与公众号关联",
        41030: "小程序页面不在已发布的版本里，请先发布小程序",
        48001: "这个账号没有此接口的权限（账号类型或认证），已停用一天",
        48004: "接口被封禁，请登录公众平台查看原因",
        85079: "小程序还没有发布",
        89503: "此IP调用需要管理员确认，请管理员在微信里点确认",
        89506: "此IP调用已被管理员拒绝，24小时内不能再试",
        89507: "此IP调用已被管理员拒绝，1小时内不能再试",
    },
}
MEANINGS: dict[int, Meaning] = {code: Meaning(kind, about) for kind, group in SENTENCES.items() for code, about in group.items()}

UNKNOWN = Meaning(Kind.PERMANENT, "没有见过的错误码，请凭rid向微信查询")


def meaning(errcode: int, *, token_call: bool = False) -> Meaning:
    """What to do about `errcode`. Where the secret itself was sent (`token_call`) 40001 says that it is wrong: nothing to renew."""
    known = MEANINGS.get(errcode, UNKNOWN)
    if token_call and errcode in TOKEN_ERRORS:
        return Meaning(Kind.OPERATOR, known.about)
    return known
