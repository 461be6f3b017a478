"""Structured logs: JSON in production, a readable line elsewhere; nothing personal goes in."""

from __future__ import annotations

import logging
import sys

import structlog
from flask import Flask


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
                    structlog.processors.TimeStamper("iso", utc=True), structlog.processors.format_exc_info, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr))
