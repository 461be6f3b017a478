"""What every request passes: who may call, how large it may be, whose identity it may claim, which headers go out.

A route says who may call it: ``@access("public")``, ``"voter"``, ``"staff"``, ``"wechat"`` or ``"loopback"``. Rooms that know
people register how a caller of that kind is found (`accounts` does for voters and staff), so this file knows no tables.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, Response, abort, current_app, g, request, url_for
from flask_wtf.csrf import CSRFError
from prometheus_client import Counter
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wsgi import LimitedStream

from config.settings import Settings
from wxbackend.extensions import csrf, reads_only, settings
from wxbackend.problems import BadRequest, FormExpired, Invalid, Problem, TooLarge, pointers
from wxbackend.shapes import Schema, ValidationError

F = TypeVar("F", bound=Callable[..., Any])
KINDS = ("public", "voter", "staff", "wechat", "loopback")
LOOPBACK = {"127.0.0.1", "::1"}
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")   # one of them a proxy sends
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Identities come from WeChat to our server, never from the client; the callback alone carries one in its URL.
# Names are compared in lower case without - and _; X-WX-OPENID is the header of WeChat's own cloud, which does not stand before us.
CLAIMS = {"openid", "unionid", "fromopenid", "personid", "sessionkey", "xwxopenid", "xwxunionid", "xwxfromopenid", "xopenid", "xunionid"}
LONG_NUMBER = re.compile(rb"[0-9]{4000}")
NOT_TEXT = re.compile("[\x00\ud800-\udfff]")   # what JSON can write and no database keeps

forged_identities = Counter("wxbackend_forged_identities_total", "Requests that brought an openid of their own", ["place"])
_finders: dict[str, Callable[[], Any]] = {}


class ForgedIdentity(Problem):
    status, type, title = 400, "identity-not-verified", "身份要由微信来确认，不能自己填。"
    hint = "请从公众号的文章或菜单重新进入。"


def access(kind: str, *, writes: bool = False, max_bytes: int | None = None, takes_image: bool = False,
           in_batch: bool = False) -> Callable[[F], F]:
    """Declare who may call a view. `writes` marks a GET that writes (SQLite takes its lock at once);
    `max_bytes` raises the body limit above the setting's, `takes_image` by the largest screenshot.
    `in_batch`: the view itself has its caller found, together with others who call at the same moment."""
    if kind not in KINDS:
        raise ValueError(kind)

    def declare(view: F) -> F:
        view.access, view.writes, view.max_bytes, view.takes_image = kind, writes, max_bytes, takes_image  # type: ignore[attr-defined]
        view.in_batch = in_batch  # type: ignore[attr-defined]
        return view

    return declare


def finder(kind: str) -> Callable[[F], F]:
    """Register how the caller of a kind is found: returns what becomes ``g.voter`` or ``g.staff``, or raises a Problem."""
    def register(find: F) -> F:
        _finders[kind] = find
        return find

    return register


def load(schema: Schema, data: Any = None) -> dict[str, Any]:
    """The request's form (or `data`) through `schema`. Raises Invalid with a pointer for each fault."""
    try:
        return schema.load(request.form.to_dict() if data is None else data)
    except ValidationError as e:
        raise Invalid(errors=list(pointers(e.messages))) from e


def init_app(app: Flask) -> None:
    if settings_of(app).trusted_proxies:
        n = settings_of(app).trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    app.before_request(_admit)
    app.after_request(_add_headers(app))
    app.register_error_handler(CSRFError, lambda _e: _expired())
    app.jinja_env.globals["asset"] = asset
    app.view_functions["static"] = access("public")(_static(app.view_functions["static"]))


def settings_of(app: Flask) -> Settings:
    return app.extensions["settings"]


def asset(name: str) -> str:
    """URL of a static file with a hash of its content, so that it may be cached for a year."""
    known: dict[str, str] = current_app.extensions.setdefault("assets", {})
    if name not in known:
        raw = Path(current_app.static_folder or "", name).read_bytes()
        known[name] = url_for("static", filename=name, v=hashlib.sha256(raw).hexdigest()[:10])
    return known[name]


def _static(view: Callable[..., Any]) -> Callable[..., Response]:
    @wraps(view)
    def serve(**values: Any) -> Response:
        response = view(**values)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if request.args.get("v") else "no-cache"
        return response

    return serve


