"""What becomes of entries, screenshots and talks when two persons turn out to be one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.merge import Facts
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.notices import service as notices
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Entrant, Submission

GIVEN = ("name_sealed", "phone_sealed", "phone_hash", "age_band", "guardian_sealed", "consents", "consent_version", "consented_at",
         "withdrawn_at")
TOLD = "您从两个入口各报过一次名，微信说是同一位，现在按先填的那份姓名和手机号算。要改，到“我的”里改。"


@accounts.follows
def follow(old_id: int, new_id: int, at: datetime) -> Facts:
    """Everything sent and said is the surviving person's. Of two entries the earlier consent stands; the other's name and phone are
    emptied, and she is told where they differed. From `freeze_at` on entries and screenshots stay where the sealed list finds them.

    {"submissions_moved": 2, "entrants_moved": 1, "entrants_in_conflict": 0, "chats_moved": 1, "left_entries": 0}
    """
    entries = list(db.session.scalars(select(Entrant).where(Entrant.person_id == old_id).order_by(Entrant.id)))
    sent = set(db.session.scalars(select(Submission.campaign_id).where(Submission.person_id == old_id).distinct()))
    open_ones = campaigns.still_changing(sent | {entry.campaign_id for entry in entries}, at)
    moved = db.session.execute(update(Submission).where(Submission.person_id == old_id, Submission.campaign_id.in_(open_ones))
                               .values(person_id=new_id)).rowcount   # type: ignore[attr-defined]
    outcomes = [_enter_as(entry, new_id, at) for entry in entries if entry.campaign_id in open_ones]
    chats = [_talk_as(chat, new_id, at) for chat in db.session.scalars(select(ChatEntry).where(ChatEntry.person_id == old_id))]
    for campaign_id in sorted(open_ones):
        _promote(db.session.get_one(Campaign, campaign_id), new_id, at)
    return {"submissions_moved": moved, "entrants_moved": outcomes.count("moved"), "entrants_in_conflict": outcomes.count("conflict"),
            "chats_moved": sum(chats), "left_entries": sum(entry.campaign_id not in open_ones for entry in entries)}


def _enter_as(entry: Entrant, new_id: int, at: datetime) -> str:
    """moved, conflict, or "" where there is nothing to bring over. Hers may be withdrawn: that took back what she gave there, no more."""
    hers = db.session.scalar(select(Entrant).where(Entrant.campaign_id == entry.campaign_id, Entrant.person_id == new_id))
    if hers is None:
        entry.person_id = new_id
        db.session.flush()
        return "moved"
    if entry.withdrawn_at is not None:
        return ""
    outcome = "moved"
    if hers.withdrawn_at is None:
        outcome = "conflict"
        _tell_if_they_differ(entry, hers, at)
    if hers.withdrawn_at is not None or (entry.consented_at, entry.id) < (hers.consented_at, hers.id):
        _give(entry, hers)
    elif hers.age_band == submissions.UNSAID:   # the chat does not ask; a child's parent has been asked once
        hers.age_band, hers.guardian_sealed = entry.age_band, entry.guardian_sealed
    _empty(entry, at)
    db.session.flush()
    return outcome


def _give(entry: Entrant, hers: Entrant) -> None:
    said = hers.age_band, hers.guardian_sealed
    for name in GIVEN:
        setattr(hers, name, getattr(entry, name))
    if hers.age_band == submissions.UNSAID and said[0] != submissions.UNSAID:
        hers.age_band, hers.guardian_sealed = said


def _empty(entry: Entrant, at: datetime) -> None:
    entry.name_sealed = entry.phone_sealed = entry.phone_hash = entry.guardian_sealed = ""
    entry.withdrawn_at, entry.consents = at, []


def _tell_if_they_differ(entry: Entrant, hers: Entrant, at: datetime) -> None:
    if submissions.named(entry) != submissions.named(hers):
        notices.tell(hers.person_id, "merged", TOLD, at)


def _talk_as(chat: ChatEntry, new_id: int, at: datetime) -> bool:
    """Whether anything of this talk was brought over."""
    hers = db.session.scalar(select(ChatEntry).where(ChatEntry.campaign_id == chat.campaign_id, ChatEntry.person_id == new_id))
    if hers is None:
        chat.person_id = new_id
        db.session.flush()
        return True
    fresh = chat.chosen_at is not None or chat.notified_at is not None or bool(chat.held_sealed)
    hers.chosen_at = max(filter(None, (hers.chosen_at, chat.chosen_at)), default=None)
    hers.notified_at = min(filter(None, (hers.notified_at, chat.notified_at)), default=None)
    if chat.held_sealed and not hers.held_sealed:
        hers.held_sealed, hers.held_until = chat.held_sealed, chat.held_until
        jobs.enqueue("inbox.drop-held", {"chat": hers.id}, at, run_at=hers.held_until)
    chat.chosen_at = chat.notified_at = chat.held_until = None
    chat.held_sealed = ""
    db.session.flush()
    return fresh


def _promote(campaign: Campaign, person_id: int, at: datetime) -> None:
    """What had only waited for name and phone has them now."""
    if submissions.entrant(campaign, person_id) is not None:
        submissions.promote(campaign, person_id, at)
