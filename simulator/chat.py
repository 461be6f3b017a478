"""A chat as it is shown: times between the lines, links in the account's texts that open inside the phone, cards."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from markupsafe import Markup, escape

from simulator.people import Line, Person
from simulator.product import Campaign, say_time

QUIET = timedelta(minutes=5)     # after such a pause WeChat writes the time
LINK = re.compile(r"""<a\s([^>]*)>(.*?)</a>|(https?://[^\s<>"'，。；！？、（）]+)""", re.DOTALL)
ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
SHOWN_CHARS = 34
WORDS = {"image": "［图片］", "voice": "［语音］", "video": "［视频］", "msgmenu": "［选择］"}


@dataclass(frozen=True)
class Shown:
    """What the template draws: "when", "me", "it" or "note", with text as safe markup, the id of an image, or a card with its way on."""

    who: str
    text: Markup | str = ""
    media_id: str = ""
    card: dict[str, Any] = field(default_factory=dict)
    kind: str = "text"


def timeline(person: Person, is_ours: Callable[[str], bool], mini_appid: str = "") -> list[Shown]:
    """The person's lines, oldest first; events leave no line, as in WeChat."""
    shown: list[Shown] = []
    last = None
    for line in list(person.chat):
        if last is None or abs(line.at - last) >= QUIET:
            shown.append(Shown("when", say_time(line.at)))
        last = line.at
        shown.append(_shown(line, is_ours, mini_appid))
    return shown


def _shown(line: Line, is_ours: Callable[[str], bool], mini_appid: str) -> Shown:
    if line.card:
        return Shown(line.who, card=line.card | {"way": way_of(line.card, is_ours)}, kind=line.kind)
    if line.kind == "image":
        return Shown(line.who, media_id=line.media_id, kind="image")
    text = line.text or WORDS.get(line.kind, "")
    return Shown(line.who, rich(text, is_ours, mini_appid) if line.who == "it" else text, kind=line.kind)


def way_of(card: dict[str, Any], is_ours: Callable[[str], bool]) -> str:
    """Where a card leads: into the mini program first, then to its address, if that is the product's."""
    if page := card.get("page"):
        return "/mini/open?" + urlencode({"page": page})
    return open_path(card["url"], "chat") if is_ours(card.get("url", "")) else ""


def in_short(line: Line) -> str:
    """One line of it, for the list of chats."""
    return str(line.card.get("title")) if line.card else WORDS.get(line.kind) or re.sub(r"<[^>]*>", "", line.text)


def rich(text: str, is_ours: Callable[[str], bool], mini_appid: str = "") -> Markup:
    """Text with its links: an <a> at the end of a line becomes a button, others stay in the sentence.

    Addresses outside the product stay plain words, since the phone has no internet. A link with data-miniprogram-appid
    opens that mini program; where it is another's or there is none, its href.
    """
    out, done = Markup(), 0
    for m in LINK.finditer(text):
        before, rest = text[done:m.start()], text[m.end():]
        path, label = _target(m, is_ours, mini_appid)
        alone = m[2] is not None and (not rest.strip() or rest.startswith("\n"))
        out += escape(before.rstrip("\n") if alone else before)
        out += _link(path, _short(label), alone) if path else escape(label)
        done = m.end() + (1 if alone and rest.startswith("\n") else 0)
    return out + escape(text[done:])


def _link(path: str, label: str, alone: bool) -> Markup:
    return Markup('<a{} href="{}">{}</a>').format(Markup(' class="go"') if alone else "", path, label)


def _target(m: re.Match[str], is_ours: Callable[[str], bool], mini_appid: str) -> tuple[str, str]:
    """(path inside the phone or "", words to show)."""
    if m[2] is None:
        return open_path(m[3], "chat") if is_ours(m[3]) else "", m[3]
    given = {name: (a or b).replace("&amp;", "&") for name, a, b in ATTRIBUTE.findall(m[1])}
    if mini_appid and given.get("data-miniprogram-appid") == mini_appid:
        return "/mini/open?" + urlencode({"page": given.get("data-miniprogram-path", "")}), m[2]
    return open_path(given["href"], "chat") if is_ours(given.get("href", "")) else "", m[2]


def _short(label: str) -> str:
    """An address without its scheme and of bearable length; words stay as they are."""
    if not label.startswith("http"):
        return label
    plain = urlsplit(label)
    text = plain.netloc + plain.path + (f"?{plain.query}" if plain.query else "")
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS - 1] + "…"


def open_path(url: str, way: str = "") -> str:
    """Where a link leads inside the phone."""
    return "/open?url=" + quote(url, safe="") + (f"&from={way}" if way else "")


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
