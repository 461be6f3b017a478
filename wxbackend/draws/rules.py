"""Protocol wxdraw/1: from a frozen list and public chance to winners. Pure: the same in gives the same out for ever.

Every function here is small enough to be written again by somebody who does not trust us; `static/verify.js`
is such a second writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from wxbackend.audit import merkle
from wxbackend.campaigns.binding import campaign_binding, canonical_json, commitment
from wxbackend.campaigns.packing import boxes_sha256, pack_boxes
from wxbackend.draws.entropy import BadNumbers, entropy_from_numbers

__all__ = ["BadNumbers", "Place", "box_order", "boxes_sha256", "campaign_binding", "canonical_json", "commitment", "compute", "digest",
           "entropy_from_numbers", "list_root", "list_sha256", "order", "pack_boxes", "prizes", "seed"]

PROTOCOL = "wxdraw/1"
LINE = re.compile(r"([0-9a-f]{16}) ([0-9a-f]{16})")


class Place(NamedTuple):
    """A person's best ticket: its digest (64 hex), its id and the person's tag (16 hex each)."""

    digest: str
    ticket: str
    person: str


def list_root(lines: Iterable[str]) -> str:
    """RFC 9162 root over the lines without their LF, hex."""
    return merkle.root(line.encode() for line in lines).hex()


def list_sha256(lines: Sequence[str]) -> str:
    """SHA-256 of the list file: every line ends with LF."""
    return sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def seed(campaign: str, root: str, secret: str, entropy: str) -> str:
    return sha256(f"{PROTOCOL}\n{campaign}\n{root}\n{secret}\n{entropy}\n".encode()).hexdigest()


def digest(seed: str, ticket: str) -> str:
    """What one can check at home: printf '%s' "<seed>:<ticket>" | sha256sum."""
    return sha256(f"{seed}:{ticket}".encode()).hexdigest()


def order(seed: str, lines: Iterable[str]) -> list[Place]:
    """Everybody once, by the first of her tickets in the order of (digest, ticket)."""
    queue = sorted((digest(seed, line[:16]), line[:16], line[17:]) for line in lines)
    first: dict[str, Place] = {}
    for place in queue:
        first.setdefault(place[2], Place(*place))
    return list(first.values())


def box_order(seed: str, boxes: int) -> list[str]:
    """Boxes "01".."nn" in the order in which winners receive them."""
    names = [f"{number:02d}" for number in range(1, boxes + 1)]
    return sorted(names, key=lambda name: (digest(seed, f"box:{name}"), name))


def prizes(rules: dict[str, Any]) -> list[str]:
    """The tier of each prize in the order of drawing: ["first", "second", "second"]."""
    return [tier["id"] for tier in rules["tiers"] for _ in range(tier["count"])]


def compute(rules: dict[str, Any], secret: str, entropy: str, lines: Sequence[str]) -> dict[str, Any]:
    """The result of a draw, in the shape of a transcript's `result`.

    Lines may come in any order. Fewer persons than prizes: fewer winners, the later prizes stay.
    """
    lines = sorted(lines)
    root = list_root(lines)
    drawn = seed(rules["campaign"], root, secret, entropy)
    places, tiers = order(drawn, lines), prizes(rules)
    boxes = box_order(drawn, len(tiers))
    ranked = [{"rank": rank, **place._asdict()} for rank, place in enumerate(places, 1)]
    return {
        "root": root, "list_sha256": list_sha256(lines), "seed": drawn, "tickets": len(lines), "persons": len(places),
        "winners": [row | {"tier": tier, "box": box} for row, tier, box in zip(ranked, tiers, boxes, strict=False)],
        "alternates": ranked[len(tiers):len(tiers) + rules["alternates"]],
    }

