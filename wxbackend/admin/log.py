"""The log: who did what, when and why, in sentences. It only grows."""

from __future__ import annotations

import json
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple

from flask import request

from wxbackend import audit, clock
from wxbackend.admin import service as figures
from wxbackend.admin.site import bp, page
from wxbackend.audit.models import AuditEntry
from wxbackend.campaigns import service as campaigns
from wxbackend.draws import service as draws
from wxbackend.web import access

A_PAGE = 100

# What each verb says after the name; {facts} of the entry and {title} of its campaign may stand in it.
SAID = {
    "staff.created": "的账号建好了。", "staff.logged-in": "登录了。", "staff.logged-out": "退出了。",
    "staff.password-set": "的密码换了，之前的登录都已失效。",
    "campaign.drafted": "存了“{title}”的草稿。", "campaign.published": "发布了“{title}”，规则从此固定。",
    "submission.approved": "通过了第{number}号截图，计入{day}。", "submission.rejected": "没有通过第{number}号截图。",
    "draw.excluded": "给“{title}”的排除名单加了{new}个号码（{reason}）。",
    "draw.frozen": "封存了“{title}”的名单：{tickets}个签号，{persons}人。",
    "draw.numbers-entered": "录了“{title}”的开奖号，封着。", "draw.numbers-differed": "录的开奖号和另一份不一样，两份都作废。",
    "draw.drawn": "算出了“{title}”的结果。",
    "entrant.withdrawn": "退出了“{title}”的抽奖，姓名和手机号已删除。",
    "entrants.forgotten": "删除了“{title}”没中奖的人的姓名、手机号和截图。",
    "winners.exported": "下载了“{title}”的中奖名单，带完整手机号。",
    "account.reply-saved": "写了公众号的回复“{called}”。", "account.reply-on": "启用了公众号的回复“{called}”。",
    "account.reply-off": "停用了公众号的回复“{called}”。", "account.reply-hidden": "收起了公众号的回复“{called}”。",
    "account.reply-shown": "把公众号的回复“{called}”放回了列表。", "account.replies-imported": "从微信读了{read}条自动回复。",
    "account.menu-drafted": "存了一版菜单：{names}。", "account.menu-published": "把菜单发布到了公众号：{names}。",
    "kit.asked": "申请了“{title}”的审计包（第{kit}号，点名{named}张凭证）。", "kit.approved": "批准了“{title}”的第{kit}号审计包。",
    "kit.made": "做好了“{title}”的第{kit}号审计包，用口令封着。", "kit.fetched": "下载了“{title}”的第{kit}号审计包。",
    "alarm.settled": "把第{number}号提醒标成了“已处理”：{what}",
}
CARE = {"account.menu-published", "draw.excluded", "campaign.published", "winners.exported", "staff.created", "kit.asked", "kit.approved",
        "kit.fetched"}
ALARM = {"draw.numbers-differed"}
KINDS = {
    "login": ("登录", ["staff.logged-in", "staff.logged-out", "staff.created", "staff.password-set"]),
    "review": ("审核截图", ["submission.approved", "submission.rejected"]),
    "campaign": ("活动与规则", ["campaign.drafted", "campaign.published"]),
    "account": ("公众号的回复和菜单", [verb for verb in SAID if verb.startswith("account.")]),
    "draw": ("抽奖", [verb for verb in SAID if verb.startswith("draw.")]),
    "kit": ("审计包", [verb for verb in SAID if verb.startswith("kit.")]),
    "alarms": ("提醒", ["alarm.settled"]),
    "data": ("个人信息的导出与删除", ["winners.exported", "entrant.withdrawn", "entrants.forgotten"]),
}
SYSTEM = "自动"
OTHERS = {"voter": "一位市民", "command line": "命令行"}


class Line(NamedTuple):
    id: int
    at: datetime
    who: str
    text: str
    why: str
    standing: str       # "", care or alarm


@bp.get("/log")
@access("staff")
def log() -> Any:
    """The newest entries, by ?who= and ?what=, further back by ?before=. ?check=1 walks the whole chain."""
    who, what = request.args.get("who", ""), request.args.get("what", "")
    verbs = KINDS[what][1] if what in KINDS else []
    entries = figures.log_page(who, verbs, request.args.get("before", type=int), A_PAGE)
    people = {f"staff:{s.username}": s.name for s in figures.staff()}
    titles = {c.slug: c.title for c in campaigns.all_campaigns()}
    lines = [say(entry, people, titles) for entry in entries]
    days = [(day, list(group)) for day, group in groupby(lines, lambda line: _day(line.at))]
    is_checked = request.args.get("check") == "1"
    return page("log.html", "log", days=days, today=_day(clock.now()), people=people, kinds=KINDS, who=who, what=what,
                older=entries[-1].id if len(entries) == A_PAGE else None, is_checked=is_checked,
                broken=audit.verify_chain() if is_checked else None)


def say(entry: AuditEntry, people: dict[str, str], titles: dict[str, str]) -> Line:
    """小李通过了第12号截图，计入1月6日（周四）。"""
    standing = "alarm" if entry.verb in ALARM else "care" if entry.verb in CARE else ""
    kind, _, key = entry.subject.partition(":")
    facts = _Facts({name: _fact(name, value) for name, value in json.loads(entry.facts or "{}").items()})
    facts["title"] = titles.get(key if kind == "campaign" else key.rpartition("-")[0], key)
    facts["number"] = key
    text = SAID.get(entry.verb, "做了一件事：" + entry.verb).format_map(facts)
    return Line(entry.id, entry.at, (people | OTHERS).get(entry.actor, SYSTEM), text, entry.why, standing)


class _Facts(dict[str, Any]):
    def __missing__(self, _name: str) -> str:
        return "—"


def _fact(name: str, value: Any) -> Any:
    if name == "day":
        return clock.say_day(date.fromisoformat(value))
    return draws.REASONS.get(value, value) if name == "reason" else value


def _day(at: datetime) -> date:
    return clock.local_day(at, "Asia/Shanghai")
