"""The replies set in WeChat's console, brought over: once our server answers, the console's own fall silent.

WeChat's shape (get_current_autoreply_info) is read with distrust: whatever is missing or of another type is told and left out, never
guessed. Nothing of ours is overwritten, and reading again adds nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from wxbackend import audit
from wxbackend.extensions import db
from wxbackend.inbox import editing
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.inbox.replies import MOST_BYTES, normal, size
from wxbackend.problems import Problem

NOT_TEXT = {"img": "图片", "image": "图片", "voice": "语音", "video": "视频", "news": "图文", "music": "音乐", "miniprogram": "小程序卡片",
            "channels": "视频号"}
OUTCOMES = {"kept": "原样带过来", "changed": "带过来了，有改动", "parked": "存着，还没启用", "known": "以前读过", "lost": "没读懂"}
MOST_RULES = 1000
Taken = dict[tuple[str, str], AccountReply]   # (word in normal form, match) → the reply in force that has it


class NotReadable(Problem):
    """What came is not what WeChat documents."""

    status, type, title = 502, "wechat-not-readable", "微信给的内容没读懂。"
    hint = "什么都没有改。请稍后再读一次；一直这样，请找技术人员。"


@dataclass(frozen=True)
class Found:
    """One rule as read. `notes` say what differs from the console's; one that is not `ready` waits for somebody to finish it."""

    kind: str
    name: str
    equal: tuple[str, ...]
    contain: tuple[str, ...]
    text: str
    origin: str
    notes: tuple[str, ...] = ()
    is_ready: bool = True


@dataclass(frozen=True)
class Line:
    """One line of the report. outcome: kept, changed, parked, known, lost."""

    called: str
    outcome: str
    why: str = ""
    number: int | None = None


@dataclass
class Report:
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """{"kept": 3, "changed": 1, "parked": 0, "known": 0, "lost": 0}"""
        seen = Counter(line.outcome for line in self.lines)
        return {outcome: seen[outcome] for outcome in OUTCOMES}


def bring_in(raw: Any, actor: str, at: datetime) -> Report:
    """Add what WeChat says it would answer, and report on each rule. Raises NotReadable."""
    report, known = Report(), dict(editing.taken(None, None))
    for found in read(raw, report):
        report.lines.append(_add(found, known, actor, at))
    facts = {name: count for name, count in report.counts.items() if count}
    audit.record(actor, "account.replies-imported", "account", at, facts=facts | {"read": len(report.lines)})
    return report


def all_imported(is_active: bool, actor: str, at: datetime) -> int:
    """Take the whole import out of force, or put it back; how many replies changed, those of the menu's buttons among them.

    What somebody has changed since is hers, and left alone. One that may not be in force stays out.
    """
    rows = db.session.scalars(select(AccountReply).where(
        AccountReply.imported_stamp == AccountReply.stamp, AccountReply.is_active != is_active).order_by(AccountReply.id))
    changed = 0
    for row in list(rows):
        if is_active and row.kind in editing.ALONE and editing.in_force(row.kind, row.campaign_id):
            continue
        try:
            editing.switch(row.id, is_active, actor, at)
            row.imported_stamp = row.stamp   # nobody's own change
            changed += 1
        except Problem:   # no text yet, or somebody has given its word to another reply meanwhile
            continue
    db.session.flush()
    return changed


def imported() -> list[AccountReply]:
    """What was read from WeChat at any time, whether in force or not."""
    return [row for row in editing.replies() if row.is_imported]


