"""Screenshots of strangers: what they may cost, and until when they are decided."""

from __future__ import annotations

import io
import struct
import time
from datetime import timedelta

import pytest
from PIL import Image, ImageDraw
from sqlalchemy import create_engine, text

from tests.factories import NOON, cast, make_campaign, make_staff, make_voter
from wxbackend.captcha import TooOften
from wxbackend.draws import service as draws
from wxbackend.submissions import images
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

FORM = submissions.EntryForm("张小三", "13800000000")


def png(colour: object = "white") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 120), colour).save(out, "PNG")   # type: ignore[arg-type]
    return out.getvalue()


def endless_jpeg(side: int = 4990, scans: int = 1500) -> bytes:
    """A small progressive JPEG that asks for `scans` passes over 25 megapixels, each of some forty bytes."""
    blocks = ((side + 7) // 8) ** 2
    runs = "".join("0" + "0" * 14 for _ in range(blocks // 16_384 + 1))   # each: the next 16,384 blocks stay as they are
    runs += "1" * (-len(runs) % 8)
    body = bytes(int(runs[i:i + 8], 2) for i in range(0, len(runs), 8))

    def segment(marker: int, payload: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload

    tables = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    tables += segment(0xC4, b"\0\1" + b"\0" * 15 + b"\0") + segment(0xC4, b"\x10\1\1" + b"\0" * 14 + b"\xe0\0")
    first = segment(0xDA, b"\1\1\0\0\0\0") + b"\0" * (blocks // 8 + 1)
    return b"\xff\xd8" + tables + first + (segment(0xDA, b"\1\1\0\1\x3f\0") + body) * scans + b"\xff\xd9"


def test_a_jpeg_of_a_thousand_passes_is_not_decoded(app):
    began = time.monotonic()
    with pytest.raises(images.ImageUnreadable):
        images.open_picture(endless_jpeg())
    assert time.monotonic() - began < 1


def test_an_ordinary_progressive_jpeg_is_read(app):
    out = io.BytesIO()
    Image.new("RGB", (300, 600), "white").save(out, "JPEG", progressive=True)
    assert images.open_picture(out.getvalue()).pixels.size == (300, 600)


def test_a_picture_full_of_finder_patterns_keeps_no_reader_busy(app):
    tile = Image.new("L", (18, 18), 255)
    draw = ImageDraw.Draw(tile)
    for edge, shade in ((0, 0), (2, 255), (4, 0)):
        draw.rectangle((edge, edge, 13 - edge, 13 - edge), fill=shade)
    wide = Image.new("L", (4990, 4990), 255)
    for n in range(278 * 278):
        wide.paste(tile, (n % 278 * 18, n // 278 * 18))
    began = time.monotonic()
    images.read_codes(wide.convert("RGB"))
    assert time.monotonic() - began < 10   # half a minute at full size


def test_others_may_write_while_a_picture_is_read(app, monkeypatch):
    campaign, amei = make_campaign(), make_voter("阿美")
    other = create_engine(app.config["SQLALCHEMY_DATABASE_URI"], connect_args={"timeout": 0.2})
    read = images.open_picture

    def while_somebody_writes(raw: bytes) -> images.Picture:
        with other.begin() as connection:
            connection.execute(text("UPDATE person SET unionid = NULL"))
        return read(raw)

    monkeypatch.setattr(images, "open_picture", while_somebody_writes)
    assert submissions.receive_upload(campaign, amei, png(), FORM, NOON).state == "pending"
    other.dispose()


def test_nobody_fills_the_queue_alone(app):
    campaign, amei = make_campaign(), make_voter("阿美")
    for n in range(submissions.UPLOADS):
        submissions.receive_upload(campaign, amei, png((n, n, n)), FORM, NOON)
    with pytest.raises(TooOften):
        submissions.receive_upload(campaign, amei, png("red"), FORM, NOON)
    assert submissions.receive_upload(campaign, make_voter("老陈"), png("red"), FORM, NOON)


def test_a_late_freeze_leaves_nobody_time_to_choose(app):
    campaign, amei, staff = make_campaign(), make_voter("阿美"), make_staff()
    cast(campaign, amei)
    sent = submissions.receive_upload(campaign, amei, png(), FORM, NOON)
    with pytest.raises(tickets.AlreadyFrozen):   # the public drawing may be known by now
        submissions.reject(sent, staff, "edited", "", campaign.freeze_at)
    assert draws.freeze(campaign, campaign.freeze_at + timedelta(hours=4)).tickets == 1


def test_a_screenshot_counts_for_no_day_that_was_still_to_come(app):
    campaign, amei, staff = make_campaign("external"), make_voter("阿美"), make_staff()
    sent = submissions.receive_upload(campaign, amei, png(), FORM, NOON)
    with pytest.raises(submissions.DayUnknown):
        submissions.approve(sent, staff, NOON.date() + timedelta(days=1), NOON)
    assert submissions.approve(sent, staff, NOON.date(), NOON).state == "approved"
