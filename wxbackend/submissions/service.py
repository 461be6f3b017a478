"""Evidence: taken in, read, decided, turned into tickets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wxbackend import audit, store
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Staff
from wxbackend.accounts.service import Voter
from wxbackend.ballots import receipts
from wxbackend.ballots.receipts import Receipt
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.captcha import TooOften
from wxbackend.extensions import db
from wxbackend.notices import service as notices
from wxbackend.problems import Problem
from wxbackend.submissions import images, words
from wxbackend.submissions.entrants import (
    PURPOSES,
    UNSAID,
    Entrant,
    EntryClosed,
    EntryForm,
    EntryInvalid,
    Named,
    NotEntered,
    correct,
    enter,
    entrant,
    entrants,
    entries_of,
    erase,
    named,
    phone_hash,
)
from wxbackend.submissions.models import ChatEntry, Submission
from wxbackend.tickets import service as tickets

__all__ = ["PURPOSES", "REASONS", "UNSAID", "Entrant", "EntryClosed", "EntryForm", "EntryInvalid", "Named", "NotEntered", "approve",
           "correct", "enter", "entrant", "entrants", "entries_of", "forget", "judge", "named",
           "of", "open_from_chat", "phone_hash", "promote", "queue",
           "receive_upload", "reject", "settle", "tap", "withdraw"]

ACTIVITY = "vote"
UPLOADS, PER_SECONDS = 20, 600
REASONS = {
    "not-yours": "截图里的凭证不是您本人的",
    "not-ours": "不是这次活动的投票成功页",
    "day-used": "这一天已经有签号了",
    "too-late": "过了收截图的时间",
    "edited": "看得出改动过",
    "unclear": "图看不清，认不出凭证和日期",
}


class NoBallotThatDay(Problem):
    status, type, title = 409, "no-ballot", "这一天还没有您的投票。"
    hint = "先投票，再来参加抽奖。"


class AlreadyDecided(Problem):
    status, type, title = 409, "already-decided", "这一张已经有人办好了。"
    hint = "请看下一张。"


class DayUnknown(Problem):
    status, type, title = 422, "day-unknown", "还不知道这张截图算哪一天。"
    hint = "请填上面的短码，或选一个投票日。"


class FreezeUnderWay(Problem):
    status, type, title = 409, "freeze-under-way", "签号名单正在封存，请过几分钟再来。"
    hint = "封存以后照样可以退出，姓名和手机号会删掉。"


class NoSuchSubmission(Problem):
    status, type, title = 404, "no-such-submission", "没有找到这张截图。"


def of(campaign: Campaign, person_id: int) -> list[Submission]:
    """A person's submissions, newest first; in a frozen campaign also those of whoever was merged into her since."""
    query = select(Submission).where(Submission.campaign_id == campaign.id, Submission.person_id.in_(accounts.all_ids(person_id)))
    return list(db.session.scalars(query.order_by(Submission.id.desc())))


def queue(campaign: Campaign, state: str = "pending") -> list[Submission]:
    """What waits in one state, oldest first."""
    query = select(Submission).where(Submission.campaign_id == campaign.id, Submission.state == state)
    return list(db.session.scalars(query.order_by(Submission.arrived_at, Submission.id)))


def by_id(submission_id: int) -> Submission:
    found = db.session.get(Submission, submission_id)
    if found is None:
        raise NoSuchSubmission()
    return found


def image_path(submission: Submission) -> Path:
    """The stored picture. Raises NoSuchSubmission where there is none."""
    path = images.folder() / (submission.image_name or "-")
    if not submission.image_name or not path.is_file():
        raise NoSuchSubmission("这一份没有图片。")
    return path


def tap(campaign: Campaign, person_id: int, day: date | None, at: datetime) -> Submission:
    """One tap for one day's own ballot: approved at once. `day` None is today. Raises NotEntered, NoBallotThatDay, EntryClosed."""
    person_id = accounts.hold(person_id)
    if entrant(campaign, person_id) is None:
        raise NotEntered()
    _check_time(campaign, at)
    receipt = receipts.receipt_on(campaign, person_id, day or campaign.day(at))
    if receipt is None:
        raise NoBallotThatDay()
    submission = _new(campaign, person_id, "tap", at, at, f"tap:{receipt.receipt_id}")
    if submission.state == "arriving":
        _approve_receipt(submission, receipt, "tap", at)
    return submission


