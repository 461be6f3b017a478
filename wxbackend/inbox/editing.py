"""What the staff do to the account's replies: write, change, switch on and off. Nothing is deleted; every change is a line of the log."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from wxbackend import audit
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.inbox import hours, words
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.inbox.replies import MOST_BYTES, misplaced, normal, size
from wxbackend.problems import Invalid, Problem

ALONE = ("greeting", "human", "default")           # of these one is in force, of each campaign and of the account
ACTIONS = {"greeting": ("text",), "keyword": ("text", "vote", "mine", "human"), "click": ("text",), "human": ("human", "text"),
           "default": ("text",)}
MOST_WORDS, LONGEST_WORD = 50, 60
READABLE = datetime(2024, 1, 1)   # any instant serves to see whether hours can be read
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")   # XML, a database or both refuse them


class NoSuchReply(Problem):
    status, type, title = 404, "no-such-reply", "没有找到这条回复。"
    hint = "请回“自动回复”那一页再看一眼。"


class ReplyChanged(Problem):
    status, type, title = 409, "reply-changed", "这条回复刚刚被别人改过。"
    hint = "请先看新的内容，再改一次。"


def replies() -> list[AccountReply]:
    """All of them: a campaign's before the account's, the older first."""
    rows = db.session.scalars(select(AccountReply).order_by(AccountReply.position, AccountReply.id))
    return sorted(rows, key=lambda row: (row.campaign_id is None, -(row.campaign_id or 0)))


def by_id(number: int) -> AccountReply:
    """Raises NoSuchReply."""
    row = db.session.get(AccountReply, number) if 0 < number < 2**31 else None
    if row is None:
        raise NoSuchReply()
    return row


def save(number: int | None, form: Mapping[str, Any], actor: str, at: datetime) -> AccountReply:
    """Write a new reply, or change one. `form` as of ReplySchema; with `stamp`, what the writer saw must still stand.

    Raises Invalid (errors by field), NoSuchReply, ReplyChanged, NoSuchCampaign.
    """
    row = _locked(number, form.get("stamp")) if number is not None else AccountReply(kind=form["kind"])
    slug = form.get("campaign") or None
    values = {"name": clean(form.get("name", ""))[:60], "action": form["action"], "text": clean(form["text"]),
              "hours": clean(form.get("hours", "")) if row.kind == "human" else "",
              "is_active": form["is_active"], "campaign_id": campaigns.by_slug(slug).id if slug else None,
              "words": row.words if row.kind == "click" else pairs(form["equal"], form["contain"])}
    errors = list(_faults(row, values))
    if errors:
        raise Invalid(errors=errors)
    for name, value in values.items():
        setattr(row, name, value)
    row.is_hidden = bool(row.is_hidden) and not row.is_active
    mark(row, actor, at)
    db.session.add(row)
    db.session.flush()
    _retire_others(row, actor, at)
    note(row, "account.reply-saved", actor, at)
    return row


def switch(number: int, is_active: bool, actor: str, at: datetime) -> AccountReply:
    """Put a reply in force, or out of it. Raises NoSuchReply, Invalid where it cannot be: no text yet, a word that another one has."""
    row = _locked(number, None)
    if row.is_active == is_active:
        return row
    if is_active:
        values = {name: getattr(row, name) for name in ("name", "action", "text", "hours", "campaign_id", "words")}
        errors = list(_faults(row, values | {"is_active": True}))
        if errors:
            raise Invalid("这条还不能启用。", hint=errors[0]["detail"], errors=errors)
    row.is_active, row.is_hidden = is_active, False
    mark(row, actor, at)
    db.session.flush()
    _retire_others(row, actor, at)
    note(row, "account.reply-on" if is_active else "account.reply-off", actor, at)
    return row


def put_away(number: int, is_hidden: bool, actor: str, at: datetime) -> AccountReply:
    """Fold a reply away, or put it back into the list. Raises NoSuchReply, Invalid for one in force."""
    row = _locked(number, None)
    if row.is_hidden == is_hidden:
        return row
    if row.is_active:
        raise Invalid("在用的不能收起。", hint="请先停用，再收起。", errors=[_fault("is_hidden", "请先停用，再收起。")])
    row.is_hidden = is_hidden
    mark(row, actor, at)
    db.session.flush()
    note(row, "account.reply-hidden" if is_hidden else "account.reply-shown", actor, at)
    return row


def clean(text: str) -> str:
    """Line ends of one kind, nothing that XML or a database cannot hold."""
    return UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def pairs(equal: Sequence[str], contain: Sequence[str]) -> list[dict[str, str]]:
    """[{"word": "开放时间", "match": "equal"}, …], each word once."""
    typed = [(clean(word), match) for match, typed in (("equal", equal), ("contain", contain)) for word in typed]
    seen = {(normal(word), match): {"word": word, "match": match} for word, match in reversed(typed) if normal(word)}
    return list(reversed(seen.values()))


def reserved(word: str) -> bool:
    """Whether the draw itself needs this word: to agree, to leave, to say that a child takes part."""
    return normal(word) in {normal(own) for own in (*words.LEAVE, *words.AGREE, *words.CHILD)}


def overheard(row: AccountReply, at: datetime) -> list[str]:
    """Its words that something else answers first while a campaign runs: the draw and the ballot, or a campaign's own keyword."""
    drawn = {normal(own) for own in (*words.VOTE, *words.MINE)}
    doors = {normal(word) for campaign in campaigns.all_campaigns() if campaign.is_published and campaign.evidence_until > at
             for word in filter(None, (campaign.content.get("keyword"), campaign.title))}
    return [pair["word"] for pair in row.words if row.kind in ("keyword", "human") and pair["match"] == "equal"
            and normal(pair["word"]) in drawn | doors]


