"""Lines enter once, in an order that tells nothing, whoever works at it and whatever happens in between."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from tests.ballots.log.conftest import GRADES, HOUR, put_in
from tests.factories import NOON, cast, enter, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.audit import merkle
from wxbackend.ballots import decisions
from wxbackend.ballots.log import heads, rules, sequence, waiting
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.models import LogCursor, LogLeaf, LogNode
from wxbackend.ballots.log.waiting import Book
from wxbackend.ballots.models import Ballot
from wxbackend.ballots.tally import tally
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

MIDNIGHT = NOON.replace(day=7, hour=0, minute=5)


@pytest.fixture
def box(any_app):
    """A campaign on each engine, another beside it."""
    other = make_campaign(slug="futian-2022-other")
    put_in(other, 3, first_person=900)
    return make_campaign()


def lines(campaign, kind: str = "vote") -> list[LogLeaf]:
    db.session.rollback()
    return list(db.session.scalars(select(LogLeaf).where(LogLeaf.campaign_id == campaign.id, LogLeaf.kind == kind).order_by(LogLeaf.seq)))


def refs(campaign) -> list[int]:
    return [leaf.ref for leaf in lines(campaign)]


def ids(campaign) -> list[int]:
    return list(db.session.scalars(select(Ballot.id).where(Ballot.campaign_id == campaign.id).order_by(Ballot.id)))


def test_nine_votes_wait_and_ten_enter_together_sorted_by_their_hashes(box):
    put_in(box, 9)
    log.keep_up(box, NOON)
    assert lines(box) == []
    put_in(box, 1, first_person=50)
    log.keep_up(box, NOON)
    assert lines(box) == [], "they enter with the next hour's head"
    log.keep_up(box, NOON + timedelta(hours=1))
    assert sorted(refs(box)) == ids(box)
    hashes = [leaf.hash for leaf in lines(box)]
    assert hashes == sorted(hashes) and refs(box) != ids(box)


def test_ten_of_one_day_and_subject_are_needed(box):
    put_in(box, 6)
    put_in(box, 6, NOON + timedelta(days=1), first_person=50)
    log.keep_up(box, NOON)
    assert lines(box) == []


def test_the_end_of_the_day_takes_in_however_few_there_are(box):
    put_in(box, 2)
    put_in(box, 2, MIDNIGHT, first_person=50)
    log.keep_up(box, MIDNIGHT)
    assert refs(box) == ids(box)[:2] or refs(box) == ids(box)[1::-1]
    assert [head.kind for head in log.heads_of(box)][-1] == "day" and log.heads_of(box)[-1].day == NOON.date()


def test_a_smaller_id_that_is_committed_later_is_not_skipped(box):
    put_in(box, 12)
    newest = select(Ballot.__table__).where(Ballot.campaign_id == box.id).order_by(Ballot.id.desc()).limit(1)
    row = dict(db.session.execute(newest).mappings().one())
    numbered = [row | {"id": row["id"] + n, "receipt_id": f"NUMBER{n:010d}", "captcha_hash": f"{n}", "person_id": 900 + n}
                for n in range(3, 15)]
    db.session.execute(insert(Ballot.__table__), numbered[1:])
    db.session.commit()
    log.keep_up(box, NOON + 3 * HOUR)
    assert len(lines(box)) == 23 and db.session.get_one(LogCursor, box.id).ballots_to == numbered[-1]["id"]
    db.session.rollback()
    db.session.execute(insert(Ballot.__table__).values(numbered[0]))   # its number was given before, its commit comes now
    db.session.commit()
    log.keep_up(box, MIDNIGHT)
    assert sorted(refs(box)) == ids(box) and numbered[0]["id"] in refs(box)


def test_where_the_next_look_begins_stays_an_hour_behind_and_before_whoever_waits(box):
    put_in(box, 12, NOON)
    put_in(box, 3, NOON + HOUR, day=NOON.date() + timedelta(days=1), first_person=50)
    put_in(box, 12, NOON + HOUR, first_person=80)
    log.keep_up(box, NOON + HOUR)
    known = ids(box)
    assert db.session.get_one(LogCursor, box.id).ballots_to == known[11]
    db.session.rollback()
    log.keep_up(box, NOON + 5 * HOUR)
    db.session.expire_all()
    assert db.session.get_one(LogCursor, box.id).ballots_to == known[11], "three wait behind it"


def test_a_large_box_is_caught_up_in_batches_and_no_rest_stands_alone(box, monkeypatch):
    monkeypatch.setattr(waiting, "AT_ONCE", 300)
    sizes: list[int] = []
    really = sequence._append
    monkeypatch.setattr(sequence, "_append", lambda book, found: sizes.append(len(found)) or really(book, found))
    put_in(box, 905)
    log.keep_up(box, NOON)
    votes = [size for size in sizes if size > 1]
    assert sum(votes) == 905 and max(votes) <= 300 and min(votes) >= rules.LEAST
    assert len(set(refs(box))) == 905


def test_the_stored_tree_is_that_of_the_lines(box):
    put_in(box, 700)
    log.keep_up(box, NOON)
    leaves = [leaf.encode() for leaf in db.session.scalars(select(LogLeaf.data).where(LogLeaf.campaign_id == box.id).order_by(LogLeaf.seq))]
    nodes = list(db.session.scalars(select(LogNode).where(LogNode.campaign_id == box.id).order_by(LogNode.level, LogNode.number)))
    assert [(n.level, n.number) for n in nodes] == [(8, 0), (8, 1)]
    assert [n.hash for n in nodes] == [merkle.root(leaves[:256]).hex(), merkle.root(leaves[256:512]).hex()]


def test_tickets_enter_with_the_hour_and_voids_with_the_day(box):
    amei, chen = make_voter("阿美"), make_voter("老陈")
    cast(box, amei)
    cast(box, chen)
    enter(box, amei)
    log.keep_up(box, NOON)   # this hour's head is made
    submissions.tap(box, amei.person_id, None, NOON)
    db.session.commit()
    accounts.merge(amei.person_id, chen.person_id, NOON, "unionid")
    db.session.commit()
    log.keep_up(box, NOON + timedelta(minutes=50))
    assert lines(box, "grant") == []
    log.keep_up(box, NOON + HOUR)
    assert len(lines(box, "grant")) == 1 and lines(box, "void") == []
    log.keep_up(box, MIDNIGHT)
    votes = {leaf.ref: leaf.seq for leaf in lines(box)}
    void = lines(box, "void")[0]
    gone = db.session.scalar(select(Ballot.id).where(Ballot.campaign_id == box.id, Ballot.void_no > 0))
    assert void.data == f"void|{votes[gone]}|merged" and len(votes) == 2


def test_what_happens_to_one_thing_keeps_its_order(box):
    put_in(box, 12)
    db.session.commit()
    box_ids = ids(box)
    decisions.quarantine(box_ids[:6], "one-device", "", "system:test", NOON)
    decisions.release(box_ids[:6], "looked-at", "", "staff:xiaoli", NOON)
    decisions.reject(box_ids[:3], "looked-again", "", "staff:xiaoli", NOON)
    db.session.commit()
    log.keep_up(box, MIDNIGHT)
    by_vote: dict[str, list[str]] = {}
    for leaf in lines(box, "decision"):
        by_vote.setdefault(leaf.data.split("|")[1], []).append(leaf.data.split("|")[2])
    assert sorted(map(tuple, by_vote.values())) == [("quarantined", "released")] * 3 + [("quarantined", "released", "rejected")] * 3
    assert log.count(box).total() == 9


def test_a_ticket_given_taken_and_given_again_is_three_lines_in_their_order(box):
    amei = make_voter("阿美")
    ticket = tickets.grant(box, amei.person_id, NOON.date(), "vote", NOON)
    tickets.revoke(ticket, "本人退出", NOON)
    tickets.grant(box, amei.person_id, NOON.date(), "vote", NOON)
    db.session.commit()
    log.keep_up(box, NOON + HOUR)
    found = [leaf for leaf in db.session.scalars(select(LogLeaf).where(LogLeaf.campaign_id == box.id).order_by(LogLeaf.seq))
             if ticket.ticket_id in leaf.data]
    assert [leaf.kind for leaf in found] == ["grant", "revoke", "grant"] and found[1].data.endswith("|本人退出")


class Died(Exception):
    """As if the process were killed here."""


@pytest.mark.parametrize("where", ["enter_votes", "enter_others", "_append", "_make", "move_cursor"])
def test_killed_anywhere_the_next_run_goes_on(box, monkeypatch, where):
    put_in(box, 30)
    amei = make_voter("阿美")
    tickets.grant(box, amei.person_id, NOON.date(), "vote", NOON)
    db.session.commit()
    house = heads if where == "_make" else sequence
    really, calls = getattr(house, where), []

    def dies(*args, **kwargs):
        calls.append(where)
        if len(calls) == 2 or where == "move_cursor":
            db.session.rollback()
            raise Died
        return really(*args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(Died):
        patched.setattr(house, where, dies)
        log.keep_up(box, NOON)
        log.keep_up(box, MIDNIGHT)
    db.session.rollback()
    log.keep_up(box, MIDNIGHT)
    assert sorted(refs(box)) == ids(box) and len(lines(box, "grant")) == 1
    found = log.heads_of(box)
    assert [h.number for h in found] == list(range(1, len(found) + 1)) and found[-1].size == 32
    assert len({(h.kind, h.day, h.at) for h in found}) == len(found)


def test_eight_workers_at_once_enter_each_vote_once_and_fork_no_head(lent_app, engine_url):
    app = lent_app(engine_url)
    with app.app_context():
        campaign_id = make_campaign().id
        put_in(campaigns.by_slug("futian-2021-reform"), 1500)
    barrier, troubles = threading.Barrier(8), []

    def work() -> None:
        with app.app_context():
            barrier.wait()
            try:
                log.keep_up(campaigns.by_slug("futian-2021-reform"), NOON + HOUR)
            except Exception as e:   # a worker in trouble tries again
                troubles.append(e)
            db.session.remove()

    workers = [threading.Thread(target=work) for _ in range(8)]
    [w.start() for w in workers]
    [w.join() for w in workers]
    with app.app_context():
        campaign = db.session.get_one(type(campaigns.by_slug("futian-2021-reform")), campaign_id)
        log.keep_up(campaign, NOON + HOUR)
        assert troubles == []
        assert sorted(refs(campaign)) == ids(campaign)
        found = log.heads_of(campaign)
        assert [h.prev_sha256 for h in found[1:]] == [h.sha256 for h in found[:-1]]
        assert [(h.kind, h.day.day) for h in found] == [("day", 3), ("day", 4), ("day", 5)]
        db.session.remove()
        if db.engine.dialect.name == "sqlite":
            db.engine.dispose()


def test_the_log_counts_what_the_tally_counts(box):
    voters = [make_voter(f"选民{n}") for n in range(14)]
    for n, voter in enumerate(voters):
        cast(box, voter, GRADES[n % 4])
    accounts.merge(voters[0].person_id, voters[1].person_id, NOON, "unionid")
    db.session.commit()
    decisions.quarantine(ids(box)[4:9], "one-device", "", "system:test", NOON)
    decisions.release(ids(box)[4:6], "looked-at", "", "staff:xiaoli", NOON)
    db.session.commit()
    log.keep_up(box, MIDNIGHT)
    counted = {grade: votes for (_, _, grade), votes in log.count(box).items()}
    assert counted == {grade.value: votes for grade, votes in tally(box.subjects[0]).items() if votes} and sum(counted.values()) == 10


def test_another_campaigns_rows_are_left_alone(box):
    put_in(box, 12)
    log.keep_up(box, NOON)
    other = campaigns.by_slug("futian-2022-other")
    assert lines(other) == [] and db.session.execute(update(LogCursor).where(LogCursor.campaign_id == other.id)
                                                     .values(ballots_to=0)).rowcount == 0
    assert Book.of(other).slug == "futian-2022-other"
