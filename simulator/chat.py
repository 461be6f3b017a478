"""A chat as it is shown: times between the lines, links in the account's texts that open inside the phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from markupsafe import Markup, escape

from simulator.product import Campaign, say_time
from simulator.state import Line, Person

QUIET = timedelta(minutes=5)     # after such a pause WeChat writes the time
LINK = re.compile(r"""<a\s[^>]*?href=["']([^"']*)["'][^>]*>(.*?)</a>|(https?://[^\s<>"'，。；！？、（）]+)""", re.DOTALL)
SHOWN_CHARS = 34


@dataclass(frozen=True)
class Shown:
    """What the template draws: "when", "me", "it" or "note", with text as safe markup or the id of an image."""

    who: str
    text: Markup | str = ""
    media_id: str = ""


def timeline(person: Person, is_ours: Callable[[str], bool]) -> list[Shown]:
    """The person's lines, oldest first; events leave no line, as in WeChat."""
    shown: list[Shown] = []
    last = None
    for line in list(person.chat):
        if last is None or abs(line.at - last) >= QUIET:
            shown.append(Shown("when", say_time(line.at)))
        last = line.at
        shown.append(_shown(line, is_ours))
    return shown


def _shown(line: Line, is_ours: Callable[[str], bool]) -> Shown:
    if line.kind == "image":
        return Shown(line.who, media_id=line.media_id)
    return Shown(line.who, rich(line.text, is_ours) if line.who == "it" else line.text)


def rich(text: str, is_ours: Callable[[str], bool]) -> Markup:
    """Text with its links: an <a> at the end of a line becomes a button, others stay in the sentence.

    Addresses outside the product stay plain words, since the phone has no internet.
    """
    out, done = Markup(), 0
    for m in LINK.finditer(text):
        before, rest = text[done:m.start()], text[m.end():]
        url, label = (m[1].replace("&amp;", "&"), m[2]) if m[2] is not None else (m[3], m[3])
        alone = m[2] is not None and (not rest.strip() or rest.startswith("\n"))
        out += escape(before.rstrip("\n") if alone else before)
        out += _link(url, label, alone) if is_ours(url) else escape(label)
        done = m.end() + (1 if alone and rest.startswith("\n") else 0)
    return out + escape(text[done:])


def _link(url: str, label: str, alone: bool) -> Markup:
    return Markup('<a{} href="{}">{}</a>').format(Markup(' class="go"') if alone else "", open_path(url), _short(label))


def _short(label: str) -> str:
    """An address without its scheme and of bearable length; words stay as they are."""
    if not label.startswith("http"):
        return label
    plain = urlsplit(label)
    text = plain.netloc + plain.path + (f"?{plain.query}" if plain.query else "")
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS - 1] + "…"


def open_path(url: str) -> str:
    """Where a link leads inside the phone."""
    return "/open?url=" + quote(url, safe="")


def invitation(c: Campaign, at: Any) -> str:
    """The sentence on a campaign's article card."""
    if c.opens_at and at < c.opens_at:
        return f"{say_time(c.opens_at)}开始，到时候请您来看看。"
    if c.closes_at and at >= c.closes_at:
        return f"已在{say_time(c.closes_at)}截止，谢谢您来过。"
    until = say_time(c.closes_at) if c.closes_at else ""
    if c.mode == "external":
        return f"投票在另外的页面，{until and until + '前'}把截图发到这里，也能抽盲盒。"
    return f"评议{until and '到' + until}，每人每天一次，还能抽盲盒。"
