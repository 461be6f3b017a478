"""What is pressed on the phone: plain forms, post then redirect."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, abort, redirect, request

from simulator import acts, scanner, screenshot
from simulator.phone import JUMPS, back, me, slug_of
from simulator.product import SHANGHAI
from simulator.wire import product, world

bp = Blueprint("hands", __name__)

PRODUCT_COOKIES = ("wxv", "session", "elder", "sim_from")   # who voted here, the form's session, 长辈版: another phone has its own
ELDERS = {"laochen"}                                        # switched to 长辈版 on their phones long ago
TEXT_CHARS = 600


@bp.post("/say")
def say() -> Any:
    """Text, a picture, or both: two messages then, the picture first."""
    text, image = request.form.get("text", "").strip()[:TEXT_CHARS], request.files.get("image")
    if not me().follows:
        return back("follow", "/profile")
    if image is not None and (data := image.read()):
        acts.send_image(world(), product(), me(), data, request.host_url)
    if text:
        acts.send_text(world(), product(), me(), text)
    return back()


@bp.post("/follow")
def follow() -> Any:
    """关注, or 不再关注."""
    leaves = request.form.get("do") == "leave"
    if me().follows == leaves:
        acts.send_event(world(), product(), me(), "unsubscribe" if leaves else "subscribe")
    return back(path="/profile" if leaves else "/")


@bp.post("/scanned")
def scanned() -> Any:
    """A code before the camera, or its content typed in."""
    path = scanner.scan(world(), product(), me(), request.form.get("content", ""))
    return redirect(path, 303) if path else back("unknown", "/scan")


@bp.post("/full")
def full() -> Any:
    """使用完整服务, below a preview page: from now on the page gets the real person."""
    me().full = True
    return redirect("/open?url=" + quote(request.form.get("url", ""), safe=""), 303)


@bp.post("/shot")
def take_shot() -> Any:
    """截屏. The address shown in the frame cannot be read from outside, so the newest receipt of this browser is what is shot."""
    slugs = [s for s in [slug_of(request.form.get("url", ""))] if s]
    slugs += [c.slug for c in product().look().campaigns if c.slug not in slugs]
    cookies = {k: v for k, v in request.cookies.items() if k in ("wxv", "sim_wechat")}   # no more of the browser than that
    receipt = product().newest_receipt(slugs, cookies)
    if receipt is None:
        return back("none")
    world().add_photo(me(), screenshot.compose(receipt, f"{product().now().astimezone(SHANGHAI):%H:%M}"))
    return back("shot")


@bp.post("/album")
def album() -> Any:
    """Send a photo to the account, hand it to somebody else, or delete it."""
    person = me()
    photo = next((p for p in person.album if p.id == request.form.get("photo")), None) or abort(404)
    todo = request.form.get("do")
    if todo == "send":
        acts.send_image(world(), product(), person, photo.data, request.host_url)
    elif other := world().person(request.form.get("to")):
        world().add_photo(other, photo.data, person.name)
        return back("given")
    elif todo == "drop":
        person.album.remove(photo)
    return back()


@bp.post("/menu")
def menu_click() -> Any:
    acts.send_event(world(), product(), me(), "CLICK", request.form.get("key", ""))
    return back()


@bp.post("/who")
def who() -> Any:
    """Take another person's phone: the product's cookies stay behind in the old one."""
    person = world().person(request.form.get("who")) or abort(404)
    response = back()
    response.set_cookie("sim_person", person.id, samesite="Lax")
    if person.id != request.cookies.get("sim_person"):
        person.full = False
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
    found = world().media.kept.get(media_id) or abort(404)
    return Response(found.data, mimetype=found.mimetype)
