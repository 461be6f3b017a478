"""The public account's own duties: what it answers, what the console said before. Managers write, everybody reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import flash, redirect, request
from werkzeug import Response as Redirect

from wxbackend import clock, wechat
from wxbackend.admin.account_asks import AccountLacks, AccountRefused, read_menu, read_replies
from wxbackend.admin.account_words import ACCOUNT_KINDS, ACTIONS, BASE, FEATURES, KIND_TITLES, Tried, name_of, overview_of, tried
from wxbackend.admin.rules import MANAGE, needs
from wxbackend.admin.site import actor, bp, page
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db, settings
from wxbackend.inbox import duties, editing, imports, menu
from wxbackend.inbox.duty_models import AccountReply
from wxbackend.inbox.duty_schemas import KINDS, ReplyChangeSchema, ReplySchema, SayingSchema
from wxbackend.inbox.replies import MOST_BYTES, normal
from wxbackend.problems import Invalid, NotThere, Problem
from wxbackend.web import access, load

MOST_SHOWN = 100


@bp.get("/account")
@access("staff")
def account() -> Any:
    return _overview()


@bp.post("/account/try")
@access("staff")
def try_out() -> Any:
    """What the account would answer; nothing is sent, kept or logged."""
    said = load(SayingSchema(), {"say": request.form.get("say", "").strip()})["say"]
    return _overview(said, tried(said, clock.now()))


@bp.get("/account/replies")
@access("staff")
def replies() -> Any:
    """All replies by kind; ?q= looks for a word, ?campaign= for a campaign's own."""
    asked, slug = request.args.get("q", "").strip()[:60], request.args.get("campaign", "")
    rows = [row for row in editing.replies() if _matches(row, asked, slug)]
    groups = {kind: [row for row in rows if row.kind == kind and not row.is_hidden] for kind in (*KINDS, "click")}
    running = {c.id for c in campaigns.running(clock.now())}
    return page("account-replies.html", "account", groups=groups, hidden=[row for row in rows if row.is_hidden], titles=KIND_TITLES,
                actions=ACTIONS, asked=asked, slug=slug, campaigns=campaigns.all_campaigns(), running=running, most=MOST_SHOWN,
                called=editing.called)


@bp.get("/account/replies/new")
@access("staff")
@needs(*MANAGE)
def new_reply() -> Any:
    kind = request.args.get("kind", "keyword")
    kind = kind if kind in KINDS else "keyword"
    form = {"kind": kind, "action": "human" if kind == "human" else "text", "is_active": "1",
            "equal": "人工\n客服\n转人工\n人工客服" if kind == "human" else "", "text": duties.AWAY if kind == "human" else ""}
    return _form(None, form | {"campaign": request.args.get("campaign", "")})


@bp.get("/account/replies/<int:number>")
@access("staff")
def see_reply(number: int) -> Any:
    row = editing.by_id(number)
    return _form(row, _form_of(row))


@bp.post("/account/replies/new", defaults={"number": None})
@bp.post("/account/replies/<int:number>")
@access("staff")
@needs(*MANAGE)
def save_reply(number: int | None) -> Any:
    """Faults come back beside what was typed."""
    form = request.form.to_dict()
    try:
        row = save_from(form, number)
    except Invalid as problem:
        db.session.rollback()
        return _form(editing.by_id(number) if number is not None else None, form, problem)
    except editing.ReplyChanged:
        db.session.rollback()
        return _overtaken(editing.by_id(number or 0), form)
    db.session.commit()
    flash("存好了，下一条消息就用新的。")
    if row.is_active and (words := editing.overheard(row, clock.now())):
        flash(f"“{'、'.join(words)}”在活动进行时由活动自己来答，这条到时轮不上；没有活动时才用。", "bad")
    return redirect(f"{BASE}/replies")


@bp.post("/account/replies/<int:number>/active")
@access("staff")
@needs(*MANAGE)
def switch_reply(number: int) -> Redirect:
    is_on = request.form.get("is_active") == "1"
    try:
        editing.switch(number, is_on, actor(), clock.now())
    except Invalid as problem:
        db.session.rollback()
        flash(f"{problem.said}{problem.next_step}", "bad")
        return redirect(f"{BASE}/replies/{number}")
    db.session.commit()
    flash("启用了。" if is_on else "停用了，想用随时再启用。")
    return redirect(_back())


@bp.post("/account/replies/<int:number>/hidden")
@access("staff")
@needs(*MANAGE)
def put_away_reply(number: int) -> Redirect:
    is_hidden = request.form.get("is_hidden") == "1"
    try:
        editing.put_away(number, is_hidden, actor(), clock.now())
    except Invalid as problem:
        db.session.rollback()
        flash(f"{problem.said}{problem.next_step}", "bad")
        return redirect(f"{BASE}/replies")
    db.session.commit()
    flash("收起了，在这一页最下面。" if is_hidden else "放回列表了。")
    return redirect(f"{BASE}/replies")


@bp.post("/account/features/<feature>/again")
@access("staff")
@needs(*MANAGE)
def ask_again(feature: str) -> Redirect:
    """WeChat refused it today, and somebody has put it right there since."""
    if feature not in FEATURES:
        raise NotThere()
    wechat.ask_again(feature)
    flash(f"好，“{FEATURES[feature][0]}”下一次就再问微信；微信还不给，会再停一天。")
    return redirect(f"{BASE}/menu" if request.form.get("back") == "menu" else BASE)


@bp.get("/account/import")
@access("staff")
def show_import() -> Any:
    return _import()


