"""The menu's versions: drafted by the staff or read from WeChat, published by them. Callers ask WeChat, outside a transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from wxbackend import audit
from wxbackend.extensions import db, settings
from wxbackend.inbox import buttons as shapes
from wxbackend.inbox import editing
from wxbackend.inbox.duty_models import AccountMenu, AccountReply
from wxbackend.inbox.editing import new_stamp
from wxbackend.inbox.replies import normal
from wxbackend.problems import Invalid, Problem

SHOWN = 10   # versions a page lists


class MenuChanged(Problem):
    status, type, title = 409, "menu-changed", "菜单刚刚被别人改过。"
    hint = "请先看新的那一版，再改一次。"


class NoSuchMenu(Problem):
    status, type, title = 404, "no-such-menu", "没有找到这一版菜单。"
    hint = "请回“菜单”那一页再看一眼。"


class MenuNotReady(Problem):
    """Some buttons would be tapped in vain; `errors` names each."""

    status, type, title = 422, "menu-not-ready", "菜单还不能发布，有按钮没写完。"


def newest() -> AccountMenu | None:
    """The version the staff see: the draft, else the live one."""
    return db.session.scalar(select(AccountMenu).order_by(AccountMenu.id.desc()).limit(1))


def live() -> AccountMenu | None:
    return db.session.scalar(select(AccountMenu).where(AccountMenu.state == "live").order_by(AccountMenu.id.desc()).limit(1))


def versions() -> list[AccountMenu]:
    return list(db.session.scalars(select(AccountMenu).order_by(AccountMenu.id.desc()).limit(SHOWN)))


def by_id(number: int) -> AccountMenu:
    """Raises NoSuchMenu."""
    row = db.session.get(AccountMenu, number) if 0 < number < 2**31 else None
    if row is None:
        raise NoSuchMenu()
    return row


def texts() -> dict[str, str]:
    """{key: what a tap on that button is answered with}."""
    rows = db.session.scalars(select(AccountReply).where(AccountReply.kind == "click").order_by(AccountReply.id))
    return {row.words[0]["word"]: row.text for row in rows}


def items_of(menu: AccountMenu | None) -> list[dict[str, Any]]:
    """A version as the staff say it."""
    return shapes.to_items(menu.buttons, texts()) if menu else []


def save(items: Sequence[Mapping[str, Any]], actor: str, at: datetime, *, came_from: str = "desk", seen: int | None = None,
         strict: bool = True) -> AccountMenu:
    """A new draft, unless nothing differs from the newest version; what its buttons say takes effect at once. With `seen` the newest
    version must still be that one (0: none yet). `strict` False: as WeChat had it, whatever is missing is asked for at publishing.

    Raises Invalid (errors by field), MenuChanged.
    """
    before = db.session.scalar(select(AccountMenu).order_by(AccountMenu.id.desc()).limit(1).with_for_update())
    if seen is not None and seen != (before.id if before else 0):
        raise MenuChanged()
    errors = list(shapes.faults(items)) if strict else []
    if errors:
        raise Invalid(errors=errors)
    made, says = shapes.to_buttons(items, lambda: shapes.SAYS + secrets.token_hex(6))
    for key, text in says.items():
        _say(key, text, called(made, key), actor, at, is_import=came_from == "wechat")
    if before is not None and before.buttons == made:
        return before
    if before is not None and before.state == "draft":
        before.state = "past"
    draft = AccountMenu(state="draft", buttons=made, came_from=came_from, drafted_by=actor, drafted_at=at)
    db.session.add(draft)
    db.session.flush()
    audit.record(actor, "account.menu-drafted", f"account-menu:{draft.id}", at, facts={"came_from": came_from, "names": names(made)})
    return draft


def bring_in(raw: Any, actor: str, at: datetime) -> shapes.MenuRead:
    """The menu WeChat shows now as our draft, with a line on each button. Raises NotReadable; without a menu nothing changes."""
    found = shapes.from_wechat(raw)
    if found.items:
        save(found.items, actor, at, came_from="wechat", strict=False)
    return found


def template(actor: str, at: datetime) -> AccountMenu:
    """The menu of a campaign: 去投票 · 我的签号 · 抽奖公示."""
    return save([shapes.item(**one) for one in shapes.TEMPLATE], actor, at, came_from="template")


def typable() -> dict[str, str]:
    """{name of a button that says something: what it says}, where the name typed as a message is not answered yet."""
    known = editing.taken(None, None)
    said = {one["name"]: one["text"] for _, one in shapes.leaves(items_of(newest())) if one["does"] == "say" and one["text"].strip()}
    return {name: text for name, text in said.items() if (normal(name), "equal") not in known and not editing.reserved(name)}


def type_names(actor: str, at: datetime) -> list[str]:
    """Answer the names of those buttons like a tap on them; which names."""
    made = typable()
    for name, text in made.items():
        editing.save(None, {"kind": "keyword", "name": name, "equal": [name], "contain": [], "action": "text", "text": text,
                            "is_active": True}, actor, at)
    return list(made)


def again(number: int, actor: str, at: datetime) -> AccountMenu:
    """An earlier version as the newest draft. Raises NoSuchMenu."""
    return save(items_of(by_id(number)), actor, at, strict=False)


def to_publish(number: int) -> list[dict[str, Any]]:
    """The buttons to send to WeChat: of the newest version, which is the one that was looked at.

    Raises NoSuchMenu, MenuChanged, MenuNotReady. The caller ends its transaction, calls `wechat.create_menu`, then `published`.
    """
    menu, last = by_id(number), newest()
    if last is None or last.id != menu.id:
        raise MenuChanged()
    items = items_of(menu)
    errors = [*shapes.faults(items), *shapes.unanswered(items, bool(settings.relay_url)), *_silent(items)]
    if errors:
        raise MenuNotReady(hint=errors[0]["detail"] if len(errors) == 1 else None, errors=errors)
    return list(menu.buttons)


def published(number: int, actor: str, at: datetime) -> AccountMenu:
    """WeChat took this version: it is the live one."""
    menu = by_id(number)
    for other in db.session.scalars(select(AccountMenu).where(AccountMenu.state == "live", AccountMenu.id != menu.id)):
        other.state = "past"
    menu.state, menu.published_by, menu.published_at = "live", actor, at
    db.session.flush()
    audit.record(actor, "account.menu-published", f"account-menu:{menu.id}", at, facts={"names": names(menu.buttons)})
    return menu


def names(made: Sequence[Mapping[str, Any]]) -> str:
    """去投票、更多（开放时间、地址）"""
    return "、".join(b["name"] + (f"（{names(b['sub_button'])}）" if b.get("sub_button") else "") for b in made)


def called(made: Sequence[Mapping[str, Any]], key: str) -> str:
    """The name of the button with this key."""
    flat = [inner for button in made for inner in (button.get("sub_button") or [button])]
    return next((button["name"] for button in flat if button.get("key") == key), "")


def _silent(items: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Buttons whose reply was switched off."""
    off = {row.words[0]["word"] for row in db.session.scalars(select(AccountReply).where(
        AccountReply.kind == "click", AccountReply.is_active.is_(False)))}
    for at, one in shapes.leaves(items):
        if one["does"] == "say" and one["text"].strip() and one["key"] in off:
            yield {"pointer": f"{at}/text", "detail": f"“{one['name']}”回的话停用着：再存一次草稿就启用，或者删掉这个按钮。"}


def _say(key: str, text: str, name: str, actor: str, at: datetime, is_import: bool) -> None:
    """Keep what a button says. What is read from WeChat never replaces a text of ours."""
    rows = db.session.scalars(select(AccountReply).where(AccountReply.kind == "click").order_by(AccountReply.id))
    row = next((row for row in rows if row.words[0]["word"] == key), None)
    if row is None:
        row = AccountReply(kind="click", words=[{"word": key, "match": "equal"}], action="text", text=text, name=name[:60],
                           is_active=bool(text), origin=key if is_import else None)
        db.session.add(row)
    elif is_import or row.text == text and row.is_active == bool(text):
        return
    else:
        row.text, row.is_active, row.name = text, bool(text), name[:60]
    row.stamp, row.changed_by, row.changed_at = new_stamp(), actor, at
    row.imported_stamp = row.stamp if is_import else row.imported_stamp
    db.session.flush()
    editing.note(row, "account.reply-saved", actor, at)
