"""What blinds the log and what signs it, derived from the data key: nothing of it is stored, and the blinds are told to nobody but whom
they belong to."""

from __future__ import annotations

import hmac
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wxbackend import keys


class Blinds:
    """Of one campaign: many lines at once derive their keys once."""

    def __init__(self, slug: str):
        self._opening, self._salt = keys.derive(f"ballot-log|opening|{slug}"), keys.derive(f"ballot-log|salt|{slug}")

    def opening(self, receipt_id: str) -> bytes:
        """32 bytes told to the voter alone: with them she knows her line, and can show that it is hers."""
        return hmac.digest(self._opening, receipt_id.encode(), "sha256")

    def salt(self, receipt_id: str) -> bytes:
        """32 bytes told to the auditor, never to the voter."""
        return hmac.digest(self._salt, receipt_id.encode(), "sha256")


def public_key() -> str:
    """Ed25519, 64 hex characters."""
    return _signer().public_key().public_bytes_raw().hex()


def sign(text: str) -> str:
    """Ed25519 over the UTF-8 bytes, 128 hex characters."""
    return _signer().sign(text.encode()).hex()


def is_signed(text: str, signature: str, key: str) -> bool:
    """Whether `key` (hex) signed it."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _signer() -> Ed25519PrivateKey:
    return _made(keys.derive("ballot-log|sign"))


@lru_cache(maxsize=4)
def _made(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)
