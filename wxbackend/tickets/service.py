"""Granting and revoking chances; after the freeze neither."""

from __future__ import annotations

import hmac
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Person
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.tickets import events
from wxbackend.tickets.models import Ticket


class AlreadyFrozen(Problem):
    status, type, title = 409, "draw-already-frozen", "签号名单已经封存，谁也改不了啦。"
    hint = "名单和指纹都在抽奖公示里，可以自己查。"


def ticket_id(key: bytes, person_key: str, day: date, activity: str, n: int) -> str:
    """16 hex characters. Source: draw protocol wxdraw/1, part 1."""
    return hmac.new(key, f"ticket|{person_key}|{day}|{activity}|{n}".encode(), "sha256").hexdigest()[:16]


def person_tag(key: bytes, person_key: str) -> str:
    """16 hex characters by which one person's tickets are joined in one campaign, and in no other."""
    return hmac.new(key, f"person|{person_key}".encode(), "sha256").hexdigest()[:16]


def grant(campaign: Campaign, person_id: int, day: date, activity: str, at: datetime, n: int = 1, receipt_id: str = "") -> Ticket:
    """The person's ticket of that day and activity, made if it is not there; `receipt_id` is the vote behind it. Raises AlreadyFrozen.

    The campaign's row is held shared until the end of the transaction, so that a freeze waits for grants under way
    and none slips in behind it; the trigger on `ticket` refuses whatever comes later.
    """
    _still_open(campaign, at)
    found = _find(campaign, person_id, day, activity, n)
    if found is None:
        try:
            with db.session.begin_nested():
                found = _new(campaign, person_id, day, activity, n, at, receipt_id)
        except IntegrityError:
            found = _find(campaign, person_id, day, activity, n)
    assert found is not None
    if found.revoked_at is not None:
        found.revoked_at, found.revoked_why = None, None
        events.granted(found, campaign.slug, receipt_id, at)
    return found


def revoke(ticket: Ticket, why: str, at: datetime) -> None:
    """Take a ticket back, before the freeze only. Raises AlreadyFrozen."""
    _still_open(db.session.get_one(Campaign, ticket.campaign_id), at)
    if ticket.revoked_at is None:
        ticket.revoked_at, ticket.revoked_why = at, why
        events.revoked(ticket, at)


def of(campaign: Campaign, person_id: int) -> list[Ticket]:
    """A person's tickets that count, oldest day first; in a frozen campaign also those of whoever was merged into her since."""
    hers = Ticket.person_id.in_(accounts.all_ids(person_id))
    query = select(Ticket).where(Ticket.campaign_id == campaign.id, hers, Ticket.revoked_at.is_(None))
    return list(db.session.scalars(query.order_by(Ticket.day, Ticket.id)))


def live(campaign: Campaign) -> list[Ticket]:
    """Every ticket that counts, by ticket id."""
    query = select(Ticket).where(Ticket.campaign_id == campaign.id, Ticket.revoked_at.is_(None))
    return list(db.session.scalars(query.order_by(Ticket.ticket_id)))


def _still_open(campaign: Campaign, at: datetime) -> None:
    frozen = db.session.scalar(select(Campaign.frozen_at).where(Campaign.id == campaign.id).with_for_update(read=True))
    if frozen is not None or at >= campaign.freeze_at:
        raise AlreadyFrozen()


def _find(campaign: Campaign, person_id: int, day: date, activity: str, n: int) -> Ticket | None:
    return db.session.scalar(select(Ticket).where(Ticket.campaign_id == campaign.id, Ticket.person_id == person_id,
                                                  Ticket.day == day, Ticket.activity == activity, Ticket.n == n))


def _new(campaign: Campaign, person_id: int, day: date, activity: str, n: int, at: datetime, receipt_id: str) -> Ticket:
    key = db.session.get_one(Person, person_id).public_id
    ticket = Ticket(campaign_id=campaign.id, person_id=person_id, day=day, activity=activity, n=n,
                    ticket_id=ticket_id(campaign.ticket_key, key, day, activity, n), granted_at=at)
    db.session.add(ticket)
    events.granted(ticket, campaign.slug, receipt_id, at)
    return ticket
