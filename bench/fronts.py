"""How a side is served: on the product's own front, an event loop, or by threads under plain WSGI. The server is granian either way."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from bench.parts import App, own_app

FRONTS = {"loop": ("front", "rsgi"), "wsgi": ("create_app", "wsgi")}


def served(module: str, front: str = "loop", **how: Any) -> AbstractContextManager[App]:
    """bench/<module>.py's app; `how` as for `own_app`."""
    factory, interface = FRONTS[front]
    return own_app(target=f"bench.{module}:{factory}", interface=interface, **how)
