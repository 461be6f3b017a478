"""Messages of the public account become submissions, entries and replies; each acts once, however often WeChat delivers it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wxbackend import jobs, keys
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.ballots import receipts
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.inbox import words
from wxbackend.inbox.models import InboxMessage
from wxbackend.problems import Problem
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry
from wxbackend.submissions.rules import Pair, evidence_instant, pair_text
from wxbackend.tickets import service as tickets
from wxbackend.wechat import Message, WxUser

HOLD_FOR = timedelta(hours=48)
CONTEXT_FOR = timedelta(hours=24)
CODE = re.compile(r"[0-9A-Za-z]{4}[- ]?[0-9A-Za-z]{4}")


def answer(message: Message, at: datetime) -> str:
    """The reply to a message, "" for silence. A second delivery gets the first one's reply and does nothing."""
    earlier = db.session.scalar(select(InboxMessage).where(InboxMessage.dedupe_key == message.dedupe_key))
    if earlier is not None:
        return earlier.reply
    try:
        with db.session.begin_nested():
            row = InboxMessage(dedupe_key=message.dedupe_key, kind=(message.event or message.kind)[:40], arrived_at=at)
            db.session.add(row)
    except IntegrityError:   # the same message is being answered by another process, which has committed by now
        return db.session.scalars(select(InboxMessage.reply).where(InboxMessage.dedupe_key == message.dedupe_key)).one()
    try:
        with db.session.begin_nested():
            row.reply = _reply(message, at)[:1000]
    except Problem as problem:   # a refusal in the chat is a kind sentence, and the message counts as answered
        row.reply = problem.as_reply()
    db.session.flush()
    return row.reply


def _reply(message: Message, at: datetime) -> str:
    identity = accounts.login(WxUser(message.appid, message.openid), at)
    if message.kind == "event":
        return _on_event(message, at)
    campaign = context(identity, at, message.kind == "image")
    if message.kind == "image":
        return _on_picture(message, identity, campaign, at) if campaign else _nothing_runs(identity.person_id, at)
    if message.kind == "text":
        return _on_text(message.content.strip(), message, identity, campaign, at)
    return words.HELP


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


def _on_event(message: Message, at: datetime) -> str:
    running = campaigns.running(at)
    hosted = next((c for c in running if c.is_hosted), next(iter(running), None))
    link = campaigns.entry_url(hosted, _chat_source(hosted)) if hosted else ""
    if message.event in ("subscribe", "scan"):
        return words.greeting(hosted, link) if hosted is None or hosted.is_open(at) else words.closed(hosted, _mine_url(hosted))
    if message.event == "click":
        return _to_vote(hosted, at) if hosted else words.NO_CAMPAIGN
    return ""


def _on_picture(message: Message, identity: Identity, campaign: Campaign, at: datetime) -> str:
    sent = evidence_instant(message.create_time, at)
    submission = submissions.open_from_chat(campaign, identity.person_id, message.media_id, f"chat:{message.dedupe_key}", sent, at)
    jobs.enqueue("inbox.fetch", {"submission": submission.id}, at, dedupe=f"fetch:{submission.id}")
    _chat(campaign, identity.person_id).chosen_at = at
    if submissions.entrant(campaign, identity.person_id) is not None:
        return words.picture_in(True, campaign)
    if _was_held(campaign, identity.person_id, at):
        return words.PICTURE_AND_HELD
    _chat(campaign, identity.person_id).notified_at = at
    return words.picture_in(False, campaign)


def _on_text(text: str, message: Message, identity: Identity, campaign: Campaign | None, at: datetime) -> str:
    person_id = identity.person_id
    for named in campaigns.running(at):
        if text and text in (named.content.get("keyword"), named.title):
            _chat(named, person_id).chosen_at = at
            return _to_vote(named, at)
    if text in words.LEAVE:
        return _leave(person_id, at)
    if campaign is None:
        return _nothing_runs(person_id, at)
    if text in words.VOTE:
        return _to_vote(campaign, at)
    if text in words.MINE:
        return words.mine(_days(campaign, person_id), submissions.entrant(campaign, person_id) is not None, _mine_url(campaign))
    if text in words.CHILD:
        return words.CHILD_PATH
    answered = text.rstrip("。.！!~～ ").lower()
    if answered in words.AGREE or (answered in words.YES and _was_held(campaign, person_id, at)):
        return _agree(campaign, person_id, at)
    if CODE.fullmatch(text):
        return _on_code(text, campaign, person_id, f"code:{message.dedupe_key}", at)
    pair = pair_text(text)
    return _on_pair(pair, campaign, person_id, at) if pair.phone else _on_words(text, pair, campaign, person_id)


def _on_words(text: str, pair: Pair, campaign: Campaign, person_id: int) -> str:
    """Something said without a phone number: a question mostly, a lone name perhaps."""
    if words.PEOPLE.search(text):
        return words.people(campaign)
    if words.DRAW.search(text):
        return words.about_draw(campaign, _mine_url(campaign))
    if words.THANKS.search(text):
        return words.WELCOME
    is_name = pair.name and not pair.is_ambiguous and len(pair.name) <= 4 and not words.QUESTION.search(text)
    is_asked = submissions.entrant(campaign, person_id) is None and _chat_known(campaign, person_id)
    return words.ONLY_NAME if is_name and is_asked else words.HELP


def _on_pair(pair: Pair, campaign: Campaign, person_id: int, at: datetime) -> str:
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
    chat = _chat(campaign, person_id)
    chat.held_sealed, chat.held_until = "", None
    who = submissions.named(submissions.enter(campaign, person_id, submissions.EntryForm(name, phone), at))
    shown, days = f"{who.masked_name}，{who.masked_phone}", _days(campaign, person_id)
    if submissions.promote(campaign, person_id, at) and (now := _days(campaign, person_id)) != days:
        return words.counted(now, next(day for day in reversed(now) if day not in days), campaign.is_open(at)) + f"记的是{shown}。"
    states = {s.state for s in submissions.of(campaign, person_id)}
    return words.entered(shown, days, "arriving" in states, "pending" in states)


def _on_code(text: str, campaign: Campaign, person_id: int, source_key: str, at: datetime) -> str:
    """The eight characters typed instead of a picture: looked up among the sender's own receipts."""
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


def _to_vote(campaign: Campaign, at: datetime) -> str:
    if not campaign.is_open(at):
        return words.closed(campaign, _mine_url(campaign))
    return words.vote_link(campaign, campaigns.entry_url(campaign, _chat_source(campaign)))


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


def _chat_source(campaign: Campaign) -> str:
    """The source named "chat" where the campaign has one."""
    return next((s.code for s in campaign.sources if s.code == "chat"), campaign.sources[0].code)
