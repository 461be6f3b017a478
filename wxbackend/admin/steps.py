"""A draw's nine states in one line, each with when and by whom; there is no way back."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from wxbackend.campaigns.models import Campaign
from wxbackend.draws.models import Draw


class Step(NamedTuple):
    """`standing`: done, now or "" (to come)."""

    title: str
    when: str
    standing: str = ""


def steps(campaign: Campaign, draw: Draw | None, at: datetime) -> list[Step]:
    """投票与收签 … 归档; exactly one is `now`."""
    say = campaign.say
    reached = _reached(campaign, draw, at)
    drawn = say(draw.drawn_at) if draw and draw.drawn_at else ""
    frozen = say(draw.frozen_at) if draw else say(campaign.freeze_at)
    said = [
        ("投票与收签", f"{say(campaign.opens_at)} 到 {say(campaign.evidence_until)}"),
        ("封存", f"{frozen}　{'已执行' if draw else '到点自动执行'}"),
        ("公布名单", f"{frozen}　随封存公开" if draw else "随封存公开"),
        ("双人录入公共开奖号", "两份一致" if drawn else "两人各录一份，互相看不到"),
        ("抽取", f"{drawn}　自动计算" if drawn else "两份一致后自动计算"),
        ("公示", f"{drawn}起{campaign.publicity_days}个工作日" if drawn else f"{campaign.publicity_days}个工作日"),
        ("领奖", "公示以后，各馆"),
        ("对账", f"{sum(p.count for p in campaign.prizes)}份奖品，发放与库存对平"),
        ("归档", "材料保存两年以上"),
    ]
    return [Step(title, when, "done" if n < reached else "now" if n == reached else "") for n, (title, when) in enumerate(said)]


def _reached(campaign: Campaign, draw: Draw | None, at: datetime) -> int:
    if draw is not None:
        return 5 if draw.is_drawn else 3
    return 1 if at >= campaign.evidence_until else 0
