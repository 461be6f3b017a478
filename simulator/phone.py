"""The phone to hold: plain links, every page works with scripts off. What is pressed on it is in hands.py."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from flask import Blueprint, Response, abort, redirect, render_template, request

from simulator import acts, chat
from simulator.api.account import qr_png
from simulator.people import Person
from simulator.product import Campaign, say_time
from simulator.program import API, PATIENCE
from simulator.rights import SAID, may
from simulator.wire import product, world

bp = Blueprint("phone", __name__)

JUMPS = {"tomorrow": "到明天0点", "before-close": "到截止前1分钟", "draw": "到抽奖"}
NOTES = {"none": "先投票，再截图。", "shot": "截好了，在相册里。点“发送”就发给公众号。", "given": "转过去了，换成那一位就能看到。",
         "away": "时间没有动。活动网站还没开，开了再来。", "past": "那一刻已经过了，时间只能往前走。",
         "elsewhere": "这部手机只打开活动自己的页面。", "unknown": "这个码没认出来，或者过期了。", "nomini": "这里没有小程序。",
         "follow": "先关注公众号，才能发消息。"}
WAYS = ("chat", "menu", "article", "scan")   # where a page was opened from
DOORS = (("web", "网页登录", "从文章或海报扫码，微信替您登录"), ("mini", "小程序", "打开小程序，直接投"),
         ("keyword", "发关键词", "在聊天里发“{}”，回您一个入口"))


@bp.before_app_request
def one_host() -> Any:
    """Cookies are shared over the ports of one host name only: 127.0.0.1 and localhost are two."""
    if request.blueprint not in ("phone", "hands", "mini"):
        return None
    here, there = request.host.split(":")[0], world().config.oauth_host
    if request.method == "GET" and here != there and {here, there} <= {"127.0.0.1", "localhost"}:
        return redirect(request.url.replace(here, there, 1))
    return None


def me() -> Person:
    """Whose phone this is."""
    return world().person(request.cookies.get("sim_person")) or next(iter(world().people.values()))


def page(template: str, **values: Any) -> Response:
    """Render with what every page shows, and say by cookie that this browser is a phone with WeChat."""
    look, at, config = product().look(), product().now(), world().config
    leading, open_doors = lead(), _doors()
    shared = {"person": me(), "people": list(world().people.values()), "campaigns": look.campaigns, "there": look.there,
              "said": say_time(at), "jumps": JUMPS, "account": config.account_name,
              "seal": "文" if "文" in config.account_name else config.account_name[:1],
              "app_url": config.app_url, "version": _version(), "open_path": chat.open_path, "qr": data_url, "say_time": say_time,
              "has_mini": config.has_miniprogram, "lead": leading, "keyword": leading.keyword if leading else "投票",
              "doors": open_doors, "ways_in": f"{'零一两三'[len(open_doors)]}种进法"}
    response = Response(render_template(template, **(shared | values)))
    response.set_cookie("sim_wechat", "1", samesite="Lax")
    response.set_cookie("sim_person", me().id, samesite="Lax")
    return response


def _doors() -> list[tuple[str, str, str]]:
    """Those that are open at an account of this kind."""
    config = world().config
    closed = {"web": not may(config, "oauth"), "mini": not config.has_miniprogram}
    return [door for door in DOORS if not closed.get(door[0])]


def lead() -> Campaign | None:
    """The campaign a newcomer is led to: the first that is voted in here."""
    campaigns = product().look().campaigns
    return next((c for c in campaigns if c.mode == "hosted"), campaigns[0] if campaigns else None)


def back(note: str = "", path: str = "/") -> Any:
    return redirect(path + (f"?note={note}" if note else ""), 303)


def data_url(text: str) -> str:
    """The QR code of a text."""
    return "data:image/png;base64," + base64.b64encode(qr_png(text)).decode()


def _version() -> str:
    """What the page shows, in short, then the time as it is said: "amei.3.1.2.0|1月6日（周四）14:16"."""
    person, look = me(), product().look()
    parts = (person.id, len(person.chat), len(person.album), len(look.campaigns), int(world().menu is not None), len(person.notices),
             int(person.follows))
    return ".".join(map(str, parts)) + "|" + say_time(product().now())


def note() -> str:
    asked = request.args.get("note", "")
    return f"现在是{say_time(product().now())}" if asked == "moved" else NOTES.get(asked, "")


@bp.get("/")
def home() -> Any:
    """The chat with the account; its own page for who does not follow it yet."""
    if not me().follows:
        return redirect("/profile" + ("?" + urlencode({"note": request.args["note"]}) if "note" in request.args else ""))
    at = product().now()
    invitations = {c.slug: chat.invitation(c, at) for c in product().look().campaigns}
    config = world().config
    lines = chat.timeline(me(), config.is_ours, config.miniprogram_appid)
    return page("chat.html", lines=lines, menu=_menu(), note=note(), invitations=invitations, menu_path=_menu_path)


def _menu() -> list[dict[str, Any]]:
    """The account's own menu once the product has made one, else three entries of the first campaign."""
    if made := world().menu:
        return made["button"]
    c = lead()
    urls = (c.menu_url, c.mine_url, c.draw_url) if c else (world().config.app_url + "/",) * 3
    return [{"type": "view", "name": name, "url": url} for name, url in zip(("去投票", "我的签号", "抽奖公示"), urls, strict=True)]


