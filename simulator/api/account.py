"""The public account's people, media and scene QR codes."""

from __future__ import annotations

import io
from datetime import timedelta
from functools import lru_cache
from typing import Any

import qrcode
from flask import Blueprint, Response, request

from simulator.rights import may
from simulator.wire import ApiError, account_only, body, caller, product, world

bp = Blueprint("account", __name__)

LONGEST_SCENE_SECONDS = 2_592_000
SCENES = {"QR_SCENE": ("scene_id", 2**32 - 1), "QR_STR_SCENE": ("scene_str", 64), "QR_LIMIT_SCENE": ("scene_id", 100_000),
          "QR_LIMIT_STR_SCENE": ("scene_str", 64)}
MEDIA_TYPES = ("image", "voice", "video", "thumb")


@bp.route("/cgi-bin/user/info", methods=["GET"])
def user_info() -> Any:
    """Of somebody who does not follow the account, nothing but that."""
    person = world().holder(account_only("user-info"), request.args.get("openid", ""))
    if person is None:
        raise ApiError(40003)
    openid = request.args["openid"]
    if not person.follows:
        return {"subscribe": 0, "openid": openid}
    return {"subscribe": 1, "openid": openid, "language": "zh_CN", "subscribe_time": person.followed_at, "remark": "", "groupid": 0,
            "tagid_list": [], "subscribe_scene": "ADD_SCENE_QR_CODE"} | world().unionid(person)


def _media_caller() -> str:
    """Mini programs have media of their own; an account needs the right."""
    appid = caller()
    if appid == world().config.account_appid and not may(world().config, "media"):
        raise ApiError(48001)
    return appid


@bp.route("/cgi-bin/media/get", methods=["GET"])
def media_get() -> Any:
    """The file with its headers; of a video only where to fetch it."""
    media_id = request.args.get("media_id", "")
    found = world().media.find(media_id, product().now(), _media_caller())
    if found is None:
        raise ApiError(40007)
    if found.kind == "video":
        return {"video_url": f"{request.host_url}mmbiz/{media_id}/0"}
    ending = found.mimetype.partition("/")[2].replace("jpeg", "jpg")
    return Response(found.data, mimetype=found.mimetype, headers={"Content-disposition": f'attachment; filename="{media_id}.{ending}"'})


@bp.route("/cgi-bin/media/upload", methods=["POST"])
def media_upload() -> Any:
    appid, kind = _media_caller(), request.args.get("type", "")
    if kind not in MEDIA_TYPES:
        raise ApiError(40004)
    data = request.files["media"].read() if "media" in request.files else b""
    if not data:
        raise ApiError(41005)
    at = product().now()
    return {"type": kind, "media_id": world().media.keep(data, at, appid, kind), "created_at": int(at.timestamp())}


@bp.route("/cgi-bin/qrcode/create", methods=["POST"])
def qrcode_create() -> Any:
    """Temporary ones end by the clock; permanent ones have no expire_seconds in the answer."""
    account_only("scene-qr")
    data, at = body(), product().now()
    name, most = SCENES.get(str(data.get("action_name")), ("", 0))
    info = data.get("action_info")
    scene = info.get("scene", {}).get(name) if isinstance(info, dict) and isinstance(info.get("scene"), dict) and name else None
    if not _fits(scene, name, most):
        raise ApiError(40097)
    if str(data["action_name"]).startswith("QR_LIMIT"):
        made = world().press.scene_qr(str(scene), None)
        return {"ticket": made.ticket, "url": made.content}
    seconds = data.get("expire_seconds", 60)
    if not isinstance(seconds, int) or not 0 < seconds <= LONGEST_SCENE_SECONDS:
        raise ApiError(40097)
    made = world().press.scene_qr(str(scene), at + timedelta(seconds=seconds))
    return {"ticket": made.ticket, "expire_seconds": seconds, "url": made.content}


def _fits(scene: Any, name: str, most: int) -> bool:
    if name == "scene_str":
        return isinstance(scene, str) and 1 <= len(scene) <= most
    return name == "scene_id" and isinstance(scene, int) and not isinstance(scene, bool) and 1 <= scene <= most


@bp.route("/cgi-bin/showqrcode", methods=["GET"])
def showqrcode() -> Any:
    made = world().press.by_ticket(request.args.get("ticket", ""))
    if made is None:
        return Response("404 not found", 404, mimetype="text/plain")
    return Response(qr_png(made.content), mimetype="image/png")


@bp.route("/mmbiz/<media_id>/0", methods=["GET"])
def pic_url(media_id: str) -> Any:
    """PicUrl of an image message, or a video's address: no token asked."""
    found = world().media.find(media_id, product().now())
    return Response(found.data, mimetype=found.mimetype) if found else Response("404 not found", 404, mimetype="text/plain")


@lru_cache(maxsize=128)
def qr_png(text: str) -> bytes:
    out = io.BytesIO()
    code = qrcode.QRCode(box_size=8, border=4)
    code.add_data(text)
    code.make_image().save(out)
    return out.getvalue()


