"""What becomes of ballots when two persons turn out to be one: all are hers, the earlier of a day counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from wxbackend.accounts import service as accounts
from wxbackend.accounts.merge import Facts
from wxbackend.ballots import decisions
from wxbackend.ballots.models import Ballot
from wxbackend.extensions import db


@accounts.follows
def follow(old_id: int, new_id: int, at: datetime) -> Facts:
    """Every ballot becomes the surviving person's. Of two live ones for one thing and day the later is voided: it keeps its row and
    gets the next void_no and a decision, and what it counted goes in the same transaction. Whether the earlier one counts, or was set
    aside, makes no difference: a second vote does not stand in for a first one that was rejected.

    Frozen campaigns are no exception: no trigger seals the ballots, and a person has one vote a day whenever that comes to light.
    {"ballots_moved": 3, "ballots_voided": [12]}
    """
    theirs = list(db.session.scalars(select(Ballot).where(Ballot.person_id == old_id).order_by(Ballot.cast_at, Ballot.id)))
    voided = [void for void in (_take_over(ballot, new_id) for ballot in theirs) if void is not None]
    gone = [ballot.id for ballot in voided]
    decisions.void(gone, at)
    return {"ballots_moved": len(theirs), "ballots_voided": gone}


def _take_over(ballot: Ballot, new_id: int) -> Ballot | None:
    """Re-key one ballot; the one that had to give way for it, or that gave way itself."""
    hers = (Ballot.quota_key == ballot.quota_key, Ballot.person_id == new_id, Ballot.day == ballot.day)
    rival = db.session.scalar(select(Ballot).where(*hers, Ballot.void_no == 0)) if ballot.void_no == 0 else None
    free = (db.session.scalar(select(func.max(Ballot.void_no)).where(*hers)) or 0) + 1
    gives_way = None
    if rival is not None and (rival.cast_at, rival.id) > (ballot.cast_at, ballot.id):
        rival.void_no, gives_way = free, rival
        db.session.flush()   # its place is free now
    elif rival is not None:
        ballot.void_no, gives_way = free, ballot
    elif ballot.void_no:
        ballot.void_no = free
    ballot.person_id = new_id
    db.session.flush()
    return gives_way