def read(raw: Any, report: Report) -> Iterator[Found]:
    """What can be read of WeChat's answer; the rest goes to the report. Raises NotReadable where nothing has its shape."""
    known = ("add_friend_autoreply_info", "message_default_autoreply_info", "keyword_autoreply_info", "is_autoreply_open",
             "is_add_friend_reply_open")
    if not isinstance(raw, dict) or not any(name in raw for name in known):
        raise NotReadable()
    for kind, name, switch in (("greeting", "add_friend_autoreply_info", "is_add_friend_reply_open"),
                               ("default", "message_default_autoreply_info", "is_autoreply_open")):
        info = raw.get(name)
        if isinstance(info, dict) and info:
            found = _single(kind, info)
            off = _is_off(raw.get(switch))
            yield replace(found, is_ready=found.is_ready and not off, notes=found.notes + (("在公众号里是关着的",) if off else ()))
        elif info:
            report.lines.append(Line(editing.NAMES[kind], "lost", "格式不对"))
    yield from _keywords(raw.get("keyword_autoreply_info"), report)
    if _is_off(raw.get("is_autoreply_open")) and raw.get("keyword_autoreply_info"):
        report.notes.append("公众号里的自动回复是关着的；关键词照样带过来了，不要的请停用。")


def as_text(items: Iterable[Any]) -> tuple[list[str], list[str]]:
    """([texts that can be said], [what cannot and why]) of WeChat's reply list: [{"type": "text", "content": "…"}, …]."""
    said, notes = [], []
    for item in items:
        kind = _text(item.get("type")) if isinstance(item, dict) else ""
        content = editing.clean(_text(item.get("content") or item.get("value"))) if isinstance(item, dict) else ""
        articles = _articles(item) if kind == "news" else ""
        if kind == "text" and content:
            said.append(content)
        elif articles:
            said.append(articles)
            notes.append("图文卡片改成了文章链接")
        elif kind in NOT_TEXT:
            notes.append(f"原来回的{NOT_TEXT[kind]}带不过来，请写一段话代替")
        else:
            notes.append("有一条回复没读懂")
    return said, notes


def fingerprint(*parts: Any) -> str:
    return sha256(json.dumps(parts, ensure_ascii=True, sort_keys=True, default=str).encode()).hexdigest()


def _single(kind: str, info: Mapping[str, Any]) -> Found:
    said, notes = as_text([info])
    text, more = _joined(said, "")
    origin = fingerprint(kind, _text(info.get("type")), _text(info.get("content")))
    return Found(kind, "", (), (), text, origin, (*notes, *more), bool(text))


def _keywords(info: Any, report: Report) -> Iterator[Found]:
    rules = info.get("list") if isinstance(info, dict) else None
    if not isinstance(rules, list):
        if info:
            report.lines.append(Line("关键词", "lost", "格式不对"))
        return
    for n, rule in enumerate(rules[:MOST_RULES], 1):
        found = _keyword(rule) if isinstance(rule, dict) else None
        if found is None:
            name = _text(rule.get("rule_name"))[:60] if isinstance(rule, dict) else ""
            report.lines.append(Line(name or f"第{n}条关键词", "lost", "没有关键词，或格式不对"))
        else:
            yield found
    if len(rules) > MOST_RULES:
        report.notes.append(f"只读了前{MOST_RULES}条关键词，后面还有{len(rules) - MOST_RULES}条。")


def _keyword(rule: Mapping[str, Any]) -> Found | None:
    asked, answered = _dicts(rule.get("keyword_list_info")), rule.get("reply_list_info")
    typed = [(editing.clean(_text(word.get("content"))), "equal" if word.get("match_mode") == "equal" else "contain") for word in asked]
    typed = [(word[:editing.LONGEST_WORD], match) for word, match in typed if normal(word)][:editing.MOST_WORDS]
    if not typed:
        return None
    name, items = editing.clean(_text(rule.get("rule_name")))[:60], answered if isinstance(answered, list) else []
    said, notes = as_text(items)
    if len(asked) > len(typed):
        notes.append(f"{len(asked)}个关键词里有{len(asked) - len(typed)}个没带过来")
    text, more = _joined(said, _text(rule.get("reply_mode")))
    origin = fingerprint("keyword", name, typed, [(_text(i.get("type")), _titles(i) or _text(i.get("content"))) for i in _dicts(items)])
    return Found("keyword", name, tuple(w for w, m in typed if m == "equal"), tuple(w for w, m in typed if m == "contain"), text, origin,
                 (*notes, *more), bool(text))


