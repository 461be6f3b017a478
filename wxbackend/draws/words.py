"""What a winner or an alternate is told: the prize by its public name alone, and where to read on.

No name, no phone, nothing of what is in a box.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from wxbackend.draws.models import Award, Draw
from wxbackend.extensions import settings


def told(award: Award) -> str:
    """The text for the chat."""
    campaign, url = award.draw.campaign, link(award.draw)
    if award.kind == "winner":
        return f'您中奖了，恭喜！“{campaign.title}”抽奖，您抽中{prize_of(award)}1份。<a href="{url}">看怎么领</a>'
    return f'“{campaign.title}”抽完了，您排在{prize_of(award)}：有人没来领，就按公布的顺序补，轮到您会联系您。<a href="{url}">看结果</a>'


def facts(award: Award) -> dict[str, str]:
    """The same for a template's fields."""
    is_winner = award.kind == "winner"
    return {"title": award.draw.campaign.title, "result": "中奖" if is_winner else "候补", "prize": prize_of(award),
            "at": _written(award.draw.published_at, award.draw.campaign.zone),
            "tip": "恭喜，您中奖了，点开看怎么领" if is_winner else "排在候补，有人没领就按顺序补"}


def prize_of(award: Award) -> str:
    """青年文化盲盒; 候补第3位."""
    prizes = award.draw.campaign.prizes
    if award.kind == "alternate":
        return f"候补第{award.rank - sum(prize.count for prize in prizes)}位"
    return next((prize.name for prize in prizes if prize.tier == award.tier), award.tier or "")


def link(draw: Draw) -> str:
    """我的中奖, which works whether or not anybody was told."""
    return f"{settings.public_url.rstrip('/')}/c/{draw.campaign.slug}/mine"


def _written(at: datetime | None, zone: str) -> str:
    """2022年1月11日 21:30, the one form that WeChat's time and date fields both take."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
