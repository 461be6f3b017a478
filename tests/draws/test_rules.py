"""wxdraw/1 on plain values: the published example, its mutations, and what must hold for every list."""

from __future__ import annotations

import copy
import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxbackend.campaigns.packing import CannotPack, packing_list
from wxbackend.draws import entropy, rules
from wxbackend.draws.rules import boxes_sha256, pack_boxes

EXAMPLE = json.loads((Path(__file__).resolve().parents[1] / "vectors/draw-vectors.json").read_text())
SHORT_HEX = st.integers(0, 2**64 - 1).map("{:016x}".format)
LISTS = st.dictionaries(SHORT_HEX, st.integers(0, 12).map("{:016x}".format), max_size=60).map(
    lambda owners: [f"{ticket} {person}" for ticket, person in owners.items()])


def make_rules(*counts: int, alternates: int = 3) -> dict:
    tiers = [{"id": f"tier-{i}", "count": count} for i, count in enumerate(counts)]
    return {"campaign": "reform@" + "0" * 64, "tiers": tiers, "alternates": alternates}


def test_the_published_example_comes_out_to_the_letter():
    assert rules.compute(EXAMPLE["rules"], EXAMPLE["secret"], EXAMPLE["entropy"], EXAMPLE["entrants"]) == EXAMPLE["result"]


def test_the_example_binds_its_own_rules():
    assert rules.campaign_binding("futian-2021-reform", EXAMPLE["rules"]) == EXAMPLE["rules"]["campaign"]
    assert rules.commitment(EXAMPLE["secret"]) == EXAMPLE["rules"]["commitment"]


def test_a_line_can_be_checked_at_home():
    row, seed = EXAMPLE["result"]["winners"][0], EXAMPLE["result"]["seed"]
    assert sha256(f"{seed}:{row['ticket']}".encode()).hexdigest() == row["digest"]


@given(LISTS, st.randoms(use_true_random=False))
def test_the_order_in_which_lines_come_changes_nothing(lines, chance):
    mixed = copy.copy(lines)
    chance.shuffle(mixed)
    plan = make_rules(1, 2, 3)
    assert rules.compute(plan, "", "stage=4.0.9.1.7.2./", mixed) == rules.compute(plan, "", "stage=4.0.9.1.7.2./", lines)


@given(LISTS, st.lists(st.integers(0, 9), max_size=4), st.integers(0, 9))
def test_nobody_wins_twice_and_no_prize_is_invented(lines, counts, alternates):
    plan = make_rules(*counts, alternates=alternates)
    result = rules.compute(plan, "", "stage=4.0.9.1.7.2./", lines)
    chosen = result["winners"] + result["alternates"]
    persons = {line[17:] for line in lines}
    assert len({row["person"] for row in chosen}) == len(chosen) <= len(persons) == result["persons"]
    assert len(result["winners"]) == min(sum(counts), len(persons))
    assert len(result["alternates"]) == min(alternates, len(persons) - len(result["winners"]))
    assert [row["rank"] for row in chosen] == list(range(1, len(chosen) + 1))
    assert all(f"{row['ticket']} {row['person']}" in lines for row in chosen)
    boxes = [row["box"] for row in result["winners"]]
    assert len(set(boxes)) == len(boxes) and set(boxes) <= {f"{n:02d}" for n in range(1, sum(counts) + 1)}
    tiers = Counter(row["tier"] for row in result["winners"])
    assert all(tiers[tier["id"]] <= tier["count"] for tier in plan["tiers"])


@given(LISTS)
def test_each_person_stands_where_her_best_ticket_stands(lines):
    seed = "5" * 64
    places = rules.order(seed, lines)
    best = {tag: min(rules.digest(seed, line[:16]) for line in lines if line[17:] == tag) for tag in {line[17:] for line in lines}}
    assert [place.digest for place in places] == sorted(best.values())


