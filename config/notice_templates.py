"""How a setting names one of WeChat's message templates: its id, and which of our facts each of its fields shows.

    pN3k…|thing1=title|phrase2=result|time3=at|page=pages/mine/index

Ids and fields are those of the console's list of templates (小程序：订阅消息；服务号：模板消息). How long each kind may be, `wechat` knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

FACTS = ("title", "result", "prize", "at", "tip")   # the campaign's title, 中奖 or 候补, what was won, when, what to do
# kind of field → the facts that may stand in it. Other kinds take digits or letters alone, which none of our facts is.
KINDS: dict[str, tuple[str, ...]] = {"thing": FACTS, "const": ("result",), "phrase": ("result",), "time": ("at",), "date": ("at",)}
ID = re.compile(r"[A-Za-z0-9_-]{6,64}")
PAGE = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,9}")
NAME = re.compile(r"([a-z]+)[0-9]{0,2}")


@dataclass(frozen=True)
class NoticeTemplate:
    """A template as configured. `page`: where a tap on the message leads in the mini program; "" leads nowhere."""

    id: str
    fields: dict[str, str] = field(default_factory=dict)   # {"thing1": "title", "time2": "at"}
    page: str = ""


def parse(text: str) -> NoticeTemplate | None:
    """The template a setting names, None for an empty one. Raises ValueError that says what is wrong."""
    if not text:
        return None
    template_id, *parts = (part.strip() for part in text.split("|"))
    if not ID.fullmatch(template_id):
        raise ValueError("it begins with the template's id, as in ID|thing1=title|time2=at")
    pairs = [_pair(part) for part in parts]
    page = "".join(fact for name, fact in pairs if name == "page")
    fields = {name: fact for name, fact in pairs if name != "page"}
    if not fields or len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("it needs at least one field such as thing1=title, each once")
    return NoticeTemplate(template_id, fields, page)


def _pair(part: str) -> tuple[str, str]:
    name, _, fact = part.partition("=")
    if name == "page":
        if not PAGE.fullmatch(fact):
            raise ValueError("page is a page of the mini program such as pages/mine/index")
        return name, fact
    found = NAME.fullmatch(name)
    if found is None or found[1] not in KINDS:
        raise ValueError(f"{name[:40]!r} is no field we can fill: use {', '.join(KINDS)} with its number")
    allowed = KINDS[found[1]]
    if fact not in allowed:
        raise ValueError(f"{name} cannot show {fact[:40]!r}: use {', '.join(allowed)}")
    return name, fact
