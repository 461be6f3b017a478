"""Messages of the public account become submissions, entries and replies; each acts once, however often WeChat delivers it.

A message is kept (`keep`, committed), then answered (`answer`): within WeChat's five seconds by the request, else by the worker.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wxbackend import jobs, keys, wechat
from wxbackend.accounts import links
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.ballots import receipts
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.extensions import db, settings
from wxbackend.inbox import duties, words
from wxbackend.inbox.intake import pile, unseal
from wxbackend.inbox.models import InboxMessage
from wxbackend.inbox.replies import mentions
from wxbackend.notices import service as notices
from wxbackend.problems import Problem
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry
from wxbackend.submissions.rules import Pair, evidence_instant, pair_text
from wxbackend.tickets import service as tickets
from wxbackend.wechat import Message, WxUser

HOLD_FOR = timedelta(hours=48)
CONTEXT_FOR = timedelta(hours=24)
CHAT = "chat"          # the source of whoever comes by a message
REPLY_CHARS = 2048
ASKED_IN_CHAT = ("draw", "notify")     # what the notice in the chat names: 核对凭证、通知领奖
CODE = re.compile(r"[0-9A-Za-z]{4}[- ]?[0-9A-Za-z]{4}")


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


def keep(message: Message, at: datetime) -> None:
    """Commit the message before anything else is done with it; a second delivery changes nothing. No transaction is open before."""
    pile().keep(message, at)


def answer(dedupe_key: str, at: datetime) -> tuple[Reply, Message | None]:
    """The reply to a message that was kept, and the message where this call answered it; None where it was answered before.

    A delivery that comes while another is being answered waits for that one's row, and gets its reply.
    """
    row = db.session.scalars(select(InboxMessage).where(InboxMessage.dedupe_key == dedupe_key).with_for_update()).one()
    if row.state != "new":
        return Reply(row.reply, row.action), None
    message = unseal(row.sealed or "")
    try:
        with db.session.begin_nested():
            reply = _reply(message, row.arrived_at, at)
    except Problem as problem:   # a refusal in the chat is a kind sentence, and the message counts as answered
        reply = Reply(problem.as_reply())
    row.reply, row.action, row.state = reply.text[:REPLY_CHARS], reply.action, "done"
    row.sealed = None if message.is_known else row.sealed
    db.session.flush()
    return reply, message


def _reply(message: Message, arrived_at: datetime, at: datetime) -> Reply:
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
        return Reply(_on_picture(message, identity, campaign, arrived_at, at) if campaign else _nothing_runs(identity.person_id, at))
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


def turn_to(campaign: Campaign, person_id: int, at: datetime) -> None:
    """From now on this person's messages are about `campaign`; what is kept for its draw has been said."""
    chat = _chat(campaign, person_id)
    chat.chosen_at, chat.notified_at = at, chat.notified_at or at


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
        return words.closed(campaign, _mine_url(campaign))
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


def _on_picture(message: Message, identity: Identity, campaign: Campaign, arrived_at: datetime, at: datetime) -> str:
    campaigns.check_door(campaign, identity.appid)
    sent = evidence_instant(message.create_time, arrived_at)
    submission = submissions.open_from_chat(campaign, identity.person_id, message.media_id, f"chat:{message.dedupe_key}", sent, at)
    payload: dict[str, Any] = {"submission": submission.id}
    if not wechat.can("media"):
        payload["pic"] = keys.seal("pic-url", message.pic_url)   # an unverified account may not ask for media; this needs no token
    jobs.enqueue("inbox.fetch", payload, at, dedupe=f"fetch:{submission.id}")
    _chat(campaign, identity.person_id).chosen_at = at
    if submissions.entrant(campaign, identity.person_id) is not None:
        return words.picture_in(True, campaign)
    if _was_held(campaign, identity.person_id, at):
        return words.PICTURE_AND_HELD
    _chat(campaign, identity.person_id).notified_at = at
    return words.picture_in(False, campaign)


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
        return _leave(person_id, at)
    if campaign is None:
        return _of_what_is_over(text, person_id, arrived_at)
    if text in words.VOTE:
        return _to_vote(campaign, identity, at)
    if text in words.MINE:
        return words.mine(_days(campaign, person_id), submissions.entrant(campaign, person_id) is not None, _mine_url(campaign))
    if text in words.CHILD:
        return words.CHILD_PATH
    answered = text.rstrip("。.！!~～ ").lower()
    if answered in words.AGREE or (answered in words.YES and _was_held(campaign, person_id, at)):
        return _agree(campaign, person_id, arrived_at)
    if CODE.fullmatch(text):
        return _on_code(text, campaign, person_id, f"code:{key}", arrived_at)
    pair = pair_text(text)
    return _on_pair(pair, campaign, person_id, arrived_at) if pair.phone else ""


