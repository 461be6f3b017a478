"""What WeChat tells afterwards: how a message ended, and what somebody answered when the mini program asked for leave to send.

Whatever shape it comes in, nothing here raises: a report that cannot be read changes nothing, and is acknowledged like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.notices import credits
from wxbackend.notices.models import Notice, NoticeAttempt
from wxbackend.wechat import Message

log = structlog.get_logger()

FRESH = timedelta(hours=1)   # a report may overtake WeChat's own answer, by seconds; one without our number is matched no further back
WRAPPERS = ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent")


def on_report(message: Message, at: datetime) -> bool:
    """Whether the message was WeChat's report on sending; what it says is written down in the caller's transaction."""
    handle = EVENTS.get(message.event)
    if handle is None:
        return False
    try:
        identity = accounts.find_identity(message.appid, message.openid)
        if identity is not None:
            handle(message.facts, identity, at)
    except (TypeError, ValueError, AttributeError, KeyError) as e:
        log.warning("report not readable", report=message.event, reason=type(e).__name__)
    return True


def _on_popup(facts: Mapping[str, Any], identity: Identity, at: datetime) -> None:
    """subscribe_msg_popup_event: what was pressed when the mini program asked."""
    ours, campaign = credits.template(), _campaign(at)
    for row in _rows(facts):
        status = _text(row, "SubscribeStatusString")
        if ours and campaign and _text(row, "TemplateId") == ours.id and status in ("accept", "reject"):
            credits.answered(identity.id, ours.id, status == "accept", campaign, at)


def _on_change(facts: Mapping[str, Any], identity: Identity, at: datetime) -> None:
    """subscribe_msg_change_event: switched off in the mini program's settings. (Switched on there gives no message.)"""
    ours = credits.template()
    for row in _rows(facts):
        if ours and _text(row, "TemplateId") == ours.id and _text(row, "SubscribeStatusString") == "reject":
            credits.take_back(identity.id, ours.id)


def _on_subscribe_sent(facts: Mapping[str, Any], identity: Identity, at: datetime) -> None:
    """subscribe_msg_sent_event: ErrorCode 0, or why it did not arrive."""
    ours = credits.template()
    for row in _rows(facts):
        code, said = _text(row, "ErrorCode"), _text(row, "ErrorStatus")
        if ours and _text(row, "TemplateId") == ours.id and code:
            _ended("subscribe", identity, _number(row), "success" if code == "0" else f"failed:{said or code}", at)


def _on_template_sent(facts: Mapping[str, Any], identity: Identity, at: datetime) -> None:
    """TEMPLATESENDJOBFINISH: success, failed:user block, failed: system failed."""
    status = _text(facts, "Status")
    if status == "success" or status.startswith("failed"):
        _ended("template", identity, _number(facts), status, at)


def _ended(channel: str, identity: Identity, msgid: str, outcome: str, at: datetime) -> None:
    """What became of one message. Where it did not arrive, the notice goes on to the channels it has not tried."""
    attempt = _attempt(channel, identity, msgid, at)
    if attempt is None:
        return
    outcome = " ".join(outcome.replace("failed: ", "failed:").split())[:40]
    is_sent = outcome == "success"
    state, holds, why = ("sent", 1, attempt.why) if is_sent else ("refused", None, outcome.removeprefix("failed:")[:20])
    settling = update(NoticeAttempt).where(NoticeAttempt.id == attempt.id, NoticeAttempt.outcome == "", NoticeAttempt.holds.is_not(None))
    if not _changed(settling.values(outcome=outcome, state=state, holds=holds, why=why, msgid=attempt.msgid or msgid or None)):
        return   # the same report again
    moving = update(Notice).where(Notice.id == attempt.notice_id, Notice.state.in_(("sent", "unsure")))
    _changed(moving.values(state="sent" if is_sent else "queued", settled_at=at if is_sent else None))
    if not is_sent:
        jobs.enqueue("notices.send", {"notice": attempt.notice_id}, at, dedupe=f"notice:{attempt.notice_id}:after:{attempt.id}")


def _attempt(channel: str, identity: Identity, msgid: str, at: datetime) -> NoticeAttempt | None:
    """The attempt that is reported on: by WeChat's number; where the report overtook its answer, the person's latest without one."""
    query = select(NoticeAttempt).where(NoticeAttempt.identity_id == identity.id, NoticeAttempt.channel == channel)
    if msgid and (found := db.session.scalar(query.where(NoticeAttempt.msgid == msgid).limit(1))):
        return found
    open_ones = query.where(NoticeAttempt.msgid.is_(None), NoticeAttempt.holds.is_not(None), NoticeAttempt.outcome == "",
                            NoticeAttempt.at > at - FRESH)
    return db.session.scalar(open_ones.order_by(NoticeAttempt.id.desc()).limit(1))


def _campaign(at: datetime) -> Campaign | None:
    """Which campaign an answer is for that came without its page's word: the one running, else the newest."""
    newest = (campaign for campaign in campaigns.all_campaigns() if campaign.is_published)
    return next(iter(campaigns.running(at)), None) or next(newest, None)


def _rows(facts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The rows of a report's List, one or many, wherever it stands: XML wraps it, JSON does not."""
    for holder in (facts, *(facts.get(name) for name in WRAPPERS)):
        found = holder.get("List") if isinstance(holder, Mapping) else None
        for row in found if isinstance(found, list) else [found]:
            if isinstance(row, Mapping):
                yield row


def _text(row: Mapping[str, Any], name: str) -> str:
    """A field as text, "" for what is missing or of no use; numbers come as numbers in JSON."""
    value = row.get(name)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return "".join(c for c in text[:64] if " " <= c <= "~").strip()   # all of these fields are ASCII


def _number(row: Mapping[str, Any]) -> str:
    """WeChat's number of a message, "" where it is none."""
    text = _text(row, "MsgID")
    return text if text.isdigit() and len(text) <= 32 else ""


def _changed(statement: Any) -> bool:
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.expire_all()
    return done.rowcount == 1   # type: ignore[attr-defined]


EVENTS: dict[str, Callable[[Mapping[str, Any], Identity, datetime], None]] = {
    "subscribe_msg_popup_event": _on_popup, "subscribe_msg_change_event": _on_change,
    "subscribe_msg_sent_event": _on_subscribe_sent, "templatesendjobfinish": _on_template_sent}
