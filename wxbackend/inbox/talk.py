"""What the account says to a message: first what this person is in the middle of, then what the staff wrote, then the rest."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from wxbackend.accounts import links
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.extensions import db, settings
from wxbackend.inbox import duties, entries, words
from wxbackend.inbox.replies import mentions
from wxbackend.notices import service as notices
from wxbackend.problems import Problem
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry
from wxbackend.submissions.rules import Pair, pair_text
from wxbackend.wechat import Message, WxUser

CONTEXT_FOR = timedelta(hours=24)
CHAT = "chat"          # the source of whoever comes by a message


@dataclass(frozen=True)
class Reply:
    """What a message is answered with. action: "" text alone · transfer: on to the staff at WeChat's own desk (转人工) · relay: not
    ours, the second server may answer, `text` where it does not."""

    text: str = ""
    action: str = ""


class Heard(NamedTuple):
    """What a sentence is answered with, and by whom: keyword (a campaign's own), campaign (its draw or ballot), staff (`found` says which
    of their replies), "" for nobody."""

    by: str
    reply: Reply
    found: duties.Answer | None = None


def reply(message: Message, arrived_at: datetime, at: datetime) -> Reply:
    if notices.on_report(message, at) or message.app != "account":
        return Reply()
    # Judged by the instant it arrived: what came in time is not late because many came with it. `at` is for what begins now.
    if not message.is_known:   # nobody is made of what we cannot read; somebody may be waiting for a word all the same
        return _aside() if message.kind == "event" else _not_ours(words.HELP, None, None, at)
    identity = accounts.login(WxUser(message.appid, message.openid), at)
    if accounts.hold(identity.person_id) != identity.person_id:   # before anything else of hers is written, as a merge does
        db.session.expire(identity)
    accounts.wonder(identity, at)
    notices.heard(identity, message.event if message.kind == "event" else "text", arrived_at)   # a picture opens the window as a word does
    if message.kind == "event":
        return _on_event(message, identity, at)
    campaign = context(identity, arrived_at, message.kind == "image")
    if message.kind == "image":
        taken = entries.take_picture(message, identity, campaign, arrived_at, at) if campaign else _nothing_runs(identity.person_id, at)
        return Reply(taken)
    if message.kind == "text":
        return _on_text(message.content.strip(), message, identity, campaign, arrived_at, at)
    if message.kind in words.NOT_TEXT:
        return Reply(words.NOT_TEXT[message.kind])
    return _not_ours(words.HELP, identity, campaign, at)


def _not_ours(otherwise: str, identity: Identity | None, campaign: Campaign | None, at: datetime) -> Reply:
    """Nothing of ours answers this: on to the second server where there is one, else the account's own default reply."""
    return Reply(_by_default(otherwise, identity, campaign, at), "relay" if settings.relay_url else "")


def _by_default(otherwise: str, identity: Identity | None, campaign: Campaign | None, at: datetime) -> str:
    """The staff's default reply for this person; `otherwise` where they wrote none, or where nothing of it can be said now."""
    return _personal(duties.default(at) or "", identity, campaign, at) or otherwise


def context(identity: Identity, at: datetime, is_picture: bool) -> Campaign | None:
    """Which of the running campaigns a message is about.

    The one chosen by keyword or picture in the last day; else the one the sender last voted in; else, for somebody who never voted with
    us, a picture is most likely of the vote held elsewhere and a word about the vote we hold. A receipt in the picture has the last word.
    """
    running = campaigns.running(at)
    recent = db.session.scalars(select(ChatEntry.campaign_id).where(
        ChatEntry.person_id == identity.person_id, ChatEntry.chosen_at > at - CONTEXT_FOR).order_by(ChatEntry.chosen_at.desc()))
    voted = db.session.scalars(select(Ballot.campaign_id).where(Ballot.person_id == identity.person_id).order_by(Ballot.id.desc()).limit(1))
    for campaign_id in (*recent, *voted):
        for campaign in running:
            if campaign.id == campaign_id:
                return campaign
    return next((c for c in running if c.is_hosted != is_picture), next(iter(running), None))


def _on_event(message: Message, identity: Identity, at: datetime) -> Reply:
    if message.event in ("subscribe", "scan"):
        return Reply(_greet(message, identity, at))
    if message.event == "click":
        found = duties.click(message.event_key, at)
        if found is None:
            return _not_ours(_to_vote_somewhere(identity, at), identity, _first_running(at), at)
        return _as_answered(found, identity, at)
    return _aside()


