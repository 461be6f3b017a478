"""Whether a vote may go into the box: who asks, how often, with which captcha; and whether it is in there already.

Two ways with one outcome. `admit_many` asks Redis everything about many votes in one round trip; whatever it cannot answer at once (a
session Redis does not know, somebody who has been here today, a captcha that is gone) goes the long way of `admit`, one by one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Select, select

from wxbackend import captcha, store
from wxbackend.accounts import service as accounts
from wxbackend.accounts.service import Voter
from wxbackend.ballots.models import Ballot
from wxbackend.ballots.receipts import receipt_of, standing
from wxbackend.ballots.votes import AlreadyVoted, Ask, CampaignClosed, Outcome, Vote, check_open, chosen, known_source
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.campaigns.rules import Grade
from wxbackend.extensions import db, reading
from wxbackend.problems import Problem

TRIES_A_MINUTE = 20
PURPOSE, OWNER_CHARS = "vote", 32
WAIT_FOR_RUNNING_SECONDS, WAIT_UNKNOWN_SECONDS = 3.0, 0.5
FLAG_SECONDS = 6 * 3600   # a hint that she was here today; the database knows for certain


def is_plain(ask: Ask) -> bool:
    """Whether `admit_many` may be asked: an open vote, a grade that is offered, a captcha of the usual kind."""
    return (ask.campaign.is_hosted and ask.campaign.is_open(ask.at) and captcha.lies_in_redis(ask.captcha_id)
            and any(one["grade"] == ask.grade for one in ask.subject.grades))


def admit_many(asks: Sequence[tuple[Ask, str]]) -> list[Vote | Problem | None]:
    """What becomes of each plain ask with its session's name; None: go the long way. One round trip to Redis.

    A captcha that is taken is spent, whatever follows. While Redis is away everybody goes the long way.
    """
    try:
        answers = store.admit([_admission(ask, session) for ask, session in asks])
    except store.StoreAway:
        return [None] * len(asks)
    doors: Doors = {}
    judged = [_judged(ask, answer, doors) for (ask, _), answer in zip(asks, answers, strict=True)]
    take_down_flags([_flag_of(ask, answer.session[:OWNER_CHARS]) for (ask, _), answer, said in zip(asks, answers, judged, strict=True)
                     if answer.word == "passed" and not isinstance(said, Vote)])
    return judged


def take_down_flags(names: Sequence[str]) -> None:
    """Those votes are not on their way any more: the next try need not wait for them."""
    for name in filter(None, names):
        try:
            store.drop(name)
        except store.StoreAway:
            return


def _admission(ask: Ask, session: str) -> store.Admission:
    return store.Admission(session, _flag(ask), ask.spent, FLAG_SECONDS, captcha.once_name(ask.captcha_id, ask.campaign.slug, PURPOSE),
                           store.Limit("vote", TRIES_A_MINUTE, 60))


Doors = dict[tuple[int, str, bool], Problem | None]   # what `check_voter` said of (campaign, appid, known) in this batch


def _judged(ask: Ask, answer: store.Admitted, doors: Doors) -> Vote | Problem | None:
    if answer.word == "often":
        return captcha.TooOften(answer.retry_after_seconds)
    try:
        voter = accounts.read_session(answer.session, ask.at) if answer.word == "passed" else None
        if voter is None:
            return None
        captcha.judge(answer.value, ask.captcha_id, ask.answer, voter.person_key, ask.campaign.slug, PURPOSE, ask.at)
    except Problem as problem:
        return problem
    except ValueError:   # kept by another version of ours: it is asked for again
        return None
    return _refused_at_door(ask.campaign, voter, doors) or _vote(ask, voter)


def _refused_at_door(campaign: Campaign, voter: Voter, doors: Doors) -> Problem | None:
    """The same for all who come in one batch by one door."""
    which = (campaign.id, voter.appid, voter.is_known)
    if which not in doors:
        try:
            campaigns.check_voter(campaign, voter)
            doors[which] = None
        except Problem as problem:
            doors[which] = problem
    return doors[which]


def admit(ask: Ask, voter: Voter) -> Vote | Outcome:
    """The vote, its captcha spent; or what this very request, sent before, has left.

    Raises WrongDoor, NotJoined, CampaignNotOpen, CampaignClosed, NotHosted, GradeNotOffered, AlreadyVoted, TooOften, CaptchaExpired,
    CaptchaWrong. Whoever has voted today spends no captcha; a request whose answer was lost finds its ballot after the close, too.
    """
    with reading():   # on SQLite it looks beside whoever writes, and does not hold up the box
        return _made_before(ask, voter) or _redeemed(ask, voter)


def _made_before(ask: Ask, voter: Voter) -> Outcome | None:
    """Whether the campaign takes this vote at all, and what the request has left if it was sent before. Raises as `admit`."""
    try:
        check_open(ask.campaign, ask.at)
    except CampaignClosed:
        repeated = _same(ask, voter.person_id)
        if repeated is None:
            raise
        return repeated
    campaigns.check_voter(ask.campaign, voter)
    chosen(ask.subject, ask.grade)
    return _earlier(ask, voter.person_id)


def _redeemed(ask: Ask, voter: Voter) -> Vote | Outcome:
    """The try counted and the captcha spent."""
    is_degraded = _count(voter.person_key, ask.at)
    try:
        captcha.redeem(ask.captcha_id, ask.answer, voter.person_key, ask.campaign.slug, PURPOSE, ask.at)
    except captcha.CaptchaExpired:
        running = _wait_for_running(ask, voter)
        if running is None:
            raise
        return running
    _put_up_flag(ask, voter)   # only now: an id that was made up, or has run out, has nobody wait for long
    return _vote(ask, voter, is_degraded)


def _vote(ask: Ask, voter: Voter, is_degraded: bool = False) -> Vote:
    campaign, subject = ask.campaign, ask.subject
    return Vote(campaign.id, subject.id, ask.key, voter.person_id, ask.day, Grade(ask.grade), ask.spent,
                known_source(campaign, ask.source_code), voter.door, is_degraded, ask.at, (campaign, subject),
                _flag_of(ask, voter.person_key))


def live_of(key: str, person_id: int, day: date) -> Select[Ballot]:
    return select(Ballot).where(Ballot.quota_key == key, Ballot.person_id == person_id, Ballot.day == day, Ballot.void_no == 0)


def _earlier(ask: Ask, person_id: int) -> Outcome | None:
    """What this request, or another vote of today, has left already. Raises AlreadyVoted."""
    same = _same(ask, person_id)
    if same is not None:
        return same
    other = db.session.scalar(live_of(ask.key, accounts.surviving(person_id), ask.day))
    if other is not None and other.captcha_hash == ask.spent and other.person_id == person_id:
        return Outcome(receipt_of(other, ask.campaign), False)   # it was committed between the two looks
    if other is not None:
        raise AlreadyVoted(receipt_of(other, ask.campaign))
    return None


def _same(ask: Ask, person_id: int) -> Outcome | None:
    """What this very request made before, or the ballot that counts in its place."""
    mine = (Ballot.captcha_hash == ask.spent, Ballot.person_id == person_id, Ballot.quota_key == ask.key)
    ballot = db.session.scalar(select(Ballot).where(*mine))
    return Outcome(receipt_of(standing(ballot), ask.campaign), False) if ballot is not None else None


def _count(person_key: str, at: datetime) -> bool:
    """Count the try; returns whether it went through degraded, by this process's own bucket. Raises TooOften."""
    limits, is_degraded = [store.Limit(store.name_of(person_key, "vote"), TRIES_A_MINUTE, 60)], False
    try:
        verdict = store.take(limits)
    except store.StoreAway:
        verdict, is_degraded = store.take_locally(limits, at), True
    if not verdict.allowed:
        raise captcha.TooOften(retry_after=verdict.retry_after_seconds)
    return is_degraded


