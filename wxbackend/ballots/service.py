"""Casting a ballot: admitted by Redis, decided by the unique key, counted in the same transaction."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import structlog
from sqlalchemy import Select, insert, select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from wxbackend import captcha, store
from wxbackend.accounts import service as accounts
from wxbackend.accounts.service import Voter
from wxbackend.ballots import rules, sql
from wxbackend.ballots.models import Ballot, BallotBatch
from wxbackend.ballots.receipts import (
    Receipt,
    ReceiptUnknown,
    ReceiptVoided,
    by_code,
    read_token,
    receipt_of,
    receipt_on,
    receipts_of,
    standing,
)
from wxbackend.ballots.tally import Difference, recount, tally
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db
from wxbackend.problems import Problem, Unavailable

__all__ = ["AlreadyVoted", "CampaignClosed", "CampaignNotOpen", "DatabaseLost", "Difference", "GradeNotOffered", "NotHosted", "Outcome",
           "Receipt", "ReceiptUnknown", "ReceiptVoided", "Vote", "by_code", "cast", "cast_many", "check_open", "known_source", "quota_key",
           "read_token", "receipt_of", "receipt_on", "receipts_of", "recount", "tally", "today"]
log = structlog.get_logger()
TRIES_A_MINUTE = 20
WAIT_FOR_RUNNING_SECONDS, WAIT_UNKNOWN_SECONDS = 3.0, 0.5
ANNOUNCED_SECONDS = 5   # longer than anybody waits


class CampaignNotOpen(Problem):
    status, type, title = 409, "campaign-not-open", "还没开始投票。"


class CampaignClosed(Problem):
    status, type, title = 409, "campaign-closed", "投票已经截止，谢谢您这几天来评议。"


class NotHosted(Problem):
    status, type, title = 409, "vote-held-elsewhere", "这个活动的票投在别处。"
    hint = "投完把截图发到公众号的聊天里就好。"


class GradeNotOffered(Problem):
    status, type, title = 422, "grade-not-offered", "请从页面上的等级里选一个。"


class AlreadyVoted(Problem):
    """Carries that day's receipt, so that a lost answer is found again."""

    status, type, title = 409, "already-voted", "今天已经投过啦，明天0点后再来。"

    def __init__(self, receipt: Receipt):
        self.receipt = receipt
        super().__init__(receipt_code=receipt.code, receipt_url=receipt.url, day=receipt.day.isoformat())


class DatabaseLost(Unavailable):
    """The vote could not be kept though its captcha is spent; the edge adds a fresh one."""

    status, type = 503, "vote-not-kept"


@dataclass(frozen=True)
class Vote:
    """An admitted vote on its way into the box; `receipt_id` is ours, made before the insert."""

    campaign_id: int
    subject_id: int
    quota_key: str
    person_id: int
    day: date
    grade: Grade
    captcha_hash: str
    source_code: str
    door: str
    degraded: bool = False
    receipt_id: str = field(default_factory=rules.new_receipt_id)


@dataclass(frozen=True)
class Outcome:
    receipt: Receipt
    is_new: bool


def cast(campaign: Campaign, subject: Subject, voter: Voter, grade: str, captcha_id: str, answer: str, at: datetime,
         source_code: str = "") -> Outcome:
    """Cast today's ballot, or return the one this very request made before.

    Raises WrongDoor, NotJoined, CampaignNotOpen, CampaignClosed, NotHosted, GradeNotOffered, AlreadyVoted, TooOften, CaptchaExpired,
    CaptchaWrong, DatabaseLost. Whoever has voted today spends no captcha; a request whose answer was lost finds its ballot after the
    close, too.
    """
    person_id, day, spent, key = voter.person_id, campaign.day(at), captcha.mac_of(captcha_id), quota_key(campaign, subject)
    try:
        check_open(campaign, at)
    except CampaignClosed:
        repeated = _same(spent, person_id, key)
        if repeated is None:
            raise
        return repeated
    campaigns.check_voter(campaign, voter.identity)
    chosen = next((g for g in Grade if g.value == grade and subject.offers(g)), None)
    if chosen is None:
        raise GradeNotOffered()
    earlier = _earlier(spent, person_id, key, day)
    if earlier:
        return earlier
    vote = Vote(campaign.id, subject.id, key, person_id, day, chosen, spent,
                known_source(campaign, source_code), voter.door, degraded=_admit(voter.person_key, at))
    try:
        captcha.redeem(captcha_id, answer, voter.person_key, campaign.slug, "vote", at)
    except captcha.CaptchaExpired:
        running = _wait_for_running(vote)
        if running is None:
            raise
        return running
    _announce(spent)   # only now: an id that was made up, or has run out, has nobody wait for long
    outcome = cast_many([vote], at)[0]
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


