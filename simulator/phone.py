"""The phone to hold: plain forms and links, post then redirect; every page works with scripts off."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from flask import Blueprint, Response, abort, redirect, render_template, request

from simulator import callbacks, chat, screenshot
from simulator.api import qr_png
from simulator.product import SHANGHAI, Campaign, say_time
from simulator.state import Person
from simulator.wire import product, world

bp = Blueprint("phone", __name__)

PRODUCT_COOKIES = ("wxv", "session", "elder")   # who voted here, the form's session, 长辈版: another phone has its own
ELDERS = {"laochen"}                            # switched to 长辈版 on their phones long ago
JUMPS = {"tomorrow": "到明天0点", "before-close": "到截止前1分钟", "draw": "到抽奖"}
NOTES = {"none": "先投票，再截图。", "shot": "截好了，在相册里。点“发送”就发给公众号。", "given": "转过去了，换成那一位就能看到。",
         "away": "时间没有动。活动网站还没开，开了再来。",
         "past": "那一刻已经过了，时间只能往前走。", "elsewhere": "这部手机只打开活动自己的页面。"}
TEXT_CHARS = 600


@bp.before_request
def one_host() -> Any:
    """Cookies are shared over the ports of one host name only: 127.0.0.1 and localhost are two."""
    here, there = request.host.split(":")[0], world().config.oauth_host
    if request.method == "GET" and here != there and {here, there} <= {"127.0.0.1", "localhost"}:
        return redirect(request.url.replace(here, there, 1))
    return None


def me() -> Person:
    """Whose phone this is."""
    return world().person(request.cookies.get("sim_person")) or next(iter(world().people.values()))


def page(template: str, **values: Any) -> Response:
    """Render with what every page shows, and say by cookie that this browser is a phone with WeChat."""
    look, at = product().look(), product().now()
    name = world().config.account_name
    shared = {"person": me(), "people": list(world().people.values()), "campaigns": look.campaigns, "there": look.there,
              "said": say_time(at), "jumps": JUMPS, "account": name, "seal": "文" if "文" in name else name[:1],
              "app_url": world().config.app_url, "version": _version(), "open_path": chat.open_path, "qr": _qr,
              "say_time": say_time}
    response = Response(render_template(template, **(shared | values)))
    response.set_cookie("sim_wechat", "1", samesite="Lax")
    response.set_cookie("sim_person", me().id, samesite="Lax")
    return response


def back(note: str = "") -> Any:
    return redirect("/" + (f"?note={note}" if note else ""), 303)


def _qr(url: str) -> str:
    return "data:image/png;base64," + base64.b64encode(qr_png(url)).decode()


def _version() -> str:
    """What the page shows, in short, then the time as it is said: "amei.3.1.2.0|1月6日（周四）14:16"."""
    person, look = me(), product().look()
    parts = (person.id, len(person.chat), len(person.album), len(look.campaigns), int(world().menu is not None))
    return ".".join(map(str, parts)) + "|" + say_time(product().now())


@bp.get("/")
def home() -> Any:
    """The chat with the account."""
    at, asked = product().now(), request.args.get("note", "")
    note = f"现在是{say_time(at)}" if asked == "moved" else NOTES.get(asked, "")
    invitations = {c.slug: chat.invitation(c, at) for c in product().look().campaigns}
    return page("chat.html", lines=chat.timeline(me(), world().config.is_ours), menu=_menu(), note=note, invitations=invitations)


@bp.get("/version")
def version() -> Any:
    return Response(_version(), mimetype="text/plain")


def _menu() -> list[dict[str, Any]]:
    """The account's own menu once the product has made one, else three entries of the first campaign."""
    if made := world().menu:
        return made["button"]
    campaigns = product().look().campaigns
    c: Campaign | None = next((c for c in campaigns if c.mode == "hosted"), campaigns[0] if campaigns else None)
    urls = (c.menu_url, c.mine_url, c.draw_url) if c else (world().config.app_url + "/",) * 3
    return [{"type": "view", "name": name, "url": url} for name, url in zip(("去投票", "我的签号", "抽奖公示"), urls, strict=True)]


