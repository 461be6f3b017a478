"""The audit kit as a file: lines of JSON, compressed, sealed under a passphrase in pieces, so that a million lines never lie in memory.

``wxkit/1\\n`` · 16 bytes salt · pieces, each with its length in 4 bytes: AES-256-GCM under scrypt(passphrase, salt), the nonce counts the
pieces and marks the last, the beginning of the file is authenticated with each. A piece taken away, moved or cut off is noticed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wxbackend.ballots.rules import base32, tidy

MAGIC = b"wxkit/1\n"
SALT_BYTES, PIECE_BYTES, LENGTH_BYTES = 16, 1 << 20, 4
LARGEST_LINE = 1 << 20
SCRYPT: dict[str, int] = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 1 << 26, "dklen": 32}


class CannotOpen(Exception):
    """A wrong passphrase, or a file that is not whole. The text is for whoever holds it."""


class Lock(NamedTuple):
    """What seals one file: kept no longer than until it is written."""

    salt: bytes
    key: bytes


def new_passphrase() -> str:
    """120 random bits, six times four characters: "7K3M-…"."""
    text = base32(secrets.token_bytes(15))
    return "-".join(text[i:i + 4] for i in range(0, len(text), 4))


def lock_for(passphrase: str, salt: bytes) -> Lock:
    return Lock(salt, hashlib.scrypt(tidy(passphrase).encode(), salt=salt, **SCRYPT))


def write(out: BinaryIO, lock: Lock, entries: Iterable[dict[str, Any]]) -> str:
    """Seal `entries`, a line each; the file's SHA-256."""
    head = MAGIC + lock.salt
    digest, cipher = hashlib.sha256(head), AESGCM(lock.key)
    out.write(head)
    pieces = _cut(_packed(entries))
    piece, number = next(pieces, b""), 0
    while True:
        following = next(pieces, None)
        sealed = cipher.encrypt(_nonce(number, following is None), piece, head)
        for part in (len(sealed).to_bytes(LENGTH_BYTES, "big"), sealed):
            out.write(part)
            digest.update(part)
        if following is None:
            return digest.hexdigest()
        piece, number = following, number + 1


def read(source: BinaryIO, passphrase: str) -> Iterator[dict[str, Any]]:
    """The entries in their order. Raises CannotOpen, at once or at the place where the file is not whole."""
    head = source.read(len(MAGIC) + SALT_BYTES)
    if not head.startswith(MAGIC) or len(head) < len(MAGIC) + SALT_BYTES:
        raise CannotOpen("this is not an audit kit")
    cipher, unpack, rest = AESGCM(lock_for(passphrase, head[len(MAGIC):]).key), zlib.decompressobj(), b""
    for piece in _pieces(source, cipher, head):
        *whole, rest = (rest + unpack.decompress(piece)).split(b"\n")
        if len(rest) > LARGEST_LINE:
            raise CannotOpen("a line is longer than any can be")
        yield from (json.loads(line) for line in whole)


def _pieces(source: BinaryIO, cipher: AESGCM, head: bytes) -> Iterator[bytes]:
    number, size = 0, source.read(LENGTH_BYTES)
    while size:
        length = int.from_bytes(size, "big")
        sealed = source.read(length) if length <= PIECE_BYTES + 16 else b""
        size = source.read(LENGTH_BYTES)
        try:
            yield cipher.decrypt(_nonce(number, not size), sealed, head)
        except InvalidTag:
            raise CannotOpen("the passphrase is wrong" if number == 0 else f"the file is not whole: piece {number + 1}") from None
        number += 1
    if number == 0:
        raise CannotOpen("the file is empty")


def _packed(entries: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    pack = zlib.compressobj(6)
    for entry in entries:
        yield pack.compress(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    yield pack.flush()


def _cut(parts: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    if waiting:
        yield bytes(waiting)


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
