"""The account and the mini program at WeChat: tokens, what the account may do, whether both know one person as one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from config import notice_templates
from config.settings import ACCOUNT_KINDS
from wxbackend import wechat
from wxbackend.accounts.models import Identity, Person
from wxbackend.alarms.rules import NEXT_STEPS
from wxbackend.doctor.checks import Finding, check, good, note, wrong
from wxbackend.doctor.wire import SENDER, Unreachable, our, visit
from wxbackend.extensions import db, settings
from wxbackend.keys import own_nonce
from wxbackend.problems import Problem
from wxbackend.wechat import endpoints, features
from wxbackend.wechat.apps import client_of
from wxbackend.wechat.client import encoded
from wxbackend.wechat.endpoints import Endpoint

NOBODY = "o" + "0" * 27      # an openid of the right form that nobody has: refused with 40003 where the feature is granted
NOT_WHITELISTED, NOT_OURS = 40164, 40003
OUR_IP = re.compile(r"invalid ip ([0-9a-fA-F.:]{3,45})")
RID = re.compile(r"rid: ?([0-9a-fA-F-]{8,40})")
KEYS_FIRST = "先看“公众号的钥匙”一项。"
CONSOLES = {"account": "公众平台“设置与开发→基本配置→IP白名单”", "miniprogram": "小程序后台“开发管理→开发设置→IP白名单”"}
IN_MINIPROGRAM = "（在小程序后台的“开发管理→开发设置”里）"
FOLLOWERS_ASKED = 3
KINDS = {"service": "认证服务号", "service-unverified": "未认证服务号",
         "subscription": "认证订阅号", "subscription-unverified": "未认证订阅号"}
FEATURES = {"menu": "菜单", "user-info": "关注者资料", "media": "取图片", "customer-message": "客服消息", "scene-qr": "带参数的二维码",
            "template-message": "模板消息"}


@check("account-token", "公众号的钥匙")
def look_at_account(_at: datetime) -> Iterator[Finding]:
    yield _token("account")


@check("miniprogram-token", "小程序的钥匙")
def look_at_miniprogram(_at: datetime) -> Iterator[Finding]:
    yield _token("miniprogram") if settings.has_miniprogram else good("没有小程序。")


def _token(app: str) -> Finding:
    """Asked past the cache: a token of an hour ago says nothing about today's secret and whitelist. stable_token disturbs nobody."""
    try:
        answer = _stable_token(app)
    except Problem as e:
        return wrong(f"问不到微信（{getattr(e, 'why', type(e).__name__)}）。",
                     "让服务器能访问 api.weixin.qq.com 的443端口；要经代理的话，核对代理。")
    if answer.get("access_token"):
        return good("AppID、AppSecret、IP白名单都对。")
    errcode, errmsg = _number(answer.get("errcode")), str(answer.get("errmsg", ""))
    if errcode == NOT_WHITELISTED:
        ip = _found(OUR_IP, errmsg) or "（微信没有说是哪个）"
        return wrong(f"微信不认这台服务器的IP {ip}（40164）。", f"打开{CONSOLES[app]}，加上 {ip}，约5分钟后再查。")
    meaning = wechat.meaning(errcode, token_call=True)
    otherwise = "过一分钟再查。" if meaning.kind is wechat.Kind.LATER else f"凭rid {_found(RID, errmsg) or '—'} 向微信查询。"
    todo = NEXT_STEPS.get(errcode, otherwise)
    return wrong(f"微信不给access_token：{meaning.about}（{errcode}）。", IN_MINIPROGRAM + todo if app == "miniprogram" else todo)