def _aside() -> Reply:
    """Silence, unless the second server has something to say."""
    return Reply("", "relay" if settings.relay_url else "")


def _greet(message: Message, identity: Identity, at: datetime) -> str:
    """To somebody who follows, or scans a code of ours: the code may name the campaign and its channel, as slug.source."""
    slug, _, code = message.event_key.partition(".")
    running = campaigns.running(at)
    campaign = next((c for c in running if c.slug == slug), None) or next((c for c in running if c.is_hosted), next(iter(running), None))
    if campaign is not None and not campaign.is_open(at):
        return words.closed(campaign, entries.mine_url(campaign))
    if campaign is not None:
        campaigns.check_door(campaign, identity.appid)
    link = link_to(campaign, identity, code or CHAT, at) if campaign else ""
    own = duties.greeting(campaign, at)
    return _filled(own or "", campaign, link) or words.greeting(campaign, link)


def _first_running(at: datetime) -> Campaign | None:
    """The campaign that takes votes here before one held elsewhere."""
    running = campaigns.running(at)
    return next((c for c in running if c.is_hosted), next(iter(running), None))


def _to_vote_somewhere(identity: Identity, at: datetime) -> str:
    campaign = _first_running(at)
    return _to_vote(campaign, identity, at) if campaign else words.NO_CAMPAIGN


def _on_text(text: str, message: Message, identity: Identity, campaign: Campaign | None, arrived_at: datetime, at: datetime) -> Reply:
    """A campaign's own keyword, then what this person is in the middle of, then what the staff wrote, then whatever else is known."""
    return _heard(text, message.dedupe_key, identity, campaign, arrived_at, at).reply


def _heard(text: str, key: str, identity: Identity, campaign: Campaign | None, arrived_at: datetime, at: datetime) -> Heard:
    found = duties.match(text, at)
    if found and found.of is None and found.action == "vote":
        return Heard("keyword", _as_answered(found, identity, at), found)
    said = _in_hand(text, key, identity, campaign, arrived_at, at)
    if said:
        return Heard("campaign", Reply(said))
    if found:
        return Heard("staff", _as_answered(found, identity, at), found)
    if campaign is None:
        return Heard("", _not_ours(_nothing_runs(identity.person_id, at), identity, None, at))
    known = _on_words(text, pair_text(text), campaign, identity.person_id)
    return Heard("campaign", Reply(known)) if known else Heard("", _not_ours(words.HELP, identity, campaign, at))


def preview(text: str, at: datetime) -> Heard:
    """What a stranger who writes this would be answered, by the very path of a message.

    All of it is taken back: nobody is known afterwards, nothing is kept or promised, and a link in the reply opens nothing.
    """
    trial = db.session.begin_nested()
    try:
        identity = accounts.login(WxUser(settings.account_appid, "preview-" + secrets.token_hex(8)), at)
        return _heard(text.strip(), "preview", identity, context(identity, at, False), at, at)
    except Problem as problem:
        return Heard("campaign", Reply(problem.as_reply()))
    finally:
        trial.rollback()


def _in_hand(text: str, key: str, identity: Identity, campaign: Campaign | None, arrived_at: datetime, at: datetime) -> str:
    """The words of the draw and the ballot, which no rule of the staff's may take away; "" for anything else."""
    person_id = identity.person_id
    if text in words.LEAVE:
        return entries.leave(person_id, at)
    if campaign is None:
        return _of_what_is_over(text, person_id, arrived_at)
    if text in words.VOTE:
        return _to_vote(campaign, identity, at)
    if text in words.MINE:
        return _mine(campaign, person_id, at)
    if text in words.CHILD:
        return words.CHILD_PATH
    answered = text.rstrip("。.！!~～ ").lower()
    if answered in words.AGREE or (answered in words.YES and entries.was_held(campaign, person_id, at)):
        return entries.agree(campaign, person_id, arrived_at)
    if entries.CODE.fullmatch(text):
        return entries.take_code(text, campaign, person_id, f"code:{key}", arrived_at)
    pair = pair_text(text)
    return entries.take_pair(pair, campaign, person_id, arrived_at) if pair.phone else ""


