"""What the inbox does after its five seconds: fetch the picture, read it, tell the sender; drop what was never agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wxbackend import jobs, wechat
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.inbox import words
from wxbackend.inbox.service import turn_to
from wxbackend.notices import service as notices
from wxbackend.submissions import images
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import ChatEntry, Submission
from wxbackend.tickets import service as tickets


@jobs.handler("inbox.fetch", tries=80)   # about three days, as long as WeChat keeps the picture
def fetch(payload: dict[str, Any], at: datetime) -> None:
    """Fetch one picture, at once: WeChat deletes it after three days. No transaction is open while WeChat is asked and the picture read."""
    submission = db.session.get(Submission, payload["submission"])
    if submission is None or submission.state != "arriving" or not submission.media_id:
        return
    media_id, submission_id = submission.media_id, submission.id
    db.session.commit()
    try:
        picture = images.open_picture(wechat.download_media(media_id))
    except (wechat.MediaLost, wechat.MediaTooLarge, images.ImageUnreadable) as problem:
        picture, lost = None, problem
    submission = db.session.get_one(Submission, submission_id)
    if submission.state != "arriving":   # she left the draw meanwhile
        return
    if picture is None:
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
        turn_to(submission.campaign, submission.person_id, at)
    text = _said_of(submission, announced_in, at)
    if text:
        notices.tell(submission.person_id, "evidence", text, at)


@jobs.handler("inbox.drop-held")
def drop_held(payload: dict[str, Any], at: datetime) -> None:
    """Forget a name and phone that were sent before the notice and never agreed to."""
    chat = db.session.get(ChatEntry, payload["chat"])
    if chat is not None and chat.held_until is not None and chat.held_until <= at:
        chat.held_sealed, chat.held_until = "", None


def _drop(submission: Submission, text: str, at: datetime) -> None:
    submission.state = "dropped"
    notices.tell(submission.person_id, "evidence", text, at)


def _said_of(submission: Submission, announced_in: int, at: datetime) -> str:
    campaign = submission.campaign
    if submission.state == "approved" and submission.day:
        return words.counted(_days(campaign, submission.person_id), submission.day, campaign.is_open(at))
    if submission.state == "pending" and submission.reading == "external" and submission.day:
        return words.external_pending(submission.day)
    if submission.state == "pending":
        return words.waiting_for_staff(submission.reading == "foreign-receipt")
    if submission.state == "waiting" and announced_in != campaign.id:   # she was asked for another campaign's draw
        return words.picture_in(False, campaign)
    return ""   # she was asked for name and phone already


def _days(campaign: Campaign, person_id: int) -> list:
    return [t.day for t in tickets.of(campaign, person_id)]
