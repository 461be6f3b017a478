"""What every citizens' page shares: the blueprint, the elder switch, who is looking, how a page is shown."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, abort, g, has_request_context, redirect, render_template, request
from markupsafe import Markup

from wxbackend import clock, wechat
from wxbackend.accounts.finders import optional_voter
from wxbackend.accounts.service import Voter
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import settings
from wxbackend.pages import rules
from wxbackend.pages.pieces import article
from wxbackend.problems import Problem
from wxbackend.web import is_claim

bp = Blueprint("pages", __name__)
ELDER_LIFE = 365 * 86_400
GRADE_CLASSES = {"优": "g1", "良": "g2", "中": "g3", "差": "g4"}


class OpenInWeChat(Problem):
    """The page needs to know who is looking, which only WeChat can say; carries the campaign and its QR for the page."""

    status, type, title = 403, "open-in-wechat", "请在微信中打开"
    hint = "投票要靠微信认出是您本人，这样每人每天只有一票。"

    def __init__(self, campaign: Campaign, qr: str):
        self.campaign, self.qr = campaign, qr
        super().__init__()


class WriteFirst(Problem):
    """An account without web login: WeChat tells us who somebody is only when she writes to it. Carries its QR and what to send."""

    status, type, title = 401, "write-first", "先给公众号发一句话"
    hint = "这样才认得出是您本人，每人每天一票。"

    def __init__(self, campaign: Campaign, qr: str, word: str):
        self.campaign, self.qr, self.word = campaign, qr, word
        super().__init__()


@bp.app_context_processor
def frame() -> dict[str, Any]:
    """For base.html and problem.html, whichever room renders them."""
    if not has_request_context():
        return {}
    return {"elder": is_elder(), "elder_url": elder_url(), "account_name": settings.account_name, "retry_url": retry_url(),
            "in_wechat": in_wechat(), "dots": rules.dots, "say_day": clock.say_day, "grade_class": GRADE_CLASSES.get,
            "percent": rules.percent, "fours": rules.fours, "article": article}


@bp.app_template_filter("phrases")
def phrases(title: str) -> Markup:
    """A title that breaks between words, never inside one."""
    return Markup("<wbr>").join(rules.phrases(title))


@bp.after_app_request
def remember_elder(response: Response) -> Response:
    """``?elder=1`` or ``0`` on any page, kept for a year."""
    if request.args.get("elder") in ("0", "1") and not request.path.startswith(("/api/", "/admin")):
        response.set_cookie("elder", request.args["elder"], max_age=ELDER_LIFE, samesite="Lax", secure=settings.public_url.startswith("https://"))
    return response


def is_elder() -> bool:
    return request.args.get("elder", request.cookies.get("elder")) == "1"


def elder_url() -> str:
    """The same page in the other size."""
    kept = {key: value for key, value in request.args.items() if key != "elder" and not is_claim(key)}
    return "?" + "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in ({"elder": "0" if is_elder() else "1"} | kept).items())


def retry_url() -> str:
    """Where "再试一次" leads: this page, or after a form the campaign's."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    slug = (request.view_args or {}).get("slug")
    return f"/c/{slug}" if slug else "/"


def in_wechat() -> bool:
    return rules.in_wechat(request.headers.get("User-Agent", ""), request.cookies, settings.is_demo)


def visitor(campaign: Campaign, at: datetime) -> Voter:
    """Who is looking, also as `g.voter`. Nobody yet: off to WeChat's login inside WeChat. Raises OpenInWeChat elsewhere."""
    voter = optional_voter(at)
    if voter is None and in_wechat() and not wechat.can("oauth"):
        raise WriteFirst(campaign, account_qr(), word_for(campaign, request.args.get("s", "")))
    if voter is None and in_wechat():
        abort(redirect("/login/h5?next=" + _quoted(request.full_path.rstrip("?"))))
    if voter is None:
        raise OpenInWeChat(campaign, entry_qr(campaign, request.args.get("s", "")))
    g.voter = voter
    return voter


def account_qr() -> str:
    """The account's own QR as a data URL; empty where the setting does not know it."""
    return "data:image/png;base64," + base64.b64encode(campaigns.qr_png(settings.account_qr)).decode() if settings.account_qr else ""


def word_for(campaign: Campaign, source_code: str) -> str:
    """What to write to the account: the campaign's keyword, behind it the number of the channel so that it is not lost on the way."""
    word = campaign.content.get("keyword")
    number = next((n for n, s in enumerate(campaign.sources, 1) if s.code == source_code), "")
    return f"{word}{number}" if word else "投票"


def entry_qr(campaign: Campaign, source_code: str) -> str:
    """The QR of this source, or of the first, as a data URL."""
    source = next((s for s in campaign.sources if s.code == source_code), campaign.sources[0] if campaign.sources else None)
    if source is not None and source.qr_png:
        return "data:image/png;base64," + source.qr_png
    url = campaigns.entry_url(campaign, source.code if source else "")
    return "data:image/png;base64," + base64.b64encode(campaigns.qr_png(url)).decode()


def show(template: str, campaign: Campaign | None = None, status: int = 200, **facts: Any) -> tuple[str, int]:
    return render_template(f"pages/{template}.html", campaign=campaign, **facts), status


def _quoted(text: str) -> str:
    return quote(text, safe="")
