"""Glyphs and curves drawn beforehand, so that a picture is only pasted together.

A bank is drawn afresh by every process from Pillow's own scalable font: one that never changed could be learnt by heart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 240, 66
FINE = 2            # drawn this much larger, then made smaller with soft edges
PAPER = (255, 255, 255)
MARGIN = 2          # px kept free around every glyph

Sprite = Image.Image   # mode L: how much of the colour a pixel takes


class Curve(NamedTuple):
    top: int        # px from the picture's upper edge
    line: Sprite    # as wide as the picture


class Bank:
    """`variants` shapes of every glyph, each between 0.6 and 1 of the picture's height, and `curves` thin lines across it."""

    def __init__(self, glyphs: str, variants: int, curves: int, chance: random.Random, lean: float = 13.0) -> None:
        """`lean` is the largest turn in degrees; small enough that 6 and 9 stay themselves."""
        self._shapes: dict[str, list[Sprite]] = {g: [_glyph(g, chance, lean) for _ in range(variants)] for g in glyphs}
        self._curves = [_curve(chance) for _ in range(curves)]

    def shape(self, glyph: str, chance: random.Random) -> Sprite:
        return chance.choice(self._shapes[glyph])

    def curve(self, chance: random.Random) -> Curve:
        return chance.choice(self._curves)


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


def _curve(chance: random.Random) -> Curve:
    """A thin, gently bent line from edge to edge, with the row it starts at."""
    image = Image.new("L", (WIDTH * FINE, HEIGHT * FINE))
    across = [0.0, *(0.25 * i + chance.uniform(-0.09, 0.09) for i in (1, 2, 3)), 1.0]
    level = chance.uniform(0.22, 0.78)
    knots = [(x * WIDTH * FINE, (level + chance.uniform(-0.17, 0.17)) * HEIGHT * FINE) for x in across]
    ImageDraw.Draw(image).line(_through(knots), 255, width=round(1.3 * FINE), joint="curve")
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    _, top, _, bottom = small.getbbox() or (0, 0, 0, HEIGHT)
    return Curve(top, small.crop((0, top, WIDTH, bottom)))


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