def test_fewer_people_than_prizes_leave_prizes_over():
    result = rules.compute(make_rules(30), "", "stage=4.0.9.1.7.2./", ["0" * 16 + " " + "a" * 16])
    assert len(result["winners"]) == 1 and result["alternates"] == []


def test_a_hundred_boxes_have_names_of_their_own():
    assert sorted(rules.box_order("5" * 64, 100)) == sorted(f"{n:02d}" for n in range(1, 101))


@pytest.mark.parametrize("value, text", [
    ({"b": 1, "a": [1, "x"]}, '{"a":[1,"x"],"b":1}'),
    ({"é": 1, "z": 2, "": ""}, '{"":"","z":2,"é":1}'),
    ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),       # by UTF-16 units, RFC 8785 §3.2.3
    ("\u20ac$\u000f\nA'\u0042\"\\/\u2028", '"\u20ac$\\u000f\\nA\'B\\"\\\\/\u2028"'),
    (-7, "-7"),
])
def test_canonical_json_is_rfc_8785(value, text):
    assert rules.canonical_json(value) == text.encode()


@pytest.mark.parametrize("value", [1.5, True, None, 2**53, {1: 2}, "\ud800", {"\ud800": 1}, (1,)], ids=repr)
def test_what_has_no_single_writing_is_refused(value):
    with pytest.raises(ValueError):
        rules.canonical_json({"rules": [value]})


def test_nesting_without_end_is_refused():
    deep: list = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(ValueError):
        rules.canonical_json(deep)


@pytest.mark.parametrize("source, issue, groups, line", [
    ("ssq", "2022004", [[33, 8, 3, 15, 27, 21], [6]], "ssq:2022004=03.08.15.21.27.33./06./"),
    ("ssq", "2022004", [["33", "8", "03", "15", "27", "21"], ["06"]], "ssq:2022004=03.08.15.21.27.33./06./"),
    ("dlt", "22005", [[35, 1, 2, 3, 4], [12, 1]], "dlt:22005=01.02.03.04.35./01.12./"),
    ("kl8", "2022011", [list(range(80, 60, -1))], "kl8:2022011=" + ".".join(map(str, range(61, 81))) + "./"),
    ("pl5", "22011", [[9, 0, 0, 9, 1]], "pl5:22011=9.0.0.9.1./"),
    ("stage", "", [[4, 0, 9, 1, 7, 2]], "stage=4.0.9.1.7.2./"),
    ("sealed", "", [["407213", "118842", "000001", "118842", "999999"]], "sealed=407213.118842.000001.118842.999999./"),
])
def test_numbers_become_one_line_and_come_back(source, issue, groups, line):
    assert rules.entropy_from_numbers(source, issue, groups) == line
    assert [(part.source, part.issue) for part in entropy.parse(line)] == [(source, issue)]
    assert len(entropy.parse(f"{line};stage=0.0.0.0.0.0./")) == 2


@pytest.mark.parametrize("source, issue, groups", [
    ("ssq", "2022004", [[1, 2, 3, 4, 5, 34], [6]]),
    ("ssq", "2022004", [[1, 2, 3, 4, 5, 5], [6]]),
    ("ssq", "2022004", [[0, 2, 3, 4, 5, 6], [6]]),
    ("ssq", "2022004", [[1, 2, 3, 4, 5, 6], [17]]),
    ("ssq", "2022004", [[1, 2, 3, 4, 5], [6]]),
    ("ssq", "2022004", [[1, 2, 3, 4, 5, 6]]),
    ("ssq", "", [[1, 2, 3, 4, 5, 6], [7]]),
    ("ssq", "二〇二二", [[1, 2, 3, 4, 5, 6], [7]]),
    ("ssq", "２０２２００４", [[1, 2, 3, 4, 5, 6], [7]]),
    ("ssq", "2022004", [["１", 2, 3, 4, 5, 6], [7]]),
    ("ssq", "2022004", [[True, 2, 3, 4, 5, 6], [7]]),
    ("ssq", "2022004", [["-1", 2, 3, 4, 5, 6], [7]]),
    ("ssq", "2022004", ["123456", [7]]),
    ("dlt", "22005", [[1, 2, 3, 4, 36], [1, 2]]),
    ("dlt", "22005", [[1, 2, 3, 4, 5], [1, 13]]),
    ("kl8", "2022011", [[81, *range(1, 20)]]),
    ("pl5", "22011", [[1, 2, 3, 4]]),
    ("stage", "1", [[4, 0, 9, 1, 7, 2]]),
    ("sealed", "", [["407213"] * 4]),
    ("sealed", "", [["407213"] * 4 + ["1000000"]]),
    ("dice", "1", [[6]]),
])
def test_numbers_that_cannot_be_are_refused_in_plain_words(source, issue, groups):
    with pytest.raises(entropy.BadNumbers, match="[\u4e00-\u9fff]"):
        rules.entropy_from_numbers(source, issue, groups)


