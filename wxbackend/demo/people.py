"""Invented citizens: names from common characters, phones 1380000…, one seed, so that every demo looks alike."""

from __future__ import annotations

import random
from dataclasses import dataclass

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚桂英华玉兰红梅辉玲波鑫宁欣怡子涵梓轩"
GRADES = ["优"] * 72 + ["良"] * 20 + ["中"] * 6 + ["差"] * 2
SOURCES = ["article"] * 50 + ["more"] * 12 + ["menu"] * 10 + ["chat"] * 8 + ["hq"] * 10 + ["branch"] * 10


@dataclass(frozen=True)
class Citizen:
    number: int
    name: str
    phone: str
    diligence: float      # chance to vote on a day
    enters: bool          # takes part in the draw
    source: str

    @property
    def openid(self) -> str:
        return f"o-crowd-{self.number:020d}"


def crowd(count: int, chance: random.Random) -> list[Citizen]:
    return [Citizen(n, chance.choice(SURNAMES) + "".join(chance.choice(GIVEN) for _ in range(chance.choice((1, 2, 2)))), f"1380000{n:04d}",
                    chance.choice((0.35, 0.6, 0.9)), chance.random() < 0.6, chance.choice(SOURCES)) for n in range(1, count + 1)]
