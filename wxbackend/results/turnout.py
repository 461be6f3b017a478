"""How many people voted: counted by the worker, shown with its instant.

A counter kept with the votes would not be exact: two of a person's first votes in two processes both find no other, and a merge makes
one of two people who were both counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import distinct, func, not_, select

from wxbackend.ballots.decisions import is_uncounted
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, reading
from wxbackend.results.models import Turnout


def people(campaign: Campaign) -> int:
    """Who has a ballot that counts, each once. Looks at every ballot, without SQLite's write lock; ends the transaction."""
    query = select(func.count(distinct(Ballot.person_id)))
    query = query.where(Ballot.campaign_id == campaign.id, Ballot.void_no == 0, not_(is_uncounted()))
    db.session.commit()
    with reading():
        try:
            return db.session.scalar(query) or 0
        finally:
            db.session.rollback()


def keep(campaign_id: int, people: int, at: datetime) -> None:
    """Write down what was counted."""
    row = db.session.get(Turnout, campaign_id) or Turnout(campaign_id=campaign_id)
    row.people, row.at = people, at
    db.session.add(row)
    db.session.flush()


def known(campaign_ids: Iterable[int]) -> dict[int, Turnout]:
    """{campaign id: what was counted last}; nothing for campaigns that have not opened."""
    return {row.campaign_id: row for row in db.session.scalars(select(Turnout).where(Turnout.campaign_id.in_(list(campaign_ids))))}
