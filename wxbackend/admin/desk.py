"""The desk: what waits for this person, which deadlines come, how each campaign stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import g

from wxbackend import alarms, clock
from wxbackend.admin import service as figures
from wxbackend.admin import words
from wxbackend.admin.rules import MANAGE, NUMBERS, REVIEW, may
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.draws.models import Draw

MOST_DEADLINES = 6
URGENCY = {"开奖号待录入": 1, "截图待审": 2, "草稿待发布": 3}


class Todo(NamedTuple):
    """One thing that waits: 47 张 截图待审."""

    n: int
    unit: str
    title: str
    text: str
    campaign: Campaign
    url: str
    button: str


class Deadline(NamedTuple):
    """One instant; campaigns that share it share the line."""

    at: datetime
    what: str
    campaign: Campaign
    others: int = 0

    @property
    def whose(self) -> str:
        return f"{self.others + 1}个活动" if self.others else self.campaign.title

    @property
    def clock(self) -> str:
        """周六 09:00"""
        local = self.at.astimezone(ZoneInfo(self.campaign.zone))
        return f"周{clock.WEEKDAYS[local.weekday()]} {local:%H:%M}"

    @property
    def day(self) -> str:
        local = self.at.astimezone(ZoneInfo(self.campaign.zone))
        return f"{local.month}月{local.day}日"


class Step(NamedTuple):
    word: str
    url: str = ""


@dataclass(frozen=True)
class Row:
    campaign: Campaign
    standing: words.Said
    when: str
    people: int | None
    ballots: int | None
    next: Step


@dataclass(frozen=True)
class Desk:
    todo: list[Todo]
    deadlines: list[Deadline]
    rows: list[Row]


def look(at: datetime) -> Desk:
    everything = campaigns.all_campaigns()
    waiting, votes, drawn = figures.pending(everything), figures.votes(everything), figures.draws_of(everything)
    deadlines = sorted((d for c in everything if c.is_published for d in _deadlines(c) if d.at > at), key=lambda d: (d.at, d.what))
    shared = [list(same) for _, same in groupby(deadlines, key=lambda d: (d.at, d.what))]
    deadlines = [same[0]._replace(others=len(same) - 1) for same in shared]
    rows = [_row(c, at, votes.get(c.id, (None, 0)), waiting.get(c.id, (0, None))[0], drawn.get(c.id)) for c in everything]
    return Desk(todo(at), deadlines[:MOST_DEADLINES], rows)


def todo(at: datetime) -> list[Todo]:
    """What waits for whoever is at work, the most urgent first."""
    everything = campaigns.all_campaigns()
    waiting, drawn = figures.pending(everything), figures.draws_of(everything)
    found = [item for c in everything for item in _todo(c, waiting.get(c.id), drawn.get(c.id), at)]
    return sorted(found, key=lambda item: (URGENCY[item.title], item.campaign.freeze_at))


def waiting(at: datetime) -> int:
    """How many things stand on the desk: what waits, and the alarms, which concern everybody. The headline and the badge say the same."""
    return len(todo(at)) + sum(alarms.open_counts().values())


def _todo(campaign: Campaign, waiting: tuple[int, datetime] | None, draw: Draw | None, at: datetime) -> list[Todo]:
    base, role = f"/admin/campaigns/{campaign.slug}", g.staff.staff.role
    found = []
    if waiting and may(role, REVIEW):
        text = f"最早一张已等{words.waited(waiting[1], at)}，{campaign.say(campaign.freeze_at)}封存前要审完。"
        found.append(Todo(waiting[0], "张", "截图待审", text, campaign, base + "/review", "审核截图"))
    if draw and not draw.is_drawn and may(role, NUMBERS):
        found += _numbers(campaign, draw, base)
    if not campaign.is_published and may(role, MANAGE):
        due = ("之前要发布。" if at < campaign.opens_at else "这个时间已经过了，发布以后马上能投。" if at < campaign.closes_at
               else "投票时间已经过完，先改时间。")
        found.append(Todo(1, "份", "草稿待发布", f"{campaign.say(campaign.opens_at)}开始，{due}", campaign, base, "去发布"))
    return found


def _numbers(campaign: Campaign, draw: Draw, base: str) -> list[Todo]:
    entered = draws.entries(draw)
    if any(entry.staff.id == g.staff.staff.id for entry in entered):
        return []   # the other half is somebody else's
    text = f"{entered[0].staff.name}已经录好一份，等您做第二人。" if entered else "两个人各录一份，互相看不到。"
    return [Todo(2 - len(entered), "份", "开奖号待录入", text, campaign, base + "/draw", "录入号码")]


def _deadlines(campaign: Campaign) -> list[Deadline]:
    instants = ((campaign.opens_at, "开始投票"), (campaign.closes_at, "投票截止"), (campaign.evidence_until, "收截图截止"),
                (campaign.freeze_at, "名单封存，审核和申诉要全部办完"))
    return [Deadline(at, what, campaign) for at, what in instants if campaign.frozen_at is None]


def _row(campaign: Campaign, at: datetime, votes: tuple[int | None, int], waiting: int, draw: Draw | None) -> Row:
    people, ballots = votes if campaign.is_published and campaign.is_hosted else (None, None)
    opens = campaign.day(campaign.opens_at)
    when = f"{opens.month}月{opens.day}日–{campaign.say(campaign.closes_at)}"
    return Row(campaign, words.standing(campaign, at, draw), when, people, ballots, _next(campaign, at, waiting, draw))


def _next(campaign: Campaign, at: datetime, waiting: int, draw: Draw | None) -> Step:
    base = f"/admin/campaigns/{campaign.slug}"
    if not campaign.is_published:
        return Step("看一遍，发布", base)
    if draw:
        return Step("看抽奖结果" if draw.is_drawn else "录入开奖号", base + "/draw")
    if waiting:
        return Step(f"审核截图（{waiting}）", base + "/review")
    return Step("等开始" if at < campaign.opens_at else "等截止" if at < campaign.closes_at else "等封存")
