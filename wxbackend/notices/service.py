"""Telling a person something in the account's chat, each attempt recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from wxbackend import jobs, wechat
from wxbackend.accounts.models import Identity
from wxbackend.extensions import db, settings
from wxbackend.notices.models import Notice


def tell(person_id: int, kind: str, text: str, at: datetime) -> Notice | None:
    """Queue a message in the caller's transaction; None where the person has never come through the account."""
    query = select(Identity).where(Identity.person_id == person_id, Identity.appid == settings.account_appid)
    identity = db.session.scalar(query.order_by(Identity.id).limit(1))
    if identity is None:
        return None
    notice = Notice(identity_id=identity.id, kind=kind, text=text, created_at=at)
    db.session.add(notice)
    db.session.flush()
    jobs.enqueue("notices.send", {"notice": notice.id}, at, dedupe=f"notice:{notice.id}")
    return notice


@jobs.handler("notices.send")
def send(payload: dict[str, Any], at: datetime) -> None:
    """Send one queued notice. Twice run, once sent: it is marked unsure before WeChat is asked."""
    notice = db.session.get(Notice, payload["notice"])
    if notice is None or notice.state != "queued":
        return
    openid, text = notice.identity.openid, notice.text
    notice.state, notice.settled_at = "unsure", at
    db.session.commit()
    try:
        wechat.send_text(openid, text)
        _settle(payload["notice"], "sent")
    except wechat.WeChatRefused as e:
        _settle(payload["notice"], "refused", e.errcode)
    except wechat.WeChatAway as e:
        if not getattr(e, "unsure", True):   # it never left: the job tries again
            _settle(payload["notice"], "queued")
            db.session.commit()
            raise


def _settle(notice_id: int, state: str, errcode: int | None = None) -> None:
    notice = db.session.get_one(Notice, notice_id)
    notice.state, notice.errcode = state, errcode