def receive_upload(campaign: Campaign, voter: Voter, raw: bytes, form: EntryForm, at: datetime) -> Submission:
    """A screenshot sent through the page or the API with name and phone; what the caller did before is committed.

    Raises WrongDoor, NotJoined, EntryClosed, TooOften, ImageUnreadable, EntryInvalid.
    """
    campaigns.check_voter(campaign, voter)
    _check_time(campaign, at)
    _count_upload(voter, at)
    db.session.commit()   # reading a picture takes seconds, and on SQLite an open transaction keeps everybody else from voting
    picture = images.open_picture(raw)
    person_id = accounts.hold(voter.person_id)
    enter(campaign, person_id, form, at)
    submission = _new(campaign, person_id, "upload", at, at, f"upload:{campaign.id}:{person_id}:{picture.sha256[:40]}")
    return judge(submission, picture, at) if submission.state == "arriving" else submission


def _count_upload(voter: Voter, at: datetime) -> None:
    limits = [store.Limit(f"upload:{{{voter.person_key}}}", UPLOADS, PER_SECONDS)]
    try:
        verdict = store.take(limits)
    except store.StoreAway:
        verdict = store.take_locally(limits, at)
    if not verdict.allowed:
        raise TooOften(verdict.retry_after_seconds)


def open_from_chat(campaign: Campaign, person_id: int, media_id: str, source_key: str, evidence_at: datetime, at: datetime) -> Submission:
    """A picture announced by the account's callback; a job fetches it. Raises EntryClosed."""
    _check_time(campaign, evidence_at)
    submission = _new(campaign, accounts.hold(person_id), "chat", evidence_at, at, source_key)
    submission.media_id = media_id
    db.session.flush()
    return submission


def judge(submission: Submission, picture: images.Picture, at: datetime) -> Submission:
    """Decide what can be decided of a picture, keep its pixels. Raises AlreadyFrozen; then nothing is kept."""
    _hold_sender(submission)
    submission.image_sha256 = picture.sha256
    _decide(submission, picture, at)
    submission.image_name = images.keep(picture.pixels)
    db.session.flush()
    return submission


def _decide(submission: Submission, picture: images.Picture, at: datetime) -> Submission:
    campaign, found = submission.campaign, _receipt_in(picture, submission)
    if found is not None:   # a receipt says itself which campaign it is of, whatever the chat was about
        submission.campaign = found.campaign
        if found.person_id == accounts.surviving(submission.person_id):
            return _approve_receipt(submission, found, "own-receipt", at)
        return _to_staff(submission, "foreign-receipt", day=None)
    if campaign.is_hosted:
        return _to_staff(submission, "no-receipt", day=None)
    return _to_staff(submission, "external", day=campaign.day(submission.evidence_at))


def _receipt_in(picture: images.Picture, submission: Submission) -> Receipt | None:
    """A receipt of a campaign that still takes evidence; of several in one picture the sender's own."""
    foreign, sender = None, accounts.surviving(submission.person_id)
    for text in picture.codes:
        try:
            receipt = receipts.evidence(text.rpartition("/")[2])
        except receipts.ReceiptUnknown:
            continue
        if submission.evidence_at >= receipt.campaign.evidence_until:
            continue
        if receipt.person_id == sender:
            return receipt
        foreign = receipt
    return foreign


def promote(campaign: Campaign, person_id: int, at: datetime) -> list[Submission]:
    """Give tickets for what only waited for name and phone."""
    waiting = [s for s in of(campaign, accounts.hold(person_id)) if s.state == "waiting"]
    for submission in waiting:
        _grant(submission, at)
    return waiting