def _flag(ask: Ask) -> str:
    """Stands under a person while her vote of that day is on its way, and as a hint afterwards. Its value tells which request it was."""
    return f"voted:{ask.key}:{ask.day.isoformat()}"


def _flag_of(ask: Ask, person_key: str) -> str:
    return store.name_of(person_key, _flag(ask))


def _put_up_flag(ask: Ask, voter: Voter) -> None:
    try:
        store.put(_flag_of(ask, voter.person_key), ask.spent, FLAG_SECONDS)
    except store.StoreAway:
        pass


def _wait_for_running(ask: Ask, voter: Voter) -> Outcome | None:
    """The ballot of the same request that is just being written by somebody else, if there is one. Raises AlreadyVoted.

    A double tap spends the captcha once; the second request waits for the first one's batch, or a moment for word of it.
    """
    began = time.monotonic()
    while True:
        db.session.rollback()   # a fresh look: SQLite's snapshot
        outcome = _earlier(ask, voter.person_id)
        db.session.rollback()
        patience = WAIT_FOR_RUNNING_SECONDS if _is_announced(ask, voter) else WAIT_UNKNOWN_SECONDS
        if outcome or time.monotonic() - began >= patience:
            return outcome
        time.sleep(0.05)


def _is_announced(ask: Ask, voter: Voter) -> bool:
    try:
        return store.get(_flag_of(ask, voter.person_key)) == ask.spent
    except store.StoreAway:
        return False