def taken(row_id: int | None, campaign_id: int | None) -> dict[tuple[str, str], AccountReply]:
    """{(word in normal form, match): the reply in force that has it}, of this campaign or of the account, this reply aside."""
    rows = db.session.scalars(select(AccountReply).where(AccountReply.is_active, AccountReply.kind.in_(("keyword", "human")))
                              .order_by(AccountReply.id))
    return {(normal(pair["word"]), pair["match"]): row for row in rows if row.id != row_id and row.campaign_id == campaign_id
            for pair in row.words}


def in_force(kind: str, campaign_id: int | None = None) -> AccountReply | None:
    query = select(AccountReply).where(AccountReply.kind == kind, AccountReply.is_active)
    same = AccountReply.campaign_id.is_(None) if campaign_id is None else AccountReply.campaign_id == campaign_id
    return db.session.scalar(query.where(same).order_by(AccountReply.id.desc()).limit(1))


def called(row: AccountReply) -> str:
    """How a reply is named where people read of it: 开放时间."""
    return row.name or "、".join(pair["word"] for pair in row.words[:3]) or NAMES[row.kind]


NAMES = {"greeting": "关注时说的话", "keyword": "关键词", "human": "找人工", "default": "其他消息", "click": "菜单按钮"}


def new_stamp() -> int:
    return secrets.randbelow(2**31 - 1)


def _faults(row: AccountReply, values: Mapping[str, Any]) -> Any:
    kind, text = row.kind, values["text"]
    if values["action"] not in ACTIONS[kind]:
        yield _fault("action", "这里不能这样答，请另选一种。")
    used = max(size(text), len(text.encode()))
    if used > MOST_BYTES:
        yield _fault("text", f"太长了：微信一条回复最多{MOST_BYTES}字节，现在是{used}字节（1个汉字3字节，占位按最长算）。")
    if wrong := misplaced(text):
        yield _fault("text", wrong)
    if values["hours"] and hours.is_at_desk(values["hours"], READABLE) is None:
        yield _fault("hours", "这个时间没读懂，请写成“工作日 09:00–17:00”这样。")
    if not text and values["action"] == "text" and values["is_active"]:
        yield _fault("text", "请写下要回的话。")
    if kind in ("keyword", "human") and values["is_active"]:
        yield from _word_faults(row, values)


def _word_faults(row: AccountReply, values: Mapping[str, Any]) -> Any:
    known = taken(row.id, values["campaign_id"])
    if not values["words"]:
        yield _fault("equal", "请至少写一个词。")
    if len(values["words"]) > MOST_WORDS:
        yield _fault("equal", f"一条里最多{MOST_WORDS}个词。")
    for pair in values["words"]:
        word, match = pair["word"], pair["match"]
        if len(word) > LONGEST_WORD:
            yield _fault(match, f"“{word[:10]}…”太长了，一个词最多{LONGEST_WORD}个字。")
        if match == "equal" and reserved(word):
            yield _fault(match, f"“{word}”留给参加抽奖的人用，不能另作回复。")
        if (normal(word), match) in known:
            yield _fault(match, f"“{word}”已经在“{called(known[normal(word), match])}”那一条里了。")


def _fault(field: str, detail: str) -> dict[str, str]:
    return {"pointer": f"#/{field}", "detail": detail}


def _locked(number: int, stamp: int | None) -> AccountReply:
    by_id(number)
    row = db.session.scalars(select(AccountReply).where(AccountReply.id == number).with_for_update()
                             .execution_options(populate_existing=True)).one()
    if stamp is not None and stamp != row.stamp:
        raise ReplyChanged()
    return row


def _retire_others(row: AccountReply, actor: str, at: datetime) -> None:
    """Of a greeting, a way to a person and a default reply the last one switched on is in force."""
    if row.kind not in ALONE or not row.is_active:
        return
    query = select(AccountReply).where(AccountReply.kind == row.kind, AccountReply.is_active, AccountReply.id != row.id)
    for other in db.session.scalars(query):
        if other.campaign_id == row.campaign_id:
            other.is_active = False
            mark(other, actor, at)
            note(other, "account.reply-off", actor, at)


def mark(row: AccountReply, actor: str, at: datetime) -> None:
    row.stamp, row.changed_by, row.changed_at = new_stamp(), actor, at


def note(row: AccountReply, verb: str, actor: str, at: datetime) -> None:
    """The log names the reply and fingerprints its text: what a text says may have to be forgotten one day, the log never is."""
    facts = {"kind": row.kind, "called": called(row)[:60], "action": row.action, "is_active": row.is_active,
             "campaign": row.campaign.slug if row.campaign else None, "text_sha256": sha256(row.text.encode()).hexdigest()[:16]}
    audit.record(actor, verb, f"account-reply:{row.id}", at, facts=facts)
