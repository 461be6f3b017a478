"""When a campaign takes votes, the demo's window, packing of boxes, the canonical form: plain values."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import SHANGHAI
from wxbackend.campaigns.binding import campaign_binding, canonical_json
from wxbackend.campaigns.packing import CannotPack, boxes_sha256, pack_boxes, packing_list
from wxbackend.campaigns.rules import Phase, is_open, live_demo_window, phase, ssq_issue

OPENS, CLOSES = datetime(2022, 1, 4, 10, tzinfo=SHANGHAI), datetime(2022, 1, 8, 9, tzinfo=SHANGHAI)
UNTIL, FREEZE = CLOSES + timedelta(days=1), datetime(2022, 1, 11, 18, tzinfo=SHANGHAI)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(("at", "expected"), [(OPENS - TICK, False), (OPENS, True), (CLOSES - TICK, True), (CLOSES, False)])
def test_the_window_is_half_open(at, expected):
    assert is_open(OPENS, CLOSES, at) == is_open(OPENS, CLOSES, at.astimezone(UTC)) == expected


@pytest.mark.parametrize(("at", "frozen_at", "expected"), [
    (OPENS - TICK, None, Phase.COMING), (OPENS, None, Phase.OPEN), (CLOSES, None, Phase.EVIDENCE), (UNTIL - TICK, None, Phase.EVIDENCE),
    (UNTIL, None, Phase.REVIEW), (FREEZE, None, Phase.DUE), (FREEZE, FREEZE, Phase.FROZEN), (FREEZE + timedelta(days=99), None, Phase.DUE)])
def test_where_a_campaign_stands(at, frozen_at, expected):
    assert phase(OPENS, CLOSES, UNTIL, frozen_at, FREEZE, at) is expected


@given(st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),
       st.sampled_from([ZoneInfo(name) for name in ("Asia/Shanghai", "UTC", "America/New_York")]))
def test_the_demos_window_is_always_open_now_and_closes_on_a_saturday(now, zone):
    window, local = live_demo_window(now, zone), now.astimezone(zone)
    closes = window.closes_at.astimezone(zone)
    assert (window.opens_at.astimezone(zone).date(), window.opens_at.hour) == (local.date() - timedelta(days=4), 10)
    assert (closes.weekday(), closes.hour, closes.minute, closes.second, closes.microsecond) == (5, 9, 0, 0, 0)
    ahead = closes.astimezone(UTC) - now
    assert timedelta(hours=24) <= ahead < timedelta(days=8, hours=2)   # the first such Saturday; two hours for clock changes
    assert is_open(window.opens_at, window.closes_at, now)
    assert window.opens_at < window.closes_at < window.evidence_until < window.freeze_at
    assert (window.freeze_at.weekday(), window.freeze_at.hour, window.freeze_at.date() - closes.date()) == (1, 18, timedelta(days=3))


@pytest.mark.parametrize(("now", "closes"), [
    ("2022-01-05T12:00:00+08:00", "2022-01-08T09:00:00+08:00"),
    ("2022-01-07T09:00:00+08:00", "2022-01-08T09:00:00+08:00"),     # exactly 24 hours
    ("2022-01-07T09:00:01+08:00", "2022-01-15T09:00:00+08:00"),     # a second short of them
    ("2022-01-08T08:00:00+08:00", "2022-01-15T09:00:00+08:00"),
])
def test_the_demo_gives_a_newcomer_a_whole_day(now, closes):
    assert live_demo_window(datetime.fromisoformat(now), SHANGHAI).closes_at == datetime.fromisoformat(closes)


def test_drawings_are_numbered_through_the_year():
    assert ssq_issue(date(2022, 1, 2)) == "2022001" and ssq_issue(date(2022, 1, 11)) == "2022005"


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.integers(0, 12), max_size=6), st.integers(1, 12), st.integers(1, 4),
       st.text(max_size=8))
def test_packing_uses_the_stock_exactly_or_says_why_not(stock, boxes, per_box, salt):
    try:
        packed = pack_boxes(stock, boxes, per_box, salt)
    except CannotPack as e:
        assert sum(stock.values()) != boxes * per_box or max(stock.values(), default=0) > boxes
        assert str(e).endswith("。")
        return
    assert [len(items) for items in packed] == [per_box] * boxes
    assert all(len(set(items)) == len(items) for items in packed)
    assert {kind: sum(kind in items for items in packed) for kind in stock} == stock
    assert packed == pack_boxes(stock, boxes, per_box, salt)


def test_the_reference_campaigns_boxes_come_out():
    packed = pack_boxes({"渔夫帽": 20, "雨伞": 20, "背包": 10, "衣服": 10, "文化体验券": 30}, 30, 3, "salt")
    assert len(packed) == 30 and all("文化体验券" in items for items in packed)
    assert len({tuple(items) for items in packed}) > 1
    assert packed != pack_boxes({"渔夫帽": 20, "雨伞": 20, "背包": 10, "衣服": 10, "文化体验券": 30}, 30, 3, "other salt")


def test_a_packing_list_is_bound_by_salt_and_every_item():
    one = packing_list([["帽子", "雨伞"], ["背包", "雨伞"]], "9f")
    assert one["boxes"][0] == {"box": "01", "items": ["帽子", "雨伞"]}
    others = [packing_list([["帽子", "雨伞"], ["背包", "雨伞"]], "9e"), packing_list([["背包", "雨伞"], ["帽子", "雨伞"]], "9f")]
    assert len({boxes_sha256(x) for x in (one, *others)}) == 3


plain = st.recursive(st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.integers(-2**53 + 1, 2**53 - 1),
                     lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]),
                                                                                         max_size=4), inner,
                                                                                max_size=4), max_leaves=12)


@given(plain)
def test_the_canonical_form_says_the_same_in_one_way(value):
    said = canonical_json(value)
    assert json.loads(said) == value
    assert canonical_json(json.loads(said)) == said


def test_keys_are_sorted_by_utf_16_without_white_space():
    """RFC 8785 §3.2.3: an emoji's surrogates come before U+FB33."""
    assert canonical_json({"\ufb33": 1, "😀": 2, "a": [1, "é"], "A": {}}) == '{"A":{},"a":[1,"é"],"😀":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize("value", [1.5, None, True, 2**53, {1: "a"}, ["\ud800"], {"a": (1, 2)}, b"x"])
def test_what_readers_would_read_differently_is_refused(value):
    with pytest.raises(ValueError):   # noqa: PT011
        canonical_json(value)


def test_bottomless_rules_are_refused():
    value: list = []
    for _ in range(30):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        canonical_json(value)


def test_the_binding_is_the_hash_of_everything_but_itself():
    rules = {"title": "评议", "alternates": 30}
    bound = campaign_binding("slug", rules)
    assert bound == "slug@" + sha256('{"alternates":30,"title":"评议"}'.encode()).hexdigest()
    assert campaign_binding("slug", rules | {"campaign": bound}) == bound
    assert campaign_binding("slug", rules | {"alternates": 31}) != bound
