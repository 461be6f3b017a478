"""Keys derived from the one data key, a purpose each: sealing, keyed hashes, MACs.

Two purposes never share a key, so that a value made for one place means nothing in another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wxbackend.extensions import settings


class Unreadable(Exception):
    """A sealed value that our key did not seal, or that was changed."""


def derive(purpose: str) -> bytes:
    """32 bytes for one purpose: HMAC-SHA256(data key, purpose)."""
    return _derived(settings.data_key, purpose)


@lru_cache(maxsize=64)
def _derived(data_key: str, purpose: str) -> bytes:
    return hmac.digest(base64.b64decode(data_key), purpose.encode(), "sha256")


def keyed_hash(purpose: str, text: str) -> str:
    """64 hex characters by which equal texts are found without being stored."""
    return hmac.new(derive(purpose), text.encode(), hashlib.sha256).hexdigest()


def own_nonce() -> str:
    """A nonce for asking our own site, by which it knows who asks; 40 characters that fit wherever WeChat's stand."""
    word = secrets.token_hex(12)
    return word + _mark(word)


def is_own_nonce(nonce: str) -> bool:
    """Whether somebody with our data key made it. Seen on the way it speaks for that one request, and nobody makes another."""
    word, mark = nonce[:24], nonce[24:]
    return hmac.compare_digest(_mark(word).encode(), mark.encode("utf-8", "replace"))


def _mark(word: str) -> str:
    return keyed_hash("own-nonce", word)[:16]


def seal(purpose: str, text: str) -> str:
    """AES-256-GCM with the purpose as associated data, base64."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(derive("seal|" + purpose)).encrypt(nonce, text.encode(), purpose.encode())).decode()


def unseal(purpose: str, sealed: str) -> str:
    """The text again. Raises Unreadable."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        return AESGCM(derive("seal|" + purpose)).decrypt(raw[:12], raw[12:], purpose.encode()).decode()
    except (InvalidTag, ValueError) as e:
        raise Unreadable(purpose) from e
