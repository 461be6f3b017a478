"""The product's clock is stepped while people vote, and midnight falls into a rush. In the test environment, where an offset kept in SQL
moves the clock of all processes together."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from bench.drills.crowd import Rush, Vote, each
from bench.drills.reckoning import Drill, Row, reckon, stored
from bench.drills.site import Site
from wxbackend import clock
from wxbackend.extensions import db

VOTES = 1200
STEPS = (timedelta(minutes=4), timedelta(minutes=-8), timedelta(minutes=4))   # less than a captcha's ten minutes
BEFORE_MIDNIGHT = timedelta(seconds=2)
STOPS_AFTER = timedelta(seconds=2)
A_RUSH = 4000               # more than anybody can send in that time
NOTICED_SECONDS = 1.0       # a process looks at the offset three times a second


def stepped(here: Site, row: Row) -> None:
    """Forward, back, forward, as a machine's clock that is set by hand; away from midnight, so that a person's day stays the same."""
    _set(here.now().astimezone(here.zone).replace(hour=12))
    time.sleep(NOTICED_SECONDS)
    votes = here.votes(VOTES)
    rush = Rush(here.app.urls, votes).start()
    for n, step in enumerate(STEPS, 1):
        rush.wait_for(VOTES * n // (len(STEPS) + 1))
        _set(here.now() + step)
    rush.join()
    row.meanwhile = f"{len(STEPS)} steps of up to {max(map(abs, STEPS)) // timedelta(minutes=1)} min"
    _days_agree(votes, row)
    reckon(here, votes, row)


def midnight(here: Site, row: Row) -> None:
    """The day changes within a rush: each vote counts for the day its receipt says; who voted before midnight has another vote after it,
    who voted after it has none."""
    twelve = (here.now().astimezone(here.zone) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    _set(twelve - timedelta(minutes=5))
    coming = here.votes(A_RUSH)
    _set(twelve - BEFORE_MIDNIGHT)
    rush = Rush(here.app.urls, coming).start()
    time.sleep((BEFORE_MIDNIGHT + STOPS_AFTER) / timedelta(seconds=1))
    rush.stop()
    rush.join()
    votes = [vote for vote in coming if vote.answers]
    _days_agree(votes, row)
    _second_day(here, votes, twelve, row)
    reckon(here, votes, row)


MOVABLE = {"environment": "test"}   # elsewhere the product follows the wall's clock alone
DRILLS = {"clock": Drill("clock stepped", stepped, MOVABLE), "midnight": Drill("midnight in a rush", midnight, MOVABLE)}


def _second_day(here: Site, votes: list[Vote], twelve: datetime, row: Row) -> None:
    today = twelve.date().isoformat()
    told = [vote for vote in votes if vote.receipt_id]
    yesterdays, todays = ([vote for vote in told if (vote.day == today) is is_today] for is_today in (False, True))
    row.meanwhile = f"{len(yesterdays)} before, {len(todays)} after"
    if not yesterdays or not todays:
        row.faults.append("midnight did not fall into the rush")
    for people, expected in ((yesterdays, 201), (todays, 409)):
        again = here.again(people)
        each(here.app.urls, again, lambda client, vote: vote.hear(client.ask("POST", vote.path, vote.citizen, vote.body)))
        wrong = [vote.answers[-1].status for vote in again if vote.answers[-1].status != expected]
        row.doubled += sum(status == 201 for status in wrong)
        row.faults += [f"{len(wrong)} second votes were answered with {set(wrong)}, not {expected}"] if wrong else []


def _days_agree(votes: list[Vote], row: Row) -> None:
    """What a receipt says is what the ballot says."""
    found = stored(votes)
    wrong = sum(bool(vote.receipt_id) and str(found[vote.citizen.person_id].get(vote.receipt_id)) != vote.day for vote in votes)
    row.faults += [f"{wrong} receipts name another day than their ballot"] if wrong else []


def _set(instant: datetime) -> None:
    clock.move_to(instant)
    db.session.commit()
