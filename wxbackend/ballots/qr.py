"""The QR of a receipt: small, cheap to draw, made to survive a screenshot that WeChat compressed.

`qrcode` lays the modules out. Its search for the prettiest of eight masks takes six times as long as the code itself and reading
does not depend on it, so the mask is fixed: the one whose patterns are mildest on average.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

MASK = 4
BORDER, PIXELS = 4, 5   # the quiet zone in modules, and how large a module is


def png(text: str) -> bytes:
    """Black and white: version 4 or as large as `text` needs, level Q, quiet zone of four modules, five pixels a module."""
    import qrcode
    from qrcode.constants import ERROR_CORRECT_Q

    code = qrcode.QRCode(version=4, error_correction=ERROR_CORRECT_Q, border=BORDER, mask_pattern=MASK)
    code.add_data(text)
    code.make()
    return _png(code.get_matrix())


def _png(dark: Sequence[Sequence[bool | None]]) -> bytes:
    """One bit a pixel, 1 for white; every row of modules is written `PIXELS` times."""
    side = len(dark) * PIXELS
    rows = b"".join(_line(row, side) * PIXELS for row in dark)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)   # 1 bit, grey
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 6)) + _chunk(b"IEND", b"")


def _line(row: Sequence[bool | None], side: int) -> bytes:
    """A filter byte (none), then the pixels, filled up to whole bytes."""
    bits = "".join("0" * PIXELS if one else "1" * PIXELS for one in row)
    return b"\0" + (int(bits, 2) << (-side % 8)).to_bytes((side + 7) // 8, "big")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
