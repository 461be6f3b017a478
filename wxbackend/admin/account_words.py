"""How the account's duties are said to the staff: kinds and features by name, what it would answer to a sentence and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from wxbackend import wechat
from wxbackend.admin import service as figures
from wxbackend.admin.site import bp
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import settings
from wxbackend.inbox import duties, editing, menu, talk

BASE = "/admin/account"
ACCOUNT_KINDS = {"service": "已认证的服务号", "service-unverified": "未认证的服务号", "subscription": "已认证的订阅号",
                 "subscription-unverified": "未认证的订阅号"}
# Feature → how it is called, and what the product does without it.
FEATURES = {
    "menu": ("自定义菜单", "菜单发布不了，入口靠关键词和文章"), "customer-message": ("客服消息与转人工", "找人工的，只回电话和时间"),
    "oauth": ("网页授权登录", "投票要先在聊天里拿链接，或走小程序"), "user-info": ("粉丝信息", "两个入口的同一个人合不到一起"),
    "media": ("下载聊天里的图片", "改用消息里的图片地址来取"), "scene-qr": ("带参数的二维码", "海报写关键词，不印公众号的码"),
    "template-message": ("模板消息", "中奖在“我的”里看，用小程序的通知"),
}
ACTIONS = {"text": "回一段话", "vote": "给投票链接", "mine": "给“我的签号”", "human": "转给微信客服"}
KIND_TITLES = {"greeting": "关注时说的话", "keyword": "关键词", "human": "找人工", "default": "其他消息"}
ANCHOR = re.compile(r"""<a\s+[^<>]*?href=["']?(https?://[^"'\s<>]+)["']?[^<>]*>([^<>]*)</a>""", re.IGNORECASE)


class Tried(NamedTuple):
    """What the account would answer to a sentence, and why."""

    how: str
    action: str = "text"
    text: str = ""
    campaign: str | None = None
    source: str = ""


@bp.app_template_filter("as_chat")
def as_chat(text: str) -> Markup:
    """A reply as the phone shows it: links underlined, everything else as written. Nothing in it can be tapped or run."""
    shown, rest = Markup(), 0
    for link in ANCHOR.finditer(text):
        shown += escape(text[rest:link.start()]) + Markup('<u title="{}">{}</u>').format(link[1], link[2])
        rest = link.end()
    return shown + escape(text[rest:])


def overview_of(at: datetime) -> dict[str, Any]:
    """Name, kind, features and how replies and menu stand; the page and the API show the same."""
    refused = wechat.switched_off()
    features = [{"feature": key, "name": name, "without": without, "is_there": wechat.can(key), "is_refused": key in refused}
                for key, (name, without) in FEATURES.items()]
    active = [row for row in editing.replies() if row.is_active]
    last = menu.newest()
    return {"name": settings.account_name, "kind": settings.account_kind, "features": features,
            "has_second_server": bool(settings.relay_url), "replies": len(active), "menu": last.state if last else "none",
            "active": active, "last_menu": last}


def tried(said: str, at: datetime) -> Tried:
    """What the account would answer to `said`: the inbox itself is asked, as by a stranger, and all of it taken back."""
    heard, running = talk.preview(said, at), campaigns.running(at)
    found = heard.found
    campaign = next((c for c in running if found and c.slug == found.campaign_slug), None)
    if heard.by == "campaign":
        return Tried("由活动自己来答：投票、签号、参加抽奖、退出这些话，活动进行时先归活动。", "campaign", heard.reply.text)
    if found is None:
        relayed = "先交给另一台服务器；它不答，" if settings.relay_url else "没有对上关键词，"
        own = "就说“其他消息”的那一句。" if editing.in_force("default") else "就用自带的那一句。"
        return Tried(relayed + own, text=heard.reply.text)
    how = f"对上了“{editing.called(editing.by_id(found.of))}”。" if found.of else ""
    how += _does(found.action, campaign, running)
    named = next((s.name for s in campaign.sources if s.code == found.source), "") if campaign else ""
    how += f"来源记作“{named}”。" if named else ""
    how += said_of_rivals(campaign, at) if campaign and found.of is None else ""
    return Tried(how, found.action, heard.reply.text, found.campaign_slug, found.source)


def _does(action: str, campaign: Campaign | None, running: Sequence[Campaign]) -> str:
    title = f"“{campaign.title}”" if campaign else ""
    return {"vote": f"给{title}的投票链接，每人一条，各不相同；这里的这条打不开。" if running else "没有在办的活动，就说没有活动。",
            "mine": "给发话人自己的签号；这里按没来过的人答。", "human": "转给微信客服，这句话由工作人员来回。"}.get(action, "")


def said_of_rivals(campaign: Campaign, at: datetime) -> str:
    """A warning where other published campaigns answer to the same word at the same time; "" where none does."""
    lines = []
    for word, others in duties.rivals(campaign).items():
        others = [other for other in others if other.evidence_until > at]
        names = "、".join(f"“{other.title}”（到{other.say(other.evidence_until)}）" for other in others)
        lines += [f"“{word}”也是{names}的关键词，时间有重叠：市民发这个词，进的是最后发布的那个。"] if others else []
    return "".join(lines)


def name_of(actor: str) -> str:
    """小李; whoever is not a member of staff is the system."""
    return next((one.name for one in figures.staff() if f"staff:{one.username}" == actor), "系统")