def _stable_token(app: str) -> dict[str, Any]:
    client = client_of(app)
    body = encoded({"grant_type": "client_credential", "appid": client.appid, "secret": client.secret, "force_refresh": False})
    url = settings.wechat_api_root.rstrip("/") + endpoints.STABLE_TOKEN.path
    response = client.line.request("post", url, data=body, headers={"Content-Type": "application/json"})
    try:
        answer = json.loads(response.content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise wechat.WeChatAway("not JSON")
    return answer


@check("callback-ips", "微信回调的来处")
def look_at_callback_ips(_at: datetime) -> Iterator[Finding]:
    try:
        addresses = wechat.callback_addresses()
    except Problem as e:
        yield note(f"没有问到（{_code(e)}）。", KEYS_FIRST)
        return
    yield good(f"微信会从{len(addresses)}个地址或网段来，防火墙和WAF要放行，也不要限次。")


@dataclass(frozen=True)
class Probe:
    """A call that tells by its refusal whether the account has a feature, and does nothing."""

    endpoint: Endpoint
    params: dict[str, str] | None = None
    data: dict[str, Any] | None = None
    max_bytes: int | None = None


PROBES = {
    "menu": Probe(Endpoint("GET", "/cgi-bin/menu/get", endpoints.ACCOUNT, "menu")),   # what is live now is told to every kind
    "user-info": Probe(endpoints.USER_INFO, {"openid": NOBODY, "lang": "zh_CN"}),
    "media": Probe(endpoints.MEDIA, {"media_id": "doctor"}, max_bytes=1000),
    "customer-message": Probe(endpoints.CUSTOMER_MESSAGE, data={"touser": NOBODY, "msgtype": "text", "text": {"content": "doctor"}}),
    "scene-qr": Probe(endpoints.SCENE_QR, data={"expire_seconds": 60, "action_name": "QR_STR_SCENE",
                                                "action_info": {"scene": {"scene_str": "doctor"}}}),
    "template-message": Probe(endpoints.TEMPLATE_MESSAGE, data={"touser": NOBODY, "template_id": "doctor",
                                                                "data": {"thing1": {"value": "-"}}}),
}


@check("features", "账号类型和权限", seconds=60)
def look_at_features(_at: datetime) -> Iterator[Finding]:
    """What ACCOUNT_KIND promises against what WeChat grants. Whatever is granted now is offered again at once."""
    asked = {name: _is_granted(probe) for name, probe in PROBES.items()}
    if None in asked.values():
        unknown = "、".join(FEATURES[name] for name, granted in asked.items() if granted is None)
        yield note(f"没有问出来：{unknown}。", KEYS_FIRST + "那一项好了还这样，过几分钟再查。")
    features.switch_on([name for name, granted in asked.items() if granted])
    off = _off_at_the_site()
    kept_off = [name for name, granted in asked.items() if granted and name in off]
    if kept_off:
        yield note(f"微信现在给了，网站自己的记忆里还关着：{_listed(kept_off)}。", "重启网站马上能用；不重启，关满一天网站自己会再问。")
    lacking = [name for name, granted in asked.items() if granted is False and _promised(name)]
    beyond = [name for name, granted in asked.items() if granted and not _promised(name)]
    better = next((kind for kind in ACCOUNT_KINDS if all(granted is None or _promised(name, kind) == granted
                                                         for name, granted in asked.items())), None)
    advice = f"把 ACCOUNT_KIND 改成 {better}（{KINDS[better]}）。" if better else ""
    kind = KINDS[settings.account_kind]
    if lacking:
        yield wrong(f"设置写的是{kind}，可微信没有给：{_listed(lacking)}。",
                    "打开“设置与开发→接口权限”核对；" + (advice or "该有而没有，先办微信认证。"))
    if beyond:
        yield note(f"设置写的是{kind}，其实还能用：{_listed(beyond)}。", advice or "打开“设置与开发→接口权限”核对 ACCOUNT_KIND。")
    if not lacking and not beyond and any(asked.values()):
        yield good(f"{kind}，该有的都有：{_listed([name for name, granted in asked.items() if granted])}。{_oauth()}")
    elif not any(asked.values()) and None not in asked.values() and not lacking:
        yield good(f"{kind}：只能收消息和当场回复。{_oauth()}")


def _off_at_the_site() -> list[str]:
    """What the running site takes for refused. Where its store is in its own memory, nobody else can switch it on."""
    try:
        return list(json.loads(visit("GET", our("/healthz"), params={"nonce": own_nonce()}).text).get("off", []))
    except (Unreachable, ValueError, AttributeError, TypeError):
        return []   # the public address has a check of its own


def _oauth() -> str:
    """Web login cannot be asked for from here: only a phone sees whether WeChat lets it through."""
    return f"网页登录请用手机微信试一次：{our('/login/h5')}" if features.can("oauth") else "没有网页登录，市民从公众号对话里的链接进来。"


def _is_granted(probe: Probe) -> bool | None:
    """None where the answer tells nothing about this feature: no token, no line, no quota."""
    try:
        client_of(endpoints.ACCOUNT).call(probe.endpoint, probe.params, probe.data, max_bytes=probe.max_bytes)
    except wechat.NotGranted:
        return False
    except wechat.WeChatAway:
        return None
    except wechat.WeChatRefused as e:
        return None if e.kind in (wechat.Kind.LATER, wechat.Kind.RETRY) or e.kind is wechat.Kind.OPERATOR and e.errcode != 40037 else True
    except Problem:   # media lost, code refused: WeChat looked for it, so the feature is there
        return True
    return True


def _promised(feature: str, kind: str = "") -> bool:
    return (kind or settings.account_kind) in features.OF_ACCOUNT[feature]


def _listed(names: list[str]) -> str:
    return "、".join(FEATURES[name] for name in names)


@check("unionid", "两个入口认成一个人")
def look_at_unionid(_at: datetime) -> Iterator[Finding]:
    """APPS_BOUND against what logins have shown: without unionid a person by two doors is two."""
    if not settings.has_miniprogram:
        yield good("没有小程序，只有公众号一个入口。")
        return
    everybody, known = db.session.execute(
        select(func.count(), func.count(Person.unionid)).select_from(Identity).join(Person, Identity.person_id == Person.id)
        .where(Identity.appid == settings.miniprogram_appid)).one()
    came = select(Identity.openid).where(Identity.appid == settings.account_appid, Identity.openid != SENDER)
    newest = list(db.session.scalars(came.order_by(Identity.id.desc()).limit(FOLLOWERS_ASKED)))
    db.session.rollback()
    follower = _follower_has_unionid(newest)
    yield _bound(everybody, known, follower) if settings.apps_bound else _unbound(known, follower)


def _bound(everybody: int, known: int, follower: bool | None) -> Finding:
    bind = "在 open.weixin.qq.com 把公众号和小程序绑到同一个开放平台账号；绑好之前把 APPS_BOUND 改成 false，每个活动只开一个入口。"
    if everybody and not known:
        return wrong(f"APPS_BOUND=true，可小程序登录过的{everybody}人里一个unionid也没有：同一个人能投两次。", bind)
    if follower is False:
        return wrong("APPS_BOUND=true，可微信说关注者没有unionid：公众号没有绑到开放平台。", bind)
    if not everybody:
        return note("APPS_BOUND=true，还没有人从小程序登录过，看不出绑没绑。", "用手机从小程序登录一次，再查。")
    return good(f"绑好了：小程序登录过的{everybody}人里{known}人有unionid。活动可以两个入口都开。")


def _unbound(known: int, follower: bool | None) -> Finding:
    if known or follower:
        return note("APPS_BOUND=false，可微信给了unionid，像是已经绑好了。",
                    "到 open.weixin.qq.com 看一眼；两个都在，就把 APPS_BOUND 改成 true。")
    return note("没有绑到同一个开放平台账号：同一个人从两个入口来会成两个人。",
                "每个活动只开一个入口（小程序，或公众号），发布时选好；要两个都开，先到 open.weixin.qq.com 绑定。")


def _follower_has_unionid(openids: list[str]) -> bool | None:
    """Of the newest who came through the account; None where nobody can be asked about."""
    for openid in openids:
        try:
            found = wechat.follower(openid)
        except Problem as e:
            if getattr(e, "errcode", None) == NOT_OURS:
                continue   # of an account that stood here before
            return None
        if found.is_follower:
            return bool(found.unionid)
    return None


@check("account-qr", "公众号二维码")
def look_at_account_qr(_at: datetime) -> Iterator[Finding]:
    if features.can("oauth") or settings.account_qr:
        yield good("设好了。" if settings.account_qr else "有网页登录，用不着。")
    else:
        yield note("没有网页登录，活动页要放公众号的二维码，可 ACCOUNT_QR 没有设。",
                   "在“公众号设置”下载二维码，用扫码工具读出里面的网址，写进 ACCOUNT_QR。")


@check("templates", "消息模板")
def look_at_templates(_at: datetime) -> Iterator[Finding]:
    """Both are of the right form; whether WeChat knows them shows at the first message."""
    found = []
    for name, text, menu in (("NOTICE_TEMPLATE", settings.notice_template, "小程序后台“订阅消息→我的模板”"),
                             ("ACCOUNT_TEMPLATE", settings.account_template, "公众平台“模板消息→我的模板”")):
        try:
            template = notice_templates.parse(text)
        except ValueError:
            yield wrong(f"{name} 看不懂。", f"照{menu}写：模板ID|thing1=title|time2=at。")
            continue
        found += [name] if template else []
    if settings.account_template and not _promised("template-message"):
        yield note("ACCOUNT_TEMPLATE 设了，可只有认证服务号能发模板消息。", "删掉这项设置，或核对 ACCOUNT_KIND。")
    yield good(f"{'、'.join(found)} 看得懂。" if found else "没有设：中奖只在“我的中奖”页和公示里告诉大家。")


def _code(problem: Problem) -> str:
    return str(getattr(problem, "errcode", "") or getattr(problem, "why", "") or problem.type)


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
