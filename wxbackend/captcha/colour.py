"""Colour-select digits: seven digits in four bright colours, of which one colour is asked for.

Stock OCR reads all seven and cannot know which; 0 % where plain digits fell in 95 of 100 (measured with ddddocr).
Digits are of `2345689`: 0, 1 and 7 are the ones people misread.
"""

from __future__ import annotations

import random
import threading
from itertools import combinations
from typing import NamedTuple

from PIL import Image

from wxbackend.captcha import sprites
from wxbackend.captcha.rules import Lots
from wxbackend.captcha.sprites import Drawing

CHARSET = "2345689"
LENGTH = 7
COLOURS = {"红": (222, 28, 36), "蓝": (20, 92, 214), "绿": (0, 138, 62), "紫": (148, 42, 190)}
NAMES = list(COLOURS)
ALT = "彩色数字图片"
LINES = 4
QUALITY = 40    # the largest picture stays under 5 kB
VARIANTS = 20
ASKED = {size: [frozenset(which) for which in combinations(range(LENGTH), size)] for size in (3, 4)}
OTHERS = {asked: [c for c in COLOURS if c != asked] for asked in COLOURS}


class Puzzle(NamedTuple):
    digits: str              # "8362594"
    colours: list[str]       # the colour of each digit
    asked: str

    @property
    def answer(self) -> str:
        return "".join(d for d, c in zip(self.digits, self.colours, strict=True) if c == self.asked)

    @property
    def prompt(self) -> str:
        return f"请输入图中{self.asked}色的数字"


_bank: sprites.Bank | None = None
_drawing_bank = threading.Lock()


def puzzle(chance: random.Random) -> Puzzle:
    """What to ask: three or four of the seven digits in the asked colour, the others in the three other colours."""
    lots = Lots(chance.getrandbits(Lots.BITS))
    digits = "".join([lots.of(CHARSET) for _ in range(LENGTH)])
    asked = lots.of(NAMES)
    chosen = lots.of(ASKED[lots.of((3, 4))])
    return Puzzle(digits, [asked if i in chosen else lots.of(OTHERS[asked]) for i in range(LENGTH)], asked)


def draw(chance: random.Random) -> Drawing:
    """A new picture. `chance` decides the answer first, so that equal sources give equal answers; the layout follows from it."""
    asked = puzzle(chance)
    return Drawing(sprites.jpeg(paint(asked, random.Random(chance.getrandbits(64)), bank()), QUALITY), asked.answer, asked.prompt)


def paint(asked: Puzzle, layout: random.Random, shapes_of: sprites.Bank) -> Image.Image:
    """The picture, RGB 240 × 66."""
    image = shapes_of.ground(layout)
    shapes = [shapes_of.shape(d, layout) for d in asked.digits]
    for shape, colour, corner in zip(shapes, asked.colours, sprites.places(shapes, layout), strict=True):
        image.paste(COLOURS[colour], corner, shape)
    return image


def bank() -> sprites.Bank:
    """This process's shapes, drawn at the first use (about half a second)."""
    global _bank
    if _bank is None:
        with _drawing_bank:
            _bank = _bank or sprites.Bank(CHARSET, VARIANTS, list(COLOURS.values()), LINES, random.SystemRandom())
    return _bank
