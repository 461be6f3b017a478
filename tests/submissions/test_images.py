"""Pictures of strangers: bombs are measured, not unpacked; what is kept is pixels and nothing else."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.factories import NOON, cast, make_campaign, make_voter
from tests.submissions.pictures import encoded, png_bomb, qr, screenshot
from wxbackend.submissions import images


@pytest.fixture
def receipt(app):
    return cast(make_campaign(), make_voter("阿美")).receipt


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


WHITE = Image.new("RGB", (300, 600), "white")
HOSTILE = {
    "nothing": b"",
    "one byte": b"\x89",
    "a PNG of 30,000²": png_bomb(30_000, 30_000),
    "a PNG of 12,000²": png_bomb(12_000, 12_000),
    "a PNG of 8,000²": png_bomb(8_000, 8_000),
    "a strip of 20,001": png_bomb(20_001, 10),
    "an animated PNG": animated("PNG"),
    "an animated WebP": animated("WEBP"),
    "a GIF": encoded(WHITE, "GIF"),
    "a BMP": encoded(WHITE, "BMP"),
    "a TIFF": encoded(WHITE, "TIFF"),
    "half a PNG": encoded(Image.effect_noise((300, 300), 50), "PNG")[:20_000],
    "half a JPEG": encoded(Image.effect_noise((300, 300), 50), "JPEG")[:9_000],
    "a PNG's head": encoded(WHITE)[:33],
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": b"<!DOCTYPE html><html><body>\xe6\x8a\x95\xe7\xa5\xa8\xe6\x88\x90\xe5\x8a\x9f</body></html>",
    "HTML called PNG": b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n",
    "a zip": b"PK\x03\x04" + b"\0" * 200,
    "zeros": b"\0" * 100_000,
    "11 MB": encoded(WHITE) + b"\0" * 11_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_screenshot_is_refused_at_once(app, name):
    began = time.monotonic()
    with pytest.raises(images.ImageUnreadable) as refused:
        images.open_picture(HOSTILE[name])
    assert time.monotonic() - began < 1
    assert "截图" in refused.value.next_step and not images.folder().exists()


def test_eleven_megabytes_are_told_their_size(app):
    with pytest.raises(images.ImageUnreadable) as refused:
        images.open_picture(HOSTILE["11 MB"])
    assert "10 MB以内" in refused.value.next_step


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_way_of_storing_pixels_is_read(app, mode):
    assert images.open_picture(encoded(Image.new(mode, (30, 40)))).pixels.size == (30, 40)


def test_cmyk_and_progressive_jpegs_are_read(app):
    assert images.open_picture(encoded(WHITE.convert("CMYK"), "JPEG")).pixels.mode == "RGB"
    assert images.open_picture(encoded(WHITE, "JPEG", progressive=True)).pixels.size == (300, 600)


def with_gps() -> bytes:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "阿美的手机", 6   # a description, and "turned by a quarter"
    exif.get_ifd(0x8825).update({1: "N", 2: (22.0, 32.0, 0.0), 3: "E", 4: (114.0, 3.0, 0.0)})
    return encoded(Image.new("RGB", (300, 600), "white"), "JPEG", exif=exif, comment=b"GPS 22.53,114.05")


def texts() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "阿美 13800000000")
    info.add_itxt("XML:com.adobe.xmp", "<x>GPS 22.53</x>")
    return encoded(Image.new("RGB", (600, 300), "white"), "PNG", pnginfo=info)


@pytest.mark.parametrize("raw", [with_gps(), texts(), encoded(WHITE, "WEBP", exif=b"Exif\0\0secret")], ids=["JPEG", "PNG", "WebP"])
def test_what_is_kept_is_pixels_alone(app, raw):
    picture = images.open_picture(raw)
    path = images.folder() / images.keep(picture.pixels)
    kept = path.read_bytes()
    with Image.open(io.BytesIO(kept)) as image:
        assert image.format == "JPEG" and dict(image.getexif()) == {} and not {"comment", "exif", "xmp", "Author"} & image.info.keys()
    assert b"GPS" not in kept and b"Exif" not in kept and "阿美".encode() not in kept and b"138000" not in kept
    assert list(images.folder().glob("*.part")) == []


def test_a_turned_photo_is_kept_upright(app):
    assert images.open_picture(with_gps()).pixels.size == (600, 300)


def test_kept_pictures_are_small_and_have_names_nobody_guesses(app):
    names = {images.keep(Image.new("RGB", (1170, 2532), "white")) for _ in range(2)}
    assert len(names) == 2 and all(len(name) == 36 and name.endswith(".jpg") for name in names)
    with Image.open(images.folder() / next(iter(names))) as image:
        assert max(image.size) == 2000
    assert images.folder().parent == Path(app.instance_path)   # beside the database, under no web root


def pressed(image: Image.Image, side: int, quality: int) -> Image.Image:
    image = image.copy()
    image.thumbnail((side, side))
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality)))


def test_a_receipt_is_read_as_people_send_it(app, receipt):
    """Recompressed by WeChat, halved, thrice pressed, cropped to the card, in dark mode, inverted, as a thumbnail."""
    page = screenshot(receipt)
    half = page.resize((page.width // 2, page.height // 2))
    thrice = pressed(pressed(pressed(page, 1280, 60), 1080, 50), 1080, 40)
    card = page.crop((20, 360, 700, 1040))
    sent = {"as it is": encoded(page), "JPEG 30": encoded(page, "JPEG", quality=30), "halved": encoded(half, "JPEG", quality=70),
            "pressed thrice": encoded(thrice), "long side 720": encoded(pressed(page, 720, 80)), "a card": encoded(card),
            "without its margin": encoded(qr(receipt).crop((20, 20, 185, 185)).resize((330, 330))),
            "dark": encoded(screenshot(receipt, dark=True)),
            "turned over": encoded(page.rotate(180)), "WebP": encoded(page, "WEBP", quality=50)}
    unread = [name for name, raw in sent.items() if images.open_picture(raw).codes != (receipt.url,)]
    assert unread == []


def test_two_receipts_in_one_picture_are_both_seen(app, receipt):
    other = cast(receipt.campaign, make_voter("老陈"), at=NOON).receipt
    assert set(images.open_picture(encoded(screenshot(receipt, other))).codes) == {receipt.url, other.url}


def test_a_page_without_a_receipt_has_none(app):
    assert images.open_picture(encoded(WHITE)).codes == ()
