"""How the staff site says things: where a campaign stands, what a reading means, what was done."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from wxbackend import clock, wechat
from wxbackend.campaigns.models import Campaign
from wxbackend.campaigns.rules import Phase
from wxbackend.draws.models import Draw
from wxbackend.notices.service import Undelivered


class Said(NamedTuple):
    """A tag: shape (good ●, warn ▲, bad ✕, info ○, off —) and word."""

    kind: str
    word: str


STANDING = {
    Phase.COMING: Said("info", "未开始"), Phase.OPEN: Said("good", "进行中"), Phase.EVIDENCE: Said("info", "已截止，收截图"),
    Phase.REVIEW: Said("warn", "审核收尾"), Phase.DUE: Said("warn", "正在封存"), Phase.FROZEN: Said("info", "名单已封存"),
}
READING = {
    "own-receipt": Said("good", "读出来了，是本人的凭证"), "foreign-receipt": Said("bad", "是别人的凭证"),
    "no-receipt": Said("warn", "图里没有找到凭证"), "unreadable": Said("warn", "二维码读不出"), "tap": Said("good", "一键参加"),
}
UNREAD = Said("info", "还没有读图")
ELSEWHERE = Said("info", "别处的投票页，没有凭证可读，请看图")
CHANNEL = {"chat": "公众号消息", "upload": "网页上传", "tap": "一键参加"}
STATE = {"arriving": Said("info", "在路上"), "waiting": Said("info", "等姓名和手机号"), "pending": Said("warn", "待审"),
         "approved": Said("good", "已通过"), "rejected": Said("bad", "没通过"), "dropped": Said("off", "已撤回")}
MODE = {"hosted": "本馆投票页", "external": "别处的投票页"}
RESULTS = {"live": "随时公布", "after-close": "截止后公布", "hidden": "不公布"}
NOTICE_CHANNEL = {"customer": "公众号聊天", "subscribe": "小程序订阅消息", "template": "模板消息"}
NOT_TOLD = {"closed": "48小时内没给公众号发过消息", "quota": "聊天里能发的条数用完了", "left": "没有关注公众号",
            "no-credit": "没有在小程序里订阅提醒", "not-granted": "账号没有这项权限", "no-facts": "模板的字段填不齐",
            "unsendable": "内容不合微信的格式", "user block": "本人设置了不接收", "system failed": "微信那边没发成"}
QUOTA = {"subject": "每个项目每人每天1票", "campaign": "每人每天1票"}


def standing(campaign: Campaign, at: datetime, draw: Draw | None = None) -> Said:
    """Where it stands, in one word; the draw is named where there is one."""
    if not campaign.is_published:
        return Said("warn", "草稿")
    if draw:
        return Said("good", "已抽取，公示中") if draw.is_drawn else Said("warn", "待录开奖号")
    return STANDING[campaign.phase(at)]


def reading(campaign: Campaign, key: str) -> Said:
    return READING.get(key, UNREAD) if campaign.is_hosted else ELSEWHERE


def undelivered(reason: Undelivered) -> str:
    """Why one channel did not take a notice."""
    if reason.errcode is not None:
        return wechat.meaning(reason.errcode).about
    return NOT_TOLD.get(reason.why, "微信回报没有送到")


def full_day(at: datetime, zone: str = "Asia/Shanghai") -> str:
    """2022年1月7日（周五）"""
    day = clock.local_day(at, zone)
    return f"{day.year}年{clock.say_day(day)}"


def hour(at: datetime, zone: str = "Asia/Shanghai") -> str:
    """15:20"""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M}"


def left(until: datetime, at: datetime) -> str:
    """还有17小时40分; days once it is two or more."""
    minutes = -int((at - until).total_seconds() // 60)
    if minutes <= 0:
        return "已到"
    if minutes >= 2880:
        return f"还有{minutes // 1440}天"
    return f"还有{minutes // 60}小时{minutes % 60}分" if minutes >= 60 else f"还有{minutes}分"


def waited(since: datetime, at: datetime) -> str:
    """3小时12分"""
    minutes = max(0, int((at - since).total_seconds() // 60))
    if minutes >= 2880:
        return f"{minutes // 1440}天"
    return f"{minutes // 60}小时{minutes % 60}分" if minutes >= 60 else f"{minutes}分"


def greeting(at: datetime) -> str:
    hour_of_day = at.astimezone(clock.SHANGHAI).hour
    said = ((6, "夜深了"), (11, "早上好"), (14, "中午好"), (18, "下午好"), (25, "晚上好"))
    return next(word for until, word in said if hour_of_day < until)
