"""Pictures of strangers: measured before they are decoded, decoded once, kept as fresh pixels.

Limits and reasons: screenshots page C5. A 7.8 kB PNG can hold 64 megapixels, a 175 kB JPEG 3000 passes over 25 of them, and a picture
full of finder patterns keeps a QR reader busy for half a minute.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from wxbackend.extensions import settings
from wxbackend.problems import Problem

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 25_000_000
MAX_SIDE = 20_000
START_OF_SCAN = b"\xff\xda"
MAX_SCANS = 100            # a progressive JPEG has about ten; each is one pass over all its pixels
READ_PIXELS = 4_000_000    # a QR is looked for in no more; the cost grows faster than the pixels
KEPT_SIDE = 2000
KEPT_QUALITY = 85


class ImageUnreadable(Problem):
    status, type, title = 422, "image-unreadable", "这张图没认出来。"
    hint = "请直接发投票成功页的截图，或把图下面的8个字符发给我也行。"


@dataclass(frozen=True)
class Picture:
    """A decoded picture: what was sent (hash of its bytes), its pixels, and the texts of the QRs in it."""

    sha256: str
    pixels: Image.Image
    codes: tuple[str, ...]


def open_picture(raw: bytes) -> Picture:
    """Decode a screenshot safely and read it. Raises ImageUnreadable for anything too large, animated, broken or of another kind.

    Takes up to some seconds: callers have no transaction open, since on SQLite nobody could write meanwhile.
    """
    if not raw or len(raw) > settings.max_image_bytes:
        raise ImageUnreadable(hint="图太大了，请发10 MB以内的截图。" if raw else None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(raw), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE or getattr(image, "n_frames", 1) > 1:
                raise ImageUnreadable()
            if image.format == "JPEG" and raw.count(START_OF_SCAN) > MAX_SCANS:   # compressed data never contains the marker
                raise ImageUnreadable()
            pixels = _upright(image).convert("RGB")
    except Problem:
        raise
    except Exception as e:   # Pillow raises a dozen kinds for broken files; all mean the same to the sender
        raise ImageUnreadable() from e
    return Picture(hashlib.sha256(raw).hexdigest(), pixels, tuple(read_codes(pixels)))


def read_codes(pixels: Image.Image) -> list[str]:
    """The texts of every QR in the picture; a second look at double size where the first finds none."""
    import zxingcpp

    times = pixels.width * pixels.height / READ_PIXELS
    first = _resized(pixels, round(max(pixels.size) / times ** 0.5)) if times > 1 else pixels
    for image in (first, _resized(pixels, max(pixels.size) * 2) if max(pixels.size) < 1200 else _resized(pixels, 1600)):
        found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
        if found:
            return [code.text for code in found]
    return []


def keep(pixels: Image.Image) -> str:
    """Store the pixels anew, without anything the file carried besides; returns the random name."""
    name = secrets.token_hex(16) + ".jpg"
    fresh = Image.new("RGB", pixels.size)
    fresh.paste(pixels)
    fresh.thumbnail((KEPT_SIDE, KEPT_SIDE))
    folder().mkdir(parents=True, exist_ok=True)
    path = folder() / name
    part = path.with_suffix(".part")
    with part.open("wb") as f:
        fresh.save(f, "JPEG", quality=KEPT_QUALITY)
        f.flush()
        os.fsync(f.fileno())
    part.replace(path)
    return name


def folder() -> Path:
    """Private, outside every web root."""
    return Path(settings.instance_dir) / "evidence"


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its Exif says; editors write Exif that Pillow cannot read, and such a screenshot stands as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return image


def _resized(pixels: Image.Image, longest: int) -> Image.Image:
    scale = longest / max(pixels.size)
    return pixels.resize((max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale))))
