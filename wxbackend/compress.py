"""Answers made smaller for whoever accepts gzip: pages and JSON as they go out, static files once a process.

A page with its captcha shrinks from 13 to 8 kB for some 60 µs of CPU, measured; a small server's line is worth more. COMPRESS=false
leaves it to a proxy.

Lengths tell secrets to whoever may put words of his own beside them and look at many answers (BREACH). Three things stand against it:
our cookies are SameSite=Lax, so another site's requests are nobody's; what is secret in a page is new each time (captcha) or each second
(the form's token); and every page or answer packed on its way carries a file name of random length in its header, up to a hundred bytes.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, current_app, request

from wxbackend.extensions import settings

LEVEL, BEST = 4, 9
SMALLEST = 1000      # bytes; below, the packet is not fuller than it would be anyway
LONGEST_NAME = 100   # random bytes of padding
HEAD, NAMED = b"\x1f\x8b\x08", 8   # RFC 1952, 2.3: magic and deflate; the flag that a file name follows
TYPES = {"text/html", "text/css", "text/javascript", "application/javascript", "application/json", "application/problem+json",
         "image/svg+xml"}


def init_app(app: Flask) -> None:
    """After `web`, whose headers on static files are kept."""
    app.after_request(_smaller)
    app.view_functions["static"] = _static(app.view_functions["static"])


def packed(body: bytes, level: int, name: bytes = b"") -> bytes:
    """A gzip file of `body` with a file name, or none, in its header."""
    head = HEAD + struct.pack("<BLBB", NAMED if name else 0, 0, 0, 255) + (name + b"\0" if name else b"")
    squeeze = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return b"".join((head, squeeze.compress(body), squeeze.flush(), struct.pack("<LL", zlib.crc32(body), len(body) & 0xFFFFFFFF)))


def _smaller(response: Response) -> Response:
    if not settings.compress or response.mimetype not in TYPES or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    if response.is_streamed or response.direct_passthrough or response.status_code in (204, 206, 304) or not _wants_gzip():
        return response
    body = response.get_data()
    if len(body) >= SMALLEST:
        response.set_data(packed(body, LEVEL, _padding()))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _wants_gzip() -> bool:
    return request.accept_encodings.quality("gzip") > 0


def _padding() -> bytes:
    return b"x" * secrets.randbelow(LONGEST_NAME + 1)


def _static(view: Callable[..., Any]) -> Callable[..., Response]:
    """The file's gzip variant under an ETag of its own, where it is wanted, whole, and smaller."""
    @wraps(view)
    def serve(**values: Any) -> Response:
        response = view(**values)
        if response.status_code != 200 or response.mimetype not in TYPES or not settings.compress or not _wants_gzip():
            return response
        etag = response.get_etag()[0] or ""
        known: dict[str, bytes] = current_app.extensions.setdefault("packed_files", {})
        if etag not in known:   # of path, size and time; the name as it was asked for has spellings without end
            response.direct_passthrough = False
            known[etag] = packed(response.get_data(), BEST)
        return _variant(response, known[etag], etag)

    return serve


def _variant(response: Response, body: bytes, etag: str) -> Response:
    response.direct_passthrough = False
    response.set_data(body)
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.set_etag(f"{etag}-gzip")
    response.make_conditional(request)
    return response
