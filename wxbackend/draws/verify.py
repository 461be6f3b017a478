"""Checking a transcript of protocol wxdraw/1 from nothing but itself: pure, in a fixed order, first difference named.

Whatever a transcript holds, hostile or torn, ends in a list of steps or in `Differs`, never in another exception.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from wxbackend.draws import entropy as chance
from wxbackend.draws import rules as protocol

LARGEST_BYTES = 64 * 1024 * 1024
LARGEST_COUNT = 1_000_000
HEX = re.compile(r"(?:[0-9a-f]{2})*")
HASH = re.compile(r"[0-9a-f]{64}")
CAMPAIGN = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,99})@([0-9a-f]{64})")
ROW = ("rank", "digest", "ticket", "person")
STEPS = {
    "rules": "规则：和抽奖前公布的一字不差",
    "secret": "密封的随机数：和开始前公布的对得上",
    "entropy": "开奖号：来源、期号和写法与规则一致",
    "entrants": "封存名单：排好序，没有重复",
    "root": "名单指纹：重新算过，对得上",
    "seed": "种子数：名单和开奖号合起来算出",
    "winners": "中奖者：每人只取第一个签号，逐位对上",
    "alternates": "候补：顺序对上",
    "boxes": "盲盒：一人一盒，对上",
}
MISSING = "（没有这一项）"


class Differs(ValueError):
    """The first thing in a transcript that is not as it must be: where, what it said, what we found."""

    def __init__(self, path: str, said: Any, found: Any):
        self.path, self.said, self.found = path, said, found
        super().__init__(f"{path} 对不上：记录里是 {_short(said)}，应当是 {_short(found)}")


def read(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no key twice, no NaN. Raises Differs at the path "transcript"."""
    if len(raw) > LARGEST_BYTES:
        raise Differs("transcript", f"{len(raw)} 字节", f"不超过 {LARGEST_BYTES} 字节的JSON")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except Differs:
        raise
    except (ValueError, RecursionError) as e:
        raise Differs("transcript", f"读不出来的内容（{type(e).__name__}）", "完整的JSON") from None


def verify(transcript: Any) -> list[str]:
    """A sentence for each step passed, in order. Raises Differs for the first thing that differs."""
    try:
        return [STEPS[step] for step in _steps(transcript)]
    except RecursionError:
        raise Differs("transcript", "套了太多层", "普通的抽取记录") from None


def _steps(transcript: Any) -> Iterator[str]:
    if not isinstance(transcript, dict):
        raise Differs("transcript", transcript, "一个JSON对象")
    rules = _member(transcript, "rules", dict)
    _check_rules(rules)
    yield "rules"
    secret = _text(transcript, "secret", HEX, "小写十六进制，或空")
    if protocol.commitment(secret) != rules["commitment"]:
        raise Differs("secret", secret, f"SHA-256(\"secret:\"+secret) 等于 rules.commitment {rules['commitment']}")
    yield "secret"
    line = _check_entropy(rules, transcript)
    yield "entropy"
    lines = _member(transcript, "entrants", list)
    _check_entrants(lines)
    yield "entrants"
    result = _member(transcript, "result", dict)
    yield from _check_result(result, protocol.compute(rules, secret, line, lines))


def _check_rules(rules: dict[str, Any]) -> None:
    _same("rules.protocol", rules.get("protocol", MISSING), protocol.PROTOCOL)
    said = _text(rules, "campaign", CAMPAIGN, "活动名@规则的SHA-256", "rules.")
    try:
        bound = protocol.campaign_binding(said.partition("@")[0], rules)
    except ValueError as e:
        raise Differs("rules", f"不能规范书写的内容（{e}）", "只有文字、整数、列表和对象") from None
    _same("rules.campaign", said, bound)
    _text(rules, "commitment", HASH, "64位小写十六进制", "rules.")
    _text(rules, "boxes_sha256", re.compile(f"({HASH.pattern})?"), "64位小写十六进制，或空", "rules.")
    _count(rules, "alternates", "rules.")
    total = sum(_check_tier(tier, f"rules.tiers[{i}]") for i, tier in enumerate(_member(rules, "tiers", list, "rules.")))
    if total > LARGEST_COUNT:
        raise Differs("rules.tiers", total, f"合起来不超过 {LARGEST_COUNT} 份")