@bp.post("/account/import/<what>")
@access("staff")
@needs(*MANAGE)
def run_import(what: str) -> Any:
    """Read replies or menu from WeChat, and say of each line what became of it."""
    if what not in ("menu", "replies"):
        raise NotThere()
    try:
        found = read_menu() if what == "menu" else read_replies()
    except (imports.NotReadable, AccountLacks, AccountRefused, wechat.WeChatAway) as problem:
        db.session.rollback()
        return _import(problem=problem)
    return _import(what, found)


@bp.post("/account/import/active")
@access("staff")
@needs(*MANAGE)
def switch_import() -> Redirect:
    is_on = request.form.get("is_active") == "1"
    changed = imports.all_imported(is_on, actor(), clock.now())
    db.session.commit()
    left = sum(row.is_active != is_on for row in imports.imported())
    why = "有的还没写完，有的在这里另有回复，有的读进来以后改过" if is_on else "读进来以后有人改过"
    flash(f"读进来的回复{'启用' if is_on else '停用'}了{changed}条。" + (f"还有{left}条没有动：{why}。" if left else ""))
    return redirect(f"{BASE}/import")


def save_from(form: Mapping[str, str], number: int | None) -> AccountReply:
    """The form's fields as the service takes them; words stand one a line. Raises Invalid."""
    shape = ReplySchema() if number is None else ReplyChangeSchema()
    names = ("kind", "name", "action", "text", "hours") if number is None else ("name", "action", "text", "hours")
    data: dict[str, Any] = {name: form[name] for name in names if name in form}
    data |= {match: [line for line in form.get(match, "").splitlines() if line.strip()] for match in ("equal", "contain")}
    data |= {"campaign": form.get("campaign") or None, "is_active": form.get("is_active") == "1"}
    data |= {"stamp": form["stamp"]} if form.get("stamp") else {}
    return editing.save(number, load(shape, data), actor(), clock.now())


def _overview(said: str = "", answer: Tried | None = None) -> Any:
    at = clock.now()
    seen = overview_of(at)
    own = {kind: next((row for row in reversed(seen["active"]) if row.kind == kind and row.campaign_id is None), None) for kind in KINDS}
    return page("account.html", "account", at=at, kinds=ACCOUNT_KINDS, own=own, said=said, answer=answer, actions=ACTIONS,
                second=urlsplit(settings.relay_url).hostname, menu_names=menu.names(seen["last_menu"].buttons) if seen["last_menu"] else "",
                keywords=sum(row.kind == "keyword" for row in seen["active"]), **seen)


def _overtaken(row: AccountReply, form: Mapping[str, str]) -> Any:
    """Somebody else was faster: what was typed stays, the newer text stands beside it, and saving again replaces that."""
    hint = (f"{name_of(row.changed_by)}在{clock.say_time(row.changed_at)}改的，新的写在旁边。您写的都还在：再点“存好”就换成您的；"
            "要留新的，点“不改了”。")
    return _form(row, dict(form) | {"stamp": str(row.stamp)}, editing.ReplyChanged(hint=hint), _form_of(row))


def _form(row: AccountReply | None, form: Mapping[str, str], problem: Problem | None = None,
          newer: Mapping[str, str] | None = None) -> Any:
    faults = {e["pointer"].split("/")[1]: e["detail"] for e in reversed(problem.facts.get("errors", []))} if problem else {}
    kind = row.kind if row else form.get("kind", "keyword")
    hours, whose = duties.hours_now(row, clock.now()) if row and kind == "human" else ("", "")
    return page("account-reply.html", "account", row=row, form=form, newer=newer, hours=hours, whose=whose, does=ACTIONS,
                overheard=editing.overheard(row, clock.now()) if row else [], changer=name_of(row.changed_by) if row else "",
                kind=kind, title=KIND_TITLES.get(kind, "菜单按钮"), problem=problem,
                faults=faults, actions={a: ACTIONS[a] for a in editing.ACTIONS.get(kind, ("text",))}, campaigns=campaigns.all_campaigns(),
                most=MOST_BYTES, status=problem.status if problem else 200)


def _form_of(row: AccountReply) -> dict[str, str]:
    typed = {match: "\n".join(pair["word"] for pair in row.words if pair["match"] == match) for match in ("equal", "contain")}
    return typed | {"name": row.name, "action": row.action, "text": row.text, "hours": row.hours, "is_active": "1" if row.is_active else "",
                    "campaign": row.campaign.slug if row.campaign else "", "stamp": str(row.stamp), "kind": row.kind}


def _import(what: str = "", found: Any = None, problem: Problem | None = None) -> Any:
    rows, read = imports.imported(), {getattr(line, "number", None) for line in found.lines} if found else set()
    return page("account-import.html", "account", what=what, found=found, problem=problem, rows=rows, called=editing.called,
                in_force=sum(row.is_active for row in rows if row.id in read), typable=menu.typable(),
                outcomes=imports.OUTCOMES | {"open": "留着名字，等您写"}, status=problem.status if problem else 200)


def _matches(row: AccountReply, asked: str, slug: str) -> bool:
    if slug and (row.campaign.slug if row.campaign else "") != slug:
        return False
    texts = (row.name, row.text, *(pair["word"] for pair in row.words))
    return not asked or any(normal(asked) in normal(text) for text in texts)


def _back() -> str:
    """Where the switch was pressed: the list, or the import's page."""
    return f"{BASE}/import" if request.form.get("back") == "import" else f"{BASE}/replies"
