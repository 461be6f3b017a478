"""One notice goes through its channels in order until one takes it; each turn is written down before WeChat is asked.

An unsure answer ends it, no second channel says the same. A second 恭喜 for one prize reads like a second prize, and the credit of a
subscribe message would be spent on it; the result stands in 我的 all the same, and the staff see how many are unsure and have the phones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from config.notice_templates import parse
from wxbackend import alarms, jobs, wechat
from wxbackend.accounts.models import Identity
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.notices import credits, rules, windows
from wxbackend.notices.models import Notice, NoticeAttempt
from wxbackend.problems import Problem

TRIES = 32   # a day and more: a daily quota begins anew at midnight, a whitelist is mended in the morning
COMES_AGAIN = (wechat.Kind.LATER, wechat.Kind.RETRY)   # backs off; a token that is not to be had
FEATURES = {"customer": "customer-message", "subscribe": "subscribe-message", "template": "template-message"}


@dataclass(frozen=True)
class Turn:
    """One channel's turn: `ask` calls WeChat and needs no database, or there is a `why` it is not asked."""

    channel: str
    identity_id: int
    ask: Callable[[], Any] | None = field(default=None, repr=False)
    why: str = ""
    credit_id: int | None = None


def channels(person_id: int, has_facts: bool) -> list[str]:
    """The channels that could ever reach this person: text alone goes by the chat, a template needs facts to fill it."""
    appids = set(db.session.scalars(select(Identity.appid).where(Identity.person_id == person_id)))
    stands = {"customer": settings.account_appid in appids,
              "subscribe": has_facts and settings.miniprogram_appid in appids and credits.template() is not None,
              "template": has_facts and settings.account_appid in appids and bool(settings.account_template)}
    return [channel for channel in rules.CHANNELS if stands[channel]]


@jobs.handler("notices.send", tries=TRIES)
def send(payload: dict[str, Any], at: datetime) -> None:
    """Send one queued notice. Run twice, by two workers at once or after a kill, it goes out once at most."""
    granted = {channel: wechat.can(feature) for channel, feature in FEATURES.items()}   # asks the store: before a transaction begins
    notice = db.session.get(Notice, payload["notice"])
    if notice is None or notice.state != "queued":
        return
    is_ours = False
    for channel in _open_channels(notice):
        turn = _turn(notice, channel, granted[channel], at)
        if turn.ask is None:
            _write_down(notice, turn, at)
            continue
        if not is_ours and not _claim(notice, at):
            db.session.rollback()   # another worker is sending it
            return
        is_ours = True
        attempt_id = _begin(notice, turn, at)
        if attempt_id is None or _ask(payload["notice"], attempt_id, turn, at):
            return
    notice.state, notice.settled_at = "refused", at


def _open_channels(notice: Notice) -> list[str]:
    had = {attempt.channel for attempt in notice.attempts if attempt.why != rules.LATER}
    return [channel for channel in channels(notice.identity.person_id, bool(notice.facts)) if channel not in had]


def _turn(notice: Notice, channel: str, is_granted: bool, at: datetime) -> Turn:
    identity = _identity(notice, settings.miniprogram_appid if channel == "subscribe" else settings.account_appid)
    if not is_granted:
        return Turn(channel, identity.id, why="not-granted")
    return {"customer": _by_chat, "subscribe": _by_subscription, "template": _by_template}[channel](notice, identity, at)


def _by_chat(notice: Notice, identity: Identity, at: datetime) -> Turn:
    openid, text = identity.openid, notice.text
    why = rules.why_closed(windows.of(identity.id), at)
    return Turn("customer", identity.id, None if why else lambda: wechat.send_text(openid, text), why)


def _by_subscription(notice: Notice, identity: Identity, at: datetime) -> Turn:
    template, openid = credits.template(), identity.openid
    assert template is not None
    data, page = rules.fill(template, notice.facts or {}), rules.page_of(template, _slug(notice))
    if data is None:
        return Turn("subscribe", identity.id, why="no-facts")
    credit_id = credits.spend(identity.id, template.id, notice.campaign_id, at)
    if credit_id is None:
        return Turn("subscribe", identity.id, why="no-credit")
    return Turn("subscribe", identity.id, lambda: wechat.send_subscribe(openid, template.id, data, page=page), credit_id=credit_id)


def _by_template(notice: Notice, identity: Identity, at: datetime) -> Turn:
    template, openid = parse(settings.account_template), identity.openid
    assert template is not None
    data, url, mark = rules.fill(template, notice.facts or {}), notice.url, f"notice-{notice.id}"
    window = windows.of(identity.id)
    why = "no-facts" if data is None else "left" if window and window.has_left else ""
    return Turn("template", identity.id, None if data is None or why else
                lambda: wechat.send_template(openid, template.id, data, url=url, client_msg_id=mark), why)


def _identity(notice: Notice, appid: str) -> Identity:
    """The person's identity at one app: that of the notice where it fits. Who she is may have changed by a merge since."""
    if notice.identity.appid == appid:
        return notice.identity
    query = select(Identity).where(Identity.person_id == notice.identity.person_id, Identity.appid == appid)
    return db.session.scalars(query.order_by(Identity.id).limit(1)).one()


