"""Screenshots as people send them: a page with its receipt, cut, pressed and photographed."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

from PIL import Image

from wxbackend.ballots.receipts import Receipt


def qr(receipt: Receipt) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(receipt.qr_png().partition(",")[2]))).convert("RGB")


def screenshot(*receipts: Receipt, size: tuple[int, int] = (1170, 2532), dark: bool = False) -> Image.Image:
    """A phone's page: each receipt's card in the upper third, 600 pixels wide, where the success page shows it."""
    page = Image.new("RGB", size, "#111" if dark else "#f5f5f5")
    for n, receipt in enumerate(receipts):
        page.paste(qr(receipt).resize((600, 600), Image.Resampling.NEAREST), (60 + n * 30, 400 + n * 700))
    return page


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_bomb(width: int, height: int) -> bytes:
    """A few kilobytes that unpack to width × height pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" * ((width + 7) // 8 + 1)
    data = b"".join(packer.compress(row * 1000) for _ in range(height // 1000)) + packer.compress(row * (height % 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
