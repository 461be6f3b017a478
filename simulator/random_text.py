"""Random and fixed identifiers in WeChat's shapes."""

from __future__ import annotations

import base64
import hashlib
import secrets
import string


def letters(size: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(size))


def fixed_id(prefix: str, seed: str) -> str:
    """28 characters, the same for the same seed."""
    return prefix + base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()).decode()[:28 - len(prefix)]


def virtual_id(prefix: str) -> str:
    """28 characters that are nobody's: what a snapshot page hands out, another at each time."""
    return prefix + secrets.token_urlsafe(24)[:28 - len(prefix)]
