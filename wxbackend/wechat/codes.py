"""Ways in from paper and from elsewhere: the account's QR codes with a scene, the mini program's round codes, its links."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass

from wxbackend import store
from wxbackend.extensions import settings
from wxbackend.wechat import endpoints
from wxbackend.wechat.apps import miniprogram
from wxbackend.wechat.calls import ask, ask_file, word
from wxbackend.wechat.messages import page_path
from wxbackend.wechat.refusals import WeChatAway
from wxbackend.wechat.tokens import UNSHARED

SCENE_TEXT = re.compile(r"[\x21-\x7e]{1,64}")
PROGRAM_SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
LONGEST_SECONDS = 2_592_000
SHORTEST_SECONDS = 60
MOST_DAYS = 30
VERSIONS = ("release", "trial", "develop")
WIDTHS = range(280, 1281)
IMAGES = (b"\xff\xd8\xff", b"\x89PNG")
WEB = re.compile(r"https?://[^\s]+")
KEEP_SECONDS = 24 * 3600


@dataclass(frozen=True)
class SceneQr:
    """Draw `url` as a QR code with any library; `ticket` is WeChat's name for it."""

    url: str
    ticket: str


def scene_qr(scene: str, lives_seconds: int | None = None) -> SceneQr:
    """A QR code of the account that says `scene` (1-64 ASCII characters) when scanned; for ever (an account has 100,000 of these), or for
    `lives_seconds`, up to 30 days.

    Raises ValueError, NotGranted (only the verified 服务号 has them), WeChatRefused, WeChatAway.
    """
    if not SCENE_TEXT.fullmatch(scene):
        raise ValueError("a scene is 1 to 64 ASCII characters without blanks")
    if lives_seconds is not None and not SHORTEST_SECONDS <= lives_seconds <= LONGEST_SECONDS:
        raise ValueError("a passing scene lives 60 seconds to 30 days")
    life = {"action_name": "QR_STR_SCENE", "expire_seconds": lives_seconds} if lives_seconds else {"action_name": "QR_LIMIT_STR_SCENE"}
    answer = ask(endpoints.SCENE_QR, data=life | {"action_info": {"scene": {"scene_str": scene}}})
    return SceneQr(word(answer, "url", WEB), word(answer, "ticket"))


def miniprogram_code(scene: str, page: str, *, check_path: bool = True, env_version: str = "release", width: int = 430) -> bytes:
    """The mini program's round code as a JPEG or PNG, kept for a day: it never changes. `scene`: 1-32 characters, a short random id, no =.

    Until the page is released: check_path=False, env_version="trial". Raises ValueError, WeChatRefused (41030: the page is not in the
    released version), NoMiniProgram, WeChatAway.
    """
    if not PROGRAM_SCENE.fullmatch(scene):
        raise ValueError("a scene is 1 to 32 of the characters 0-9 a-z A-Z !#$&'()*+,/:;=?@-._~")
    if env_version not in VERSIONS or width not in WIDTHS:
        raise ValueError("env_version: " + ", ".join(VERSIONS) + "; width: 280 to 1280")
    miniprogram()   # before the store is asked
    body = {"scene": scene, "page": page_path(page), "check_path": check_path, "env_version": env_version, "width": width}
    name = "wechat:code:" + hashlib.sha256(json.dumps([settings.miniprogram_appid, body]).encode()).hexdigest()
    image = _kept(name)
    if image is None:
        found = ask_file(endpoints.PROGRAM_CODE, data=body)
        if not isinstance(found, bytes) or not found.startswith(IMAGES):
            raise WeChatAway("no picture in the answer")
        image = found
        _keep(name, image)
    return image


def miniprogram_link(path: str, query: str, days: int = 30) -> str:
    """An https link that opens the released mini program from anywhere, for at most 30 days.

    Raises ValueError, WeChatRefused, NoMiniProgram, WeChatAway.
    """
    if not 1 <= days <= MOST_DAYS or len(query) > 1024 or not query.isprintable():
        raise ValueError("a link lives 1 to 30 days; its query is at most 1024 characters")
    body = {"path": page_path(path), "query": query, "expire_type": 1, "expire_interval": days, "env_version": "release"}
    return word(ask(endpoints.PROGRAM_LINK, data=body), "url_link", WEB)


def _kept(name: str) -> bytes | None:
    try:
        return base64.b64decode(store.get(name) or "", validate=True) or None
    except (*UNSHARED, binascii.Error):
        return None


def _keep(name: str, image: bytes) -> None:
    try:
        store.put(name, base64.b64encode(image).decode(), KEEP_SECONDS)
    except UNSHARED:
        return
