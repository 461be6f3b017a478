"""What has become of one day's vote: read at every look at a success page, so in one statement."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, and_, bindparam, or_, select

from wxbackend.accounts import service as accounts
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import Instant, db
from wxbackend.submissions.models import Entrant, Submission
from wxbackend.tickets.models import Ticket

_TICKET, _SENT, _ENTRANT = Ticket.__table__.c, Submission.__table__.c, Entrant.__table__.c
_HERS: BindParameter[Any] = bindparam("hers", expanding=True)
_DAY: BindParameter[Any] = bindparam("day")
_CAMPAIGN: BindParameter[Any] = bindparam("campaign")


class Standing(NamedTuple):
    ticket_id: str | None    # of that day; None: none yet
    is_sent: bool            # a picture or a tap of that day waits to be looked at
    has_entered: bool        # takes part in the draw


_ASK = select(
    select(_TICKET.ticket_id).where(_TICKET.campaign_id == _CAMPAIGN, _TICKET.person_id.in_(_HERS), _TICKET.revoked_at.is_(None),
                                    _TICKET.day == _DAY).order_by(_TICKET.id).limit(1).scalar_subquery(),
    select(_SENT.id).where(
        _SENT.campaign_id == _CAMPAIGN, _SENT.person_id.in_(_HERS), _SENT.state.in_(("pending", "arriving")),
        or_(_SENT.day == _DAY, and_(_SENT.day.is_(None), _SENT.evidence_at >= bindparam("begins", type_=Instant),
                                    _SENT.evidence_at < bindparam("ends", type_=Instant))),
    ).limit(1).scalar_subquery(),
    select(_ENTRANT.id).where(_ENTRANT.campaign_id == _CAMPAIGN, _ENTRANT.person_id.in_(_HERS), _ENTRANT.withdrawn_at.is_(None)
                              ).limit(1).scalar_subquery(),
)


def of_day(campaign: Campaign, person_id: int, day: date) -> Standing:
    """Of one local day; in a frozen campaign also what stayed with whoever was merged into her since."""
    begins, ends = (datetime.combine(one, time(), ZoneInfo(campaign.zone)) for one in (day, day + timedelta(days=1)))
    which = {"campaign": campaign.id, "hers": accounts.all_ids(person_id), "day": day, "begins": begins, "ends": ends}
    ticket_id, sent, entrant = db.session.execute(_ASK, which).one()
    return Standing(ticket_id, sent is not None, entrant is not None)
