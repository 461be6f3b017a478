"""The ballot box from outside: cast, look up, count."""

from __future__ import annotations

from datetime import datetime

from wxbackend.accounts.service import Voter
from wxbackend.ballots.admission import admit, live_of
from wxbackend.ballots.box import cast_many
from wxbackend.ballots.receipts import (
    Receipt,
    ReceiptUnknown,
    ReceiptVoided,
    by_code,
    read_token,
    receipt_of,
    receipt_on,
    receipts_of,
)
from wxbackend.ballots.tally import Difference, recount, tally
from wxbackend.ballots.votes import (
    AlreadyVoted,
    Ask,
    CampaignClosed,
    CampaignNotOpen,
    DatabaseLost,
    GradeNotOffered,
    NotHosted,
    Outcome,
    TooManyAtOnce,
    Vote,
    check_open,
    known_source,
    quota_key,
)
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.extensions import db

__all__ = ["AlreadyVoted", "Ask", "CampaignClosed", "CampaignNotOpen", "DatabaseLost", "Difference", "GradeNotOffered", "NotHosted",
           "Outcome", "Receipt", "ReceiptUnknown", "ReceiptVoided", "TooManyAtOnce", "Vote", "by_code", "cast", "cast_many", "check_open",
           "known_source", "quota_key", "read_token", "receipt_of", "receipt_on", "receipts_of", "recount", "tally", "today"]


def cast(campaign: Campaign, subject: Subject, voter: Voter, grade: str, captcha_id: str, answer: str, at: datetime,
         source_code: str = "") -> Outcome:
    """Cast today's ballot, or return the one this very request made before.

    Raises what `admission.admit` raises, AlreadyVoted, DatabaseLost. A batch of one; a server's requests go together (`committer.cast`).
    """
    vote = admit(Ask(campaign, subject, grade, captcha_id, answer, at, source_code), voter)
    if isinstance(vote, Outcome):
        return vote
    outcome = cast_many([vote], at)[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def today(campaign: Campaign, subject: Subject, person_id: int, at: datetime) -> Receipt | None:
    """Today's receipt, if she has voted."""
    ballot = db.session.scalar(live_of(quota_key(campaign, subject), person_id, campaign.day(at)))
    return receipt_of(ballot) if ballot else None