def _as_answered(found: duties.Answer, identity: Identity, at: datetime) -> Reply:
    """What a rule of the staff's, or a button of the menu, comes to for this person."""
    running = campaigns.running(at)
    named = next((c for c in running if c.slug == found.campaign_slug), None)
    campaign = named or next((c for c in running if c.is_hosted), next(iter(running), None))
    if found.action == "human":
        return Reply(found.text, "transfer")
    if found.action == "vote" and named is not None:   # the talk turns to it
        _chat(named, identity.person_id).chosen_at = at
    if found.action == "vote":
        return Reply(_to_vote(campaign, identity, at, found.source) if campaign else words.NO_CAMPAIGN)
    if found.action == "mine":
        return Reply(_mine(campaign, identity.person_id, at))
    said = _personal(found.text, identity, campaign, at, found.source or CHAT)
    return Reply(said or _by_default(words.HELP if campaign else _nothing_runs(identity.person_id, at), identity, campaign, at))


def _mine(campaign: Campaign | None, person_id: int, at: datetime) -> str:
    if campaign is None:
        return _nothing_runs(person_id, at)
    return words.mine(_days(campaign, person_id), submissions.entrant(campaign, person_id) is not None, _mine_url(campaign))


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
        return words.about_draw(campaign, _mine_url(campaign))
    if words.THANKS.search(text):
        return words.WELCOME
    is_name = pair.name and not pair.is_ambiguous and len(pair.name) <= 4 and not words.QUESTION.search(text)
    is_asked = submissions.entrant(campaign, person_id) is None and _chat_known(campaign, person_id)
    return words.ONLY_NAME if is_name and is_asked else ""


def _on_pair(pair: Pair, campaign: Campaign, person_id: int, at: datetime) -> str:
    campaigns.check_door(campaign, settings.account_appid)
    if pair.is_ambiguous:
        return words.AMBIGUOUS
    if pair.name is None or pair.phone is None:
        return words.CHANGE_PHONE if submissions.entrant(campaign, person_id) else words.ONLY_PHONE
    chat = _chat(campaign, person_id)
    if chat.notified_at is None and submissions.entrant(campaign, person_id) is None:
        # She has not been told yet what is kept and why: hold it sealed, ask, drop it after 48 hours.
        chat.held_sealed, chat.held_until, chat.notified_at = keys.seal("held", json.dumps([pair.name, pair.phone])), at + HOLD_FOR, at
        jobs.enqueue("inbox.drop-held", {"chat": chat.id}, at, run_at=at + HOLD_FOR)
        return words.HOLD.format(notice=words.notice(campaign))
    return _enter(campaign, person_id, pair.name, pair.phone, at)


def _agree(campaign: Campaign, person_id: int, at: datetime) -> str:
    chat = _chat(campaign, person_id)
    if not _was_held(campaign, person_id, at):
        chat.notified_at = chat.notified_at or at
        return words.NOTHING_HELD
    name, phone = json.loads(keys.unseal("held", chat.held_sealed))
    return _enter(campaign, person_id, name, phone, at)


def _enter(campaign: Campaign, person_id: int, name: str, phone: str, at: datetime) -> str:
    campaigns.check_door(campaign, settings.account_appid)
    chat = _chat(campaign, person_id)
    chat.held_sealed, chat.held_until = "", None
    who = submissions.named(submissions.enter(campaign, person_id, submissions.EntryForm(name, phone, consents=ASKED_IN_CHAT), at))
    shown, days = f"{who.masked_name}，{who.masked_phone}", _days(campaign, person_id)
    if submissions.promote(campaign, person_id, at) and (now := _days(campaign, person_id)) != days:
        return words.counted(now, next(day for day in reversed(now) if day not in days), campaign.is_open(at)) + f"记的是{shown}。"
    states = {s.state for s in submissions.of(campaign, person_id)}
    return words.entered(shown, days, "arriving" in states, "pending" in states)


