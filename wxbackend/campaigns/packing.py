"""Packing blind boxes from limited stock, and the hash that binds the packing before the freeze.

Fairness does not come from here: it comes from the draw, which gives whole boxes to persons.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from wxbackend.campaigns.binding import canonical_json


class CannotPack(ValueError):
    """Stock, boxes and items a box do not meet; ``str()`` is a Chinese sentence."""


def pack_boxes(stock: dict[str, int], boxes: int, per_box: int, salt: str) -> list[list[str]]:
    """Items of box 01, 02, …; no box holds a kind twice. Raises CannotPack.

    Kinds go in by falling stock, each into the boxes with most free room, ties by hash. Taking the kind with
    the largest stock first keeps free room even, so that it always comes out when the sums agree.
    Source: draw protocol wxdraw/1, part 8.
    """
    _check(stock, boxes, per_box)
    packed: list[list[str]] = [[] for _ in range(boxes)]
    for kind in sorted(stock, key=lambda kind: (-stock[kind], kind)):
        roomiest = sorted(range(boxes), key=lambda k: (len(packed[k]), _tie(salt, kind, k + 1)))
        for k in roomiest[:stock[kind]]:
            packed[k].append(kind)
    return [sorted(items) for items in packed]


def packing_list(packed: list[list[str]], salt: str) -> dict[str, Any]:
    """{"salt": "9f…", "boxes": [{"box": "01", "items": ["帽子", "雨伞"]}, …]}: what is opened after the draw."""
    return {"salt": salt, "boxes": [{"box": f"{number:02d}", "items": items} for number, items in enumerate(packed, 1)]}


def boxes_sha256(packing: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON (RFC 8785) of a packing list; the salt keeps it blind."""
    for box in packing["boxes"]:
        if not all(isinstance(item, str) for item in (box["box"], *box["items"])):
            raise CannotPack("装箱单里只能写文字。")
    plain = {"boxes": [{"box": box["box"], "items": list(box["items"])} for box in packing["boxes"]], "salt": packing["salt"]}
    return sha256(canonical_json(plain)).hexdigest()


def _check(stock: dict[str, int], boxes: int, per_box: int) -> None:
    for kind, count in stock.items():
        if not 0 <= count <= boxes:
            raise CannotPack(f"{kind}有{count}件，盲盒只有{boxes}个，一盒最多放一件。")
    if sum(stock.values()) != boxes * per_box:
        raise CannotPack(f"{boxes}个盲盒每盒{per_box}件，一共要{boxes * per_box}件，库存是{sum(stock.values())}件。")


def _tie(salt: str, kind: str, number: int) -> str:
    return sha256(f"{salt}:{kind}:{number:02d}".encode()).hexdigest()