@pytest.mark.parametrize("line", [
    "", ";", "ssq:2022004", "ssq:2022004=", "ssq:2022004=3.08.15.21.27.33./06./", "ssq:2022004=08.03.15.21.27.33./06./",
    "ssq:2022004=03.08.15.21.27.33./06.", "ssq:2022004=03.08.15.21.27.33./06./\n", " ssq:2022004=03.08.15.21.27.33./06./",
    "ssq:2022004=03.08.15.21.27.33./06./;", "stage:=4.0.9.1.7.2./", "SSQ:2022004=03.08.15.21.27.33./06./", "x" * 20_000,
])
def test_a_line_written_otherwise_is_refused(line):
    with pytest.raises(entropy.BadNumbers):
        entropy.parse(line)


def test_numbers_are_said_as_people_say_them():
    [reading] = entropy.parse("ssq:2022004=03.08.15.21.27.33./06./")
    assert entropy.say(reading) == "红球 03 08 15 21 27 33，蓝球 06"


@st.composite
def feasible(draw):
    """(stock, boxes, per_box) with the sums agreeing: each box takes any `per_box` of the kinds."""
    kinds = [f"物品{i}" for i in range(draw(st.integers(1, 8)))]
    per_box = draw(st.integers(0, len(kinds)))
    boxes = draw(st.lists(st.sets(st.sampled_from(kinds), min_size=per_box, max_size=per_box), max_size=40))
    return {kind: sum(kind in box for box in boxes) for kind in kinds}, len(boxes), per_box


@settings(max_examples=500)
@given(feasible(), st.text(alphabet="0123456789abcdef", max_size=32))
def test_what_can_be_packed_is_packed_to_the_last_item(case, salt):
    stock, boxes, per_box = case
    packed = pack_boxes(stock, boxes, per_box, salt)
    assert [len(set(items)) for items in packed] == [per_box] * boxes
    assert Counter(item for items in packed for item in items) == Counter({kind: n for kind, n in stock.items() if n})
    assert packed == pack_boxes(dict(reversed(stock.items())), boxes, per_box, salt)


@pytest.mark.parametrize("stock, boxes, per_box", [
    ({"帽子": 4, "雨伞": 2}, 3, 2), ({"帽子": 3, "雨伞": 2}, 3, 2), ({"帽子": -1, "雨伞": 1}, 3, 0),
])
def test_stock_that_does_not_meet_the_boxes_is_refused(stock, boxes, per_box):
    with pytest.raises(CannotPack, match="[\u4e00-\u9fff]"):
        pack_boxes(stock, boxes, per_box, "salt")


def test_the_packing_is_bound_by_its_canonical_writing():
    packing = packing_list([["帽子", "雨伞"], ["背包"]], "9f")
    assert boxes_sha256(packing) == sha256(rules.canonical_json(packing)).hexdigest()
    assert boxes_sha256(packing) != boxes_sha256({**packing, "salt": "9e"})
