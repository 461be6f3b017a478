"""Checking an audit kit from nothing but itself: by whom does not trust us, without our database and our keys.

Every line to the roots of the signed heads, every C opened, the votes counted again, every ticket recomputed. Pure.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from wxbackend.audit.merkle import Frontier, leaf_hash
from wxbackend.ballots.log import rules
from wxbackend.ballots.log.blinds import is_signed
from wxbackend.tickets.service import person_tag, ticket_id

UNCOUNTED = {"quarantined", "rejected", "voided"}


@dataclass
class Kit:
    """What was read so far. `faults` are sentences that name the line."""

    public_key: str = ""
    campaign: str = ""
    heads: list[dict[str, Any]] = field(default_factory=list)
    growing: Frontier = field(default_factory=Frontier)
    votes: dict[int, tuple[str, str]] = field(default_factory=dict)      # line -> (receipt hash, C)
    verdicts: dict[int, str] = field(default_factory=dict)               # line of the vote -> its latest decision
    opened: dict[int, str] = field(default_factory=dict)                 # line -> "culture-network=优"
    granted: dict[str, bool] = field(default_factory=dict)               # ticket -> whether it counts
    counted: Counter[str] = field(default_factory=Counter)               # lines of each kind
    named: list[str] = field(default_factory=list)
    key: bytes = b""
    holders: set[str] = field(default_factory=set)
    moved: list[str] = field(default_factory=list)                       # tickets whose holder is not whom they were granted to
    faults: list[str] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """账本指纹 of its latest head, to be compared with what stood on success pages."""
        return rules.fingerprint(self.heads[-1]["text"])[:rules.MARK_CHARS] if self.heads else ""

    def totals(self) -> dict[str, dict[str, int]]:
        """Votes that count, by subject and grade."""
        found: dict[str, dict[str, int]] = {}
        for seq, grades in sorted(self.opened.items(), key=lambda one: one[1]):
            if self.verdicts.get(seq) not in UNCOUNTED:
                subject, _, grade = grades.rpartition("=")
                found.setdefault(subject, {}).setdefault(grade, 0)
                found[subject][grade] += 1
        return found


def check(entries: Iterable[dict[str, Any]]) -> Kit:
    """Everything in the kit held against everything else; nothing is wrong when `faults` is empty."""
    kit = Kit()
    for entry in entries:
        name = next(iter(entry), "")
        reader = READERS.get(name)
        if reader is None:
            kit.faults.append(f"an entry that is none: {name!r}")
        else:
            kit.faults += reader(kit, entry)
    kit.faults += _at_the_end(kit)
    return kit


def _begin(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    kit.public_key, kit.campaign = entry["public_key"], entry["campaign"]
    if entry["kit"] != "wxkit/1":
        yield f"a kit of another kind: {entry['kit']}"


def _head(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    text, number = entry["head"]["body"], len(kit.heads) + 1
    try:
        said = rules.read_body(text)
    except ValueError:
        yield f"head {number}: is not canonical JSON"
        return
    prev = rules.fingerprint(kit.heads[-1]["text"]) if kit.heads else rules.FIRST
    if not is_signed(text, entry["head"]["signature"], kit.public_key):
        yield f"head {number}: its signature does not hold"
    if said.get("prev_head_sha256") != prev or said.get("number") != number or said.get("campaign") != kit.campaign:
        yield f"head {number}: does not follow the one before it"
    kit.heads.append({"text": text, "said": said})


def _line(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    yield from _roots(kit)
    data = entry["line"]
    kit.growing.append(leaf_hash(data.encode()))
    seq, (kind, *fields) = kit.growing.size, data.split("|")
    kit.counted[kind.partition("/")[0]] += 1
    try:
        _enter(kit, seq, kind, fields)
    except (IndexError, ValueError, KeyError):
        yield f"line {seq}: is none of ours: {data[:80]!r}"


def _enter(kit: Kit, seq: int, kind: str, fields: list[str]) -> None:
    """Raises IndexError, ValueError, KeyError for a line of another form."""
    if kind == "vote/1":
        if fields[0] != kit.campaign:
            raise ValueError(fields[0])
        kit.votes[seq] = fields[2], fields[3]
    elif kind in ("void", "decision"):
        if int(fields[0]) not in kit.votes:
            raise KeyError(fields[0])
        kit.verdicts[int(fields[0])] = "voided" if kind == "void" else fields[1]
    elif kind in ("grant", "revoke"):
        kit.granted[fields[0]] = kind == "grant"
    elif kind != "rules":
        raise ValueError(kind)


def _roots(kit: Kit) -> Iterator[str]:
    """The heads whose size the lines have just reached."""
    for number, head in enumerate(kit.heads, 1):
        if head["said"].get("size") == kit.growing.size and "seen" not in head:
            head["seen"] = True
            if head["said"].get("root") != kit.growing.root().hex():
                yield f"head {number}: its root is not that of the {kit.growing.size} lines"
            yield from (f"head {number}: says {head['said'].get(name)} {name}, there are {kit.counted[kind]}"
                        for kind, name in rules.COUNTED.items() if head["said"].get(name) != kit.counted[kind])


def _ballot(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    seq = entry["ballot"]
    if seq not in kit.votes:
        yield f"line {seq}: is opened and is no vote"
    elif rules.commitment(bytes.fromhex(entry["salt"]), entry["grades"]) != kit.votes[seq][1]:
        yield f"line {seq}: salt and grade are not those it was entered with"
    kit.opened[seq] = entry["grades"]


def _named(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    receipt, seq = entry["named"], entry["seq"]
    known = rules.receipt_hash(bytes.fromhex(entry["opening"]), receipt)
    if kit.votes.get(seq, ("", ""))[0] != known:
        yield f"receipt {receipt}: line {seq} is not its own"
    kit.named.append(f"receipt {receipt}: line {seq}, {kit.opened.get(seq, 'not opened')}")


def _key(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    kit.key = bytes.fromhex(entry["k_campaign"])
    return iter(())


def _holder(kit: Kit, entry: dict[str, Any]) -> Iterator[str]:
    ticket = entry["ticket"]
    if ticket_id(kit.key, entry["granted_to"], date.fromisoformat(entry["day"]), entry["activity"], entry["n"]) != ticket:
        yield f"ticket {ticket}: is not what the key makes of its person and day"
    if not hmac.compare_digest(person_tag(kit.key, entry["person"]), entry["tag"]):
        yield f"ticket {ticket}: its person's tag is another"
    if not kit.granted.get(ticket):
        yield f"ticket {ticket}: was never granted in the log, or was taken back"
    if entry["person"] != entry["granted_to"]:
        kit.moved.append(ticket)
    kit.holders.add(ticket)


def _at_the_end(kit: Kit) -> Iterator[str]:
    yield from _roots(kit)
    yield from (f"head {number}: its {head['said'].get('size')} lines are not all there"
                for number, head in enumerate(kit.heads, 1) if "seen" not in head)
    yield from (f"line {seq}: its grade is not opened" for seq in sorted(kit.votes.keys() - kit.opened.keys()))
    yield from (f"ticket {ticket}: counts, and nobody holds it"
                for ticket in sorted({t for t, counts in kit.granted.items() if counts} - kit.holders))
    for number, head in enumerate(kit.heads, 1):
        said = head["said"].get("totals")
        if said is not None and head["said"].get("size") == kit.growing.size and said != _shown(kit):
            yield f"head {number}: says {said}, the ballots count {_shown(kit)}"


def _shown(kit: Kit) -> dict[str, dict[str, int]]:
    return {subject: grades for subject, grades in kit.totals().items() if sum(grades.values()) >= rules.LEAST}


READERS = {"kit": _begin, "head": _head, "line": _line, "ballot": _ballot, "named": _named, "k_campaign": _key, "ticket": _holder}
