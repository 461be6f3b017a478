"""Credits of subscribe messages: one accept in the mini program is one message, spent on the draw's result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from config.notice_templates import NoticeTemplate, parse
from wxbackend.accounts.models import Identity
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.notices.models import NoticeCredit
from wxbackend.problems import Invalid, Problem

TWIN = timedelta(minutes=10)   # the page's word and the event's are of one tap


class NotByMiniProgram(Problem):
    """A subscribe message is allowed to a mini program, by whoever came through it."""

    status, type, title = 409, "not-by-miniprogram", "开奖提醒要在小程序里订阅。"
    hint = "不订阅也没关系，结果都在“我的”里。"


def template() -> NoticeTemplate | None:
    """The subscribe template of the draw's result, None where there is none."""
    return parse(settings.notice_template) if settings.has_miniprogram else None


def add_credit(identity: Identity, campaign: Campaign, template_id: str, is_accepted: bool, at: datetime) -> tuple[NoticeCredit, bool]:
    """What she answered to `wx.requestSubscribeMessage`, and whether it is the first answer here. Her last word counts.

    Raises NotByMiniProgram, Invalid for a template that is not ours.
    """
    ours = template()
    if ours is None or template_id != ours.id:
        raise Invalid(errors=[{"pointer": "#/template_id", "detail": "没有这个模板。"}])
    if identity.appid != settings.miniprogram_appid:
        raise NotByMiniProgram()
    return _keep(identity.id, template_id, campaign.id, is_accepted, at)


def _keep(identity_id: int, template_id: str, campaign_id: int, is_accepted: bool, at: datetime) -> tuple[NoticeCredit, bool]:
    state = "available" if is_accepted else "refused"
    # The same tap twice at once queues here: two who meet at the unique key instead wait for each other on MariaDB.
    db.session.execute(select(Identity.id).where(Identity.id == identity_id).with_for_update())
    found = db.session.scalar(select(NoticeCredit).where(
        NoticeCredit.identity_id == identity_id, NoticeCredit.template_id == template_id, NoticeCredit.campaign_id == campaign_id))
    if found is None:
        found = NoticeCredit(identity_id=identity_id, template_id=template_id, campaign_id=campaign_id, state=state, given_at=at)
        db.session.add(found)
        db.session.flush()
        return found, True
    found.state, found.given_at, found.used_at = state, at, None if is_accepted else found.used_at
    db.session.flush()
    return found, False


def subscribed(campaign: Campaign, person_ids: Sequence[int]) -> set[int]:
    """Who of these people allowed a message about this campaign's result and has not had it."""
    query = select(Identity.person_id).join(NoticeCredit, NoticeCredit.identity_id == Identity.id).where(
        NoticeCredit.campaign_id == campaign.id, NoticeCredit.state == "available", Identity.person_id.in_(person_ids))
    return set(db.session.scalars(query))


def spend(identity_id: int, template_id: str, campaign_id: int | None, at: datetime) -> int | None:
    """Take a credit in the caller's transaction, this campaign's first; its id, None where there is none.

    WeChat counts by person and template alone, so another campaign's serves as well: what she allowed is the template's sentence.
    """
    query = select(NoticeCredit.id, NoticeCredit.campaign_id).where(
        NoticeCredit.identity_id == identity_id, NoticeCredit.template_id == template_id, NoticeCredit.state == "available")
    rows = sorted(db.session.execute(query.order_by(NoticeCredit.given_at)), key=lambda row: row.campaign_id != campaign_id)
    return next((row.id for row in rows if _turn(row.id, "available", state="used", used_at=at)), None)


def give_back(credit_id: int) -> None:
    """The message never left, or was refused for a reason of ours: the credit is still there."""
    _turn(credit_id, "used", state="available", used_at=None)


def take_back(identity_id: int, template_id: str) -> None:
    """She switched the messages off in the mini program's settings: none of them may come any more."""
    _execute(update(NoticeCredit).where(NoticeCredit.identity_id == identity_id, NoticeCredit.template_id == template_id,
                                        NoticeCredit.state == "available").values(state="refused"))


def answered(identity_id: int, template_id: str, is_accepted: bool, campaign: Campaign, at: datetime) -> None:
    """WeChat's own event of an answer. The page mostly told us before it, and for which campaign: then only a no is new.

    Without the page's word (it was closed at once) it counts for `campaign`.
    """
    query = select(NoticeCredit.campaign_id, NoticeCredit.given_at).where(NoticeCredit.identity_id == identity_id,
                                                                          NoticeCredit.template_id == template_id)
    twins = [row.campaign_id for row in db.session.execute(query) if abs(row.given_at - at) <= TWIN]
    for campaign_id in twins or [campaign.id]:
        if not (twins and is_accepted):
            _keep(identity_id, template_id, campaign_id, is_accepted, at)


def _turn(credit_id: int, was: str, **values: Any) -> bool:
    """Whether its state was that still: two notices at once do not spend one credit."""
    return _execute(update(NoticeCredit).where(NoticeCredit.id == credit_id, NoticeCredit.state == was).values(**values)) == 1


def _execute(statement: Any) -> int:
    return db.session.execute(statement.execution_options(synchronize_session=False)).rowcount   # type: ignore[attr-defined]