def _joined(said: list[str], mode: str) -> tuple[str, list[str]]:
    """One text of several, since our reply is one message."""
    if len(said) > 1 and mode == "random_one":
        return _joined(said[:1], "")[0], ["原来随机回一条，这里固定回第一条"]
    text = "\n\n".join(said)
    if size(text) <= MOST_BYTES and len(text.encode()) <= MOST_BYTES:
        return text, ["原来分几条回，这里合成一条"] if len(said) > 1 else []
    fits = next((one for one in said if size(one) <= MOST_BYTES), "")
    return fits, [f"原来的话超过{MOST_BYTES}字节，只留下放得下的一条" if fits else f"原来的话超过{MOST_BYTES}字节，请改短"]


def _add(found: Found, known: Taken, actor: str, at: datetime) -> Line:
    """Put one rule into the table, in force where it may be; its words join those that are `known`."""
    earlier = db.session.scalar(select(AccountReply).where(AccountReply.origin == found.origin))
    if earlier is not None:
        return Line(editing.called(earlier), "known", "" if earlier.is_active else "现在停用着", earlier.id)
    found = _beside_ours(found, known)
    row = AccountReply(kind=found.kind, name=found.name, words=editing.pairs(found.equal, found.contain), action="text", text=found.text,
                       is_active=found.is_ready, origin=found.origin, note="；".join(dict.fromkeys(found.notes))[:300],
                       stamp=(stamp := editing.new_stamp()), imported_stamp=stamp, changed_by=actor, changed_at=at)
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError:   # somebody else reads at the same moment
        return Line(editing.called(row), "known")
    known.update({(normal(pair["word"]), pair["match"]): row for pair in row.words if row.is_active})
    outcome = "parked" if not found.is_ready else "changed" if row.note else "kept"
    return Line(editing.called(row), outcome, row.note, row.id)


def _beside_ours(found: Found, known: Taken) -> Found:
    """What is ours stays: a rule that would say something else to the same word comes in switched off, or without that word."""
    if found.kind in editing.ALONE:
        if found.is_ready and editing.in_force(found.kind):
            return replace(found, is_ready=False, notes=(*found.notes, f"这里已经写好了“{editing.NAMES[found.kind]}”，要换请启用这一条"))
        return found
    if not found.is_ready:
        return found
    ours = {word for word, match in (*((w, "equal") for w in found.equal), *((w, "contain") for w in found.contain))
            if (normal(word), match) in known}
    needed = {word for word in found.equal if editing.reserved(word)}
    equal = tuple(w for w in found.equal if w not in ours | needed)
    contain = tuple(w for w in found.contain if w not in ours)
    notes = list(found.notes)
    if needed:
        notes.append("“" + "、".join(sorted(needed)) + "”留给参加抽奖的人用，没有带过来")
    if not equal and not contain:
        return replace(found, is_ready=False, notes=(*notes, "关键词在这里都有别的回复了" if ours else "没有剩下能用的关键词"))
    if ours:
        notes.append("“" + "、".join(sorted(ours)) + "”在这里已有回复，没有带过来")
    return replace(found, equal=equal, contain=contain, notes=tuple(notes))


def _articles(item: Mapping[str, Any]) -> str:
    """Articles as links, one a line: <a href="https://mp.weixin.qq.com/s/…">标题</a>."""
    lines = []
    for article in _list_of(item.get("news_info")):
        title, url = editing.clean(_text(article.get("title"))).replace("<", "＜"), _text(article.get("content_url")).strip()
        if title and url.startswith(("https://", "http://")):
            lines.append(f'<a href="{url.replace(chr(34), "%22").replace("<", "%3C").replace(">", "%3E")}">{title}</a>')
        elif title:
            lines.append(title)
    return "\n".join(lines)


def _titles(item: Mapping[str, Any]) -> str:
    return "\n".join(_text(article.get("title")) for article in _list_of(item.get("news_info")))


def _list_of(info: Any) -> list[dict[str, Any]]:
    return _dicts(info.get("list")) if isinstance(info, dict) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_off(value: Any) -> bool:
    return value in (0, "0", False) and value is not None