def _menu_path(button: dict[str, Any]) -> str:
    if button.get("type") == "miniprogram" and world().config.has_miniprogram:
        return "/mini/open?" + urlencode({"page": button.get("pagepath", "")})
    return chat.open_path(button.get("url", ""), "menu")


@bp.get("/version")
def version() -> Any:
    return Response(_version(), mimetype="text/plain")


@bp.get("/profile")
def profile() -> Any:
    """The account's own page: follow it, or go on to the chat."""
    at = product().now()
    return page("profile.html", note=note(), kind=SAID[world().config.account_kind],
                invitations={c.slug: chat.invitation(c, at) for c in product().look().campaigns})


@bp.get("/doors")
def doors() -> Any:
    """三种进法, step by step."""
    return page("doors.html")


@bp.get("/chats")
def chats() -> Any:
    last, told = next(reversed(me().chat), None), next(reversed(me().notices), None)
    return page("chats.html", last=chat.in_short(last) if last else "您有新的邀请", told=chat.in_short(told) if told else "")


@bp.get("/notices")
def notices() -> Any:
    """服务通知."""
    return page("notices.html", notices=list(me().notices), mini_name=world().config.miniprogram_name)


@bp.get("/article/<slug>")
def article(slug: str) -> Any:
    """The article in the account: what it is about, and the code to press."""
    c = next((c for c in product().look().campaigns if c.slug == slug), None) or abort(404)
    return page("article.html", c=c, about=product().about(API, slug, PATIENCE), invitation=chat.invitation(c, product().now()))


@bp.get("/scan")
def scan() -> Any:
    """扫一扫: every code there is in this small world."""
    printed = [p for p in world().press.made.values() if world().press.read(p.content, product().now())]
    return page("scan.html", note=note(), account_qr=world().config.account_qr, printed=printed)


@bp.get("/open")
def open_page() -> Any:
    """The product's page in the phone's browser. Where it was opened from decides whether web login asks."""
    url, way = urljoin(world().config.app_url + "/", request.args.get("url", "")), request.args.get("from", "")
    if not world().config.is_ours(url):
        return back("elsewhere")
    if way == "menu" and world().menu is not None:
        _tell_view(url)
    title = next((c.title for c in product().look().campaigns if c.slug == slug_of(url)), world().config.account_name)
    response = page("open.html", url=url, title=title)
    response.set_cookie("sim_from", way if way in WAYS else "", samesite="Lax")
    return response


def _tell_view(url: str) -> None:
    """Whoever opens a menu entry of type view is told of to the product; nobody waits for its answer."""
    state, there, person = world(), product(), me()
    state.later.do(lambda: acts.send_event(state, there, person, "VIEW", url, MenuId="1"), 0)


def slug_of(url: str) -> str:
    """The campaign in an address of the product: /c/<slug> or /d/<slug>-1."""
    parts = urlsplit(url).path.split("/")
    name = parts[2] if len(parts) > 2 and parts[1] in ("c", "d", "w") else ""
    return name if parts[1:2] == ["c"] else name.rpartition("-")[0]