def _admit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return   # the router's own 404 and 405
    reads_only.set(request.method in SAFE_METHODS and not getattr(view, "writes", False))
    limit = _limit(view, settings)
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        raise TooLarge()
    kind = getattr(view, "access", None)
    if kind is None:
        raise RuntimeError(f"{request.endpoint} does not say who may call it")
    if kind == "loopback":
        _only_here()
    elif kind != "wechat":
        body = _body()
        _refuse_unwritable(request.path, *request.args.values(), body)
        _refuse_claims(body)
        if request.method not in SAFE_METHODS and _is_browsers():
            csrf.protect()
    if kind in _finders and not getattr(view, "in_batch", False):
        setattr(g, kind, _finders[kind]())


def _is_browsers() -> bool:
    """Whether a browser may have sent this on its own: cookies go along unasked, bearer tokens do not."""
    if "Authorization" in request.headers:
        return False
    return not request.path.startswith("/api/") or bool(request.cookies)


def _only_here() -> None:
    """This machine alone, and no page of another site in its browser: those cannot send JSON unasked."""
    if request.remote_addr not in LOOPBACK or any(name in request.headers for name in FORWARDED):
        abort(404)
    if request.method not in SAFE_METHODS and not request.is_json:
        abort(415)


def _body() -> Any:
    """JSON or form as sent; None for JSON that is broken, which the view's shape will say. Raises TooLarge, BadRequest (bottomless)."""
    stream = request.stream
    try:
        body = request.get_json(silent=True) if request.is_json else request.form
    except RecursionError:
        raise BadRequest() from None
    if body is None and request.is_json and LONG_NUMBER.search(request.get_data()):
        raise BadRequest()   # Python refuses to read it, by an error that is no JSON error
    if request.content_length is None and isinstance(stream, LimitedStream) and stream.is_exhausted:
        raise TooLarge()   # werkzeug gives what fits of a body without a length as if it were the whole
    return body


def is_claim(name: str) -> bool:
    """Whether a parameter of this name would say who somebody is."""
    return name.lower().replace("_", "").replace("-", "") in CLAIMS


def _refuse_claims(body: Any) -> None:
    places = (("query", request.args), ("cookie", request.cookies), ("header", request.headers.keys()),
              ("body", body if isinstance(body, dict) else ()))
    for place, names in places:
        if any(is_claim(name) for name in names):
            forged_identities.labels(place).inc()
            raise ForgedIdentity()


def _refuse_unwritable(*sent: Any) -> None:
    """NUL and lone surrogates anywhere in what was sent. Raises BadRequest."""
    rest = list(sent)
    while rest:   # no recursion: somebody may send a thousand lists in each other
        value = rest.pop()
        if isinstance(value, dict):
            rest += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str) and NOT_TEXT.search(value):
            raise BadRequest()


def _expired() -> Response:
    from wxbackend.problems import render
    return render(FormExpired())


def largest_body(app: Flask, path: str, method: str) -> int:
    """What the view of an address takes, in bytes, before anything of a body is read; an address that is none takes what is usual."""
    ours = settings_of(app)
    try:
        endpoint, _ = app.url_map.bind("").match(path, method)
    except HTTPException:
        return ours.max_body_bytes
    return _limit(app.view_functions[endpoint], ours)


def _limit(view: Any, ours: Settings) -> int:
    limit: int = getattr(view, "max_bytes", None) or ours.max_body_bytes
    return limit + ours.max_image_bytes if getattr(view, "takes_image", False) else limit


def headers_of(app: Flask) -> dict[str, str]:
    """What goes out with every answer that does not say otherwise."""
    ours = settings_of(app)
    framed_by = ours.wechat_open_root if ours.is_demo else "'none'"   # the simulated phone frames the demo's pages
    policy = ("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; "
              f"form-action 'self'; base-uri 'none'; frame-ancestors {framed_by}")
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
               "Cache-Control": "no-store"}
    if ours.public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _add_headers(app: Flask) -> Callable[[Response], Response]:
    usual = headers_of(app)

    def add(response: Response) -> Response:
        reads_only.set(False)
        for name, value in usual.items():
            response.headers.setdefault(name, value)
        return response

    return add
