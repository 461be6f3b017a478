"""The staff site's blueprint and what every page of it shows: who is at work, where, with what waiting."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from flask import Blueprint, g, render_template, request

from wxbackend import clock
from wxbackend.admin import desk, words
from wxbackend.admin import service as figures
from wxbackend.admin.rules import MANAGE, REVIEW, ROLES, may
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import settings

bp = Blueprint("admin", __name__, url_prefix="/admin")

for name, phrase in (("full_day", words.full_day), ("hour", words.hour), ("left", words.left), ("waited", words.waited),
                     ("say_day", clock.say_day), ("say_time", clock.say_time)):
    bp.add_app_template_filter(phrase, name)


class Item(NamedTuple):
    key: str
    label: str
    url: str
    waiting: int = 0


@bp.app_context_processor
def frame() -> dict[str, Any]:
    """What the base template needs on every page of the site, refusals among them."""
    if not request.path.startswith("/admin"):
        return {}
    seat = g.get("staff")
    role = seat.staff.role if seat else ""
    return {"account_name": settings.account_name, "me": seat.staff if seat else None, "role_name": ROLES.get(role, ""),
            "can": lambda *roles: may(role, roles)}


def page(template: str, here: str, campaign: Campaign | None = None, at: datetime | None = None, status: int = 200,
         **values: Any) -> tuple[str, int]:
    """A page of the site inside its frame; with a campaign its own places stand in the rail."""
    at = at or clock.now()
    nav = _places(campaign) if campaign else _site(at)
    standing = words.standing(campaign, at, figures.draws_of([campaign]).get(campaign.id)) if campaign else None
    return render_template(f"admin/{template}", here=here, nav=nav, campaign=campaign, standing=standing, now=at, **values), status


def actor() -> str:
    """Who acts, as the audit log writes it."""
    return f"staff:{g.staff.staff.username}"


def _site(at: datetime) -> list[Item]:
    new = [Item("new", "新建活动", "/admin/campaigns/new")] if may(g.staff.staff.role, MANAGE) else []
    return [Item("home", "工作台", "/admin/", desk.waiting(at)), *new, Item("account", "公众号", "/admin/account"),
            Item("log", "日志", "/admin/log")]


def _places(campaign: Campaign) -> list[Item]:
    base = f"/admin/campaigns/{campaign.slug}"
    waiting, _since = figures.pending([campaign]).get(campaign.id, (0, None))
    mine = waiting if may(g.staff.staff.role, REVIEW) else 0
    return [Item("home", "工作台", "/admin/"), Item("overview", "总览", base), Item("review", "截图审核", base + "/review", mine),
            Item("draw", "抽奖台", base + "/draw"), Item("kit", "账本与审计包", base + "/kit"),
            Item("account", "公众号", f"/admin/account/replies?campaign={campaign.slug}"),
            Item("log", "日志", "/admin/log")]
