"""Ways into the mini program (小程序码, links), and how risky WeChat finds a person."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zlib import crc32

import qrcode
from flask import Blueprint, Response
from PIL import Image

from simulator.api.checks import visitor
from simulator.wire import ApiError, body, done, mini_only, product, refusal, world

bp = Blueprint("miniprogram", __name__)
SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]+")
MOST_SCENE, WIDTHS, DEFAULT_WIDTH = 32, (280, 1280), 430
VERSIONS = ("release", "trial", "develop")
MOST_QUERY, MOST_DAYS = 1024, 30


@bp.errorhandler(ApiError)
def _refuse(error: ApiError) -> Response:
    return Response(json.dumps(refusal(error.errcode, error.about)), content_type="application/json; encoding=utf-8")


@bp.route("/wxa/getwxacodeunlimit", methods=["POST"])
def code_unlimited() -> Any:
    """A picture; an error is JSON. The page must be in the released version, unless check_path is false."""
    mini_only()
    data = body(otherwise=40169)
    scene, page = data.get("scene"), data.get("page", "")
    version, width = data.get("env_version", "release"), data.get("width", DEFAULT_WIDTH)
    if not isinstance(scene, str) or not 1 <= len(scene) <= MOST_SCENE:
        raise ApiError(40169)
    if not SCENE.fullmatch(scene):
        raise ApiError(40129)
    if page and (not isinstance(page, str) or data.get("check_path", True) and page not in world().config.released_pages
                 or page.startswith("/") or "?" in page):
        raise ApiError(41030)
    if version not in VERSIONS or not isinstance(width, int) or not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ApiError(40097)
    made = world().press.mini_code(scene, page, version)
    return Response(_jpeg(made.content, width), mimetype="image/jpeg")


@lru_cache(maxsize=128)
def _jpeg(content: str, width: int) -> bytes:
    code = qrcode.QRCode(box_size=4, border=4)
    code.add_data(content)
    picture = code.make_image(fill_color="#087443").get_image().convert("RGB").resize((width, width), Image.Resampling.NEAREST)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


@bp.route("/wxa/generate_urllink", methods=["POST"])
def url_link() -> Any:
    mini_only()
    data = body()
    return done(url_link=_link("url-link", data, data))


@bp.route("/wxa/generatescheme", methods=["POST"])
def scheme() -> Any:
    mini_only()
    data = body()
    target = data.get("jump_wxa", {})
    if not isinstance(target, dict):
        raise ApiError(47001)
    return done(openlink=_link("scheme", target, data))


def _link(kind: str, target: dict[str, Any], life: dict[str, Any]) -> str:
    path, query = target.get("path", ""), target.get("query", "")
    if not isinstance(path, str) or path and path.lstrip("/") not in world().config.released_pages:
        raise ApiError(40165)
    if not isinstance(query, str) or len(query) > MOST_QUERY:
        raise ApiError(40212)
    if target.get("env_version", "release") not in VERSIONS:
        raise ApiError(40097)
    return world().press.link(kind, path.lstrip("/"), query, _end(life)).content


def _end(life: dict[str, Any]) -> datetime:
    """When the link dies: in at most 30 days, which is also what an unsaid life means."""
    at, kind = product().now(), life.get("expire_type", 0)
    interval, seconds = life.get("expire_interval", MOST_DAYS), life.get("expire_time")
    if kind not in (0, 1) or kind == 1 and not isinstance(interval, int):
        raise ApiError(40097)
    if kind == 0 and seconds is not None:
        if not isinstance(seconds, int):
            raise ApiError(40097)
        end = datetime.fromtimestamp(seconds, UTC)
    else:
        end = at + timedelta(days=interval if kind == 1 else MOST_DAYS)
    if not timedelta(minutes=1) <= end - at <= timedelta(days=MOST_DAYS):
        raise ApiError(85401)
    return end


@bp.route("/wxa/getuserriskrank", methods=["POST"])
def risk_rank() -> Any:
    appid, data = mini_only(), body()
    if data.get("appid") != appid:
        raise ApiError(40013)
    person = visitor(appid, data.get("openid"))
    if data.get("scene") not in (0, 1):
        raise ApiError(40129)
    if not isinstance(data.get("client_ip"), str) or not data["client_ip"]:
        raise ApiError(40097)
    return {"errcode": 0, "errmsg": "getuserriskrank succ", "risk_rank": world().number(person.risk),
            "unoin_id": crc32(data["openid"].encode())}
