"""Taking part by chat: a picture, name and phone, the eight characters, 同意, 退出. What was said is kept for the draw's sake alone."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wxbackend import jobs, keys
from wxbackend.accounts.models import Identity
from wxbackend.ballots import receipts
from wxbackend.ballots.log import service as ballot_log
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.inbox import words
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry
from wxbackend.submissions.rules import Pair, evidence_instant
from wxbackend.tickets import service as tickets
from wxbackend.wechat import Message

HOLD_FOR = timedelta(hours=48)
ASKED_IN_CHAT = ("draw", "notify")     # what the notice in the chat names: 核对凭证、通知领奖
CODE = re.compile(r"[0-9A-Za-z]{4}[- ]?[0-9A-Za-z]{4}")


def take_picture(message: Message, identity: Identity, campaign: Campaign, arrived_at: datetime, at: datetime) -> str:
    campaigns.check_door(campaign, identity.appid)
    sent = evidence_instant(message.create_time, arrived_at)
    submission = submissions.open_from_chat(campaign, identity.person_id, message.media_id, f"chat:{message.dedupe_key}", sent, at)
    pic = keys.seal("pic-url", message.pic_url)   # for an account that may not ask for media: this address needs no token
    jobs.enqueue("inbox.fetch", {"submission": submission.id, "pic": pic}, at, dedupe=f"fetch:{submission.id}")
    chat_of(campaign, identity.person_id).chosen_at = at
    if submissions.entrant(campaign, identity.person_id) is not None:
        return words.picture_in(True, campaign)
    if was_held(campaign, identity.person_id, at):
        return words.PICTURE_AND_HELD
    chat_of(campaign, identity.person_id).notified_at = at
    return words.picture_in(False, campaign)


def take_pair(pair: Pair, campaign: Campaign, person_id: int, at: datetime) -> str:
    campaigns.check_door(campaign, settings.account_appid)
    if pair.is_ambiguous:
        return words.AMBIGUOUS
    if pair.name is None or pair.phone is None:
        return words.CHANGE_PHONE if submissions.entrant(campaign, person_id) else words.ONLY_PHONE
    chat = chat_of(campaign, person_id)
    if chat.notified_at is None and submissions.entrant(campaign, person_id) is None:
        # She has not been told yet what is kept and why: hold it sealed, ask, drop it after 48 hours.
        chat.held_sealed, chat.held_until, chat.notified_at = keys.seal("held", json.dumps([pair.name, pair.phone])), at + HOLD_FOR, at
        jobs.enqueue("inbox.drop-held", {"chat": chat.id}, at, run_at=at + HOLD_FOR)
        return words.HOLD.format(notice=words.notice(campaign))
    return _enter(campaign, person_id, pair.name, pair.phone, at)


def agree(campaign: Campaign, person_id: int, at: datetime) -> str:
    chat = chat_of(campaign, person_id)
    if not was_held(campaign, person_id, at):
        chat.notified_at = chat.notified_at or at
        return words.NOTHING_HELD
    name, phone = json.loads(keys.unseal("held", chat.held_sealed))
    return _enter(campaign, person_id, name, phone, at)


def _enter(campaign: Campaign, person_id: int, name: str, phone: str, at: datetime) -> str:
    campaigns.check_door(campaign, settings.account_appid)
    chat = chat_of(campaign, person_id)
    chat.held_sealed, chat.held_until = "", None
    who = submissions.named(submissions.enter(campaign, person_id, submissions.EntryForm(name, phone, consents=ASKED_IN_CHAT), at))
    shown, days = f"{who.masked_name}，{who.masked_phone}", days_of(campaign, person_id)
    if submissions.promote(campaign, person_id, at) and (now := days_of(campaign, person_id)) != days:
        newest = next(day for day in reversed(now) if day not in days)
        return words.counted(now, newest, campaign.is_open(at), ballot_log.head_mark(campaign)) + f"记的是{shown}。"
    states = {s.state for s in submissions.of(campaign, person_id)}
    return words.entered(shown, days, "arriving" in states, "pending" in states)


def take_code(text: str, campaign: Campaign, person_id: int, source_key: str, at: datetime) -> str:
    """The eight characters typed instead of a picture: looked up among the sender's own receipts."""
    campaigns.check_door(campaign, settings.account_appid)
    receipt = receipts.by_code(campaign, person_id, text)
    if receipt is None:
        return words.CODE_UNKNOWN
    if submissions.entrant(campaign, person_id) is None:
        chat_of(campaign, person_id).notified_at = at
        return words.notice(campaign) + words.ask_both()
    submissions.tap(campaign, person_id, receipt.day, at)
    return words.counted(days_of(campaign, person_id), receipt.day, campaign.is_open(at), ballot_log.head_mark(campaign))


def leave(person_id: int, at: datetime) -> str:
    left = False
    for campaign in campaigns.all_campaigns():
        if submissions.entrant(campaign, person_id) is not None:
            submissions.withdraw(campaign, person_id, at)
            left = True
    for chat in db.session.scalars(select(ChatEntry).where(ChatEntry.person_id == person_id)):
        left = left or bool(chat.held_sealed)
        chat.held_sealed, chat.held_until, chat.notified_at = "", None, None
    return words.LEFT if left else words.NOT_IN


def turn_to(campaign: Campaign, person_id: int, at: datetime) -> None:
    """From now on this person's messages are about `campaign`; what is kept for its draw has been said."""
    chat = chat_of(campaign, person_id)
    chat.chosen_at, chat.notified_at = at, chat.notified_at or at


def mine_url(campaign: Campaign) -> str:
    return f"{settings.public_url.rstrip('/')}/c/{campaign.slug}/mine"


def days_of(campaign: Campaign, person_id: int) -> list[date]:
    """The days that have their ticket, oldest first."""
    return [t.day for t in tickets.of(campaign, person_id)]


def chat_of(campaign: Campaign, person_id: int) -> ChatEntry:
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


def was_told(campaign: Campaign, person_id: int) -> bool:
    return chat_of(campaign, person_id).notified_at is not None


def was_held(campaign: Campaign, person_id: int, at: datetime) -> bool:
    chat = chat_of(campaign, person_id)
    return bool(chat.held_sealed) and chat.held_until is not None and chat.held_until > at