def _as_answered(found: duties.Answer, identity: Identity, at: datetime) -> Reply:
    """What a rule of the staff's, or a button of the menu, comes to for this person."""
    running = campaigns.running(at)
    named = next((c for c in running if c.slug == found.campaign_slug), None)
    campaign = named or next((c for c in running if c.is_hosted), next(iter(running), None))
    if found.action == "human":
        return Reply(found.text, "transfer")
    if found.action == "vote" and named is not None:   # the talk turns to it
        entries.chat_of(named, identity.person_id).chosen_at = at
    if found.action == "vote":
        return Reply(_to_vote(campaign, identity, at, found.source) if campaign else words.NO_CAMPAIGN)
    if found.action == "mine":
        return Reply(_mine(campaign, identity.person_id, at))
    said = _personal(found.text, identity, campaign, at, found.source or CHAT)
    return Reply(said or _by_default(words.HELP if campaign else _nothing_runs(identity.person_id, at), identity, campaign, at))


def _mine(campaign: Campaign | None, person_id: int, at: datetime) -> str:
    if campaign is None:
        return _nothing_runs(person_id, at)
    is_in = submissions.entrant(campaign, person_id) is not None
    return words.mine(entries.days_of(campaign, person_id), is_in, entries.mine_url(campaign))


def _personal(text: str, identity: Identity | None, campaign: Campaign | None, at: datetime, source: str = CHAT) -> str:
    """The staff's own words for this person; a link is made where the text has a place for it and the vote is open to the account."""
    link = ""
    if campaign is not None and identity is not None and mentions(text, "投票链接"):
        leads = campaign.is_open(at) and "account" in campaigns.open_doors(campaign)
        link = link_to(campaign, identity, source, at) if leads else ""
    return _filled(text, campaign, link)


def _filled(text: str, campaign: Campaign | None, link: str) -> str:
    """The staff's own words with the running campaign's facts in them."""
    facts = {"投票链接": f'<a href="{link}">点这里去投票</a>' if link else "",
             "活动": campaign.title if campaign else "", "截止": campaign.say(campaign.closes_at) if campaign else ""}
    return duties.fill(text, facts)


def link_to(campaign: Campaign, identity: Identity, source_code: str, at: datetime) -> str:
    """A signed link to the campaign for this one person, of the channel named, else the chat's."""
    codes = [s.code for s in campaign.sources]
    source = next((code for code in (source_code, CHAT) if code in codes), codes[0])
    return settings.public_url.rstrip("/") + links.make(identity, campaign.slug, source, at)


def _on_words(text: str, pair: Pair, campaign: Campaign, person_id: int) -> str:
    """Something said without a phone number: a question mostly, a lone name perhaps; "" for what is nothing of these."""
    if words.PEOPLE.search(text):
        return words.people(campaign)
    if words.DRAW.search(text):
        return words.about_draw(campaign, entries.mine_url(campaign))
    if words.THANKS.search(text):
        return words.WELCOME
    is_name = pair.name and not pair.is_ambiguous and len(pair.name) <= 4 and not words.QUESTION.search(text)
    is_asked = submissions.entrant(campaign, person_id) is None and entries.was_told(campaign, person_id)
    return words.ONLY_NAME if is_name and is_asked else ""


def _to_vote(campaign: Campaign, identity: Identity, at: datetime, source_code: str = "") -> str:
    if not campaign.is_open(at):
        return words.closed(campaign, entries.mine_url(campaign))
    campaigns.check_door(campaign, identity.appid)
    return words.vote_link(campaign, link_to(campaign, identity, source_code or CHAT, at))


def _of_what_is_over(text: str, person_id: int, at: datetime) -> str:
    """Her tickets and the draw, asked for when nothing runs any more: of the newest campaign she takes part in."""
    ended = (c for c in campaigns.all_campaigns() if c.is_published and c.evidence_until <= at)
    own = next((c for c in ended if submissions.entrant(c, person_id)), None)
    if own is None:
        return ""
    if text in words.MINE:
        return words.mine(entries.days_of(own, person_id), True, entries.mine_url(own))
    draw = draws.of(own) if own.frozen_at is not None else None
    return words.drawn_or_not(own, draw is not None and draw.is_public, entries.mine_url(own)) if words.DRAW.search(text) else ""


def _nothing_runs(person_id: int, at: datetime) -> str:
    """Nothing takes votes or screenshots: to the newest campaign that is over, the sender's own if there is one."""
    ended = [c for c in campaigns.all_campaigns() if c.is_published and c.evidence_until <= at]
    own = (c for c in ended if submissions.entrant(c, person_id))
    campaign = next(own, None) or next((c for c in ended if c.is_hosted), None)
    return words.over(campaign, entries.mine_url(campaign)) if campaign else words.NO_CAMPAIGN
