"""What the inbox does after its five seconds: answer what could not be answered in time, fetch the picture, read it, tell the sender;
drop what was never agreed to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select, update

from wxbackend import jobs, keys, wechat
from wxbackend.accounts import links
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.accounts.tasks import learn
from wxbackend.alarms import service as alarms
from wxbackend.ballots.log import service as ballot_log
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db, settings
from wxbackend.inbox import entries, words
from wxbackend.inbox import service as inbox
from wxbackend.inbox.intake import GRACE, promise_sweep
from wxbackend.inbox.models import InboxMessage
from wxbackend.notices import service as notices
from wxbackend.submissions import images
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Submission
from wxbackend.tickets import service as tickets

log = structlog.get_logger()

MEDIA_LIFE = timedelta(days=3)     # so long WeChat keeps what people send
MOST_TRIES = 5
AT_ONCE = 500
REPLIES_KEPT = timedelta(days=1)   # a delivery is repeated within seconds; replies hold links and masked names
MESSAGES_KEPT = timedelta(days=30)


@jobs.handler("inbox.sweep", lease=timedelta(minutes=10), tries=80)
def sweep(payload: dict[str, Any], at: datetime) -> None:
    """Answer what was kept but not answered in time: too many at once, a fault, a process that was killed. Each in its own transaction.

    What would have been the reply goes out as a message of the account.
    """
    waiting = _unanswered(at)
    for dedupe_key in waiting:
        _answer_late(dedupe_key, at)
    if db.session.scalar(select(InboxMessage.id).where(InboxMessage.state == "new").limit(1)) is not None:
        promise_sweep(at, f"again:{at.isoformat()}", at if len(waiting) == AT_ONCE else None)
    jobs.enqueue("inbox.tidy", {}, at, run_at=at + timedelta(hours=1), dedupe=f"tidy:{at.date()}")


def _unanswered(at: datetime) -> list[str]:
    query = select(InboxMessage.dedupe_key).where(InboxMessage.state == "new", InboxMessage.arrived_at <= at - GRACE)
    found = list(db.session.scalars(query.order_by(InboxMessage.arrived_at, InboxMessage.id).limit(AT_ONCE)))
    db.session.commit()
    return found


def _answer_late(dedupe_key: str, at: datetime) -> None:
    try:
        reply, message = inbox.answer(dedupe_key, at)
        if reply.action == "transfer":   # WeChat's own desk takes people over only in the answer itself
            reply = inbox.Reply(words.ASK_AGAIN)
        if message is not None and reply.text and message.app == "account":
            identity = accounts.find_identity(message.appid, message.openid)
            assert identity is not None   # the answer has just met it
            notices.tell(identity.person_id, "reply", words.late(reply.text), at)
        db.session.commit()
    except Exception:   # the others are answered all the same
        db.session.rollback()
        log.exception("message not answered")
        _count_failure(dedupe_key, at)


def _count_failure(dedupe_key: str, at: datetime) -> None:
    row = db.session.scalars(select(InboxMessage).where(InboxMessage.dedupe_key == dedupe_key).with_for_update()).one()
    row.tries += 1
    if row.tries >= MOST_TRIES and row.state == "new":
        row.state = "stuck"
        alarms.ring("inbox-stuck", row.kind, at)
    db.session.commit()


@jobs.handler("inbox.tidy")
def tidy(payload: dict[str, Any], at: datetime) -> None:
    """Replies a day old and messages a month old are forgotten; WeChat repeats a delivery within seconds, and older ones are refused."""
    old = update(InboxMessage).where(InboxMessage.arrived_at < at - REPLIES_KEPT, InboxMessage.state == "done", InboxMessage.reply != "")
    db.session.execute(old.values(reply=""), execution_options={"synchronize_session": False})
    notices.forget_texts("reply", at - REPLIES_KEPT)
    again = update(InboxMessage).where(InboxMessage.state == "stuck", InboxMessage.arrived_at >= at - MESSAGES_KEPT)
    if db.session.execute(again.values(state="new", tries=0), execution_options={"synchronize_session": False}).rowcount:  # type: ignore[attr-defined]
        promise_sweep(at, f"stuck:{at.isoformat()}")   # whatever was broken is mended by now, mostly
    jobs.forget_done(at - MESSAGES_KEPT)
    db.session.execute(delete(InboxMessage).where(InboxMessage.arrived_at < at - MESSAGES_KEPT, InboxMessage.state != "new"))
    links.forget_over(at)


@jobs.handler("inbox.fetch", tries=80)   # about three days, as long as WeChat keeps the picture
def fetch(payload: dict[str, Any], at: datetime) -> None:
    """Fetch one picture, at once: WeChat deletes it after three days. No transaction is open while WeChat is asked and the picture read.

    What WeChat refuses or does not answer (a feature it took away among it) is asked for again until those days are over; then the staff
    know.
    """
    submission = db.session.get(Submission, payload["submission"])
    if submission is None or submission.state != "arriving" or not submission.media_id:
        return
    media_id, submission_id, is_over = submission.media_id, submission.id, at - submission.arrived_at >= MEDIA_LIFE
    db.session.commit()
    try:
        picture = images.open_picture(wechat.download_media(media_id, keys.unseal("pic-url", payload["pic"]) if "pic" in payload else ""))
    except (wechat.MediaLost, wechat.MediaTooLarge, images.ImageUnreadable) as problem:
        picture, lost = None, problem
    except (wechat.WeChatRefused, wechat.WeChatAway):
        if not is_over:
            raise
        picture, lost = None, wechat.MediaLost()
    _learn_sender(submission_id, at)
    submission = db.session.get_one(Submission, submission_id)
    if submission.state != "arriving":   # she left the draw meanwhile
        return
    if not submission.campaign.is_hosted and campaigns.is_unjoined(submission.campaign, _account_side(submission)):
        _drop(submission, campaigns.NotJoined().as_reply(), at)   # the mini program may hold the same evidence of hers as somebody else's
        return
    if picture is None:
        if isinstance(lost, wechat.MediaLost) and is_over:   # our delay lost it: the operators' matter
            alarms.ring("media-lost", f"campaign:{submission.campaign.slug}", at, {"submission": submission.id})
        _drop(submission, lost.as_reply(), at)
        return
    announced_in = submission.campaign_id
    try:
        with db.session.begin_nested():
            submissions.judge(submission, picture, at)
    except tickets.AlreadyFrozen as problem:
        _drop(submission, problem.as_reply(), at)
        return
    if submission.campaign_id != announced_in:
        entries.turn_to(submission.campaign, submission.person_id, at)
    text = _said_of(submission, announced_in, at)
    if text:
        notices.tell(submission.person_id, "evidence", text, at, campaign=submission.campaign)


def _learn_sender(submission_id: int, at: datetime) -> None:
    """Where two doors are open, WeChat is asked who the sender is behind both, if nobody knows yet. Raises WeChatAway."""
    submission = db.session.get_one(Submission, submission_id)
    sender = _account_side(submission)
    if submission.state == "arriving" and campaigns.is_unjoined(submission.campaign, sender):
        learn({"identity": sender.id}, at)
        db.session.commit()


def _account_side(submission: Submission) -> Identity:
    """Who wrote in the chat, as the account knows her."""
    query = select(Identity).where(Identity.person_id.in_(accounts.all_ids(submission.person_id)), Identity.appid == settings.account_appid)
    return db.session.scalars(query.order_by(Identity.id).limit(1)).one()


@jobs.handler("inbox.drop-held")
def drop_held(payload: dict[str, Any], at: datetime) -> None:
    """Forget a name and phone that were sent before the notice and never agreed to."""
    chat = db.session.get(ChatEntry, payload["chat"])
    if chat is not None and chat.held_until is not None and chat.held_until <= at:
        chat.held_sealed, chat.held_until = "", None


def _drop(submission: Submission, text: str, at: datetime) -> None:
    submission.state = "dropped"
    notices.tell(submission.person_id, "evidence", text, at, campaign=submission.campaign)


def _said_of(submission: Submission, announced_in: int, at: datetime) -> str:
    campaign = submission.campaign
    if submission.state == "approved" and submission.day:
        days, mark = entries.days_of(campaign, submission.person_id), ballot_log.head_mark(campaign)
        return words.counted(days, submission.day, campaign.is_open(at), mark)
    if submission.state == "pending" and submission.reading == "external" and submission.day:
        return words.external_pending(submission.day)
    if submission.state == "pending":
        return words.waiting_for_staff(submission.reading == "foreign-receipt")
    if submission.state == "waiting" and announced_in != campaign.id:   # she was asked for another campaign's draw
        return words.picture_in(False, campaign)
    return ""   # she was asked for name and phone already