def _on_code(text: str, campaign: Campaign, person_id: int, source_key: str, at: datetime) -> str:
    """The eight characters typed instead of a picture: looked up among the sender's own receipts."""
    campaigns.check_door(campaign, settings.account_appid)
    receipt = receipts.by_code(campaign, person_id, text)
    if receipt is None:
        return words.CODE_UNKNOWN
    if submissions.entrant(campaign, person_id) is None:
        _chat(campaign, person_id).notified_at = at
        return words.notice(campaign) + words.ask_both()
    submissions.tap(campaign, person_id, receipt.day, at)
    return words.counted(_days(campaign, person_id), receipt.day, campaign.is_open(at))


def _leave(person_id: int, at: datetime) -> str:
    left = False
    for campaign in campaigns.all_campaigns():
        if submissions.entrant(campaign, person_id) is not None:
            submissions.withdraw(campaign, person_id, at)
            left = True
    for chat in db.session.scalars(select(ChatEntry).where(ChatEntry.person_id == person_id)):
        left = left or bool(chat.held_sealed)
        chat.held_sealed, chat.held_until, chat.notified_at = "", None, None
    return words.LEFT if left else words.NOT_IN


def _to_vote(campaign: Campaign, identity: Identity, at: datetime, source_code: str = "") -> str:
    if not campaign.is_open(at):
        return words.closed(campaign, _mine_url(campaign))
    campaigns.check_door(campaign, identity.appid)
    return words.vote_link(campaign, link_to(campaign, identity, source_code or CHAT, at))


def _of_what_is_over(text: str, person_id: int, at: datetime) -> str:
    """Her tickets and the draw, asked for when nothing runs any more: of the newest campaign she takes part in."""
    ended = (c for c in campaigns.all_campaigns() if c.is_published and c.evidence_until <= at)
    own = next((c for c in ended if submissions.entrant(c, person_id)), None)
    if own is None:
        return ""
    if text in words.MINE:
        return words.mine(_days(own, person_id), True, _mine_url(own))
    draw = draws.of(own) if own.frozen_at is not None else None
    return words.drawn_or_not(own, draw is not None and draw.is_public, _mine_url(own)) if words.DRAW.search(text) else ""


def _nothing_runs(person_id: int, at: datetime) -> str:
    """Nothing takes votes or screenshots: to the newest campaign that is over, the sender's own if there is one."""
    ended = [c for c in campaigns.all_campaigns() if c.is_published and c.evidence_until <= at]
    own = (c for c in ended if submissions.entrant(c, person_id))
    campaign = next(own, None) or next((c for c in ended if c.is_hosted), None)
    return words.over(campaign, _mine_url(campaign)) if campaign else words.NO_CAMPAIGN


def _mine_url(campaign: Campaign) -> str:
    return f"{settings.public_url.rstrip('/')}/c/{campaign.slug}/mine"


def _days(campaign: Campaign, person_id: int) -> list:
    return [t.day for t in tickets.of(campaign, person_id)]


def _chat(campaign: Campaign, person_id: int) -> ChatEntry:
    query = select(ChatEntry).where(ChatEntry.campaign_id == campaign.id, ChatEntry.person_id == person_id)
    found = db.session.scalar(query)
    if found is None:
        try:
            with db.session.begin_nested():
                found = ChatEntry(campaign_id=campaign.id, person_id=person_id)
                db.session.add(found)
        except IntegrityError:
            found = db.session.scalars(query).one()
    return found


def _chat_known(campaign: Campaign, person_id: int) -> bool:
    return _chat(campaign, person_id).notified_at is not None


def _was_held(campaign: Campaign, person_id: int, at: datetime) -> bool:
    chat = _chat(campaign, person_id)
    return bool(chat.held_sealed) and chat.held_until is not None and chat.held_until > at
