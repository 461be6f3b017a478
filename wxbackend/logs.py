"""Structured logs: JSON in production, a readable line elsewhere; nothing personal goes in."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback

import structlog
from flask import Flask
from structlog.typing import ExcInfo


def told(exc_info: ExcInfo) -> str:
    """A traceback whose errors speak only where they are Python's or ours: a database's error quotes the row, openid and all."""
    links: list[BaseException] = [exc_info[1]]
    while (following := links[-1].__cause__ or links[-1].__context__) and following not in links:
        links.append(following)
    return "\n".join("".join(traceback.format_tb(e.__traceback__)) + _named(e) for e in reversed(links))


def _named(error: BaseException) -> str:
    kind = type(error)
    speaks = kind.__module__.partition(".")[0] in ("builtins", "wxbackend")
    return f"{kind.__name__}: {error}" if speaks else f"{kind.__module__}.{kind.__name__}"


class CalmLogger(structlog.PrintLogger):
    """One that says nothing where nothing can be written (a full disk): what it would have told of must go on."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


def init_app(app: Flask) -> None:
    settings = app.extensions["settings"]
    level = getattr(logging, settings.log_level.upper(), logging.INFO)
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    for noisy in ("urllib3", "requests", "wechatpy", "PIL", "alembic.runtime.plugins"):
        logging.getLogger(noisy).setLevel(logging.WARNING)   # urllib3's lines hold whole URLs, tokens among them
    renderer = (structlog.processors.JSONRenderer(ensure_ascii=False) if settings.environment == "production"
                else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
                    structlog.processors.TimeStamper("iso", utc=True), structlog.processors.ExceptionRenderer(told), renderer],
        logger_factory=lambda *_: CalmLogger(sys.stderr))
