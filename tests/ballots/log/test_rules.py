"""The letters of the log, and when a head is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest

from wxbackend.ballots.log import rules
from wxbackend.ballots.log.rules import Due, Standing

ZONE = "Asia/Shanghai"
DAY = date(2022, 1, 6)
CLOSES = datetime(2022, 1, 8, 1, tzinfo=UTC)    # Saturday 09:00 in Shenzhen


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2022, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def head(kind: str, at: datetime, day: date = DAY) -> Standing:
    return Standing(1, kind, day, at, 5, "0" * 64)


def due(at: datetime, *made: Standing, first: date = DAY, is_frozen: bool = False) -> list[Due]:
    return list(rules.due(at, ZONE, first, CLOSES, is_frozen, {one.kind: one for one in made}))


def test_a_line_of_a_vote_holds_nothing_that_can_be_read():
    opening, salt = bytes(32), bytes([1]) * 32
    receipt = rules.receipt_hash(opening, "0J0BK5M8NWTVK8NW")
    assert receipt == sha256(opening + b"0J0BK5M8NWTVK8NW").hexdigest()
    blinded = rules.commitment(salt, rules.grades_text("culture-network", "优"))
    assert blinded == sha256(salt + "culture-network=优".encode()).hexdigest()
    assert rules.vote("reform", DAY, receipt, blinded) == f"vote/1|reform|2022-01-06|{receipt}|{blinded}"


@pytest.mark.parametrize("made, line", [
    (rules.decision(17, "voided", "merged", ""), "void|17|merged"),
    (rules.decision(17, "rejected", "one-device", "more than 5 an hour"), "decision|17|rejected|one-device|more than 5 an hour"),
    (rules.grant("ab" * 8, DAY, "vote", ""), "grant|abababababababab|2022-01-06|vote|"),
    (rules.revoke("ab" * 8, "一|二\n三"), "revoke|abababababababab|一/二 三"),
    (rules.rules_version(2, "f" * 64), "rules|2|" + "f" * 64),
])
def test_the_other_lines_and_no_text_begins_another_field(made, line):
    assert made == line


def test_a_head_is_read_back_only_as_it_was_written():
    body = rules.body({"campaign": "reform", "size": 3}, {"vote": 2, "rules": 1})
    assert rules.read_body(body) == {"campaign": "reform", "decisions": 0, "protocol": "wxlog/1", "revocations": 0, "rules": 1, "size": 3,
                                     "tickets": 0, "voids": 0, "votes": 2}
    for other in (body.replace('"size":3', '"size": 3'), "[]", "{", body[:-1] + ',"size":4}'):
        with pytest.raises(ValueError):
            rules.read_body(other)


def test_the_day_ends_five_minutes_after_midnight():
    assert [d.kind for d in due(local(7, 0, 4), head("hour", local(7, 0, 0)))] == []
    assert due(local(7, 0, 5), head("hour", local(7, 0, 0))) == [Due("day", DAY, DAY)]


def test_days_that_went_by_without_a_worker_get_their_heads():
    found = due(local(9, 12), head("close", local(8, 10)))
    assert [(d.kind, d.day.day) for d in found] == [("day", 6), ("day", 7), ("day", 8), ("hour", 9)]


def test_an_hour_has_one_head_of_whatever_kind():
    yesterday = head("day", local(6, 0, 5), date(2022, 1, 5))
    assert due(local(6, 0, 59), yesterday) == []
    assert due(local(6, 1, 0), yesterday) == [Due("hour", DAY, date(2022, 1, 5))]
    assert due(local(6, 1, 30), yesterday, head("hour", local(6, 1))) == []


def test_the_close_and_the_freeze_have_heads_of_their_own():
    before = [head("day", local(8, 0, 5), date(2022, 1, 7)), head("hour", local(8, 9))]
    assert due(local(8, 9, 4), *before) == []
    assert due(local(8, 9, 5), *before) == [Due("close", date(2022, 1, 8), date(2022, 1, 8))]
    closed = head("close", local(8, 9, 5))
    assert due(local(8, 9, 6), *before, closed, is_frozen=True) == [Due("last", date(2022, 1, 8), date(2022, 1, 8))]


def test_after_the_last_head_only_the_latest_day_is_looked_at():
    made = [head("day", local(9, 0, 5), date(2022, 1, 8)), head("close", local(8, 9, 5)), head("last", local(11, 18))]
    assert [(d.kind, d.day.day) for d in due(local(30, 12), *made, is_frozen=True)] == [("day", 29), ("hour", 30)]


@pytest.mark.parametrize("day, by", [(6, local(7, 0, 5)), (7, local(8, 0, 5)), (8, local(8, 9, 5))])
def test_a_vote_is_in_five_minutes_after_its_day_or_the_close(day, by):
    assert rules.deadline(date(2022, 1, day), CLOSES, ZONE) == by
