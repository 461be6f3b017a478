"""A transcript with any one value changed is refused, and the place is named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.draws.transcripts import ALL, EXAMPLE, RAW, bound, changed, otherwise, written
from wxbackend.draws.verify import STEPS, Differs, read, verify


def refusal(transcript: Any) -> Differs:
    with pytest.raises(Differs) as caught:
        verify(transcript)
    assert str(caught.value).count("\n") == 0 and len(str(caught.value)) < 500
    return caught.value


def test_the_example_passes_every_step():
    assert verify(read(RAW)) == list(STEPS.values())


@pytest.mark.parametrize("way", ALL, ids=written)
@pytest.mark.parametrize("change", [
    otherwise, lambda v: "", lambda v: None, lambda v: [v], lambda v: {"v": v}, lambda v: True, lambda v: float("inf"),
    lambda v: str(v) + " ", lambda v: -1, lambda v: str(v) if isinstance(v, int) else v.upper() + "Z",
], ids=["another", "empty", "null", "list", "object", "true", "infinite", "space", "minus-one", "other-type"])
def test_any_one_value_changed_is_refused(way, change):
    refusal(changed(way, change))


# Everything in the result is recomputed and named to the field; what goes in before is named where it first shows.
@pytest.mark.parametrize("way", [way for way in ALL if way[0] == "result"], ids=written)
def test_a_changed_result_is_named_to_the_field(way):
    assert refusal(changed(way, otherwise)).path == written(way)


@pytest.mark.parametrize("way, path", [
    (("rules", "protocol"), "rules.protocol"),
    (("rules", "freeze_at"), "rules.campaign"),
    (("rules", "tiers", 2, "count"), "rules.campaign"),
    (("rules", "alternates"), "rules.campaign"),
    (("rules", "commitment"), "rules.campaign"),
    (("rules", "boxes_sha256"), "rules.campaign"),
    (("rules", "entropy", 0, "issue"), "rules.campaign"),
    (("rules", "campaign"), "rules.campaign"),
    (("secret",), "secret"),
    (("entropy",), "entropy"),
    (("entrants", 5), "result.root"),
], ids=str)
def test_what_goes_in_is_named_in_the_fixed_order(way, path):
    assert refusal(changed(way, otherwise)).path == path


@pytest.mark.parametrize("way, new, path", [
    (("rules", "tiers", 2, "count"), 4, "result.seed"),
    (("rules", "freeze_at"), "2022-01-12T18:00:00+08:00", "result.seed"),
    (("rules", "entropy", 0, "issue"), "2022006", "entropy[0].issue"),
    (("rules", "entropy", 0, "source"), "dlt", "entropy[0].source"),
    (("rules", "entropy", 0, "source"), 7, "rules.entropy[0]"),
    (("rules", "entropy"), [], "entropy"),
    (("rules", "tiers", 0, "count"), "1", "rules.tiers[0].count"),
    (("rules", "tiers", 0, "count"), -1, "rules.tiers[0].count"),
    (("rules", "tiers", 0, "count"), 10**9, "rules.tiers[0].count"),
    (("rules", "tiers", 0), "first", "rules.tiers[0]"),
    (("rules", "tiers"), {}, "rules.tiers"),
    (("rules", "alternates"), "3", "rules.alternates"),
    (("rules", "boxes_sha256"), "x", "rules.boxes_sha256"),
    (("rules", "commitment"), "0" * 64, "secret"),
], ids=str)
def test_rules_rewritten_with_their_hash_still_do_not_pass(way, new, path):
    assert refusal(bound(changed(way, new))).path == path


@pytest.mark.parametrize("way, new, path", [
    (("entropy",), "ssq:2022005=03.08.15.21.27.32./06./", "result.seed"),
    (("entropy",), "ssq:2022006=03.08.15.21.27.33./06./", "entropy[0].issue"),
    (("entropy",), "dlt:22005=01.02.03.04.35./01.12./", "entropy[0].source"),
    (("entropy",), "ssq:2022005=08.03.15.21.27.33./06./", "entropy"),
    (("entropy",), "ssq:2022005=03.08.15.21.27.33./06./;stage=1.2.3.4.5.6./", "entropy"),
    (("secret",), "39C", "secret"),
    (("entrants", 1), EXAMPLE["entrants"][0], "entrants[1]"),
    (("entrants", 1), EXAMPLE["entrants"][0][:16] + " " + "f" * 16, "entrants[1]"),
    (("entrants", 1), EXAMPLE["entrants"][5], "entrants[2]"),
    (("entrants", 1), EXAMPLE["entrants"][1] + "\n", "entrants[1]"),
    (("entrants",), lambda lines: lines[:-1], "result.root"),
    (("entrants",), [], "result.root"),
    (("entrants",), "004c559ff35e93b9 5179870fba710c61", "entrants"),
    (("result", "winners"), lambda rows: rows[:-1], "result.winners[5]"),
    (("result", "winners"), lambda rows: [*rows, {**rows[0], "rank": 7}], "result.winners[6]"),
    (("result", "winners"), lambda rows: rows[1:] + rows[:1], "result.winners[0].rank"),
    (("result", "alternates"), lambda rows: [*rows, rows[0]], "result.alternates[3]"),
    (("result", "alternates"), [], "result.alternates[0]"),
    (("result", "alternates", 0), lambda row: {**row, "tier": "first"}, "result.alternates[0].tier"),
    (("result", "winners", 0), lambda row: {**row, "name": "路人"}, "result.winners[0].name"),
    (("result", "winners", 0), lambda row: {k: v for k, v in row.items() if k != "box"}, "result.winners[0].box"),
    (("result", "winners", 0, "rank"), True, "result.winners[0].rank"),
    (("result", "tickets"), 63.0, "result.tickets"),
], ids=lambda value: str(value)[:60] if not callable(value) else "changed")
def test_other_tampering_is_named(way, new, path):
    assert refusal(changed(way, new)).path == path


@pytest.mark.parametrize("way", [
    *[(part,) for part in ("rules", "secret", "entropy", "entrants", "result")],
    *[("rules", key) for key in EXAMPLE["rules"]], *[("result", key) for key in EXAMPLE["result"]],
], ids=written)
def test_anything_missing_is_refused(way):
    torn = copy.deepcopy(EXAMPLE)
    parent = torn if len(way) == 1 else torn[way[0]]
    del parent[way[-1]]
    refusal(torn)


@pytest.mark.parametrize("raw", [
    b"", b"{", b"\xff\xfe", b"nul", RAW[:-2], RAW + b"x", b'{"rules": NaN}', b"[" * 200_000, b'{"a":' * 100_000,
    b'{"rules": ' + b"9" * 10_000 + b"}", b'{"secret": "", "secret": ""}',
], ids=lambda raw: repr(raw[:12]))
def test_broken_json_is_refused_in_one_line(raw):
    with pytest.raises(Differs) as caught:
        read(raw)
    assert caught.value.path == "transcript"


def test_a_transcript_larger_than_any_draw_is_not_parsed():
    with pytest.raises(Differs):
        read(b" " * (64 * 1024 * 1024 + 1))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(JSON, st.sampled_from([(), ("rules",), ("rules", "tiers"), ("rules", "entropy"), ("entrants",), ("result",), ("result", "winners")]))
def test_no_content_ends_in_another_exception(value, way):
    refusal(changed(way, value) if way else value)


def test_control_characters_do_not_reach_the_terminal():
    said = str(refusal(changed(("secret",), "\x1b[2J\n\ud800")))
    assert said.isprintable() and "\\u001b" in said
    said.encode()


def test_deep_values_are_refused_too():
    deep: list = []
    for _ in range(50_000):
        deep = [deep]
    refusal(changed(("rules", "alternates"), deep))
    refusal(changed(("result", "winners"), deep))
    refusal(deep)


def test_further_keys_beside_the_protocol_are_welcome():
    assert verify(EXAMPLE | {"evidence": ["https://example.org/"], "program": "1"})
