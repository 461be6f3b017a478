"""Where a campaign stands outside its voting hours, and the steps it goes through."""

from __future__ import annotations

from datetime import datetime

from flask.typing import ResponseReturnValue

from wxbackend.campaigns.models import Campaign
from wxbackend.campaigns.rules import Phase
from wxbackend.draws import service as draws
from wxbackend.draws.entropy import SOURCES
from wxbackend.draws.models import Draw
from wxbackend.pages import rules
from wxbackend.pages.frame import show
from wxbackend.pages.rules import Step
from wxbackend.results import service as results


def state_page(campaign: Campaign, at: datetime, status: int = 200) -> ResponseReturnValue:
    """To come, or over: what happened, what comes next."""
    draw = draw_of(campaign)
    phase = campaign.phase(at)
    stage = "drawn" if is_public(draw) else phase.value
    until = campaign.opens_at if phase is Phase.COMING else campaign.freeze_at
    return show("state", campaign, status, phase=stage, steps=steps(campaign, draw, at), draw_id=draw.public_id if draw else None, at=at,
                left=rules.countdown(until, at), shows_results=results.figures(campaign, at) is not None)


def draw_of(campaign: Campaign) -> Draw | None:
    """The campaign's draw, once the list is frozen."""
    return draws.of(campaign) if campaign.frozen_at is not None else None


def is_public(draw: Draw | None) -> bool:
    """Whether anybody may read the winners."""
    return draw is not None and draw.is_public


def steps(campaign: Campaign, draw: Draw | None, at: datetime) -> list[Step]:
    """The way of a campaign from its vote to its 公示, each step with its instant."""
    say, frozen = campaign.say, campaign.frozen_at is not None
    vote = [Step("投票截止", say(campaign.closes_at), at >= campaign.closes_at)] if campaign.is_hosted else []
    return [
        *vote,
        Step("收截图", f"投过票还没参加抽奖的，{say(campaign.evidence_until)}前都算", at >= campaign.evidence_until),
        Step("封存签号名单", f"{say(draw.frozen_at if draw else campaign.freeze_at)}，封存后谁也改不了", frozen),
        Step("抽奖", f"用{entropy_words(campaign)}来抽，封存时谁也不知道号码", is_public(draw)),
        Step("公示", f"公示{campaign.publicity_days}个工作日，谁都能自己验一遍", False),
    ]


def entropy_words(campaign: Campaign) -> str:
    """双色球第2022005期的开奖号; several joined with 和."""
    named = [SOURCES[e["source"]].name + (f"第{e['issue']}期" if e.get("issue") else "") for e in campaign.entropy]
    return "和".join(named) + "的开奖号"
