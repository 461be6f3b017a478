from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wxbackend.captcha import rules

BOUND = ("r" + "0" * 32, "v7", "reform-2021", "ballot")


@pytest.mark.parametrize("typed", ["3962", "３９６２", " 3962\n", "3 9 6 2", "３ 9　6２", "³⁹⁶²"])
def test_what_was_meant_is_understood(typed):
    assert rules.normalise(typed) == "3962"


def test_a_very_long_answer_and_broken_text_are_only_wrong():
    assert len(rules.normalise("9" * 10_000)) <= 64
    assert rules.mac(b"k", *BOUND, "\ud800") != rules.mac(b"k", *BOUND, "3962")


def test_everything_bound_changes_the_mac_and_the_slot():
    mac, slot = rules.mac(b"k", *BOUND, "396"), rules.slot(*BOUND)
    for i in range(len(BOUND)):
        other = (*BOUND[:i], BOUND[i] + "x", *BOUND[i + 1:])
        assert rules.mac(b"k", *other, "396") != mac and rules.slot(*other) != slot
    assert rules.mac(b"k", *BOUND, "395") != mac and rules.mac(b"l", *BOUND, "396") != mac
    assert rules.mac(b"k", *BOUND, "３９６") == mac


def test_parts_cannot_be_shifted_into_each_other():
    assert rules.slot("a", "bc", "d", "e") != rules.slot("ab", "c", "d", "e")


def test_what_is_packed_is_unpacked():
    at = datetime(2022, 1, 8, 1, 0, 0, 123000, tzinfo=UTC)
    assert rules.unpack(rules.pack("ab12", at)) == ("ab12", at)
    assert rules.pack("ab12", datetime(2022, 1, 8, tzinfo=UTC)) == "1641600000000:ab12"
