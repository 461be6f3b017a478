"""The published example, and ways to tamper with it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wxbackend.draws import rules

RAW = (Path(__file__).resolve().parents[1] / "vectors/draw-vectors.json").read_bytes()
EXAMPLE = json.loads(RAW)
Way = tuple[str | int, ...]


def leaves(value: Any, way: Way = ()) -> Iterator[Way]:
    """The way to every text and number."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if steps is None:
        yield way
    else:
        for key, inner in steps:
            yield from leaves(inner, (*way, key))


def changed(way: Way, new: Any, transcript: Any = EXAMPLE) -> Any:
    """A copy of the transcript with `new` (or `new(old)`) at the way."""
    torn = copy.deepcopy(transcript)
    parent = torn
    for key in way[:-1]:
        parent = parent[key]
    parent[way[-1]] = new(parent[way[-1]]) if callable(new) else new
    return torn


def written(way: Way) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in way).removeprefix(".")


def otherwise(value: str | int) -> str | int:
    """The same kind of value, another one, as plausible as can be: the last character moves by one."""
    if isinstance(value, int):
        return value + 1
    if not value:
        return "0"
    turned = {"f": "e", "9": "8", "z": "y"}.get(value[-1], chr(ord(value[-1]) + 1))
    return value[:-1] + turned


ALL = [way for part in ("rules", "secret", "entropy", "entrants", "result") for way in leaves(EXAMPLE[part], (part,))]


def bound(transcript: Any, slug: str = "futian-2021-reform") -> Any:
    """The same transcript after somebody wrote the fitting hash beside changed rules."""
    return changed(("rules", "campaign"), rules.campaign_binding(slug, transcript["rules"]), transcript)