def check_open(campaign: Campaign, at: datetime) -> None:
    """Raises NotHosted, CampaignNotOpen, CampaignClosed: opens_at <= at < closes_at."""
    if not campaign.is_hosted:
        raise NotHosted()
    if not campaign.is_published or at < campaign.opens_at:
        raise CampaignNotOpen(hint=f"{campaign.say(campaign.opens_at)}再来，我等您。", opens_at=campaign.opens_at.isoformat())
    if not campaign.is_open(at):
        raise CampaignClosed(closes_at=campaign.closes_at.isoformat())


def quota_key(campaign: Campaign, subject: Subject) -> str:
    """What the daily vote is counted against: the subject, or the whole campaign."""
    return f"s{subject.id}" if campaign.quota == "subject" else f"c{campaign.id}"


def known_source(campaign: Campaign, code: str) -> str:
    return code if any(s.code == code for s in campaign.sources) else ""


def today(campaign: Campaign, subject: Subject, person_id: int, at: datetime) -> Receipt | None:
    """Today's receipt, if she has voted."""
    ballot = db.session.scalar(_live_of(quota_key(campaign, subject), person_id, campaign.day(at)))
    return receipt_of(ballot) if ballot else None


def cast_many(votes: Sequence[Vote], at: datetime) -> list[Outcome | AlreadyVoted]:
    """Put a batch into the box and COMMIT; one outcome per vote, in order.

    An outcome is new, the same again (equal receipt), or AlreadyVoted with that day's receipt. The unique key
    (quota_key, person, day, void_no) decides; "was it new" is told by our own receipt id selected back, never by rowcount.
    The one verb that commits: a vote is answered when it is durable. Raises DatabaseLost.
    """
    batch_id = secrets.token_hex(16)
    for last_try in (False, True):
        try:
            _write(votes, batch_id, at)
            break
        except IntegrityError:   # the first COMMIT did arrive, only its answer was lost
            db.session.rollback()
            break
        except (OperationalError, InterfaceError) as e:
            log.warning("batch not confirmed", batch=batch_id, kind=type(e).__name__)
            _forget_connection()
            if last_try:
                raise DatabaseLost(retry_after=10) from e
    return [_outcome(vote) for vote in votes]


def _write(votes: Sequence[Vote], batch_id: str, at: datetime) -> None:
    db.session.execute(insert(BallotBatch).values(id=batch_id, at=at))
    # Sorted by person, so that two batches lock rows in one order and never wait for each other in a ring. Persons are held first:
    # of somebody who is merged at this moment the ballot is in before, where the merge finds it, or it is cast by who she is afterwards.
    now = accounts.hold_all({v.person_id for v in votes})
    votes = [replace(v, person_id=now[v.person_id]) for v in votes]
    rows = [{"receipt_id": v.receipt_id, "captcha_hash": v.captcha_hash, "campaign_id": v.campaign_id, "subject_id": v.subject_id,
             "quota_key": v.quota_key, "person_id": v.person_id, "day": v.day, "void_no": 0, "grade": v.grade.value,
             "source_code": v.source_code, "door": v.door, "degraded": v.degraded, "cast_at": at}
            for v in sorted(votes, key=lambda v: (v.person_id, v.quota_key))]
    sql.insert_missing(Ballot, rows)
    kept = set(db.session.scalars(select(Ballot.receipt_id).where(Ballot.receipt_id.in_([v.receipt_id for v in votes]))))
    moves = Counter((v.subject_id, v.day, v.grade.value) for v in votes if v.receipt_id in kept)
    for (subject_id, day, grade), count in sorted(moves.items()):
        sql.add_to_tally(subject_id, day, grade, sql.SHARD, count)
    db.session.commit()


