"""Which of the account's own replies a sentence gets: plain values only.

People type with a Chinese keyboard, in quotation marks, with a full stop behind: 「改革评议。」 is 改革评议. A sentence that equals a word
goes before one that contains it, a longer word before a shorter one, a running campaign's word before the account's, an older before
a newer: the same sentence always gets the same reply.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

MOST_BYTES = 2048                  # of a reply, by WeChat's own count
AROUND = " .。!！?？~～,，、…;；:：'\"“”‘’「」『』《》【】[]"
GAP = re.compile(r"\s*[-‐‒–—―−_#]+\s*|\s+")
LONGEST_TAIL = 20
PLACE = re.compile(r"\{([^{}\n]{1,12})\}")
# A sentence ends with 。！？ or its line; ASCII marks and a stroke end one only before a gap, since an address may hold them.
SENTENCE = re.compile(r"(?:[^。！？!?\n/]|[!?](?!\s|$)|(?<!\s)/|/(?!\s))*(?:[。！？]+|[!?]+(?=\s|$)|(?<=\s)/(?=\s))?\s*")
ANY_PLACE = re.compile(r"[{｛]([^{}｛｝\n]{0,30})[}｝]")
# What may stand in a text, and how many bytes it may take once it is filled.
ROOM = {"投票链接": 420, "活动": 240, "截止": 40, "电话": 120, "工作时间": 180}


class Channel(Protocol):
    """A campaign's source."""

    code: str
    name: str


@dataclass(frozen=True)
class Answer:
    """What the account answers. action: text (`text` is said as it is) · vote (the vote link, of the channel `source`) · mine (the
    sender's own tickets) · human (on to the staff at WeChat's desk; `text` says that this happens). `of` is the reply it comes from."""

    text: str = ""
    action: str = "text"
    campaign_slug: str | None = None
    source: str = ""
    of: int | None = None


@dataclass(frozen=True)
class Rule:
    """A reply as it is matched. `equal` and `contain` are words in their normal form; without a campaign it holds always."""

    id: int
    kind: str
    equal: tuple[str, ...]
    contain: tuple[str, ...]
    action: str
    text: str
    campaign_id: int | None = None
    position: int = 0
    hours: str = ""

    @property
    def order(self) -> tuple[bool, int, int]:
        return self.campaign_id is None, self.position, self.id


class Book:
    """All rules in force, laid out for finding; made once, asked for every message."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = sorted(rules, key=lambda rule: rule.order)
        spoken = [rule for rule in self.rules if rule.kind in ("keyword", "human")]
        self.doors = [(word, rule) for rule in spoken if rule.action == "vote" for word in rule.equal]
        self.doors.sort(key=lambda door: -len(door[0]))
        self._equal: dict[str, list[Rule]] = {}
        self._buttons: dict[str, Rule] = {}
        for rule in spoken:
            for word in rule.equal:
                self._equal.setdefault(word, []).append(rule)
        for rule in (rule for rule in self.rules if rule.kind == "click"):
            for key in rule.equal:
                self._buttons.setdefault(key, rule)
        self._contain = [(word, rule) for rule in spoken for word in rule.contain]
        self._contain.sort(key=lambda entry: (-len(entry[0]), entry[1].order))

    def exact(self, said: str, running: Collection[int]) -> Rule | None:
        """The rule whose word is the whole sentence (in its normal form)."""
        return next((rule for rule in self._equal.get(said, ()) if _holds(rule, running)), None)

    def within(self, said: str, running: Collection[int]) -> Rule | None:
        """The rule with the longest word that stands somewhere in the sentence."""
        return next((rule for word, rule in self._contain if word in said and _holds(rule, running)), None)

    def button(self, key: str) -> Rule | None:
        """The reply to a button of the menu; keys are compared as they are."""
        return self._buttons.get(key)

    def only(self, kind: str, campaign_ids: Sequence[int]) -> Rule | None:
        """The greeting or default in force: of the first of these campaigns that has one, else the account's; of two the newest."""
        found = [rule for rule in reversed(self.rules) if rule.kind == kind]
        for campaign_id in (*campaign_ids, None):
            for rule in found:
                if rule.campaign_id == campaign_id:
                    return rule
        return None


def normal(text: str) -> str:
    """'「ＡＢＣ　开放时间！！」' → 'abc 开放时间'. A sentence of nothing but marks stays as it is: "？" may be a keyword, too."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf")   # what is not seen does not count
    single = " ".join(seen.split())
    return single.strip(AROUND) or single


def split_source(text: str, keyword: str, sources: Iterable[Channel]) -> str | None:
    """The channel behind a keyword: 评议-海报 or 评议 poster → "poster", by the source's code or name; 评议2, the second source, is what an
    old phone's owner can type. "" for the bare keyword, and for a place or a number that nobody knows: a misread poster must not cost a
    vote. None where the sentence is not this keyword.
    """
    said, word = normal(text), normal(keyword)
    if not word or not said.startswith(word):
        return None
    rest = said[len(word):]
    if numbered := re.fullmatch(r"\s*-?\s*([0-9]{1,3})", rest):
        return next((s.code for n, s in enumerate(sources, 1) if n == int(numbered[1])), "")
    gap = GAP.match(rest)
    if not rest or not gap:
        return None if rest else ""
    tail = normal(rest[gap.end():])
    for source in sources:
        if tail and tail in (normal(source.code), normal(source.name)):
            return source.code
    return "" if len(tail) <= LONGEST_TAIL and not re.search("[0-9]{7}", tail) else None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with {投票链接} and the like filled in, in one pass; braces that no value is given for stay as they are.

    A sentence that speaks of something that is not there (its value is "") is left out; "" where none is left: the caller has words for it.
    """
    said = "".join(part for part in SENTENCE.findall(text) if not any(values.get(name) == "" for name in PLACE.findall(part)))
    return PLACE.sub(lambda m: values.get(m[1], m[0]), said).strip()


def size(text: str) -> int:
    """Bytes this text may come to at most once its places are filled."""
    rest = PLACE.sub(lambda m: "" if m[1] in ROOM else m[0], text)
    return len(rest.encode()) + sum(ROOM.get(name, 0) for name in PLACE.findall(text))


def unknown_places(text: str) -> list[str]:
    """What stands in braces and would reach people as it is: ["{抽奖链接}"]. Chinese braces fill nothing, either."""
    found = (m[0] for m in ANY_PLACE.finditer(text))
    return list(dict.fromkeys(place for place in found if not (place[0] + place[-1] == "{}" and place[1:-1] in ROOM)))


def misplaced(text: str) -> str:
    """A sentence that names what stands in braces and is none of ours, with those that are; "" where all are ours."""
    wrong = "、".join(f"“{place}”" for place in unknown_places(text))
    return f"不认识{wrong}，发出去会是这几个字。能写的只有：" + " ".join(f"{{{name}}}" for name in ROOM) + "。" if wrong else ""


def mentions(text: str, name: str) -> bool:
    return name in PLACE.findall(text)


def _holds(rule: Rule, running: Collection[int]) -> bool:
    return rule.campaign_id is None or rule.campaign_id in running
