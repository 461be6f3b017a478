"""The rules in one canonical form, so that everybody hashes the same bytes.

Source: draw protocol wxdraw/1, part 0; RFC 8785 for what rules hold (objects, lists, strings, integers).
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

LARGEST_INTEGER = 2**53 - 1   # what every JSON reader holds exactly
DEEPEST = 20


def canonical_json(value: Any) -> bytes:
    """Keys sorted, no white space, UTF-8. Raises ValueError for anything but objects, lists, strings and whole numbers."""
    return _canonical(value, DEEPEST).encode()


def campaign_binding(slug: str, rules: dict[str, Any]) -> str:
    """"<slug>@<SHA-256 of the canonical rules without the key campaign>": other rules give another seed."""
    unbound = {key: value for key, value in rules.items() if key != "campaign"}
    return f"{slug}@{sha256(canonical_json(unbound)).hexdigest()}"


def commitment(secret: str = "") -> str:
    """What is published before the draw about a secret in hex; the usual draw has none."""
    return sha256(f"secret:{secret}".encode()).hexdigest()


def _canonical(value: Any, room: int) -> str:
    if room == 0:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        value.encode()   # a lone surrogate has no UTF-8: UnicodeEncodeError is a ValueError
        return json.dumps(value, ensure_ascii=False)
    if type(value) is int and abs(value) <= LARGEST_INTEGER:
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical(one, room - 1) for one in value) + "]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))   # RFC 8785 §3.2.3
        return "{" + ",".join(_canonical(key, room - 1) + ":" + _canonical(value[key], room - 1) for key in keys) + "}"
    raise ValueError(f"rules hold texts, whole numbers, lists and objects only, not {type(value).__name__}")