def _outcome(vote: Vote) -> Outcome | AlreadyVoted:
    ballot = db.session.scalar(select(Ballot).where(Ballot.receipt_id == vote.receipt_id))
    if ballot is not None:
        return Outcome(receipt_of(standing(ballot)), True)
    person_id = accounts.surviving(vote.person_id)   # she may have been merged since the batch began
    ballot = db.session.scalar(select(Ballot).where(Ballot.captcha_hash == vote.captcha_hash))
    if ballot is not None and ballot.person_id == person_id:
        return Outcome(receipt_of(standing(ballot)), False)
    ballot = db.session.scalar(_live_of(vote.quota_key, person_id, vote.day))
    if ballot is None:
        raise RuntimeError("a vote neither went in nor met another")
    return AlreadyVoted(receipt_of(ballot))


def _earlier(spent: str, person_id: int, key: str, day: date) -> Outcome | None:
    """What this request, or another vote of today, has left already. Raises AlreadyVoted."""
    same = _same(spent, person_id, key)
    if same is not None:
        return same
    other = db.session.scalar(_live_of(key, person_id, day))
    if other is not None and other.captcha_hash == spent and other.person_id == person_id:
        return Outcome(receipt_of(other), False)   # it was committed between the two looks
    if other is not None:
        raise AlreadyVoted(receipt_of(other))
    return None


def _same(spent: str, person_id: int, key: str) -> Outcome | None:
    """What this very request made before, or the ballot that counts in its place."""
    ballot = db.session.scalar(select(Ballot).where(Ballot.captcha_hash == spent, Ballot.person_id == person_id, Ballot.quota_key == key))
    return Outcome(receipt_of(standing(ballot)), False) if ballot is not None else None


def _live_of(key: str, person_id: int, day: date) -> Select[Ballot]:
    return select(Ballot).where(Ballot.quota_key == key, Ballot.person_id == person_id, Ballot.day == day, Ballot.void_no == 0)


def _admit(person_key: str, at: datetime) -> bool:
    """Count the try; returns whether it went through degraded, by this process's own bucket. Raises TooOften."""
    limits, degraded = [store.Limit(f"{{{person_key}}}:vote", TRIES_A_MINUTE, 60)], False
    try:
        verdict = store.take(limits)
    except store.StoreAway:
        verdict, degraded = store.take_locally(limits, at), True
    if not verdict.allowed:
        raise captcha.TooOften(retry_after=verdict.retry_after_seconds)
    return degraded


def _announce(spent: str) -> None:
    """Say that the vote of a redeemed captcha is on its way."""
    try:
        store.put("casting:" + spent, "1", ANNOUNCED_SECONDS)
    except store.StoreAway:
        pass


def _wait_for_running(vote: Vote) -> Outcome | None:
    """The ballot of the same request that is just being written by somebody else, if there is one. Raises AlreadyVoted.

    A double tap spends the captcha once; the second request waits for the first one's batch, or a moment for word of it.
    """
    began = time.monotonic()
    while True:
        db.session.rollback()   # a fresh look: SQLite's snapshot, and its write lock given free
        outcome = _earlier(vote.captcha_hash, vote.person_id, vote.quota_key, vote.day)
        patience = WAIT_FOR_RUNNING_SECONDS if _is_announced(vote.captcha_hash) else WAIT_UNKNOWN_SECONDS
        if outcome or time.monotonic() - began >= patience:
            return outcome
        time.sleep(0.05)


def _is_announced(spent: str) -> bool:
    try:
        return store.get("casting:" + spent) is not None
    except store.StoreAway:
        return False


def _forget_connection() -> None:
    try:
        db.session.rollback()
    except (OperationalError, InterfaceError):
        db.session.remove()
