"""Pictures that people sent to the account: by media_id, or from the address in the message, which asks for no permission."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from wxbackend.extensions import settings
from wxbackend.wechat import endpoints
from wxbackend.wechat.calls import ask_file
from wxbackend.wechat.refusals import MediaLost, NotGranted, WeChatAway
from wxbackend.wechat.transport import Line

PICTURE_HOSTS = ("mmbiz.qpic.cn", "mmsns.qpic.cn")   # WeChat's own; no other address is fetched
GONE = ("HTTP 403", "HTTP 404", "HTTP 410")


def download_media(media_id: str, pic_url: str = "") -> bytes:
    """A picture sent to the public account; WeChat keeps it for three days. `pic_url`: the message's own address of it, used where the
    account may not ask for media (not verified), or the media is gone.

    Raises MediaLost, MediaTooLarge (over settings.max_image_bytes), NotGranted, WeChatAway, WeChatRefused.
    """
    try:
        found = ask_file(endpoints.MEDIA, params={"media_id": media_id})
    except (MediaLost, NotGranted):
        if not pic_url:
            raise
        return _fetch(pic_url)
    if not isinstance(found, bytes):
        raise MediaLost   # a video comes as JSON with its address
    return found


def _fetch(pic_url: str) -> bytes:
    address = _allowed(pic_url)
    if address:
        try:
            with Line(address, settings.wechat_timeout_seconds) as line:
                return line.request("get", address, max_bytes=settings.max_image_bytes).content
        except WeChatAway as e:
            if e.why not in GONE:
                raise
    raise MediaLost


def _allowed(pic_url: str) -> str:
    """The address to fetch, "" for one that is not WeChat's. No token goes along; http becomes https at WeChat's own hosts."""
    try:
        url = urlsplit(pic_url)
        if url.hostname in PICTURE_HOSTS and url.port in (None, 80, 443) and url.scheme in ("http", "https"):
            return urlunsplit(("https", url.hostname, url.path, url.query, ""))
        roots = (settings.wechat_api_root, settings.wechat_mp_root)
        return pic_url if any(url[:2] == urlsplit(root)[:2] for root in roots) else ""
    except ValueError:
        return ""
