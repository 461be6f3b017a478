"""What people see: inside the picture, small, quick, fresh, and asking what is answered."""

from __future__ import annotations

import random
import time
from io import BytesIO

import pytest
from PIL import Image

from wxbackend.captcha import arithmetic, colour, sprites

FAMILIES = [colour, arithmetic]


@pytest.fixture(params=FAMILIES, ids=lambda f: f.__name__.rpartition(".")[2])
def family(request):
    return request.param


def test_a_picture_is_a_small_jpeg_of_full_colour(family):
    for seed in range(200):
        raw = family.draw(random.Random(seed)).image
        assert len(raw) <= 5120
    image = Image.open(BytesIO(raw))
    assert (image.format, image.size, image.mode) == ("JPEG", (240, 66), "RGB")
    assert all(layer[1:3] == (1, 1) for layer in image.layer)   # 4:4:4


def test_every_glyph_lies_inside_the_picture(family):
    for seed in range(300):
        chance = random.Random(seed)
        asked = family.puzzle(chance)
        tokens = list(asked.digits) if family is colour else asked.tokens
        shapes = [sprites.joined([family.bank().shape(g, chance) for g in token]) for token in tokens]
        right_edge = 0
        for shape, (x, y) in zip(shapes, sprites.places(shapes, chance), strict=True):
            assert x >= sprites.MARGIN and x + shape.width <= sprites.WIDTH - sprites.MARGIN
            assert y >= sprites.MARGIN and y + shape.height <= sprites.HEIGHT - sprites.MARGIN
            assert x >= right_edge - 1, "glyphs do not cover each other"
            right_edge = x + shape.width


def test_no_shape_is_cut_or_empty(family):
    glyphs = colour.CHARSET if family is colour else arithmetic.GLYPHS
    for glyph in glyphs:
        for shape in family.bank()._shapes[glyph].pieces:
            assert 4 <= shape.width <= 40 and 3 <= shape.height <= 58
            assert shape.getextrema()[1] > 150


def test_every_glyph_is_in_the_font(family):
    """A glyph the font lacks is drawn as its box with a cross, the same for all of them."""
    from PIL import ImageFont
    font = ImageFont.load_default(40)
    missing = bytes(font.getmask("\uffff"))
    for glyph in colour.CHARSET if family is colour else arithmetic.GLYPHS:
        assert bytes(font.getmask(glyph)) != missing, glyph


def test_three_or_four_of_seven_readable_digits_are_asked():
    for seed in range(500):
        asked = colour.puzzle(random.Random(seed))
        assert len(asked.digits) == len(asked.colours) == 7
        assert set(asked.digits) <= set("2345689") and set(asked.colours) <= set("红蓝绿紫")
        assert asked.answer == "".join(d for d, c in zip(asked.digits, asked.colours, strict=True) if c == asked.asked)
        assert len(asked.answer) in (3, 4)
        assert asked.prompt == f"请输入图中{asked.asked}色的数字"


def test_every_colour_and_digit_comes_up_evenly():
    asked = [colour.puzzle(random.Random(seed)) for seed in range(4000)]
    for name in "红蓝绿紫":
        assert 0.21 < sum(a.asked == name for a in asked) / len(asked) < 0.29
    digits = "".join(a.digits for a in asked)
    assert all(0.12 < digits.count(d) / len(digits) < 0.17 for d in "2345689")


def test_every_colour_that_is_meant_is_painted_full():
    """On the picture before it is packed, each colour of a digit has pixels of just that colour."""
    for seed in range(50):
        asked = colour.puzzle(random.Random(seed))
        image = colour.paint(asked, random.Random(seed), colour.bank())
        inks = {c: sum(1 for p in image.get_flattened_data() if p == rgb) for c, rgb in colour.COLOURS.items()}
        assert all(inks[c] > 60 for c in set(asked.colours))


def test_sums_are_right_and_never_below_zero():
    for seed in range(2000):
        asked = arithmetic.puzzle(random.Random(seed))
        assert int(asked.answer) == eval("".join(asked.tokens[:3])) >= 0   # noqa: S307
        assert 0 <= int(asked.answer) <= 38


def test_no_sum_is_answered_well_by_a_constant():
    answers = [arithmetic.puzzle(random.Random(seed)).answer for seed in range(4000)]
    assert max(answers.count(a) for a in set(answers)) / len(answers) < 0.06


def test_equal_sources_ask_the_same_and_others_do_not(family):
    assert family.draw(random.Random(5)) == family.draw(random.Random(5))
    assert family.draw(random.Random(5)).answer == family.puzzle(random.Random(5)).answer
    assert len({family.draw(random.SystemRandom()).image for _ in range(20)}) == 20


def test_every_process_draws_its_own_shapes():
    one, two = (small_bank() for _ in range(2))
    for mine, yours in zip(one._shelves, two._shelves, strict=True):
        assert {s.tobytes() for s in mine.pieces}.isdisjoint(s.tobytes() for s in yours.pieces)


def small_bank() -> sprites.Bank:
    return sprites.Bank("25", 3, [(222, 28, 36)], 2, random.SystemRandom())


def contents(bank: sprites.Bank) -> list[bytes]:
    return [piece.tobytes() for shelf in bank._shelves for piece in shelf.pieces]


def test_one_piece_a_second_is_drawn_anew():
    bank = small_bank()
    before = contents(bank)
    bank.renew(100.0)
    bank.renew(100.9)
    assert sum(a != b for a, b in zip(before, contents(bank), strict=True)) == 1
    bank.renew(101.0)
    assert sum(a != b for a, b in zip(before, contents(bank), strict=True)) == 2


def test_nothing_of_a_bank_stays():
    bank = small_bank()
    before = contents(bank)
    for second in range(len(bank._shelves) * sprites.GROUNDS):
        bank.renew(float(second + 1))
    assert set(before).isdisjoint(contents(bank))


def test_few_grounds_are_alike_and_each_is_a_picture_of_its_own(family):
    chance = random.Random(5)
    cuts = [family.bank().ground(chance) for _ in range(300)]
    assert {cut.size for cut in cuts} == {(240, 66)} and {cut.mode for cut in cuts} == {"RGB"}
    assert len({cut.tobytes() for cut in cuts}) > 280
    cuts[0].paste((0, 0, 0), (0, 0, 240, 66))
    assert all(ground.getpixel((24, 4)) != (0, 0, 0) for ground in family.bank()._grounds.pieces)


def test_every_ground_has_its_lines_in_bright_colours():
    for ground in colour.bank()._grounds.pieces:
        inks = {p for p in ground.get_flattened_data() if p in colour.COLOURS.values()}
        assert inks, "lines in the colours of the digits, so that a colour alone is not yet a digit"


def test_time_and_size_are_printed(family):
    family.bank()
    chance, count = random.SystemRandom(), 200
    started = time.process_time()
    sizes = [len(family.draw(chance).image) for _ in range(count)]
    spent = (time.process_time() - started) / count * 1e6
    print(f"{family.__name__}: {spent:.0f} µs CPU, {sum(sizes) / count:.0f} bytes, at most {max(sizes)}")
