"""Figures for the staff pages: counted, never changed. No query here touches a grade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import distinct, func, not_, select

from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Staff
from wxbackend.audit.models import AuditEntry
from wxbackend.ballots import tally as counting
from wxbackend.ballots.decisions import is_uncounted
from wxbackend.ballots.models import Ballot, Tally
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.draws import service as draws
from wxbackend.draws.models import Draw, Exclusion
from wxbackend.draws.tasks import agreed_to_be_told
from wxbackend.extensions import db
from wxbackend.notices.models import Notice
from wxbackend.results import turnout
from wxbackend.submissions.models import Submission
from wxbackend.tickets.models import Ticket


@dataclass(frozen=True)
class Counts:
    """How a campaign stands. `pending` screenshots wait for a person, the oldest since `oldest_at`."""

    people: int
    ballots: int
    tickets: int
    holders: int
    states: dict[str, int]          # submissions by state
    automatic: int                  # approved without a person
    oldest_at: datetime | None

    @property
    def pending(self) -> int:
        return self.states.get("pending", 0)

    @property
    def received(self) -> int:
        return sum(self.states.values())

    @property
    def by_hand(self) -> int:
        return self.states.get("approved", 0) - self.automatic


@dataclass(frozen=True)
class SourceRow:
    code: str
    name: str
    people: int
    ballots: int
    today: int


@dataclass(frozen=True)
class WinnersTold:
    winners: int
    agreed: int
    told: int


def counts(campaign: Campaign) -> Counts:
    ballots = sum(cell.counted for cell in counting.cells(campaign))
    tickets, holders = db.session.execute(select(func.count(), func.count(distinct(Ticket.person_id))).where(*_granted(campaign))).one()
    sent = Submission.campaign_id == campaign.id
    states = _pairs(select(Submission.state, func.count()).where(sent).group_by(Submission.state))
    by_receipt = select(func.count()).where(sent, Submission.state == "approved", Submission.decided_by.is_(None))
    automatic = db.session.scalar(by_receipt) or 0
    oldest = db.session.scalar(select(func.min(Submission.arrived_at)).where(sent, Submission.state == "pending"))
    voters = select(func.count(distinct(Ballot.person_id))).where(*_counted(campaign))
    people = db.session.scalar(voters if campaign.is_hosted else select(func.count(distinct(Submission.person_id))).where(sent)) or 0
    return Counts(people, ballots, tickets, holders, states, automatic, oldest)


def by_source(campaign: Campaign, today: date) -> list[SourceRow]:
    """One row per source in the campaign's order, then those who came without one."""
    grouped = select(Ballot.source_code, func.count(distinct(Ballot.person_id)), func.count()).where(*_counted(campaign))
    of_code = {code: (people, votes) for code, people, votes in db.session.execute(grouped.group_by(Ballot.source_code))}
    of_today = _pairs(select(Ballot.source_code, func.count()).where(*_counted(campaign), Ballot.day == today).group_by(Ballot.source_code))
    names = {source.code: source.name for source in campaign.sources}
    names |= {code: "没有带来源" for code in of_code if code not in names}
    return [SourceRow(code, name, *of_code.get(code, (0, 0)), of_today.get(code, 0)) for code, name in names.items()]


def by_day(campaign: Campaign) -> dict[date, int]:
    """{day: ballots that count}; for an external vote {day: tickets}, since the ballots are elsewhere."""
    if campaign.is_hosted:
        days: Counter[date] = Counter()
        for cell in counting.cells(campaign):
            days[cell.day] += cell.counted
        return dict(days)
    return _pairs(select(Ticket.day, func.count()).where(*_granted(campaign)).group_by(Ticket.day))


def pending(campaigns: Sequence[Campaign]) -> dict[int, tuple[int, datetime]]:
    """{campaign id: (screenshots that wait for a person, since when)}; only campaigns that have some and are not frozen."""
    still_open = [c.id for c in campaigns if c.frozen_at is None]
    rows = db.session.execute(
        select(Submission.campaign_id, func.count(), func.min(Submission.arrived_at))
        .where(Submission.state == "pending", Submission.campaign_id.in_(still_open)).group_by(Submission.campaign_id))
    return {campaign_id: (count, oldest) for campaign_id, count, oldest in rows}


def winners_told(draw: Draw) -> WinnersTold:
    """Once it is drawn: who of the winners agreed to be told, and whom a notice has reached."""
    winners = [award.person_id for award in draws.awards(draw, "winner")]
    about = {f"draw:{draw.id}:person:{accounts.surviving(person_id)}" for person_id in winners}
    reached = select(Notice.about).where(Notice.campaign_id == draw.campaign_id, Notice.kind == "result", Notice.state == "sent")
    return WinnersTold(len(winners), len(agreed_to_be_told(draw, winners)), len(about & set(db.session.scalars(reached))))


def votes(campaigns: Sequence[Campaign]) -> dict[int, tuple[int | None, int]]:
    """{campaign id: (people as last counted, ballots now)}; only campaigns that have some. Reads no ballot."""
    ids = [c.id for c in campaigns]
    rows = db.session.execute(select(Subject.campaign_id, func.sum(Tally.count)).join(Tally, Tally.subject_id == Subject.id)
                              .where(Subject.campaign_id.in_(ids)).group_by(Subject.campaign_id))
    people = {campaign_id: counted.people for campaign_id, counted in turnout.known(ids).items()}
    return {campaign_id: (people.get(campaign_id), int(count)) for campaign_id, count in rows}


def _counted(campaign: Campaign) -> tuple[Any, ...]:
    """The campaign's ballots that count."""
    return Ballot.campaign_id == campaign.id, Ballot.void_no == 0, not_(is_uncounted())


def _granted(campaign: Campaign) -> tuple[Any, Any]:
    return Ticket.campaign_id == campaign.id, Ticket.revoked_at.is_(None)


def _pairs(statement: Any) -> dict[Any, Any]:
    return {row[0]: row[1] for row in db.session.execute(statement)}


def twins(submission: Submission) -> list[Submission]:
    """The very same file sent by other people in this campaign, oldest first: a sign for the reviewer, never a verdict."""
    if not submission.image_sha256:
        return []
    query = select(Submission).where(Submission.campaign_id == submission.campaign_id, Submission.person_id != submission.person_id,
                                     Submission.image_sha256 == submission.image_sha256)
    return list(db.session.scalars(query.order_by(Submission.id).limit(5)))


def draws_of(campaigns: Sequence[Campaign]) -> dict[int, Draw]:
    """{campaign id: its draw}, for campaigns whose list is frozen."""
    rows = db.session.scalars(select(Draw).where(Draw.campaign_id.in_([c.id for c in campaigns])))
    return {draw.campaign_id: draw for draw in rows}


def exclusions(campaign: Campaign) -> list[Exclusion]:
    """Phones that may not win, oldest first: their keyed hashes, never the numbers."""
    return list(db.session.scalars(select(Exclusion).where(Exclusion.campaign_id == campaign.id).order_by(Exclusion.id)))


def log_page(actor: str, verbs: Sequence[str], before: int | None, most: int) -> list[AuditEntry]:
    """Entries of the log, newest first; empty filters let everything through. `before` is the id above which all was seen."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(most)
    if actor:
        query = query.where(AuditEntry.actor == actor)
    if verbs:
        query = query.where(AuditEntry.verb.in_(verbs))
    if before:
        query = query.where(AuditEntry.id < before)
    return list(db.session.scalars(query))


def staff() -> list[Staff]:
    return list(db.session.scalars(select(Staff).order_by(Staff.id)))
