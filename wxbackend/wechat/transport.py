"""The line to WeChat: every call has a deadline and a size, follows no redirect, and breaks without telling its URL.

requests puts the whole URL, `secret=` and `access_token=` with it, into the text of its exceptions. They are
caught here, and what replaces them is raised after the handler, so that not even `__context__` leads back to them.
"""

from __future__ import annotations

import logging
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

from config.settings import LOOPBACK
from wxbackend.wechat.refusals import MediaTooLarge, WeChatAway

log = structlog.get_logger()
for chatty in ("urllib3", "wechatpy"):   # at DEBUG they write URLs and answers
    logging.getLogger(chatty).setLevel(logging.WARNING)

CONNECT_SECONDS = 3.0
JSON_BYTES = 1_048_576
CHUNK_BYTES = 65_536


class Oversize(Exception):
    """An answer longer than its limit."""


class BadStatus(requests.RequestException):
    """An answer with another HTTP status than 200."""


class Line(requests.Session):
    """A session for one of WeChat's hosts, shared by the threads of a process."""

    def __init__(self, root: str, timeout_seconds: float):
        super().__init__()
        self.timeout_seconds = timeout_seconds
        self.trust_env = urlsplit(root).hostname not in LOOPBACK   # an outgoing proxy knows no loopback
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=32))

    def request(self, method: Any, url: Any, *args: Any, max_bytes: int | None = None, **kwargs: Any) -> requests.Response:
        """The answer, read to its end within the deadline. `max_bytes` says that a file is expected.

        Raises WeChatAway when nothing usable came, MediaTooLarge when the file is longer than `max_bytes`.
        """
        try:
            return self._ask(method, url, args, kwargs, max_bytes or JSON_BYTES)
        except Oversize:
            fault: WeChatAway | MediaTooLarge = MediaTooLarge() if max_bytes else WeChatAway("too long")
        except (requests.RequestException, HTTPError, OSError) as e:
            why = str(e) if isinstance(e, BadStatus) else type(e).__name__
            fault = WeChatAway(why, unsure=not _never_left(e))
        log.warning("wechat away", why=getattr(fault, "why", "too large"), place=urlsplit(str(url)).path)
        raise fault

    def _ask(self, method: Any, url: Any, args: Any, kwargs: dict[str, Any], limit: int) -> requests.Response:
        deadline = time.monotonic() + self.timeout_seconds
        kwargs |= {"timeout": (min(CONNECT_SECONDS, self.timeout_seconds), self.timeout_seconds), "allow_redirects": False, "stream": True}
        response = super().request(method, url, *args, **kwargs)
        try:
            if response.status_code != 200:   # WeChat's own errors come with 200
                raise BadStatus(f"HTTP {response.status_code}")
            response._content = _read(response, limit, deadline)
            response._content_consumed = True   # type: ignore[attr-defined]
        finally:
            response.close()
        return response


def _read(response: requests.Response, limit: int, deadline: float) -> bytes:
    # read1 hands over what has arrived; read(n) would wait for n bytes, however slowly they drip.
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise Oversize
    body = bytearray()
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > limit:
            raise Oversize
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return bytes(body)


def _never_left(error: Exception) -> bool:
    """Whether the request certainly did not reach WeChat."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)