def _slug(notice: Notice) -> str | None:
    return db.session.scalar(select(Campaign.slug).where(Campaign.id == notice.campaign_id)) if notice.campaign_id else None


def _claim(notice: Notice, at: datetime) -> bool:
    """Whether the notice was still queued: of two workers one finds it so. It is unsure from here on, until an answer is written down."""
    db.session.flush()
    return _changed(update(Notice).where(Notice.id == notice.id, Notice.state == "queued").values(state="unsure", settled_at=at))


def _begin(notice: Notice, turn: Turn, at: datetime) -> int | None:
    """Write the turn down and commit, so that WeChat is asked with no transaction open. None where the database says it is out already."""
    try:
        attempt_id = _write_down(notice, turn, at).id
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return None
    return attempt_id


def _write_down(notice: Notice, turn: Turn, at: datetime) -> NoticeAttempt:
    """The turn's row, new or that of the channel's last try."""
    row = next((attempt for attempt in notice.attempts if attempt.channel == turn.channel), None)
    if row is None:
        row = NoticeAttempt(channel=turn.channel)
        notice.attempts.append(row)
    row.identity_id, row.credit_id, row.at, row.why, row.errcode = turn.identity_id, turn.credit_id, at, turn.why, None
    row.state, row.holds = ("unsure", 1) if turn.ask else ("skipped", None)
    db.session.flush()
    return row


def _ask(notice_id: int, attempt_id: int, turn: Turn, at: datetime) -> bool:
    """Ask WeChat; whether the notice is done with, sent or unsure. False: the next channel's turn. Raises what comes again later."""
    assert turn.ask is not None
    try:
        answer = turn.ask()
    except wechat.WeChatAway as e:
        if not getattr(e, "unsure", True):
            _come_again(notice_id, attempt_id, turn, "skipped", None)
            raise
        if turn.channel == "customer":
            windows.charge(turn.identity_id, at)
        return True
    except Problem as e:   # WeChatRefused; some codes come as classes of their own
        errcode = getattr(e, "errcode", None)
        if getattr(e, "kind", None) in COMES_AGAIN or errcode in rules.ACCOUNT_WIDE:
            _come_again(notice_id, attempt_id, turn, "refused", errcode)
            raise
        _refused(notice_id, attempt_id, turn, errcode, "" if errcode else e.type[:20], at)
        alarms.ring_refusal(e, f"notices.{turn.channel}", at)
        return False
    _sent(notice_id, attempt_id, turn, answer, at)
    return True


def _sent(notice_id: int, attempt_id: int, turn: Turn, answer: Any, at: datetime) -> None:
    msgid = _msgid(answer)
    if _answered(attempt_id, state="sent", msgid=msgid):
        _changed(update(Notice).where(Notice.id == notice_id).values(state="sent", settled_at=at))
    else:   # WeChat's report was faster than its answer, and has the last word
        _changed(update(NoticeAttempt).where(NoticeAttempt.id == attempt_id, NoticeAttempt.msgid.is_(None)).values(msgid=msgid))
    if turn.channel == "customer":
        windows.charge(turn.identity_id, at)
    alarms.settle_refusals(f"notices.{turn.channel}", at)


def _refused(notice_id: int, attempt_id: int, turn: Turn, errcode: int | None, why: str, at: datetime) -> None:
    """For good, by this channel: not committed yet, the next channel's turn goes with it."""
    _answered(attempt_id, state="refused", errcode=errcode, why=why, holds=None)
    _changed(update(Notice).where(Notice.id == notice_id).values(errcode=errcode))
    if turn.credit_id and rules.keeps_credit(errcode):
        credits.give_back(turn.credit_id)
    if turn.channel != "subscribe":
        windows.believe(turn.identity_id, errcode, at)
    db.session.expire_all()


def _come_again(notice_id: int, attempt_id: int, turn: Turn, state: str, errcode: int | None) -> None:
    """Nothing went out, and this channel is tried again by the job: committed, since the job's failure rolls back."""
    _answered(attempt_id, state=state, errcode=errcode, why=rules.LATER, holds=None)
    _changed(update(Notice).where(Notice.id == notice_id).values(state="queued", settled_at=None, errcode=errcode))
    if turn.credit_id:
        credits.give_back(turn.credit_id)
    db.session.commit()


def _answered(attempt_id: int, **values: Any) -> bool:
    """Write the answer into a turn that is unsure still; False where a report has settled it meanwhile."""
    return _changed(update(NoticeAttempt).where(NoticeAttempt.id == attempt_id, NoticeAttempt.state == "unsure").values(**values))


def _changed(statement: Any) -> bool:
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    return done.rowcount == 1   # type: ignore[attr-defined]


def _msgid(answer: Any) -> str | None:
    """WeChat's number of the message, from whatever the verb gave back."""
    number = answer.get("msgid") if isinstance(answer, Mapping) else answer
    text = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= 32 else None
