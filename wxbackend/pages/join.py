"""Who is this behind both doors? Asked once, before the first vote in a campaign that is open to account and mini program."""

from __future__ import annotations

from urllib.parse import urlencode

import structlog
from flask import redirect, request
from flask.typing import ResponseReturnValue

from wxbackend import clock, store, wechat
from wxbackend.accounts import tasks as learning
from wxbackend.accounts.rules import safe_next
from wxbackend.accounts.service import Voter
from wxbackend.accounts.views import tap_url, waiting_for_wechat
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db, settings
from wxbackend.pages.frame import bp, show, visitor
from wxbackend.web import access

log = structlog.get_logger()
ASK_AGAIN_SECONDS = 10


@bp.get("/c/<slug>/join")
@access("public", writes=True)
def join(slug: str) -> ResponseReturnValue:
    """A follower WeChat names to our server; anybody else presses a button once, and WeChat asks her. Then on to where she came from."""
    campaign, at = campaigns.live(slug), clock.now()
    onward = safe_next(request.args.get("next"), f"/c/{slug}")
    voter = visitor(campaign, at)
    if campaigns.is_unjoined(campaign, voter):
        _ask_wechat(voter)
        voter = visitor(campaign, at)   # she may be another person by now
    if not campaigns.is_unjoined(campaign, voter):
        return redirect(onward)
    may_ask = wechat.can("oauth")
    back = f"/c/{slug}/join?" + urlencode({"asked": "1", "next": onward})
    return show("join", campaign, 403, button=tap_url(back) if may_ask else "", was_asked=request.args.get("asked") == "1",
                word=campaign.content.get("keyword") or "投票", account=settings.account_name)


def _ask_wechat(voter: Voter) -> None:
    """Raises WeChatAway. No transaction is open while WeChat is asked; refused, the button is still there."""
    identity_id = voter.identity.id
    try:
        if not store.put_once(f"unionid-asked:{identity_id}", "1", ASK_AGAIN_SECONDS):
            return
    except store.StoreAway:
        pass
    try:
        with waiting_for_wechat():
            learning.learn({"identity": identity_id}, clock.now())
        db.session.commit()
    except wechat.WeChatRefused as refused:
        db.session.rollback()
        log.warning("unionid not told", errcode=refused.errcode)
