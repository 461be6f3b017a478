"""Reading what people type, and showing it masked: plain values only."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

PHONE = re.compile(r"1[3-9][0-9]{9}")
WRITTEN_PHONE = re.compile(r"(?<![0-9])(?:(?:\+|00)?86[ \-]?)?(1[3-9][0-9](?:[ \-]?[0-9]){8})(?![0-9])")   # 138 0000 0000, +86-138…
HAN = r"\u3400-\u9fff\U00020000-\U0003134f"
DOT = re.compile(f"(?<=[{HAN}])[.•・‧∙⋅](?=[{HAN}])")   # what phones offer for the · of 买买提·艾力
LABELS = re.compile(r"(?:我的|本人)?(?:姓名|名字|电话号码|手机号码|手机号|手机|电话|联系方式|号码)(?:是|叫|为|改成|改为|换成)?"
                    "|我叫|我是|本人是|名叫")
SAID = re.compile("您好|你好|谢谢|多谢|麻烦|请问|帮我|改成|改为|换成|换为|更正|更改|修改|改一下|参加抽奖|参加|抽奖|报名|截图|投票"
                  "|我的|本人")
NAME = re.compile(rf"[{HAN}][{HAN}·]{{0,18}}[{HAN}]|[A-Za-z][A-Za-z .'-]{{1,38}}[A-Za-z]")
DASHES = {ord(dash): "-" for dash in "‐‑‒–—―−"}
CLOCK_SLACK = timedelta(minutes=10)
COMPOUND_SURNAMES = {"欧阳", "司马", "上官", "诸葛", "夏侯", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "宇文", "长孙", "司徒", "司空",
                     "端木"}


@dataclass(frozen=True)
class Pair:
    """What a message says of its sender; either half may be missing."""

    name: str | None = None
    phone: str | None = None
    is_ambiguous: bool = False     # two phones or two names: ask back, never guess

    @property
    def is_whole(self) -> bool:
        return bool(self.name and self.phone and not self.is_ambiguous)


def pair_text(text: str) -> Pair:
    """Name and phone out of a chat message.

    张三 13800000000 · 姓名:张三,电话:138 0000 0000 · full-width digits · +86. Several of either are ambiguous.
    """
    plain = DOT.sub("·", unicodedata.normalize("NFKC", text[:200]).translate(DASHES))
    phones = {re.sub("[^0-9]", "", found) for found in WRITTEN_PHONE.findall(plain)}
    rest = SAID.sub(" ", LABELS.sub(" ", re.sub(r"[0-9+]+", " ", plain)))
    names = {n.strip() for n in NAME.findall(re.sub(r"[:,，。；;、：/|()（）!！?？~～…]+", " ", rest))}
    return Pair(next(iter(names), None), next(iter(phones), None), len(names) > 1 or len(phones) > 1)


def tidy_phone(text: str) -> str | None:
    """Eleven digits of a mobile number however they were typed; None for anything else."""
    plain = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", text[:40]).translate(DASHES))
    plain = re.sub(r"^(\+|00)?86(?=1)", "", plain)
    return plain if PHONE.fullmatch(plain) else None


def tidy_name(text: str) -> str | None:
    """A person's name without stray spaces; None where it cannot be one."""
    plain = DOT.sub("·", " ".join(unicodedata.normalize("NFKC", text[:80]).split()))
    return plain if NAME.fullmatch(plain) else None


def mask_name(name: str) -> str:
    """张三→张*, 张小三→张*三, 欧阳小三→欧阳**, 买买提·艾力→买*·**, Ann Lee→A*."""
    if "·" in name:
        first, _, rest = name.partition("·")
        return f"{first[0]}*·{'*' * min(len(rest), 2)}"
    if name[:1].isascii():
        return name[:1] + "*"
    if len(name) > 2 and name[:2] in COMPOUND_SURNAMES:
        return name[:2] + "*" * (len(name) - 2)
    return name[:1] + "*" if len(name) <= 2 else name[0] + "*" * (len(name) - 2) + name[-1]


def mask_phone(phone: str) -> str:
    """13800000000 → 138****0000"""
    return f"{phone[:3]}****{phone[-4:]}"


def evidence_instant(said: datetime, arrived: datetime) -> datetime:
    """When evidence counts as sent: WeChat's CreateTime if within ten minutes of arrival, else arrival."""
    return said if abs(said - arrived) <= CLOCK_SLACK else arrived