def approve(submission: Submission, staff: Staff, day: date | None, at: datetime) -> Submission:
    """A person looked and says yes. Raises AlreadyDecided, DayUnknown, NoBallotThatDay, AlreadyFrozen."""
    campaign = submission.campaign
    _claim(submission)
    chosen = day or submission.day
    if chosen is None:
        raise DayUnknown()
    if not campaign.first_day <= chosen <= min(campaign.last_day, campaign.day(submission.evidence_at)):
        raise DayUnknown("这一天不在投票的日子里，或比发来截图的日子还晚。")
    if campaign.is_hosted:   # the ballot box knows better than any picture whether she voted that day
        receipt = receipts.receipt_on(campaign, submission.person_id, chosen)
        if receipt is None:
            raise NoBallotThatDay("这位市民这一天没有投票记录，不能通过。", hint="请选有投票记录的那一天。")
        submission.receipt_id = receipt.receipt_id
    submission.day, submission.decided_by, submission.decided_at = chosen, staff.id, at
    _grant(submission, at)
    if submission.state == "approved":
        notices.tell(submission.person_id, "evidence", words.approved(chosen, len(tickets.of(campaign, submission.person_id))), at,
                     campaign=campaign)
    audit.record(f"staff:{staff.username}", "submission.approved", f"submission:{submission.id}", at, facts={"day": chosen.isoformat()})
    return submission


def reject(submission: Submission, staff: Staff, reason: str, note: str, at: datetime) -> Submission:
    """A person looked and says no, with a reason from REASONS the sender is told. Raises AlreadyDecided, AlreadyFrozen."""
    if reason not in REASONS:
        raise Problem("请选一个不通过的原因。")
    if at >= submission.campaign.freeze_at:   # what was undecided then counts; a late freeze must not leave time to choose
        raise tickets.AlreadyFrozen()
    _claim(submission)
    submission.state, submission.reason, submission.note = "rejected", reason, note[:200] or None
    submission.decided_by, submission.decided_at = staff.id, at
    db.session.flush()
    campaign = submission.campaign
    phone = (campaign.content.get("contact") or {}).get("phone") or ""
    said = words.rejected(REASONS[reason], campaign.say(campaign.freeze_at), note[:200], phone)
    notices.tell(submission.person_id, "evidence", said, at, campaign=campaign)
    audit.record(f"staff:{staff.username}", "submission.rejected", f"submission:{submission.id}", at, why=REASONS[reason])
    return submission


def withdraw(campaign: Campaign, person_id: int, at: datetime) -> None:
    """Leave the draw: tickets revoked, name and phone emptied, screenshots dropped. Raises NotEntered, FreezeUnderWay.

    After the freeze the tickets stay on the list, which nobody changes any more; name and phone are deleted all the same.
    """
    person_id = accounts.hold(person_id)
    entries = entries_of(campaign, person_id)
    if not entries:
        raise NotEntered()
    if at >= campaign.freeze_at and campaign.frozen_at is None:
        raise FreezeUnderWay()
    if campaign.frozen_at is None:
        for ticket in tickets.of(campaign, person_id):
            tickets.revoke(ticket, "本人退出", at)
    sent = of(campaign, person_id)
    _drop_pictures(sent)
    for submission in sent:
        submission.state, submission.source_key = "dropped", None
    chats = select(ChatEntry).where(ChatEntry.campaign_id == campaign.id, ChatEntry.person_id.in_(accounts.all_ids(person_id)))
    for chat in db.session.scalars(chats):
        chat.held_sealed, chat.held_until, chat.notified_at = "", None, None   # whoever comes back is told and asked anew
    for entry in entries:
        erase(campaign, entry, at)


def settle(campaign: Campaign, at: datetime) -> int:
    """Just before the freeze: whoever voted, sent a picture in time and was not answered is given her ticket, for the delay was ours.

    Hosted votes only: the ballot stands behind the ticket. Returns how many were settled.
    """
    settled = 0
    for submission in queue(campaign) if campaign.is_hosted else []:
        receipt = _unused_receipt(campaign, submission)
        if receipt and submission.reading != "foreign-receipt" and entrant(campaign, submission.person_id):
            submission.day, submission.receipt_id, submission.note = receipt.day, receipt.receipt_id, "封存前未审，按投票记录计入"
            _grant(submission, at)
            settled += 1
    return settled


