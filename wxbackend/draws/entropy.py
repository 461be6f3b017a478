"""Public chance as one canonical line: ``ssq:2022005=03.08.15.21.27.33./06./``, several joined with ``;``.

Groups whose order means nothing stand ascending, numbers of a lottery in two digits as printed, each
group ends with ``./``. Source: draw protocol wxdraw/1, part 5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_CHARACTERS = 10_000


class BadNumbers(ValueError):
    """What was typed cannot be this source's numbers; ``str()`` is a Chinese sentence saying why."""


@dataclass(frozen=True)
class Group:
    """One group as the bulletin prints it: how many numbers, from lowest to highest, in how many digits."""

    label: str
    count: int
    lowest: int
    highest: int
    digits: int
    ordered: bool = False      # the order of drawing counts, and numbers may repeat
    at_least: bool = False     # `count` is the fewest


class Source(NamedTuple):
    name: str
    has_issue: bool
    groups: tuple[Group, ...]


class Reading(NamedTuple):
    """One source's part of the line: ("ssq", "2022005", (("03", …), ("06",)))."""

    source: str
    issue: str
    groups: tuple[tuple[str, ...], ...]


SOURCES = {
    "ssq": Source("双色球", True, (Group("红球", 6, 1, 33, 2), Group("蓝球", 1, 1, 16, 2))),
    "dlt": Source("大乐透", True, (Group("前区", 5, 1, 35, 2), Group("后区", 2, 1, 12, 2))),
    "kl8": Source("快乐8", True, (Group("号码", 20, 1, 80, 2),)),
    "pl5": Source("排列5", True, (Group("号码", 5, 0, 9, 1, ordered=True),)),
    "stage": Source("现场数字", False, (Group("数字", 6, 0, 9, 1, ordered=True),)),
    "sealed": Source("密封信封", False, (Group("信封", 5, 0, 999_999, 6, ordered=True, at_least=True),)),
}


def entropy_from_numbers(source: str, issue: str, groups: Sequence[Sequence[int | str]]) -> str:
    """("ssq", "2022005", [[33, 8, 3, 15, 27, 21], [6]]) → "ssq:2022005=03.08.15.21.27.33./06./". Raises BadNumbers."""
    kind = known(source)
    _check_issue(kind, issue)
    if len(groups) != len(kind.groups):
        raise BadNumbers(f"{kind.name}要填{'、'.join(g.label for g in kind.groups)}，一组不多，一组不少。")
    parts = [_numbers(kind, rule, given) for rule, given in zip(kind.groups, groups, strict=True)]
    return source + (f":{issue}" if issue else "") + "=" + "".join(".".join(part) + "./" for part in parts)


def join(parts: Sequence[str]) -> str:
    return ";".join(parts)


def parse(line: str) -> list[Reading]:
    """Every source of the line, in order. Raises BadNumbers unless it is canonical to the letter."""
    if not isinstance(line, str) or not line or len(line) > MAX_CHARACTERS:
        raise BadNumbers("开奖号这一行是空的，或者长得不像开奖号。")
    return [_parse_one(part) for part in line.split(";")]


def known(source: str) -> Source:
    if not isinstance(source, str) or source not in SOURCES:
        raise BadNumbers("没有这种开奖来源，可用的是" + "、".join(SOURCES) + "。")
    return SOURCES[source]


def say(reading: Reading) -> str:
    """红球 03 08 15 21 27 33，蓝球 06"""
    labels = [group.label for group in SOURCES[reading.source].groups]
    return "，".join(f"{label} {' '.join(numbers)}" for label, numbers in zip(labels, reading.groups, strict=True))


def _parse_one(part: str) -> Reading:
    head, equals, body = part.partition("=")
    source, _, issue = head.partition(":")
    if not equals or not body.endswith("./"):
        raise BadNumbers("开奖号的写法不对，应像 ssq:2022005=03.08.15.21.27.33./06./ 这样。")
    groups = tuple(tuple(group.split(".")) for group in body.removesuffix("./").split("./"))
    if entropy_from_numbers(source, issue, groups) != part:
        raise BadNumbers("开奖号要从小到大、按印出来的位数写。")
    return Reading(source, issue, groups)


def _check_issue(kind: Source, issue: str) -> None:
    pattern = r"[0-9]{5,7}" if kind.has_issue else ""
    if not isinstance(issue, str) or not re.fullmatch(pattern, issue):
        raise BadNumbers(f"{kind.name}的期号是5到7位数字。" if kind.has_issue else f"{kind.name}没有期号，不用填。")


def _numbers(kind: Source, rule: Group, given: Sequence[int | str]) -> list[str]:
    if isinstance(given, str) or not (len(given) == rule.count or rule.at_least and rule.count < len(given) <= 100):
        raise BadNumbers(f"{kind.name}的{rule.label}{'至少' if rule.at_least else ''}是{rule.count}个号码。")
    values = [_number(kind, rule, one) for one in given]
    if rule.ordered:
        return [f"{value:0{rule.digits}d}" for value in values]
    if len(set(values)) != len(values):
        raise BadNumbers(f"{kind.name}的{rule.label}里有两个一样的号码，请对着公告再看一眼。")
    return [f"{value:0{rule.digits}d}" for value in sorted(values)]


def _number(kind: Source, rule: Group, given: int | str) -> int:
    text = given if isinstance(given, str) else str(given) if type(given) is int else ""
    if re.fullmatch(f"[0-9]{{1,{rule.digits}}}", text) and rule.lowest <= int(text) <= rule.highest:
        return int(text)
    lowest, highest = (f"{n:0{rule.digits}d}" for n in (rule.lowest, rule.highest))
    raise BadNumbers(f"{kind.name}的{rule.label}是{lowest}到{highest}之间的数字。")
