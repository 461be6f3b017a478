"""Receipts as text: 80 random bits and a 40-bit MAC in the QR, eight characters for the eye.

Crockford's base 32 has no I, L, O or U; what people type for them is read as 1, 1, 0 and V.
Source: screenshots page C1 (payload `ref`).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
FROM_RFC_4648 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())
MISREAD = str.maketrans("ILOU", "110V")
ID_CHARS, MAC_CHARS = 16, 8
TOKEN_CHARS = ID_CHARS + MAC_CHARS


def base32(raw: bytes) -> str:
    """Five bits a character, most significant first; `raw` a multiple of five bytes."""
    return base64.b32encode(raw).translate(FROM_RFC_4648).decode()


def new_receipt_id() -> str:
    return base32(secrets.token_bytes(10))


def token_of(key: bytes, receipt_id: str) -> str:
    """The 24 characters of the QR: id and MAC."""
    return receipt_id + base32(_hmac(key, b"mac|" + receipt_id.encode())[:5])


def code_of(key: bytes, receipt_id: str) -> str:
    """The printed hint XXXX-XXXX: 40 bits, not unique, looked up among the sender's own receipts."""
    text = base32(_hmac(key, b"code|" + receipt_id.encode())[:5])
    return f"{text[:4]}-{text[4:]}"


def _hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256, from a copy of one begun with the key: starting it anew takes OpenSSL three times as long."""
    running = _begun(key).copy()
    running.update(message)
    return running.digest()


@lru_cache(maxsize=8)
def _begun(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def tidy(text: str) -> str:
    """What was typed or scanned, as our alphabet: upper case, no spaces or dashes."""
    return "".join(text.upper().split()).replace("-", "").translate(MISREAD)


def read_token(key: bytes, text: str) -> str | None:
    """The receipt id of a token whose MAC fits; None for anything else."""
    token = tidy(text[:80])
    if len(token) != TOKEN_CHARS or set(token) - set(ALPHABET):
        return None
    receipt_id = token[:ID_CHARS]
    return receipt_id if hmac.compare_digest(token.encode(), token_of(key, receipt_id).encode()) else None