def _unused_receipt(campaign: Campaign, submission: Submission) -> Receipt | None:
    """The sender's newest ballot up to the day she sent the picture that has no ticket yet."""
    ticketed = {ticket.day for ticket in tickets.of(campaign, submission.person_id)}
    days = [r for r in receipts.receipts_of(campaign, submission.person_id) if r.day <= campaign.day(submission.evidence_at)]
    return next((r for r in days if r.day not in ticketed), None)


def forget(campaign: Campaign, kept: set[int], at: datetime) -> int:
    """Delete names, phones and screenshots of everybody but `kept`, some time after the draw; how many people that were.

    Persons as the sealed list has them: who was merged since then has her rows where they were.
    """
    sent = db.session.scalars(select(Submission).where(Submission.campaign_id == campaign.id, Submission.image_name.is_not(None)))
    pictures = [submission for submission in sent if submission.person_id not in kept]
    entered = {person_id: entry for person_id, entry in entrants(campaign).items() if person_id not in kept}
    _drop_pictures(pictures)
    for entry in entered.values():
        erase(campaign, entry, at)
    return len({submission.person_id for submission in pictures} | entered.keys())


def _drop_pictures(sent: Sequence[Submission]) -> None:
    for submission in sent:
        if submission.image_name:
            (images.folder() / submission.image_name).unlink(missing_ok=True)
            submission.image_name = None
    db.session.flush()


def _check_time(campaign: Campaign, at: datetime) -> None:
    if not campaign.is_published or at < campaign.opens_at:
        raise EntryClosed("活动还没开始。", hint=f"{campaign.say(campaign.opens_at)}再来，我等您。")
    if at >= campaign.evidence_until:
        raise EntryClosed()


def _new(campaign: Campaign, person_id: int, channel: str, evidence_at: datetime, at: datetime, source_key: str) -> Submission:
    """A fresh row, or the one this very message made before."""
    try:
        with db.session.begin_nested():
            row = Submission(campaign=campaign, person_id=person_id, channel=channel, state="arriving",
                             evidence_at=evidence_at, arrived_at=at, source_key=source_key)
            db.session.add(row)
        return row
    except IntegrityError:
        return db.session.scalars(select(Submission).where(Submission.source_key == source_key)).one()


def _hold_sender(submission: Submission) -> None:
    """From now on nobody merges the sender; the row says who she is. (Not `hold`'s answer: in a frozen campaign rows stay.)"""
    accounts.hold(submission.person_id)
    db.session.refresh(submission, ["person_id"])


def _approve_receipt(submission: Submission, receipt: Receipt, reading: str, at: datetime) -> Submission:
    submission.reading, submission.receipt_id, submission.day = reading, receipt.receipt_id, receipt.day
    submission.decided_at = at
    return _grant(submission, at)


def _grant(submission: Submission, at: datetime) -> Submission:
    """The ticket, if name and phone are there; else the evidence waits for them."""
    assert submission.day is not None
    _hold_sender(submission)
    if entrant(submission.campaign, submission.person_id) is None:
        submission.state = "waiting"
    else:
        submission.state = "approved"
        submission.ticket_row_id = tickets.grant(submission.campaign, submission.person_id, submission.day, ACTIVITY, at,
                                                 receipt_id=submission.receipt_id or "").id
    db.session.flush()
    return submission


def _to_staff(submission: Submission, reading: str, day: date | None) -> Submission:
    submission.state, submission.reading, submission.day = "pending", reading, day
    db.session.flush()
    return submission


def _claim(submission: Submission) -> None:
    """Hold the row, so that two reviewers at once decide once. Raises AlreadyDecided."""
    _hold_sender(submission)
    db.session.refresh(submission, with_for_update=True)
    if submission.state != "pending":
        raise AlreadyDecided()
