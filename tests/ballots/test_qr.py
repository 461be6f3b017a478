"""The receipt's QR: the same code in every picture of it, cheap to draw."""

from __future__ import annotations

import io
import random

import pytest
import zxingcpp
from PIL import Image

from wxbackend.ballots import qr

HOST = "HTTPS://VOTE.EXAMPLE.ORG"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def url(seed: int, host: str = HOST) -> str:
    chance = random.Random(seed)
    return f"{host}/R/" + "".join(chance.choice(ALPHABET) for _ in range(24))


def picture(text: str) -> Image.Image:
    return Image.open(io.BytesIO(qr.png(text)))


@pytest.mark.parametrize("seed", range(60))
def test_every_receipt_is_read_from_the_screen_and_from_a_poor_copy(seed):
    text, screen = url(seed), Image.new("RGB", (750, 900), "white")
    screen.paste(picture(text).convert("RGB").resize((400, 400), Image.Resampling.BILINEAR), (175, 80))
    poor = io.BytesIO()
    screen.resize((330, 396), Image.Resampling.BICUBIC).save(poor, "JPEG", quality=35)
    for shown in (screen, Image.open(poor)):
        assert [code.text for code in zxingcpp.read_barcodes(shown)] == [text]


def test_it_is_version_4_with_a_quiet_zone_of_four_modules():
    image = picture(url(1))
    assert (image.mode, image.size) == ("1", (205, 205))   # (33 + 2 * 4) modules of 5 px
    frame = image.copy()
    frame.paste(255, (20, 20, 185, 185))
    assert frame.getextrema() == (255, 255), "white around"
    assert image.getpixel((20, 20)) == 0, "the finder's corner"


def test_all_of_it_is_made_of_whole_modules():
    image = picture(url(2))
    small = image.resize((41, 41), Image.Resampling.NEAREST)
    assert small.resize((205, 205), Image.Resampling.NEAREST).tobytes() == image.tobytes()


def test_it_is_as_good_as_level_q():
    """A quarter of the modules may be lost: a thumb's worth in the middle is covered."""
    text = url(3)
    image = picture(text).convert("L")
    image.paste(255, (85, 85, 120, 120))
    assert [code.text for code in zxingcpp.read_barcodes(image.resize((410, 410)))] == [text]


def test_a_long_host_gets_the_larger_code_it_needs():
    text = url(4, "HTTPS://VOTE.WENHUA.FUTIAN.SHENZHEN.EXAMPLE.GOV.CN")
    image = picture(text)
    assert image.width > 205 and [code.text for code in zxingcpp.read_barcodes(image)] == [text]
