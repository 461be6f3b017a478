"""The account's duties as an API: the same verbs, the same refusals as on the pages."""

from __future__ import annotations

from typing import Any

from wxbackend import clock
from wxbackend.admin.account_asks import put_live, read_menu, read_replies
from wxbackend.admin.account_words import Tried, overview_of, tried
from wxbackend.admin.api import api_bp
from wxbackend.admin.rules import MANAGE, needs
from wxbackend.admin.site import actor
from wxbackend.extensions import db
from wxbackend.inbox import editing, imports, menu
from wxbackend.inbox.duty_models import AccountMenu, AccountReply
from wxbackend.inbox.duty_schemas import (
    AccountOut,
    ActiveSchema,
    ChangedOut,
    HiddenSchema,
    MenuOut,
    MenuSchema,
    ReplyChangeSchema,
    ReplyOut,
    ReplySchema,
    ReportOut,
    SayingSchema,
    TriedOut,
    VersionSchema,
)
from wxbackend.web import access


@api_bp.route("/account", methods=["GET"])
@access("staff")
@api_bp.response(200, AccountOut)
def account() -> dict[str, Any]:
    """The public account: its kind, what WeChat lets it do, how replies and menu stand."""
    return overview_of(clock.now())


@api_bp.route("/account/try", methods=["POST"])
@access("staff")
@api_bp.arguments(SayingSchema)
@api_bp.response(200, TriedOut)
def try_out(form: dict[str, Any]) -> Tried:
    """What the account would answer to a sentence; nothing is sent or kept."""
    return tried(form["say"], clock.now())


@api_bp.route("/account/replies", methods=["GET"])
@access("staff")
@api_bp.response(200, ReplyOut(many=True))
def list_replies() -> list[dict[str, Any]]:
    """Everything the account says of itself, in force or not."""
    return [_reply(row) for row in editing.replies()]


@api_bp.route("/account/replies", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(ReplySchema)
@api_bp.response(201, ReplyOut)
def create_reply(form: dict[str, Any]) -> dict[str, Any]:
    """Write a reply; it is in force with the next message. A new greeting, default or way to a person retires the one before."""
    row = editing.save(None, form, actor(), clock.now())
    db.session.commit()
    return _reply(row)


@api_bp.route("/account/replies/<int:number>", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(ReplyChangeSchema)
@api_bp.response(200, ReplyOut)
def change_reply(form: dict[str, Any], number: int) -> dict[str, Any]:
    """Change a reply; with `stamp` only as it was read."""
    row = editing.save(number, form, actor(), clock.now())
    db.session.commit()
    return _reply(row)


@api_bp.route("/account/replies/<int:number>/active", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(ActiveSchema)
@api_bp.response(200, ReplyOut)
def switch_reply(form: dict[str, Any], number: int) -> dict[str, Any]:
    """Put a reply in force, or out of it; none is ever deleted."""
    row = editing.switch(number, form["is_active"], actor(), clock.now())
    db.session.commit()
    return _reply(row)


@api_bp.route("/account/replies/<int:number>/hidden", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(HiddenSchema)
@api_bp.response(200, ReplyOut)
def put_away_reply(form: dict[str, Any], number: int) -> dict[str, Any]:
    """Fold a reply away that is out of force, or put it back into the list."""
    row = editing.put_away(number, form["is_hidden"], actor(), clock.now())
    db.session.commit()
    return _reply(row)


@api_bp.route("/account/replies/import", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.response(200, ReportOut)
def import_replies() -> dict[str, Any]:
    """Read what WeChat's console would answer and add it; reading again adds nothing."""
    report = read_replies()
    return {"read": len(report.lines), "lines": report.lines, "notes": report.notes}


@api_bp.route("/account/replies/import/active", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(ActiveSchema)
@api_bp.response(200, ChangedOut)
def switch_import(form: dict[str, Any]) -> dict[str, int]:
    """Take everything that was read from WeChat out of force, or put it back."""
    changed = imports.all_imported(form["is_active"], actor(), clock.now())
    db.session.commit()
    return {"changed": changed}


@api_bp.route("/account/menu", methods=["GET"])
@access("staff")
@api_bp.response(200, MenuOut)
def show_menu() -> dict[str, Any]:
    """The newest version of the menu; `state` says whether the phones have it."""
    return _version(menu.newest())


@api_bp.route("/account/menu", methods=["POST"])
@access("staff", max_bytes=200_000)
@needs(*MANAGE)
@api_bp.arguments(MenuSchema)
@api_bp.response(201, MenuOut)
def save_menu(form: dict[str, Any]) -> dict[str, Any]:
    """A new draft. What its buttons say takes effect at once, the buttons when published."""
    row = menu.save(form["buttons"], actor(), clock.now(), seen=form["seen"])
    db.session.commit()
    return _version(row)


@api_bp.route("/account/menu/publish", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.arguments(VersionSchema)
@api_bp.response(200, MenuOut)
def publish_menu(form: dict[str, Any]) -> dict[str, Any]:
    """Send the newest version to WeChat; phones show it within about five minutes."""
    return _version(put_live(form["id"]))


@api_bp.route("/account/menu/import", methods=["POST"])
@access("staff")
@needs(*MANAGE)
@api_bp.response(200, ReportOut)
def import_menu() -> dict[str, Any]:
    """Read the menu the phones show now, console-made too, as our draft."""
    found = read_menu()
    return {"read": len(found.lines), "lines": found.lines, "notes": [] if found.is_open else ["公众号现在没有开菜单。"]}


def _reply(row: AccountReply) -> dict[str, Any]:
    names = ("id", "kind", "name", "words", "action", "text", "hours", "is_active", "is_hidden", "is_imported",
             "note", "stamp", "changed_at")
    return {name: getattr(row, name) for name in names} | {"campaign": row.campaign.slug if row.campaign else None}


def _version(row: AccountMenu | None) -> dict[str, Any]:
    if row is None:
        return {"id": None, "state": "none", "came_from": "", "buttons": [], "drafted_at": None, "published_at": None}
    names = ("id", "state", "came_from", "drafted_at", "published_at")
    return {name: getattr(row, name) for name in names} | {"buttons": menu.items_of(row)}
