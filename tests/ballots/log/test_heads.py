"""Heads are signed, chained, and say what the log holds; grades only in the last one, as the rules allow."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.ballots.log.conftest import HOUR, put_in
from tests.factories import NOON, make_campaign
from wxbackend import jobs
from wxbackend.audit import merkle
from wxbackend.audit.models import AuditEntry, AuditHead
from wxbackend.ballots.log import blinds, heads, rules
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.models import LogHead, LogLeaf, LogNode
from wxbackend.ballots.log.tree import Stored
from wxbackend.draws import freeze as freezing
from wxbackend.extensions import db
from wxbackend.jobs.models import Job


def run_to_the_end(campaign, votes: int = 40) -> None:
    """Votes, the close, the freeze, each with its head."""
    put_in(campaign, votes)
    log.keep_up(campaign, NOON)
    log.keep_up(campaign, campaign.closes_at + timedelta(minutes=5))
    freezing.freeze(campaign, campaign.freeze_at)
    db.session.commit()
    log.keep_up(campaign, campaign.freeze_at + timedelta(minutes=1))


def test_a_head_is_what_it_says(campaign):
    log.keep_up(campaign, NOON)
    put_in(campaign, 25)
    log.keep_up(campaign, NOON + HOUR)
    head = log.latest(campaign)
    said = rules.read_body(head.body)
    data = select(LogLeaf.data).where(LogLeaf.campaign_id == campaign.id).order_by(LogLeaf.seq)
    leaves = [line.encode() for line in db.session.scalars(data)]
    assert said["root"] == merkle.root(leaves).hex() and said["size"] == len(leaves) == 26
    assert (said["campaign"], said["votes"], said["rules"], said["day"]) == (campaign.slug, 25, 1, "2022-01-06")
    newest = db.session.scalar(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1))
    assert said["audit"] == db.session.scalar(select(AuditHead.hash)) == newest
    assert blinds.is_signed(head.body, head.signature, said["key"]) and said["key"] == blinds.public_key()
    assert not blinds.is_signed(head.body + " ", head.signature, said["key"]) and not blinds.is_signed(head.body, "00", "x")
    assert "优" not in head.body and "totals" not in said


def test_heads_are_chained_from_the_first(campaign):
    run_to_the_end(campaign)
    found = log.heads_of(campaign)
    assert found[0].prev_sha256 == rules.FIRST
    assert [h.prev_sha256 for h in found[1:]] == [rules.fingerprint(h.body) for h in found[:-1]]
    assert [h.kind for h in found] == ["day"] * 5 + ["close"] + ["day"] * 3 + ["last"]


def test_no_head_follows_one_that_has_a_follower(campaign):
    log.keep_up(campaign, NOON)
    first = log.heads_of(campaign)[0]
    fork = {c.name: getattr(first, c.name) for c in LogHead.__table__.columns} | {"number": 99, "sha256": "f" * 64}
    db.session.add(LogHead(**fork))
    with pytest.raises(IntegrityError):
        db.session.flush()


def test_hours_in_which_nothing_happened_have_no_head(campaign):
    log.keep_up(campaign, NOON)
    before = len(log.heads_of(campaign))
    log.keep_up(campaign, NOON + HOUR)
    log.keep_up(campaign, NOON + 2 * HOUR)
    assert len(log.heads_of(campaign)) == before
    put_in(campaign, 10)
    log.keep_up(campaign, NOON + 2 * HOUR)
    log.keep_up(campaign, NOON + 2 * HOUR + timedelta(minutes=59))
    assert len(log.heads_of(campaign)) == before + 1


@pytest.mark.parametrize("results, shown", [("live", True), ("after-close", True), ("hidden", False)])
def test_grades_are_told_once_everything_is_frozen_and_only_as_the_rules_allow(app, results, shown):
    campaign = make_campaign(results=results)
    run_to_the_end(campaign)
    told = [rules.read_body(h.body).get("totals") for h in log.heads_of(campaign)]
    assert told[:-1] == [None] * (len(told) - 1)
    assert told[-1] == ({"culture-network": {"优": 10, "良": 10, "中": 10, "差": 10}} if shown else None)


def test_fewer_than_ten_votes_tell_no_grade(campaign):
    run_to_the_end(campaign, votes=9)
    assert rules.read_body(log.latest(campaign).body)["totals"] == {}


def test_after_the_end_a_late_void_still_gets_its_line_and_nothing_else_a_head(campaign):
    run_to_the_end(campaign)
    size = len(log.heads_of(campaign))
    log.keep_up(campaign, campaign.freeze_at + timedelta(days=9))
    assert len(log.heads_of(campaign)) == size
    db.session.execute(text("INSERT INTO ballot_decision (ballot_id, n, campaign_id, verdict, reason, rule, actor, at) "
                            "SELECT min(id), 1, campaign_id, 'voided', 'merged', '', 'system:merge', '2022-01-20 00:00:00' FROM ballot "
                            "WHERE campaign_id = :c GROUP BY campaign_id"), {"c": campaign.id})
    db.session.commit()
    log.keep_up(campaign, campaign.freeze_at + timedelta(days=10))
    last = log.heads_of(campaign)[size:]
    assert [h.kind for h in last] == ["day"] and rules.read_body(last[0].body)["voids"] == 1
    assert "totals" not in rules.read_body(last[0].body), "the difference to the last head's would tell that vote's grade"


def test_the_mark_is_read_once_for_many_pages(campaign, app):
    assert log.head_mark(campaign) == ""
    app.extensions.pop("log_heads")
    log.keep_up(campaign, NOON)
    mark = log.head_mark(campaign)
    assert mark == log.latest(campaign).sha256[:8]
    put_in(campaign, 10)
    log.keep_up(campaign, NOON + HOUR)
    assert log.head_mark(campaign) == mark, "kept for half a minute"
    looked, head = app.extensions["log_heads"][campaign.id]
    app.extensions["log_heads"][campaign.id] = looked - log.SEEN_SECONDS, head
    assert log.head_mark(campaign) == log.latest(campaign).sha256[:8] != mark


def test_the_worker_looks_again_every_minute_by_itself(campaign):
    put_in(campaign, 12)
    jobs.run_due(NOON)
    assert log.latest(campaign) is not None
    waiting = db.session.scalars(select(Job).where(Job.kind == "ballots.log", Job.done_at.is_(None))).all()
    assert len(waiting) == 2 and {job.run_at for job in waiting} == {NOON + timedelta(minutes=1)}   # the other campaign has its own
    put_in(campaign, 10, first_person=50)
    jobs.run_due(NOON + HOUR)
    assert log.latest(campaign).size == 23


def test_a_run_that_fails_does_not_end_the_row_of_runs(campaign, monkeypatch):
    monkeypatch.setattr(heads, "keep_up", lambda *_: 1 / 0)
    jobs.run_due(NOON)
    kinds = [job.run_at for job in db.session.scalars(select(Job).where(Job.kind == "ballots.log", Job.done_at.is_(None)))]
    assert NOON + timedelta(minutes=1) in kinds
    monkeypatch.undo()
    jobs.run_due(NOON + timedelta(minutes=1))
    assert log.latest(campaign) is not None


def test_a_hundred_thousand_lines_are_proved_by_some_hundred_hashes(campaign):
    """A proof reads blocks of 256, whatever the size; timed loosely, counted exactly."""
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(70_000)]
    growing, nodes = merkle.Frontier(), []
    for leaf in leaves:
        nodes += [made for made in growing.append(leaf) if made[0] in (8, 16)]
    db.session.execute(LogLeaf.__table__.insert(), [
        {"campaign_id": campaign.id, "seq": n, "kind": "grant", "ref": n, "data": str(n), "hash": leaf.hex()}
        for n, leaf in enumerate(leaves, 1)])
    db.session.execute(LogNode.__table__.insert(), [
        {"campaign_id": campaign.id, "level": level, "number": number, "hash": node.hex()} for level, number, node in nodes])
    db.session.commit()
    tree, began = Stored(campaign.id), time.perf_counter()
    assert tree.root(70_000) == growing.root().hex()
    for seq in (1, 40_000, 65_536, 70_000):
        proof = [bytes.fromhex(node) for node in tree.inclusion(seq, 70_000)]
        assert merkle.verify_hash_inclusion(leaves[seq - 1], seq - 1, 70_000, proof, growing.root())
    grown = [bytes.fromhex(node) for node in tree.consistency(65_537, 70_000)]
    assert merkle.verify_consistency(65_537, 70_000, grown, merkle.span_hash((0, 65_537), tree.complete), growing.root())
    assert sum(len(block) for block in tree._blocks.values()) < 256 * 12
    assert time.perf_counter() - began < 5
