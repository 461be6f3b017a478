"""The way in from the internet: the clock, our own address, WeChat's callback, domain proofs, the second server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from flask import current_app

from config.settings import LOOPBACK
from wxbackend.doctor.checks import Finding, Level, check, good, note, wrong
from wxbackend.doctor.wire import Unreachable, echo_query, our, plain_message, sealed_event, visit
from wxbackend.extensions import settings
from wxbackend.health import fingerprint
from wxbackend.keys import own_nonce

DRIFT, TOO_FAR = timedelta(seconds=60), timedelta(seconds=300)
NAMES = {"account": "公众号", "miniprogram": "小程序"}
CONSOLES = {"account": "公众平台“设置与开发→基本配置→服务器配置”", "miniprogram": "小程序后台“开发管理→消息推送”"}
ACCEPTED = ("", "success")
UNREACHABLE = "打不开"
LEAD_HERE = "核对 PUBLIC_URL、域名解析、80/443端口、证书和反向代理，再看网站有没有启动。"


@check("clock", "时钟")
def look_at_clock(at: datetime) -> Iterator[Finding]:
    """Ours against the Date that WeChat's host sends; deadlines, signatures and the day of a vote hang on it."""
    ours = at - current_app.extensions["clock"].offset()   # the demo's clock is moved on purpose
    theirs = _date_of(settings.wechat_api_root)
    whose = "微信的服务器"
    if theirs is None:
        theirs, whose = _date_of(settings.public_url), "PUBLIC_URL的服务器"
    if theirs is None:
        yield note("没有别的钟可以比。", "请确认服务器开着NTP对时（timedatectl）。")
        return
    off = abs(ours - theirs)
    said = f"和{whose}差{off.total_seconds():.0f}秒"
    if off > TOO_FAR:
        yield wrong(f"{said}：微信的消息会被当成过期的拒收，截止时间也不准。", "打开NTP对时：timedatectl set-ntp true，再看 timedatectl。")
    elif off > DRIFT:
        yield note(f"{said}。", "打开NTP对时：timedatectl set-ntp true。")
    else:
        yield good(f"{said}。")


def _date_of(root: str) -> datetime | None:
    try:
        return parsedate_to_datetime(visit("HEAD", root.rstrip("/") + "/").headers["Date"])
    except (Unreachable, KeyError, ValueError):
        return None


@check("public-url", "对外网址")
def look_at_public_url(_at: datetime) -> Iterator[Finding]:
    """It is https, it leads here and nowhere else, and what belongs to operators alone is not to be had there."""
    leads = _leads_here()
    yield leads
    if _is_loopback() or UNREACHABLE in leads.said:
        return
    if urlsplit(settings.public_url).scheme != "https":
        yield wrong("不是https，微信里会提示不安全，登录的Cookie也会在路上被看到。", "给域名装证书，把 PUBLIC_URL 改成 https:// 开头。")
    try:
        if visit("GET", our("/metrics")).status == 200:
            yield wrong("/metrics 从外面看得到。", "在反向代理里加上 X-Forwarded-For，或者不转发 /metrics。")
    except Unreachable:
        pass   # said already


def _leads_here() -> Finding:
    """Good only where this very installation answers at PUBLIC_URL."""
    nonce = own_nonce()
    try:
        answer = visit("GET", our("/healthz"), params={"nonce": nonce})
    except Unreachable as e:
        return wrong(f"{settings.public_url} {UNREACHABLE}：{e}。", LEAD_HERE)
    if 300 <= answer.status < 400:
        return wrong("打开后被转到别的网址去了。", "把 PUBLIC_URL 改成最后到的那个网址，或去掉转向。")
    if answer.status != 200 or '"status"' not in answer.text:
        return wrong(f"回答的不是本网站（HTTP {answer.status}）。", LEAD_HERE)
    if '"instance"' not in answer.text:
        return wrong("网站在，可是旧版本的，或中间有人改了回答。", "重启网站，让它用上现在的版本。")
    if fingerprint(nonce) not in answer.text:
        return wrong("网站在，可不是这一份：密钥（DATA_KEY）或数据库和这里的不一样。",
                     "用网站的那份设置运行本命令；刚改过设置，就重启网站。")
    return good(f"{settings.public_url} 通，就是这一份。")


def _is_loopback() -> bool:
    return urlsplit(settings.public_url).hostname in LOOPBACK


