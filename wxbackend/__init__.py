"""wxbackend: voting and lottery campaigns of public institutions in WeChat."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """A whole app; without `settings` from the environment. Imported at the call, so that the demo's launcher stays small."""
    from wxbackend.factory import create_app as build

    return build(settings)
