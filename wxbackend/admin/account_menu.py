"""The account's menu: written or read from WeChat, looked at as the phone shows it, published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import flash, redirect, request
from werkzeug import Response as Redirect

from wxbackend import clock, wechat
from wxbackend.admin.account_asks import AccountLacks, AccountRefused, MenuRefused, put_live
from wxbackend.admin.account_words import ACCOUNT_KINDS, BASE, name_of
from wxbackend.admin.rules import MANAGE, needs
from wxbackend.admin.site import actor, bp, page
from wxbackend.extensions import db, settings
from wxbackend.inbox import buttons as shapes
from wxbackend.inbox import editing, menu
from wxbackend.inbox.duty_models import AccountMenu
from wxbackend.problems import Invalid, Problem
from wxbackend.web import access
from wxbackend.wechat.menus import MOST_BUTTONS, MOST_UNDER

OUR_PAGE = "pages/index/index"   # where a mini program begins unless its makers say otherwise


@bp.get("/account/menu")
@access("staff")
def show_menu() -> Any:
    return _menu(menu.items_of(menu.newest()))


@bp.post("/account/menu")
@access("staff", max_bytes=200_000)
@needs(*MANAGE)
def save_menu() -> Any:
    """A new draft; faults come back beside what was typed."""
    items = typed_items(request.form)
    try:
        menu.save(items, actor(), clock.now(), seen=request.form.get("seen", type=int))
    except Invalid as problem:
        db.session.rollback()
        return _menu(items, problem)
    except menu.MenuChanged:
        db.session.rollback()
        return _overtaken(items)
    db.session.commit()
    flash("菜单存好了。看看右边的样子，没问题就发布到公众号。")
    return redirect(f"{BASE}/menu")


@bp.post("/account/menu/template")
@access("staff")
@needs(*MANAGE)
def use_template() -> Redirect:
    menu.template(actor(), clock.now())
    db.session.commit()
    flash("放好了一份现成的菜单，改好再发布。")
    return redirect(f"{BASE}/menu")


@bp.post("/account/menu/names")
@access("staff")
@needs(*MANAGE)
def type_names() -> Redirect:
    """What a tap is answered with is answered to the button's name, too."""
    made = menu.type_names(actor(), clock.now())
    db.session.commit()
    flash("打字也这样答了：" + "、".join(made) + "。要改，在“自动回复”的关键词里。" if made else "这些名字都已经有回复了。")
    return redirect(f"{BASE}/replies")


@bp.post("/account/menu/again")
@access("staff")
@needs(*MANAGE)
def use_again() -> Redirect:
    """An earlier version as the draft."""
    menu.again(request.form.get("id", 0, type=int), actor(), clock.now())
    db.session.commit()
    flash("以前那一版拿回来了，改好再发布。")
    return redirect(f"{BASE}/menu")


@bp.post("/account/menu/publish")
@access("staff")
@needs(*MANAGE)
def publish_menu() -> Any:
    """To WeChat; whatever comes of it is said on the page, with what to do."""
    try:
        put_live(request.form.get("id", 0, type=int))
    except (menu.MenuNotReady, menu.MenuChanged, AccountLacks, MenuRefused, AccountRefused, wechat.WeChatAway) as problem:
        db.session.rollback()
        return _menu(menu.items_of(menu.newest()), problem)
    flash("菜单发布了。手机上约5分钟换成新的，重新进一次公众号就能看到。")
    return redirect(f"{BASE}/menu")


def typed_items(form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The menu form's buttons as items: fields b0-name, b0s1-url …; a button of which nothing was typed is none."""
    items = []
    for n in range(MOST_BUTTONS):
        sub = [one for k in range(MOST_UNDER) if (one := _typed(form, f"b{n}s{k}"))]
        top = _typed(form, f"b{n}") or (shapes.item() if sub else None)
        if top is not None:
            items.append(top | {"sub": sub})
    return items


def _overtaken(items: Sequence[Mapping[str, Any]]) -> Any:
    """Somebody else was faster: what was typed stays, the newer version stands beside it, and saving again replaces that."""
    newer = menu.newest()
    if newer is None:   # nothing is ever deleted; the form spoke of a version that never was
        return _menu(items, menu.MenuChanged(), 0)
    hint = (f"{name_of(newer.drafted_by)}在{clock.say_time(newer.drafted_at)}存了新的一版，列在旁边。"
            "您写的都还在：再点“存成草稿”就换成您的；要留新的那一版，点“不要我写的”。")
    return _menu(items, menu.MenuChanged(hint=hint), newer.id, newer)


def _menu(items: Sequence[Mapping[str, Any]], problem: Problem | None = None, seen: int | None = None,
          newer: AccountMenu | None = None) -> Any:
    faults = {e["pointer"]: e["detail"] for e in reversed(problem.facts.get("errors", []))} if problem else {}
    last, live = menu.newest(), menu.live()
    rows = [*map(_with_our_app, items), *(_with_our_app(shapes.item()) for _ in range(MOST_BUTTONS - len(items)))]
    slots = [row | {"sub": [_with_our_app(one) for one in (*row["sub"], *(shapes.item() for _ in range(MOST_UNDER - len(row["sub"]))))]}
             for row in rows]
    greeting = editing.in_force("greeting")
    at = clock.now()
    return page("account-menu.html", "account", at=at, slots=slots, items=items, faults=faults, problem=problem, does=shapes.DOES,
                faulty={pointer.rpartition("/")[0] for pointer in faults}, last=last, live=live, versions=menu.versions(), names=menu.names,
                can_menu=wechat.can("menu"), is_refused="menu" in wechat.switched_off(),
                kind_name=ACCOUNT_KINDS.get(settings.account_kind, ""),
                greeting=greeting.text if greeting else "", seen=request.form.get("seen", last.id if last else 0) if seen is None else seen,
                newer=menu.items_of(newer), status=problem.status if problem else 200)


def _with_our_app(one: Mapping[str, Any]) -> dict[str, Any]:
    """A button that opens no mini program yet, with ours already written where one is bound."""
    if not settings.has_miniprogram or one["appid"] or one["does"] == "miniprogram":
        return dict(one)
    return dict(one) | {"appid": settings.miniprogram_appid, "pagepath": OUR_PAGE}


def _typed(form: Mapping[str, str], prefix: str) -> dict[str, Any] | None:
    values = {name: form.get(f"{prefix}-{name}", "").strip() for name in shapes.FIELDS}
    values["text"] = editing.clean(values["text"])
    if values["does"] == "say":   # its mark stays with it, so that the phones' old menu still finds the text
        values["key"] = form.get(f"{prefix}-said", "").strip()
    ours = _with_our_app(shapes.item())
    if not any(values[name] and values[name] != ours[name] for name in ("name", "url", "text", "appid", "pagepath")):
        return None
    return shapes.item(**values)
