"""Glyphs and lined grounds drawn beforehand, so that a picture is only pasted together.

A bank is drawn afresh by every process from Pillow's own scalable font, and one piece of it a second while pictures are asked for:
one that never changed could be learnt by heart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 240, 66
FINE = 2            # drawn this much larger, then made smaller with soft edges
PAPER = (255, 255, 255)
MARGIN = 2          # px kept free around every glyph
ROOM_X, ROOM_Y = 24, 4   # px by which a ground is larger than the picture on every side: few cuts of it are alike
GROUNDS = 24
RENEW_SECONDS = 1.0

Sprite = Image.Image   # mode L: how much of the colour a pixel takes
Ink = tuple[int, int, int]


class Shelf(NamedTuple):
    """Pieces of one kind, and how another one is drawn."""

    pieces: list[Image.Image]
    draw: Callable[[], Image.Image]


class Bank:
    """`variants` shapes of every glyph, each between 0.6 and 1 of the picture's height, and white grounds with lines across."""

    def __init__(self, glyphs: str, variants: int, inks: Sequence[Ink], lines: int, chance: random.Random,
                 lean: float = 13.0) -> None:
        """`lean` is the largest turn in degrees; small enough that 6 and 9 stay themselves."""
        self._shapes = {g: _shelf(variants, partial(_glyph, g, chance, lean)) for g in glyphs}
        self._grounds = _shelf(GROUNDS, partial(_ground, inks, lines, chance))
        self._shelves = [*self._shapes.values(), self._grounds]
        self._turn, self._due = 0, 0.0

    def shape(self, glyph: str, chance: random.Random) -> Sprite:
        return chance.choice(self._shapes[glyph].pieces)

    def ground(self, chance: random.Random) -> Image.Image:
        """A fresh RGB picture, white with lines: somewhere out of one that is larger."""
        whole = chance.choice(self._grounds.pieces)
        left, top = chance.randrange(2 * ROOM_X + 1), chance.randrange(2 * ROOM_Y + 1)
        return whole.crop((left, top, left + WIDTH, top + HEIGHT))

    def renew(self, now: float) -> None:
        """Draw the next piece anew, at most one a second (3 ms); `now` in seconds of a clock that only goes forward."""
        if now < self._due:
            return
        self._due, turn = now + RENEW_SECONDS, self._turn
        self._turn += 1
        shelf = self._shelves[turn % len(self._shelves)]
        shelf.pieces[turn // len(self._shelves) % len(shelf.pieces)] = shelf.draw()


def _shelf(count: int, draw: Callable[[], Image.Image]) -> Shelf:
    return Shelf([draw() for _ in range(count)], draw)


def _glyph(glyph: str, chance: random.Random, lean: float) -> Sprite:
    """One glyph, warped: weight, size, slant, turn and a slow wave differ."""
    size = chance.randint(40, 46)
    font = ImageFont.load_default(size * FINE)
    box = size * FINE * 2
    big = Image.new("L", (box, box))
    weight = chance.choice((1, 1, 2, 2, 3)) * FINE / 3
    ImageDraw.Draw(big).text((box / 2, box / 2), glyph, 255, font, anchor="mm", stroke_width=weight)
    slant = chance.uniform(-0.18, 0.18)
    wide = chance.uniform(0.88, 1.12) * (0.45 if glyph == "-" else 1)   # below 1 is wider
    middle = box / 2
    big = big.transform(big.size, Image.Transform.AFFINE, (wide, slant, middle * (1 - wide - slant), 0, 1, 0), Image.Resampling.BICUBIC)
    big = big.rotate(chance.uniform(-lean, lean), Image.Resampling.BICUBIC)
    big = _wave(big, chance)
    small = big.crop(big.getbbox())
    scale = min(1 / FINE, (HEIGHT - 2 * MARGIN - 8) / small.height, 40 / small.width)
    return small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))), Image.Resampling.LANCZOS)


def _wave(image: Sprite, chance: random.Random) -> Sprite:
    """Rows shifted along a slow sine, in strips: hardly seen by people, no two shapes alike."""
    strips, box = 12, image.width
    high, turn, start = chance.uniform(0.0, 0.022) * box, chance.uniform(0.8, 1.6), chance.uniform(0, math.tau)
    shift = [high * math.sin(start + turn * math.tau * i / strips) for i in range(strips + 1)]
    step = box / strips
    mesh = [((0, round(i * step), box, round((i + 1) * step)),
             (shift[i], i * step, shift[i + 1], (i + 1) * step, box + shift[i + 1], (i + 1) * step, box + shift[i], i * step))
            for i in range(strips)]
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def _ground(inks: Sequence[Ink], lines: int, chance: random.Random) -> Image.Image:
    """RGB, larger than the picture, white with thin, gently bent lines from edge to edge."""
    wide, high = WIDTH + 2 * ROOM_X, HEIGHT + 2 * ROOM_Y
    ground = Image.new("RGB", (wide, high), PAPER)
    for _ in range(lines):
        line = Image.new("L", (wide * FINE, high * FINE))
        across = [0.0, *(0.25 * i + chance.uniform(-0.09, 0.09) for i in (1, 2, 3)), 1.0]
        level = chance.uniform(0.22, 0.78)
        knots = [(x * line.width, (ROOM_Y + (level + chance.uniform(-0.17, 0.17)) * HEIGHT) * FINE) for x in across]
        ImageDraw.Draw(line).line(_through(knots), 255, width=round(1.3 * FINE), joint="curve")
        ground.paste(chance.choice(inks), mask=line.resize(ground.size, Image.Resampling.LANCZOS))
    return ground


def _through(knots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points on a smooth line through the knots (each stretch eased by a cosine)."""
    points = []
    for (x0, y0), (x1, y1) in zip(knots, knots[1:], strict=False):
        for i in range(16):
            t = i / 16
            points.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * (1 - math.cos(math.pi * t)) / 2))
    return [*points, knots[-1]]


def joined(shapes: Sequence[Sprite], gap: int = 3) -> Sprite:
    """Shapes close together on one middle line, such as the digits of one number."""
    whole = Image.new("L", (sum(s.width for s in shapes) + gap * (len(shapes) - 1), max(s.height for s in shapes)))
    x = 0
    for shape in shapes:
        whole.paste(shape, (x, (whole.height - shape.height) // 2))
        x += shape.width + gap
    return whole


def places(shapes: Sequence[Sprite], chance: random.Random, sway: float = 0.3) -> list[tuple[int, int]]:
    """The upper left corner of each shape, side by side with uneven gaps, every one wholly inside the picture.

    `sway` is how much of the free height a shape may leave the middle line by, up or down.
    """
    free = WIDTH - 2 * MARGIN - sum(s.width for s in shapes)
    gaps = [chance.uniform(0.4, 1) for _ in range(len(shapes) + 1)]
    unit = free / sum(gaps)
    x, corners = float(MARGIN), []
    for shape, gap in zip(shapes, gaps, strict=False):
        x += gap * unit
        spare = HEIGHT - 2 * MARGIN - shape.height
        left = min(max(MARGIN, round(x)), WIDTH - MARGIN - shape.width)
        corners.append((left, MARGIN + round(spare * (0.5 + chance.uniform(-sway, sway)))))
        x += shape.width
    return corners


class Drawing(NamedTuple):
    image: bytes    # JPEG, 240 × 66
    answer: str     # as typed by a person who reads it rightly
    prompt: str


def jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG with full colour resolution: with less, thin lines and neighbouring digits bleed into each other."""
    out = BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()
