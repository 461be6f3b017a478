"""Receipts as text: 80 random bits and a 40-bit MAC in the QR, eight characters for the eye.

Crockford's base 32 has no I, L, O or U; what people type for them is read as 1, 1, 0 and V.
Source: screenshots page C1 (payload `ref`).
"""

from __future__ import annotations

import hmac
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD = str.maketrans("ILOU", "110V")
ID_CHARS, MAC_CHARS = 16, 8
TOKEN_CHARS = ID_CHARS + MAC_CHARS


def base32(raw: bytes) -> str:
    """Five bits a character, most significant first; `raw` a multiple of five bytes."""
    number, size = int.from_bytes(raw, "big"), len(raw) * 8 // 5
    return "".join(ALPHABET[number >> 5 * (size - 1 - i) & 31] for i in range(size))


def new_receipt_id() -> str:
    return base32(secrets.token_bytes(10))


def token_of(key: bytes, receipt_id: str) -> str:
    """The 24 characters of the QR: id and MAC."""
    return receipt_id + base32(hmac.digest(key, b"mac|" + receipt_id.encode(), "sha256")[:5])


def code_of(key: bytes, receipt_id: str) -> str:
    """The printed hint XXXX-XXXX: 40 bits, not unique, looked up among the sender's own receipts."""
    text = base32(hmac.digest(key, b"code|" + receipt_id.encode(), "sha256")[:5])
    return f"{text[:4]}-{text[4:]}"


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
