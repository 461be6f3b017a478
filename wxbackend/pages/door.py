"""The message-first door: a link from the chat shows one button, and the tap lets this device in."""

from __future__ import annotations

import secrets
from datetime import datetime

from flask import redirect, session
from flask.typing import ResponseReturnValue

from wxbackend import clock, wechat
from wxbackend.accounts import links
from wxbackend.accounts.finders import VOTER_COOKIE, optional_voter, sent_token
from wxbackend.accounts.views import with_voter_cookie
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.pages.frame import bp, in_wechat, show
from wxbackend.problems import Problem
from wxbackend.web import access

MARK = "door"


class OpenLinkInWeChat(Problem):
    status, type, title = 403, "link-in-wechat", "请在微信里点这个链接"
    hint = "回到和公众号的聊天里，点刚才收到的那一条。"


@bp.get("/e/<token>")
@access("public")
def door(token: str) -> ResponseReturnValue:
    """Nothing is written and nobody let in: chats and scanners open links of their own accord."""
    at, mark = clock.now(), session.get(MARK, "")
    try:
        link = links.look(token, at, mark)
    except (links.LinkOver, links.LinkTaken) as problem:
        return _past(problem)
    if _is_hers(link, at):
        return redirect(_campaign_url(link.slug, link.source_code))
    if not in_wechat():
        raise OpenLinkInWeChat()
    session[MARK] = mark or secrets.token_hex(16)
    campaign = campaigns.live(link.slug)
    return show("door", campaign, token=token, link=link, at=at)


@bp.post("/e/<token>")
@access("public")
def enter_by_link(token: str) -> ResponseReturnValue:
    """开始: this device is hers from now on."""
    at, mark = clock.now(), session.get(MARK, "")
    if not mark:
        raise links.LinkTaken()   # the page was never opened here
    _is_hers(links.look(token, at, mark), at)
    link, fresh = links.bind(token, mark, at, replaces=sent_token(VOTER_COOKIE))
    target = _campaign_url(link.slug, link.source_code)
    db.session.commit()
    return with_voter_cookie(redirect(target, 303), fresh)


def _is_hers(link: links.EntryLink, at: datetime) -> bool:
    """Whether this device is logged in as the one the link was sent to. Raises LinkOfAnother where it is somebody else's."""
    voter = optional_voter(at)
    if voter is not None and voter.person_id != link.identity.person_id:
        raise links.LinkOfAnother(slug=link.slug)
    return voter is not None


def _past(problem: Problem) -> ResponseReturnValue:
    """An old link in the chat: where the account has web login, it still leads to the campaign."""
    if in_wechat() and wechat.can("oauth"):
        return redirect(f"/c/{problem.facts['slug']}?s=chat")
    raise problem


def _campaign_url(slug: str, source_code: str) -> str:
    return f"/c/{slug}?s={source_code}"
