"""What becomes of tickets when two persons turn out to be one: one a day is left, and what is sealed stays sealed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from wxbackend.accounts import service as accounts
from wxbackend.accounts.merge import Facts
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.tickets import events
from wxbackend.tickets.models import Ticket

WHY = "同一个人从两个入口参加，一天只算一个签号"
ASIDE = 1_000_000   # added to `n` while two tickets change places


@accounts.follows
def follow(old_id: int, new_id: int, at: datetime) -> Facts:
    """Tickets go to the surviving person; of two for one day and activity the one granted first counts, the other is revoked.

    The loser stays under the person who went, the winner with the one who stayed. `ticket_id` stays as it was given. From `freeze_at`
    on nothing moves: a late merge would choose the list, and with it the draw. Whoever reads a frozen campaign asks `all_ids`.
    {"tickets_moved": 2, "tickets_revoked": 1, "left_in_frozen_campaigns": 0}
    """
    theirs = list(db.session.scalars(select(Ticket).where(Ticket.person_id == old_id).order_by(Ticket.granted_at, Ticket.id)))
    open_ones = campaigns.still_changing({ticket.campaign_id for ticket in theirs}, at)
    moved = revoked = 0
    for ticket in [t for t in theirs if t.campaign_id in open_ones]:
        rival = db.session.scalar(select(Ticket).where(*_key(ticket), Ticket.person_id == new_id))
        if rival is None:
            ticket.person_id = new_id
            moved += 1
        elif _rank(ticket) < _rank(rival):
            revoked += _give_up(rival, at)
            _change_places(ticket, rival)
            moved += 1
        else:
            revoked += _give_up(ticket, at)
        db.session.flush()
    return {"tickets_moved": moved, "tickets_revoked": revoked,
            "left_in_frozen_campaigns": sum(t.campaign_id not in open_ones for t in theirs)}


def _key(ticket: Ticket) -> tuple:
    return (Ticket.campaign_id == ticket.campaign_id, Ticket.day == ticket.day, Ticket.activity == ticket.activity, Ticket.n == ticket.n)


def _rank(ticket: Ticket) -> tuple:
    """A ticket that counts before one that was revoked, then the earlier grant."""
    return ticket.revoked_at is not None, ticket.granted_at, ticket.id


def _give_up(ticket: Ticket, at: datetime) -> bool:
    if ticket.revoked_at is not None:
        return False
    ticket.revoked_at, ticket.revoked_why = at, WHY
    events.revoked(ticket, at)
    return True


def _change_places(ticket: Ticket, rival: Ticket) -> None:
    old_id, new_id, n = ticket.person_id, rival.person_id, ticket.n
    ticket.n = n + ASIDE   # (campaign, person, day, activity, n) stands once at every moment
    db.session.flush()
    rival.person_id = old_id
    db.session.flush()
    ticket.person_id, ticket.n = new_id, n