def _check_tier(tier: Any, path: str) -> int:
    if not isinstance(tier, dict):
        raise Differs(path, tier, "{id, count}")
    _text(tier, "id", re.compile(r".{1,100}"), "奖项的名字", f"{path}.")
    return _count(tier, "count", f"{path}.")


def _check_entropy(rules: dict[str, Any], transcript: dict[str, Any]) -> str:
    """The sources named by the rules, those issues, that order, and numbers as printed."""
    wanted = _member(rules, "entropy", list, "rules.")
    line = transcript.get("entropy", MISSING)
    try:
        readings = chance.parse(line)
    except chance.BadNumbers as e:
        raise Differs("entropy", line, str(e)) from None
    for i, named in enumerate(wanted):
        path = f"rules.entropy[{i}]"
        if not isinstance(named, dict) or not isinstance(named.get("source"), str) or not isinstance(named.get("issue", ""), str):
            raise Differs(path, named, "{source, issue}")
        said = readings[i] if i < len(readings) else None
        _same(f"entropy[{i}].source", said.source if said else MISSING, named["source"])
        _same(f"entropy[{i}].issue", said.issue if said else MISSING, named.get("issue", ""))
    _same("entropy", f"{len(readings)} 个来源", f"{len(wanted)} 个来源")
    return line


def _check_entrants(lines: list[Any]) -> None:
    tickets: set[str] = set()
    previous = ""
    for i, line in enumerate(lines):
        if not isinstance(line, str) or not protocol.LINE.fullmatch(line):
            raise Differs(f"entrants[{i}]", line, "16位签号、空格、16位人标，都是小写十六进制")
        if line <= previous:
            raise Differs(f"entrants[{i}]", line, f"排在 {previous} 之后")
        if line[:16] in tickets:
            raise Differs(f"entrants[{i}]", line, "一个签号只出现一次")
        tickets.add(line[:16])
        previous = line


def _check_result(said: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for key in ("root", "list_sha256", "tickets", "persons"):
        _same(f"result.{key}", said.get(key, MISSING), found[key])
    yield "root"
    _same("result.seed", said.get("seed", MISSING), found["seed"])
    yield "seed"
    for key, fields in (("winners", (*ROW, "tier")), ("alternates", ROW)):
        rows = _member(said, key, list, "result.")
        for i, row in enumerate(found[key]):
            _check_row(f"result.{key}[{i}]", rows[i] if i < len(rows) else MISSING, row, fields)
        if len(rows) > len(found[key]):
            raise Differs(f"result.{key}[{len(found[key])}]", rows[len(found[key])], f"到第 {len(found[key])} 位为止")
        yield key
    for i, row in enumerate(found["winners"]):
        _same(f"result.winners[{i}].box", said["winners"][i].get("box", MISSING), row["box"])
    yield "boxes"


def _check_row(path: str, said: Any, found: dict[str, Any], fields: tuple[str, ...]) -> None:
    """Every field is recomputed, so a row may not say more than we found: not even a prize for an alternate."""
    if not isinstance(said, dict):
        raise Differs(path, said, found)
    for key in fields:
        _same(f"{path}.{key}", said.get(key, MISSING), found[key])
    for key in sorted(said.keys() - found.keys(), key=str):
        raise Differs(f"{path}.{_short(key)}", said[key], MISSING)


def _member(parent: dict[str, Any], key: str, kind: type, under: str = "") -> Any:
    value = parent.get(key, MISSING)
    if not isinstance(value, kind):
        raise Differs(f"{under}{key}", value, "一个列表" if kind is list else "一个JSON对象")
    return value


def _text(parent: dict[str, Any], key: str, form: re.Pattern[str], meant: str, under: str = "") -> str:
    value = parent.get(key, MISSING)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise Differs(f"{under}{key}", value, meant)
    return value


def _count(parent: dict[str, Any], key: str, under: str) -> int:
    value = parent.get(key, MISSING)
    if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
        raise Differs(f"{under}{key}", value, f"0 到 {LARGEST_COUNT} 的整数")
    return value


def _same(path: str, said: Any, found: Any) -> None:
    if type(said) is not type(found) or said != found:   # 1, True and 1.0 are equal to Python, not to us
        raise Differs(path, said, found)


def _short(value: Any) -> str:
    """At most 100 characters on one line, ASCII control characters escaped: this goes to a terminal."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        text = type(value).__name__
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:101])
    return (text[:100] + "…" if len(text) > 100 else text) or "（空）"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise Differs("transcript", name, "每个名字只出现一次")
        members[name] = value
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
