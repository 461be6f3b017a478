"""What is looked at after a drill: is every confirmed vote there, once, and do all counts agree?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import select

from bench.drills.crowd import ACKNOWLEDGED, Answer, Client, Vote, each, receipt_id_of
from bench.drills.site import Site
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.extensions import db

Kept = dict[int, dict[str, date]]
ROWS = 500
ROUNDS, PAUSE_SECONDS = 10, 0.5   # an installation that has just been through something


@dataclass
class Row:
    """One drill on one database. `lost`: confirmed and not there. `doubled`: two ballots of one person and day, or a confirmed vote
    accepted again. `untold`: stored though nobody was told before the connection broke; the retry found it."""

    drill: str
    engine: str
    kills: int = 0
    votes: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    untold: int = 0
    tally_equal: bool = True
    log_verified: bool = True
    seconds: float = 0.0
    meanwhile: str = ""             # what this drill is about besides
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.tally_equal and self.log_verified and not (self.lost or self.doubled or self.faults)


class Drill(NamedTuple):
    """What is done to an installation, and the settings the installation is started with; `small_disk` is one of them."""

    title: str
    run: Callable[[Site, Row], None]
    settings: Mapping[str, Any] = MappingProxyType({})


def reckon(site: Site, votes: list[Vote], row: Row) -> None:
    """Look for every confirmed receipt in the database and through the API, have everybody retry, compare the counts."""
    site.look_afresh()
    kept = stored(votes)
    row.votes += len(votes)
    row.acknowledged += sum(bool(vote.receipt_id) for vote in votes)
    row.lost += sum(bool(vote.receipt_id) and vote.receipt_id not in kept[vote.citizen.person_id] for vote in votes)
    row.untold += sum(vote.was_stored_untold or (not vote.receipt_id and bool(kept[vote.citizen.person_id])) for vote in votes)
    row.lost += _missing_in_the_api(site, votes)
    _retry(site, votes, kept, row)
    site.look_afresh()
    row.doubled += sum(len(set(ids.values())) < len(ids) for ids in stored(votes).values())
    _compare(site, row)


def stored(votes: Sequence[Vote]) -> Kept:
    """The live ballots of these people: {person id: {receipt id: day}}."""
    found: Kept = defaultdict(dict)
    people = [vote.citizen.person_id for vote in votes]
    for start in range(0, len(people), ROWS):
        mine = (Ballot.person_id.in_(people[start:start + ROWS]), Ballot.void_no == 0)
        for person_id, receipt_id, day in db.session.execute(select(Ballot.person_id, Ballot.receipt_id, Ballot.day).where(*mine)):
            found[person_id][receipt_id] = day
    db.session.rollback()
    return found


def _missing_in_the_api(site: Site, votes: list[Vote]) -> int:
    missing: list[Vote] = []

    def look(client: Client, vote: Vote) -> None:
        for _ in range(ROUNDS):
            answer = client.ask("GET", "/me/receipts", vote.citizen)
            if answer.status == 200 and vote.receipt_id in {receipt_id_of(one) for one in answer.body}:
                return
            time.sleep(PAUSE_SECONDS if answer.status != 200 else 0)
        missing.append(vote)

    each(site.app.urls, [vote for vote in votes if vote.receipt_id], look)
    return len(missing)


def _retry(site: Site, votes: list[Vote], kept: Kept, row: Row) -> None:
    """Everybody once more with a fresh captcha: who has voted today hears of her own receipt, everybody else is accepted now."""
    today, known = site.today, defaultdict[int, set[str]](set)
    for vote in votes:
        here = known[vote.citizen.person_id]
        here.update(receipt_id for receipt_id, day in kept[vote.citizen.person_id].items() if day == today)
        here.update({vote.receipt_id} if vote.day == today.isoformat() else ())
    left = votes
    for _ in range(ROUNDS):
        left = site.again(left)
        each(site.app.urls, left, lambda client, vote: vote.hear(client.ask("POST", vote.path, vote.citizen, vote.body)))
        for vote in left:
            judge(vote, known[vote.citizen.person_id], row)
        left = [vote for vote in left if vote.answers[-1].status not in ACKNOWLEDGED]
        if not left:
            return
        time.sleep(PAUSE_SECONDS)
    row.faults += [f"{len(left)} retries were never answered, the last with {left[-1].answers[-1].status} {_kind(left[-1].answers[-1])}"]


def judge(vote: Vote, known: set[str], row: Row) -> None:
    """The answer to a retry, of somebody whose ballots of today are `known`."""
    answer = vote.answers[-1]
    if answer.status == 201 and known:
        row.doubled += 1
    elif answer.status in ACKNOWLEDGED and known and answer.receipt_id not in known:
        row.faults.append("a retry was answered with another receipt")


def _compare(site: Site, row: Row) -> None:
    differences = ballots.recount(site.campaign)
    row.tally_equal = row.tally_equal and not differences
    row.faults += [f"tally: {difference}" for difference in differences]
    for command in ("head", "verify"):   # what waits is entered, then every line is held against its row
        told = site.product.test_cli_runner().invoke(args=["log", command, site.campaign.slug])
        if told.exit_code:
            row.log_verified = False
            row.faults.append(f"log {command}: {told.output.strip()[-300:]}")
    db.session.rollback()


def _kind(answer: Answer) -> str:
    return str(answer.body.get("type", "")) if isinstance(answer.body, dict) else ""
