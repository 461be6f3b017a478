"""Telling a person something by the channels allowed, each attempt recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError

from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.notices.credits import NotByMiniProgram, add_credit, subscribed
from wxbackend.notices.models import Notice, NoticeAttempt
from wxbackend.notices.reports import on_report
from wxbackend.notices.sending import channels, send
from wxbackend.notices.windows import heard

__all__ = ["NotByMiniProgram", "Outcomes", "Undelivered", "add_credit", "forget_texts", "heard", "on_report", "outcomes", "send",
           "subscribed", "tell"]


@dataclass(frozen=True)
class Undelivered:
    """Why one channel did not take notices that reached nobody: WeChat's errcode, or our word for not asking."""

    channel: str
    errcode: int | None
    why: str
    count: int


@dataclass(frozen=True)
class Outcomes:
    """What became of a campaign's notices: {"sent": 28, "refused": 2}, the sent ones by channel, the refused ones by reason."""

    states: dict[str, int]
    sent: dict[str, int]
    undelivered: list[Undelivered]

    @property
    def total(self) -> int:
        return sum(self.states.values())


def tell(person_id: int, kind: str, text: str, at: datetime, *, data: Mapping[str, str] | None = None, url: str = "",
         campaign: Campaign | None = None, about: str | None = None) -> Notice | None:
    """Queue a notice in the caller's transaction; None where no channel could ever reach this person.

    `data` are the facts for templates, {"title", "result", "prize", "at", "tip"}: with them a subscribe or template message may carry it
    where the chat is closed. `about` ("draw:1:person:12") is told once: a second time gives the first notice.
    """
    person_id = accounts.surviving(person_id)   # what was sealed or drawn names her as she was then
    able = channels(person_id, bool(data))
    if not able:
        return None
    appid = settings.account_appid if able != ["subscribe"] else settings.miniprogram_appid
    query = select(Identity.id).where(Identity.person_id == person_id, Identity.appid == appid)
    notice = Notice(identity_id=db.session.scalars(query.order_by(Identity.id).limit(1)).one(), kind=kind, about=about, text=text, url=url,
                    campaign_id=campaign.id if campaign else None, facts=dict(data) if data else None, state="queued", created_at=at)
    try:
        with db.session.begin_nested():
            db.session.add(notice)
    except IntegrityError:
        told = db.session.scalar(select(Notice).where(Notice.about == about)) if about else None
        if told is None:
            raise
        return told
    jobs.enqueue("notices.send", {"notice": notice.id}, at, dedupe=f"notice:{notice.id}")
    return notice


def forget_texts(kind: str, before: datetime) -> None:
    """Empty what was said in settled notices of a kind: late replies hold links and masked names, which live a day elsewhere, too."""
    old = update(Notice).where(Notice.kind == kind, Notice.created_at < before, Notice.state != "queued", Notice.text != "")
    db.session.execute(old.values(text=""), execution_options={"synchronize_session": False})


def outcomes(campaign: Campaign) -> Outcomes:
    """How many people were told, by what, and why not."""
    ours = Notice.campaign_id == campaign.id
    states = select(Notice.state, func.count()).where(ours).group_by(Notice.state)
    attempts = select(NoticeAttempt.channel, func.count()).join(NoticeAttempt.notice).where(ours)
    sent = attempts.where(Notice.state == "sent", NoticeAttempt.state == "sent").group_by(NoticeAttempt.channel)
    reason = (NoticeAttempt.channel, NoticeAttempt.errcode, NoticeAttempt.why)
    missed = select(*reason, func.count()).join(NoticeAttempt.notice).where(ours, Notice.state == "refused").group_by(*reason)
    rows = sorted(db.session.execute(missed), key=lambda row: (row[0], -row[3], row[1] or 0, row[2]))
    return Outcomes(_counts(states), _counts(sent), [Undelivered(*row) for row in rows])


def _counts(statement: Select[str, int]) -> dict[str, int]:
    return {row[0]: row[1] for row in db.session.execute(statement)}
