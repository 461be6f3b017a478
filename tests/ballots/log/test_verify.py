"""What was changed, dropped or added behind the triggers' back is named, to the row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.ballots.log.conftest import HOUR, put_in
from tests.ballots.log.test_heads import run_to_the_end
from tests.factories import NOON, cast, enter, make_campaign, make_voter
from wxbackend.accounts import service as accounts
from wxbackend.audit.merkle import leaf_hash
from wxbackend.ballots import decisions
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.verify import verify
from wxbackend.ballots.log.waiting import Book
from wxbackend.extensions import db
from wxbackend.submissions import service as submissions

DAY_END = NOON.replace(day=7, hour=0, minute=6)


@pytest.fixture
def full(campaign):
    """A log with every kind of line: 264 votes, a void, a quarantine, a ticket given and one taken back."""
    amei, mini, chen = make_voter("阿美"), make_voter("阿美的另一个号"), make_voter("老陈")
    for voter in (amei, mini, chen):
        cast(campaign, voter)
        enter(campaign, voter, phone=f"1380000000{voter.person_id % 10}")
        submissions.tap(campaign, voter.person_id, None, NOON)
    put_in(campaign, 261, first_person=1000)
    accounts.merge(amei.person_id, mini.person_id, NOON, "unionid")
    decisions.quarantine([5], "one-device", "", "system:test", NOON)
    db.session.commit()
    log.keep_up(campaign, NOON + HOUR)
    log.keep_up(campaign, DAY_END)
    assert found(campaign) == []
    return campaign


def found(campaign) -> list[str]:
    db.session.rollback()
    return list(verify(Book.of(campaign)))


def behind(statement: str, **values: object) -> None:
    """Change rows as somebody with the database in his hands could."""
    for name in db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        db.session.execute(text(f"DROP TRIGGER {name}"))
    db.session.execute(text(statement), values)
    db.session.commit()


def vote_line(ballot: int) -> int:
    return db.session.scalar(text("SELECT seq FROM log_leaf WHERE kind = 'vote' AND ref = :ballot"), {"ballot": ballot})


@pytest.mark.parametrize("statement, said", [
    ("UPDATE ballot SET grade = CASE grade WHEN '优' THEN '差' ELSE '优' END WHERE id = 7", "vote 7 says something else"),
    ("UPDATE ballot SET day = '2022-01-05' WHERE id = 7", "vote 7 says something else"),
    ("UPDATE ballot SET receipt_id = 'AAAAAAAAAAAAAAAA' WHERE id = 7", "vote 7 says something else"),
    ("DELETE FROM ballot WHERE id = 7", "vote 7 is not there any more"),
])
def test_a_changed_ballot_is_named_with_its_line(full, statement, said):
    line = vote_line(7)
    behind(statement)
    faults = found(full)
    assert [f for f in faults if f.startswith(f"line {line}: {said}")], faults
    assert len([f for f in faults if f.startswith("line ")]) == 1


def test_a_ballot_slipped_in_is_named(full):
    put_in(full, 1, first_person=5000)
    assert found(full) == ["ballot 265: is not in the log"]


def test_a_dropped_line_is_named_and_so_is_its_ballot(full):
    line = vote_line(7)
    behind("DELETE FROM log_leaf WHERE seq = :line", line=line)
    faults = found(full)
    assert f"line {line}: is missing" in faults and "ballot 7: is not in the log" in faults


def test_a_line_cut_off_the_end_is_missed_by_its_head(full):
    last = log.latest(full)
    behind("DELETE FROM log_leaf WHERE seq = :line", line=last.size)
    assert f"head {last.number}: vouches for {last.size} lines, there are {last.size - 1}" in found(full)


def test_a_line_rewritten_with_its_hash_breaks_every_head_since(full):
    line = vote_line(7)
    behind("UPDATE log_leaf SET data = replace(data, '2022', '2023') WHERE seq = :line", line=line)
    assert f"line {line}: its hash is not that of its data" in found(full)
    data = db.session.scalar(text("SELECT data FROM log_leaf WHERE seq = :line"), {"line": line})
    behind("UPDATE log_leaf SET hash = :hash WHERE seq = :line", line=line, hash=leaf_hash(data.encode()).hex())
    faults = found(full)
    assert [f for f in faults if "the root of its" in f] and [f for f in faults if f.startswith(f"line {line}: vote 7 says")]
    assert [f for f in faults if f.startswith("subtree 0 of level 8: is another")] or line > 256


@pytest.mark.parametrize("statement, said", [
    ("UPDATE log_node SET hash = substr(hash, 2) || substr(hash, 1, 1)", "subtree 0 of level 8: is another than its lines'"),
    ("DELETE FROM log_node", "subtree 0 of level 8: is missing"),
    ("DELETE FROM log_head WHERE number = 2", "head 2: is missing, the next one is 3"),
    ("UPDATE log_head SET body = replace(body, 'voids', 'votes') WHERE number = 1", "head 1: its signature is not ours"),
    ("UPDATE log_head SET root = sha256 WHERE number = 1", "head 1: says root"),
    ("UPDATE log_head SET prev_sha256 = root WHERE number = 3", "head 3: follows"),
    ("UPDATE log_head SET signature = substr(signature, 2) || substr(signature, 1, 1) WHERE number = 2",
     "head 2: its signature is not ours"),
    ("UPDATE ballot_decision SET verdict = 'released' WHERE verdict = 'quarantined'", "says something else: 'decision|"),
    ("DELETE FROM ballot_decision WHERE verdict = 'quarantined'", "is not there any more"),
    ("UPDATE ticket_event SET ticket_id = 'ffffffffffffffff' WHERE id = 1", "ticket 1 says something else: 'grant|"),
    ("UPDATE ticket_event SET evidence = substr(evidence, 2) || substr(evidence, 1, 1) WHERE id = 1",
     "ticket event 1: no ballot of 2022-01-06 is behind it"),
    ("UPDATE ticket SET revoked_at = NULL WHERE revoked_at IS NOT NULL", "counts, and was never granted"),
    ("UPDATE ticket SET revoked_at = granted_at WHERE id = 1", "was granted, and does not count"),
    ("UPDATE ticket SET person_id = (SELECT max(id) FROM person), n = 9 WHERE id = 1", "is held by another person than it was granted to"),
    ("UPDATE ticket_event SET person_id = (SELECT max(id) FROM person) WHERE id = 1", "is not what the key makes of the person"),
    ("UPDATE rules_version SET sha256 = substr(sha256, 2) || substr(sha256, 1, 1)", "rules 2 says something else: 'rules|1|"),
    ("UPDATE audit_entry SET why = 'nothing'", "audit entry 1: the chain of the audit does not hold"),
    ("DELETE FROM audit_entry WHERE id > 2", "it names is not there"),
    ("UPDATE ballot SET void_no = 3 WHERE id = 9", "ballot 9: is void, and no decision says why"),
])
def test_whatever_else_was_touched_is_named(full, statement, said):
    behind(statement)
    faults = found(full)
    assert [fault for fault in faults if said in fault], faults


def test_the_last_heads_figures_are_counted_again(campaign):
    run_to_the_end(campaign)
    assert found(campaign) == []
    number = log.latest(campaign).number
    behind("UPDATE ballot SET grade = '优' WHERE grade = '差'")
    assert [f for f in found(campaign) if f.startswith(f"head {number}: says {{'culture-network'")]


def test_an_untouched_log_verifies_on_every_engine(any_app):
    campaign = make_campaign()
    put_in(campaign, 300, first_person=1000)
    run_to_the_end(campaign, 20)
    assert found(campaign) == []


def test_the_command_names_what_is_wrong_and_says_so_by_its_exit_code(full, app):
    run = app.test_cli_runner().invoke(args=["log", "verify", full.slug])
    assert run.exit_code == 0 and "the log verifies" in run.output
    line = vote_line(7)
    behind("DELETE FROM ballot WHERE id = 7")
    run = app.test_cli_runner().invoke(args=["log", "verify", full.slug])
    assert run.exit_code == 1 and f"✗ line {line}: vote 7 is not there any more" in run.output
    assert app.test_cli_runner().invoke(args=["log", "verify", "nowhere"]).exit_code == 1


def test_what_came_since_the_last_day_is_not_missed(full):
    put_in(full, 3, NOON + timedelta(days=1), first_person=7000)
    assert found(full) == []
