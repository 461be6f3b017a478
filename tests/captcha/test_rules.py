from __future__ import annotations

import random
from collections import Counter
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


def test_lots_give_every_option_its_share():
    counts = Counter(rules.Lots(random.Random(seed).getrandbits(128)).of("abc") for seed in range(3000))
    assert set(counts) == set("abc") and all(900 < n < 1100 for n in counts.values())


def test_lots_are_told_by_their_number_and_do_not_hang_together():
    def drawn(number: int) -> tuple[str, ...]:
        lots = rules.Lots(number)
        return tuple(lots.of("2345689") for _ in range(7))

    numbers = [random.Random(seed).getrandbits(128) for seed in range(7000)]
    assert drawn(numbers[0]) == drawn(numbers[0])
    pairs = Counter(drawn(number)[2:4] for number in numbers)
    assert len(pairs) == 49 and all(90 < n < 200 for n in pairs.values())   # 143 of each on average
