"""What the account says of itself, asked by the inbox: greeting, keywords, buttons, the way to a person, the default reply.

What the staff wrote is remembered by each process and read again when any of it was changed; which campaigns run is asked every time.
Texts come with the places of the running campaign's contact filled in; {投票链接}, {活动} and {截止} are filled by the caller (`fill`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import func, select

from wxbackend import wechat
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.clock import SHANGHAI
from wxbackend.draws.models import Draw
from wxbackend.extensions import db, settings
from wxbackend.inbox import hours
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.inbox.replies import MOST_BYTES, Answer, Book, Rule, fill, mentions, normal, size, split_source

__all__ = ["Answer", "click", "default", "fill", "greeting", "match", "split_source"]

VOTE, MINE, HUMAN, DRAW = "vote", "mine", "human", "draw"      # keys of the menu that need no text of the staff's
WAY_TO_VOTE = "\n\n{活动}正在进行，{投票链接}。"
TRANSFERRED = "这就请工作人员来答您，请稍等。"
AWAY = "现在没有人值班。工作时间是{工作时间}。急事请打{电话}。"
NO_DRAW = "还没有可以公示的抽奖。有了会在文章里告诉大家。"
DRAWS_SHOWN = 3


def greeting(campaign: Campaign | None, at: datetime) -> str | None:
    """What the staff say to somebody who follows, while `campaign` runs; None where they wrote nothing: the caller has words of its own.

    While a campaign runs the way to the vote is always in it: a greeting written for quiet times gets it as a last line.
    """
    rule = _book().only("greeting", [campaign.id] if campaign else [])
    if rule is None:
        return None
    text = rule.text
    if campaign is not None and not mentions(text, "投票链接") and size(text + WAY_TO_VOTE) <= MOST_BYTES:
        text += WAY_TO_VOTE
    return _said(text, [campaign] if campaign else [])


def match(text: str, at: datetime) -> Answer | None:
    """The answer to a sentence: a running campaign's keyword (with its channel), a keyword of the staff's, the way to a person. None
    where nothing of this was said."""
    running = campaigns.running(at)
    said, book = normal(text), _book()
    found = _by_campaign(text, said, running)
    if found is not None or not said:
        return found
    ids = {campaign.id for campaign in running}
    rule = book.exact(said, ids)
    if rule is None:
        found = _by_door(text, said, book, running)
        rule = book.within(said, ids) if found is None else None
    return found if rule is None else _answer(rule, running, at)


def click(key: str, at: datetime) -> Answer | None:
    """The answer to a button of the menu. None for a key that is nobody's here: it may be the second server's."""
    running = campaigns.running(at)
    if key == DRAW:
        return Answer(_about_draw(at))
    if key in (VOTE, MINE):
        return Answer(action=key)
    if key == HUMAN:
        rule = _book().only("human", [c.id for c in running])
        return _to_person(rule or Rule(0, "human", (), (), "human", ""), running, at)
    rule = _book().button(key)
    return _answer(rule, running, at) if rule else None


def default(at: datetime) -> str | None:
    """What is said to a message that nothing else answers; None where the staff wrote nothing."""
    running = campaigns.running(at)
    rule = _book().only("default", [c.id for c in running])
    return (_said(rule.text, running) or None) if rule else None


def hours_now(row: AccountReply, at: datetime) -> tuple[str, str]:
    """(the hours that hold for this way to a person, where they come from: "own", "campaign", or "" where none are known)."""
    return _hours(rule_of(row), campaigns.running(at))[:2]


def rivals(campaign: Campaign) -> dict[str, list[Campaign]]:
    """{"改革评议": [published campaigns that answer to it while this one runs]}; of several the one published last is meant."""
    found: dict[str, list[Campaign]] = {}
    for other in campaigns.all_campaigns():
        meets = other.opens_at < campaign.evidence_until and campaign.opens_at < other.evidence_until
        theirs = {normal(word) for word in _own_words(other)} if other.is_published and other.id != campaign.id and meets else set()
        for word in _own_words(campaign):
            if normal(word) in theirs:
                found.setdefault(word, []).append(other)
    return found


def _own_words(campaign: Campaign) -> list[str]:
    """The keyword and the title that every campaign has of itself."""
    return list(dict.fromkeys(filter(None, (campaign.content.get("keyword"), campaign.title))))


def _by_campaign(text: str, said: str, running: Sequence[Campaign]) -> Answer | None:
    """A campaign's own words; of two campaigns with one word the one published last is meant."""
    for campaign in sorted(running, key=lambda c: (c.published_at, c.id), reverse=True):
        for word in _own_words(campaign):
            source = split_source(text, word, campaign.sources) if said.startswith(normal(word)) else None   # sources cost a query
            if source is not None:
                return Answer(action="vote", campaign_slug=campaign.slug, source=source)
    return None


