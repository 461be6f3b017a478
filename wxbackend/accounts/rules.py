"""How long logins last, where a login may lead back to."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

VOTER_TOKEN_LIFE = timedelta(days=30)
STAFF_SESSION_LIFE = timedelta(hours=10)
STATE_LIFE = timedelta(minutes=10)
TAP_LIFE = timedelta(minutes=10)     # of a button that asks WeChat for more than the openid


def safe_next(target: str | None, otherwise: str = "/") -> str:
    """A path of our own site to go on to; anything else becomes `otherwise`.

    Browsers read //host and /\\host as another site, and drop tabs and line breaks inside URLs.
    """
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or any(ord(c) < 33 for c in target):
        return otherwise
    parts = urlsplit(target)
    return otherwise if parts.scheme or parts.netloc else target