@bp.get("/chats")
def chats() -> Any:
    last = next((line for line in reversed(me().chat)), None)
    return page("chats.html", last=("［图片］" if last and last.kind == "image" else last.text if last else "您有新的邀请"))


@bp.get("/scan")
def scan() -> Any:
    return page("scan.html")


@bp.get("/mini")
def mini() -> Any:
    return page("mini.html", code=request.args.get("code", ""))


@bp.post("/mini")
def mini_code() -> Any:
    return redirect("/mini?" + urlencode({"code": world().make_code("login", me(), product().now())}), 303)


@bp.get("/open")
def open_page() -> Any:
    """The product's page in the phone's browser."""
    url = urljoin(world().config.app_url + "/", request.args.get("url", ""))
    if not world().config.is_ours(url):
        return back("elsewhere")
    title = next((c.title for c in product().look().campaigns if c.slug == _slug(url)), world().config.account_name)
    return page("open.html", url=url, title=title)


def _slug(url: str) -> str:
    """The campaign in /c/<slug>…, or an empty one."""
    parts = urlsplit(url).path.split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "c" else ""


@bp.post("/shot")
def take_shot() -> Any:
    """截屏. The address shown in the frame cannot be read from outside, so the newest receipt of this browser is what is shot."""
    slugs = [s for s in [_slug(request.form.get("url", ""))] if s]
    slugs += [c.slug for c in product().look().campaigns if c.slug not in slugs]
    cookies = {k: v for k, v in request.cookies.items() if k in ("wxv", "sim_wechat")}   # no more of the browser than that
    receipt = product().newest_receipt(slugs, cookies)
    if receipt is None:
        return back("none")
    world().add_photo(me(), screenshot.compose(receipt, f"{product().now().astimezone(SHANGHAI):%H:%M}"))
    return back("shot")


@bp.post("/say")
def say() -> Any:
    """Text, a picture, or both: two messages then, the picture first."""
    text, image = request.form.get("text", "").strip()[:TEXT_CHARS], request.files.get("image")
    if image is not None and (data := image.read()):
        callbacks.send_image(world(), product(), me(), data, request.host_url)
    if text:
        callbacks.send_text(world(), product(), me(), text)
    return back()


@bp.post("/album")
def album() -> Any:
    """Send a photo to the account, hand it to somebody else, or delete it."""
    person = me()
    photo = next((p for p in person.album if p.id == request.form.get("photo")), None) or abort(404)
    todo = request.form.get("do")
    if todo == "send":
        callbacks.send_image(world(), product(), person, photo.data, request.host_url)
    elif other := world().person(request.form.get("to")):
        world().add_photo(other, photo.data, person.name)
        return back("given")
    elif todo == "drop":
        person.album.remove(photo)
    return back()


@bp.post("/menu")
def menu_click() -> Any:
    callbacks.send_event(world(), product(), me(), "CLICK", request.form.get("key", ""))
    return back()


@bp.post("/who")
def who() -> Any:
    """Take another person's phone: the product's cookies stay behind in the old one."""
    person = world().person(request.form.get("who")) or abort(404)
    response = back()
    response.set_cookie("sim_person", person.id, samesite="Lax")
    if person.id != request.cookies.get("sim_person"):
        for name in PRODUCT_COOKIES:
            response.set_cookie(name, "", max_age=0, path="/")
        if person.id in ELDERS:
            response.set_cookie("elder", "1", samesite="Lax")
    return response


@bp.post("/time")
def jump() -> Any:
    to = request.form.get("to", "")
    outcome = product().jump(to) if to in JUMPS else abort(400)
    return back(outcome)


@bp.get("/photo/<photo_id>")
def photo(photo_id: str) -> Any:
    found = next((p for p in me().album if p.id == photo_id), None) or abort(404)
    return Response(found.data, mimetype="image/png")


@bp.get("/picture/<media_id>")
def picture(media_id: str) -> Any:
    """A picture in the chat; it stays there after the three days of its media."""
    found = world().media.get(media_id) or abort(404)
    return Response(found.data, mimetype=found.mimetype)