def _by_door(text: str, said: str, book: Book, running: Sequence[Campaign]) -> Answer | None:
    """A keyword that leads to the vote, with a channel behind it."""
    for word, rule in book.doors:
        campaign = _campaign_of(rule, running)
        if said.startswith(word) and campaign is not None:
            source = split_source(text, word, campaign.sources)
            if source is not None:
                return Answer(action="vote", campaign_slug=campaign.slug, source=source, of=rule.id)
    return None


def _answer(rule: Rule, running: Sequence[Campaign], at: datetime) -> Answer:
    campaign = _campaign_of(rule, running)
    slug = campaign.slug if campaign else None
    if rule.kind == "human" or rule.action == "human":
        return _to_person(rule, running, at)
    if rule.action in ("vote", "mine"):
        return Answer(action=rule.action, campaign_slug=slug, of=rule.id)
    return Answer(_said(rule.text, [campaign] if campaign else running), campaign_slug=slug, of=rule.id)


def _campaign_of(rule: Rule, running: Sequence[Campaign]) -> Campaign | None:
    """The rule's own campaign while it runs; for a rule of the account's the one that takes votes here."""
    if rule.campaign_id is not None:
        return next((c for c in running if c.id == rule.campaign_id), None)
    return next((c for c in running if c.is_hosted), None)


def _to_person(rule: Rule, running: Sequence[Campaign], at: datetime) -> Answer:
    """转人工 where somebody is at the desk or nobody knows; outside the hours the chat says when and how instead of letting her wait."""
    written, _whose, zone = _hours(rule, running)
    is_away = hours.is_at_desk(written, at.astimezone(zone)) is False
    if rule.action == "human" and not is_away and wechat.can("customer-message"):
        return Answer(TRANSFERRED, "human", of=rule.id)
    return Answer(_said(rule.text, running, written) or _said(AWAY, running, written), of=rule.id)


def _hours(rule: Rule, running: Sequence[Campaign]) -> tuple[str, str, tzinfo]:
    """(hours, whose they are, the zone they are meant in): the rule's own go before a running campaign's."""
    with_contact = next((c for c in running if c.content.get("contact")), None)
    zone = ZoneInfo(with_contact.zone) if with_contact else SHANGHAI
    theirs = (with_contact.content["contact"].get("hours") or "") if with_contact else ""
    return rule.hours or theirs, "own" if rule.hours else "campaign" if theirs else "", zone


def _said(text: str, running: Sequence[Campaign], hours_said: str = "") -> str:
    contact: dict[str, str] = next((c.content["contact"] for c in running if c.content.get("contact")), {})
    return fill(text, {"电话": contact.get("phone") or "", "工作时间": hours_said or contact.get("hours") or ""})


def _about_draw(at: datetime) -> str:
    """Where the recent draws are made public, one a line, the drawn ones first; then when the lists of those that run are sealed."""
    newest = select(Draw).order_by(Draw.drawn_at.is_(None), Draw.drawn_at.desc(), Draw.frozen_at.desc(), Draw.id.desc()).limit(DRAWS_SHOWN)
    held = [f"{draw.campaign.title}：{'抽完了' if draw.is_drawn else '名单封存了，等开奖号'}，{_public(draw)}"
            for draw in db.session.scalars(newest)]
    begun = [c for c in campaigns.all_campaigns() if c.is_published and c.opens_at <= at and c.frozen_at is None]
    coming = [f"{c.title}：{c.say(c.freeze_at)}封存签号名单，公共开奖号一出来就抽，结果在这里公示。" for c in begun[:DRAWS_SHOWN]]
    return "\n".join(held + coming) or NO_DRAW


def _public(draw: Draw) -> str:
    words = "看结果和验证办法" if draw.is_drawn else "看名单"
    return f'<a href="{settings.public_url.rstrip("/")}/w/{draw.public_id}">{words}</a>'


def _book() -> Book:
    """The rules in force. The sum of all stamps is asked every time, the rules are read when it is another."""
    count, stamps = db.session.execute(select(func.count(AccountReply.id), func.sum(AccountReply.stamp))).one()
    version = (int(count), int(stamps or 0))
    known: tuple[tuple[int, int], Book] | None = current_app.extensions.get("account_duties")
    if known is None or known[0] != version:
        rows = db.session.scalars(select(AccountReply).where(AccountReply.is_active).order_by(AccountReply.id))
        known = version, Book(rule_of(row) for row in rows)
        current_app.extensions["account_duties"] = known
    return known[1]


def rule_of(row: AccountReply) -> Rule:
    words = {how: tuple(word["word"] if row.kind == "click" else normal(word["word"]) for word in row.words if word["match"] == how)
             for how in ("equal", "contain")}
    return Rule(row.id, row.kind, words["equal"], words["contain"], row.action, row.text, row.campaign_id, row.position,
                row.hours)
