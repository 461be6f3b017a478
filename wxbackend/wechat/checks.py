"""WeChat's own judgement: texts, pictures, risky persons. Signals for people who decide, never a decision.

All three ask that the person was in the mini program within two hours; else WeChat answers 61010 and a person looks instead.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from wxbackend.extensions import settings
from wxbackend.wechat import endpoints
from wxbackend.wechat.calls import ask, inner, whole, word
from wxbackend.wechat.messages import named
from wxbackend.wechat.refusals import NotGranted, Unsendable, WeChatRefused
from wxbackend.wechat.wording import wording

MOST_TEXT = 2500
SUGGESTIONS = re.compile("pass|review|risky")
TRACE = re.compile(r"[\x21-\x7e]{1,128}")
MORE = ("title", "nickname", "signature")
IMAGE = 2
TOO_LONG_AGO = 61010
RANKS = range(5)


@dataclass(frozen=True)
class Verdict:
    """suggest: "pass", "review" or "risky"; label: 100 normal, 10001 advertising, 20001 politics, 20002 … (0: not said)."""

    suggest: str
    label: int
    trace_id: str

    @property
    def is_fine(self) -> bool:
        return self.suggest == "pass"


def check_text(openid: str, content: str, scene: int = 2, **more: str) -> Verdict:
    """WeChat's verdict on up to 2500 characters by this person of the mini program. scene: 1 profile, 2 comment, 3 forum, 4 social log.

    `more`: title, nickname, signature. Raises WeChatRefused (61010: her last visit is more than two hours ago; 40003), Unsendable,
    NoMiniProgram, WeChatAway.
    """
    if set(more) - set(MORE):
        raise ValueError("beside the content: " + ", ".join(MORE))
    text = wording(content)
    if not text.strip() or len(text) > MOST_TEXT:
        raise Unsendable(f"送检的文字要1到{MOST_TEXT}个字。")
    body = {"version": 2, "openid": named(openid), "scene": _scene(scene), "content": text} | {k: wording(v) for k, v in more.items()}
    answer = ask(endpoints.CHECK_TEXT, data=body)
    result = inner(answer, "result")
    return Verdict(word(result, "suggest", SUGGESTIONS), whole(result, "label", 0), word(answer, "trace_id", TRACE, ""))


def check_media(openid: str, url: str, scene: int = 2) -> str:
    """Have WeChat fetch and judge a picture at a public address; the trace_id that its event wxa_media_check names within half an hour.

    An address that WeChat cannot reach tends to come back as "pass". Raises as `check_text`.
    """
    if urlsplit(url).scheme not in ("http", "https") or not url.isprintable():
        raise ValueError("WeChat fetches the picture from a web address")
    body = {"media_url": url, "media_type": IMAGE, "version": 2, "openid": named(openid), "scene": _scene(scene)}
    return word(ask(endpoints.CHECK_MEDIA, data=body), "trace_id", TRACE)


def risk_rank(openid: str, client_ip: str, scene: int = 1) -> int | None:
    """0 (no risk) to 4; None where WeChat gives none: no recent visit, not granted, or an answer without a rank.

    scene: 0 registration, 1 cheating in a campaign. Raises WeChatRefused, NoMiniProgram, WeChatAway.
    """
    if scene not in (0, 1):
        raise ValueError("a risk's scene is 0 or 1")
    address = str(ipaddress.ip_address(client_ip))   # ValueError for another thing
    body = {"appid": settings.miniprogram_appid, "openid": named(openid), "scene": scene, "client_ip": address}
    try:
        rank = whole(ask(endpoints.RISK_RANK, data=body), "risk_rank", -1)
    except NotGranted:
        return None
    except WeChatRefused as e:
        if e.errcode != TOO_LONG_AGO:
            raise
        return None
    return rank if rank in RANKS else None


def _scene(scene: int) -> int:
    if scene not in (1, 2, 3, 4):
        raise ValueError("a scene is 1, 2, 3 or 4")
    return scene
