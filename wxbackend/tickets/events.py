"""What becomes of tickets, written down in the transaction in which it happens."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from wxbackend import keys
from wxbackend.extensions import db
from wxbackend.tickets.models import Ticket, TicketEvent


def granted(ticket: Ticket, slug: str, receipt_id: str, at: datetime) -> None:
    _write(ticket, "granted", at, evidence=evidence(slug, receipt_id) if receipt_id else "")


def revoked(ticket: Ticket, at: datetime) -> None:
    """After `revoked_why` is set."""
    _write(ticket, "revoked", at, why=ticket.revoked_why or "")


def evidence(slug: str, receipt_id: str) -> str:
    """The commitment to the vote behind a grant, 64 hex characters: SHA-256(HMAC(key, receipt id) ‖ receipt id).

    Its key is not that of the vote's own line in the log: nobody but us joins a ticket to a line, and by it to a grade.
    """
    blind = hmac.digest(keys.derive(f"ticket-evidence|{slug}"), receipt_id.encode(), "sha256")
    return hashlib.sha256(blind + receipt_id.encode()).hexdigest()


def _write(ticket: Ticket, verb: str, at: datetime, evidence: str = "", why: str = "") -> None:
    db.session.flush()   # a new ticket has its number now
    db.session.add(TicketEvent(campaign_id=ticket.campaign_id, ticket_row_id=ticket.id, ticket_id=ticket.ticket_id,
                               person_id=ticket.person_id, verb=verb, day=ticket.day, activity=ticket.activity, n=ticket.n,
                               evidence=evidence, why=why, at=at))
    db.session.flush()