@check("callback", "微信回调", seconds=60)
def look_at_callback(at: datetime) -> Iterator[Finding]:
    """As WeChat would: the console's check, a message in plaintext mode, an encrypted event. Elsewhere it says nothing of keys."""
    leads = _leads_here()
    if leads.level is not Level.GOOD:
        yield wrong(f"没有查：{leads.said}", "先照“对外网址”一项写的做，它好了再查这一项。")
        return
    for app in ("account", "miniprogram") if settings.has_miniprogram else ("account",):
        try:
            found = list(filter(None, (_echoes(app, at), _refuses_plaintext(app, at)))) or list(filter(None, (_takes_sealed(app, at),)))
        except Unreachable as e:
            found = [wrong(f"{NAMES[app]}：/wechat/callback/{app} 连不上：{e}。", LEAD_HERE)]
        yield from found or [good(f"{NAMES[app]}：签名认得，明文拒收，加密的收得进。后台填的URL：{our(f'/wechat/callback/{app}')}")]


def _echoes(app: str, at: datetime) -> Finding | None:
    echo = str(secrets.randbelow(10**18))
    answer = visit("GET", our(f"/wechat/callback/{app}"), params=echo_query(app, echo, at))
    if answer.status == 200 and answer.text == echo:
        return None
    return wrong(f"{NAMES[app]}：网站不认这里的签名（HTTP {answer.status}），后台点“提交”会说token验证失败。加密的一步等它好了再查。",
                 f"{app.upper()}_TOKEN 改过就重启网站；{CONSOLES[app]}里的Token要和它一字不差。也看看“时钟”一项。")


def _refuses_plaintext(app: str, at: datetime) -> Finding | None:
    """Refused whatever the signature says: in that mode it does not cover what the message says."""
    query, body = plain_message(app, at)
    answer = visit("POST", our(f"/wechat/callback/{app}"), params=query, data=body, kind="text/xml")
    if answer.status >= 400:
        return None
    return wrong(f"{NAMES[app]}：明文的消息也收下了（HTTP {answer.status}），谁知道网址都能冒充市民。",
                 "回调网址前面不能有别的程序代答；换上本网站现在的版本。")


def _takes_sealed(app: str, at: datetime) -> Finding | None:
    query, body = sealed_event(app, at)
    answer = visit("POST", our(f"/wechat/callback/{app}"), params=query, data=body, kind="text/xml")
    if answer.status == 200 and (answer.text.strip() in ACCEPTED or answer.text.startswith("<xml>")):
        return None
    if answer.status == 403:
        return wrong(f"{NAMES[app]}：加密的消息解不开。", f"{app.upper()}_AES_KEY 或 {app.upper()}_APPID 改过就重启网站；"
                     f"{CONSOLES[app]}里的EncodingAESKey要一字不差，“消息加解密方式”选“安全模式”。")
    return wrong(f"{NAMES[app]}：加密的消息没有收好（HTTP {answer.status}）。", "看网站日志这一刻的错误；数据库和表结构两项先弄好。")


@check("domain-files", "域名校验文件")
def look_at_domain_files(_at: datetime) -> Iterator[Finding]:
    """MP_verify_….txt at the root, for 网页授权域名, JS接口安全域名 and 业务域名."""
    pairs = [pair.strip() for pair in settings.verify_files.split(",") if pair.strip()]
    if not pairs:
        yield good("没有设，本机演示用不着。") if _is_loopback() else note(
            "VERIFY_FILES 没有设。", "在“设置与开发→公众号设置→功能设置”登记网页授权域名和JS接口安全域名，"
            "把下载的文件名和内容写进 VERIFY_FILES：MP_verify_abc.txt:abc。")
        return
    for pair in pairs:
        name, colon, content = pair.partition(":")
        if not colon or not name.startswith("MP_verify_") or not name.endswith(".txt") or not content:
            yield wrong(f"VERIFY_FILES 里有一段看不懂（{name[:40]}）。", "写成 文件名:内容，如 MP_verify_abc.txt:abc，几个之间用逗号。")
            continue
        yield _is_served(name, content)


def _is_served(name: str, content: str) -> Finding:
    try:
        answer = visit("GET", our(f"/{name}"))
    except Unreachable as e:
        return wrong(f"{name} 打不开：{e}。", LEAD_HERE)
    if answer.status == 200 and answer.text.strip() == content:
        return good(f"{name} 打得开，内容对。")
    return wrong(f"{name} 打开后内容不对（HTTP {answer.status}）。", "刚改过 VERIFY_FILES 就重启网站；反向代理不要拦 .txt。")


@check("relay", "第二台服务器")
def look_at_relay(_at: datetime) -> Iterator[Finding]:
    if not settings.relay_url:
        yield good("没有设，不转发。")
        return
    try:
        answer = visit("GET", settings.relay_url)
    except Unreachable as e:
        yield wrong(f"RELAY_URL 打不开：{e}。转过去的消息没有人答。", "请找管那台服务器的人；不再用它，就清空 RELAY_URL。")
        return
    yield good("RELAY_URL 有回应。") if answer.status < 500 else note(
        f"RELAY_URL 有回应，可它自己出错（HTTP {answer.status}）。", "请找管那台服务器的人。")
