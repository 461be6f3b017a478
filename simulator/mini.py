"""The mini program's pages, drawn on the server: a stand-in for the institution's own, by the same API. Works with scripts off."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from flask import Blueprint, abort, redirect, request

from simulator import acts, screenshot
from simulator.phone import back, data_url, me, page
from simulator.product import SHANGHAI, Receipt, say_day
from simulator.program import Program, Trouble
from simulator.wire import product, world

bp = Blueprint("mini", __name__, url_prefix="/mini")

AGES = (("18+", "已满18周岁"), ("14-17", "14到17周岁"), ("<14", "未满14周岁，由家长陪着填"))
CONSENTS = (("draw", "同意用姓名和手机号办理这次抽奖", "不勾就没法抽奖，但不影响投票"),
            ("show-name", "中奖时公布打码的姓名", "可不勾"), ("notify", "中奖时提醒我", "可不勾，到“我的”里也能看到"))
FAMILIES = ("colour", "arithmetic")
SHAPES = {"优": "star", "良": "circle", "中": "diamond", "差": "triangle"}


@bp.before_request
def there_is_one() -> Any:
    return None if world().config.has_miniprogram else back("nomini")


def program() -> Program:
    return Program(world(), product(), me())


def shown(template: str, p: Program, **values: Any) -> Any:
    trouble, said, typed = p.held.take()
    return page(template, trouble=values.pop("trouble", None) or trouble, said_once=said, typed=typed, shapes=SHAPES, say_day=say_day,
                mini_name=world().config.miniprogram_name, **values)


def to(slug: str, p: Program | None = None, trouble: Trouble | None = None, said: str = "", anchor: str = "") -> Any:
    if p is not None:
        p.held.trouble, p.held.said = trouble, said
    return redirect(f"/mini/c/{quote(slug)}" + (f"#{anchor}" if anchor else ""), 303)


@bp.get("")
def home() -> Any:
    return shown("mini.html", program())


@bp.get("/open")
def opened() -> Any:
    """By a 小程序码, a link in the chat, a card or a notice: `page` with its query, or a scene. Whatever names a campaign leads to it."""
    path, _, inline = request.args.get("page", "").partition("?")
    words = [v for part in (inline, request.args.get("query", "")) for values in parse_qs(part).values() for v in values]
    words += [unquote(request.args.get("scene", ""))]
    found = next((c.slug for c in product().look().campaigns if c.slug in words), None)
    if found is None and "mine" in path:
        return redirect("/mini/mine")
    hosted = [c.slug for c in product().look().campaigns if c.mode == "hosted"]
    return redirect(f"/mini/c/{found or hosted[0]}" if found or len(hosted) == 1 else "/mini")


@bp.get("/c/<slug>")
def campaign(slug: str) -> Any:
    """Where this person stands: vote, take part, be told."""
    p = program()
    try:
        c = p.get(f"/campaigns/{slug}")
        mine = p.mine(slug)
        today = {r["subject"]: r for r in mine["receipts"] if r["day"] == c["day"]}
        subject = _to_vote(c, today)
        captcha = p.captcha(slug, product().now()) if subject else None
    except Trouble as e:
        return shown("mini-campaign.html", p, c=None, slug=slug, trouble=e)
    newest = next(iter(today.values()), None)
    p.held.receipts[slug] = newest or {}
    days = sorted({t["day"] for t in mine["tickets"]})
    return shown("mini-campaign.html", p, c=c, slug=slug, subject=subject, captcha=captcha, receipt=newest, entry=mine["entry"], days=days,
                 has_today=c["day"] in days, tickets=len(mine["tickets"]), ages=AGES, consents=CONSENTS, sheet="ask" in request.args,
                 template_id=template_of(c), credits=me().credits.get(template_of(c), 0),
                 receipt_qr=data_url(newest["receipt_url"]) if newest else "")


def _to_vote(c: dict[str, Any], today: dict[str, Any]) -> dict[str, Any] | None:
    """The subject on the screen; None when there is nothing to vote on now."""
    if c["state"] != "open" or c["mode"] != "hosted" or today and c["quota"] == "campaign":
        return None
    left = [s for s in c["subjects"] if s["key"] not in today]
    return next((s for s in left if s["key"] == request.args.get("subject")), left[0] if left else None)


def template_of(c: dict[str, Any]) -> str:
    """The subscribe template: the API names it, else the settings do."""
    return str(c.get("notice_template") or world().config.notice_template).partition("|")[0]


@bp.post("/c/<slug>/vote")
def vote(slug: str) -> Any:
    """With 换一张 or 换一种 the choice stays; a refused answer brings a fresh captcha along."""
    p, form = program(), request.form
    p.held.typed = {"grade": form.get("grade", "")}
    if "again" in form or "other" in form:
        shown_now = p.held.families.get(slug) or form.get("family") or FAMILIES[0]
        p.another_captcha(slug, FAMILIES[1 - FAMILIES.index(shown_now)] if "other" in form and shown_now in FAMILIES else "")
        return to(slug, p, anchor="vote")
    body = {"subject": form.get("subject"), "grade": form.get("grade", ""), "captcha_id": form.get("captcha_id", ""),
            "captcha_answer": form.get("captcha_answer", "").strip()}
    try:
        p.post(f"/campaigns/{slug}/ballots", body)
    except Trouble as e:
        p.another_captcha(slug)
        if isinstance(fresh := e.facts.get("captcha"), dict):
            p.held.captchas[slug] = fresh
        return to(slug, p, e, anchor="vote")
    p.another_captcha(slug)
    p.held.typed = {}
    return to(slug, p)


@bp.post("/c/<slug>/enter")
def enter(slug: str) -> Any:
    """The first time with name and phone; afterwards one tap a day."""
    p, form = program(), request.form
    body: dict[str, Any] = {}
    if "name" in form:
        body = {"name": form["name"], "phone": form.get("phone", ""), "age_band": form.get("age_band") or None,
                "consents": form.getlist("consent")}
        if form.get("age_band") == "<14":
            body["guardian"] = {"name": form.get("g_name", ""), "phone": form.get("g_phone", ""), "agrees": "g_ok" in form}
    try:
        p.post(f"/campaigns/{slug}/entries", body)
    except Trouble as e:
        p.held.typed = {k: form.getlist(k) if k == "consent" else form[k] for k in form}
        return to(slug, p, e, anchor="enter")
    return to(slug, p, said="收好啦，今天的签号有了。")


@bp.post("/c/<slug>/notify")
def notify(slug: str) -> Any:
    """The sheet of wx.requestSubscribeMessage; a product that keeps no such record yet is not in the way."""
    p, accepts = program(), request.form.get("answer") == "accept"
    template_id = request.form.get("template_id", "")
    acts.answer_subscribe(world(), product(), p.person, template_id, accepts)
    try:
        p.post("/me/notice-credits", {"campaign": slug, "template_id": template_id, "accepted": accepts})
    except Trouble as e:
        if e.status != 404 and accepts:
            return to(slug, p, e)
    return to(slug, p, said="好的，中了奖就告诉您。" if accepts else "没关系，到“我的签号”里也能看到结果。")


@bp.post("/c/<slug>/shot")
def shot(slug: str) -> Any:
    """截屏 of the success page, into the album."""
    p = program()
    receipt = p.held.receipts.get(slug)
    if not receipt:
        return back("none")
    shown_as = Receipt(data_url(receipt["receipt_url"]), receipt["receipt_code"], "投票成功", say_day(receipt["day"]))
    world().add_photo(me(), screenshot.compose(shown_as, f"{product().now().astimezone(SHANGHAI):%H:%M}"))
    return back("shot")


@bp.get("/mine")
def mine() -> Any:
    """我的签号."""
    p = program()
    try:
        rows = p.get("/me/tickets")
        receipts = p.get("/me/receipts")
    except Trouble as e:
        return shown("mini-mine.html", p, rows=[], receipts=[], trouble=e)
    titles = {c.slug: c.title for c in product().look().campaigns}
    return shown("mini-mine.html", p, rows=rows, receipts=receipts, titles=titles)


@bp.get("/code")
def code() -> Any:
    return page("mini-code.html", code=request.args.get("code", ""))


@bp.post("/code")
def make_code() -> Any:
    """For developers: what wx.login would give."""
    return redirect("/mini/code?" + urlencode({"code": world().make_code("login", me(), product().now())}), 303)


@bp.post("/forget")
def forget() -> Any:
    """Delete the mini program from the phone: token and captcha are gone."""
    world().mini.pop(me().id, None) or abort(404)
    return redirect("/mini", 303)
