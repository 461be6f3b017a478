"""扫一扫: where the content of a QR code leads inside the phone."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from simulator import acts
from simulator.people import Person
from simulator.product import Product
from simulator.state import State


def scan(state: State, product: Product, person: Person, content: str) -> str | None:
    """The path to go on to, or None for a code that says nothing here. A scene QR tells the product who came by it."""
    content = content.strip()
    if content == state.config.account_qr and content:
        return "/profile"
    found = state.press.read(content, product.now())
    if found is not None and found.kind == "scene-qr":
        acts.scan_scene(state, product, person, found.scene, found.ticket)
        return "/"
    if found is not None:
        return "/mini/open?" + urlencode({k: v for k, v in (("page", found.page), ("query", found.query), ("scene", found.scene)) if v})
    return "/open?url=" + quote(tidy(content), safe="") if state.config.is_ours(tidy(content)) else None


def tidy(url: str) -> str:
    """A receipt's QR is in capitals: HTTPS://HOST/R/…; scheme and host are read in small letters."""
    parts = urlsplit(url)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()
