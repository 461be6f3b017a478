"""A small sum to work out, large and dark: for people who do not tell the four colours apart.

The accessible way, not a defence: stock OCR reads four of five. Limits and the ballot's unique key stand behind it.
"""

from __future__ import annotations

import random
import threading
from typing import NamedTuple

from PIL import Image

from wxbackend.captcha import sprites
from wxbackend.captcha.sprites import Drawing

GLYPHS = "0123456789+-=?"   # the font has no minus, so a hyphen is drawn twice as long
INK = (36, 42, 54)
LINES_INK = ((176, 205, 226), (186, 216, 196), (222, 200, 226))   # pale: a dark line could be read as a minus
ALT = "算式图片"
PROMPT = "请算一算，输入得数"
LINES = 3
QUALITY = 40
VARIANTS = 8


class Puzzle(NamedTuple):
    left: int
    sign: str    # "+" or "-"
    right: int

    @property
    def answer(self) -> str:
        return str(self.left + self.right if self.sign == "+" else self.left - self.right)

    @property
    def tokens(self) -> list[str]:
        """["17", "+", "5", "=", "?"]"""
        return [str(self.left), self.sign, str(self.right), "=", "?"]


_bank: sprites.Bank | None = None
_drawing_bank = threading.Lock()


def puzzle(chance: random.Random) -> Puzzle:
    """3 to 29 plus or minus 2 to 9, never below zero; a blind guess is right about once in thirty."""
    left = chance.randint(3, 29)
    sign = chance.choice("+-")
    return Puzzle(left, sign, chance.randint(2, 9 if sign == "+" else min(9, left)))


def draw(chance: random.Random) -> Drawing:
    """A new picture. `chance` decides the sum first, so that equal sources give equal answers; the layout follows from it."""
    asked = puzzle(chance)
    return Drawing(sprites.jpeg(paint(asked, random.Random(chance.getrandbits(64)), bank()), QUALITY), asked.answer, PROMPT)


def paint(asked: Puzzle, layout: random.Random, shapes_of: sprites.Bank) -> Image.Image:
    """The picture, RGB 240 × 66."""
    image = shapes_of.ground(layout)
    shapes = [sprites.joined([shapes_of.shape(g, layout) for g in token]) for token in asked.tokens]
    for shape, corner in zip(shapes, sprites.places(shapes, layout, sway=0.12), strict=True):
        image.paste(INK, corner, shape)
    return image


def bank() -> sprites.Bank:
    """This process's shapes, drawn at the first use (about half a second)."""
    global _bank
    if _bank is None:
        with _drawing_bank:
            _bank = _bank or sprites.Bank(GLYPHS, VARIANTS, LINES_INK, LINES, random.SystemRandom(), lean=7.0)
    return _bank
