"""Which channel may be asked, what its answer means, what fits into a template: plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.notice_templates import NoticeTemplate
from wxbackend import wechat

CHANNELS = ("customer", "subscribe", "template")   # in this order: the free one first, a credit before a template
MESSAGE_OPENS, MESSAGES = timedelta(hours=48), 5   # contract §4.6
TAP_OPENS, TAPS = timedelta(minutes=1), 3
# What people write. "location" is missing: as an event it is a phone telling where it is, which opens nothing.
WRITTEN = frozenset({"text", "image", "voice", "video", "shortvideo", "link"})
TAPPED = frozenset({"click", "subscribe", "scan", "scancode_push", "scancode_waitmsg"})   # a menu's link (view) opens nothing
LEFT = "unsubscribe"
LATER = "later"                                    # the channel comes again

WINDOW_OVER, QUOTA_USED, NOT_FOLLOWING, NO_CREDIT, NOT_GRANTED = 45015, 45047, 43004, 43101, 48001
# Nobody is reached by any channel until an operator has mended them: such a notice waits, it is not spent.
ACCOUNT_WIDE = frozenset({40001, 40013, 40014, 40125, 40164, 40243, 42001, 89503, 89506, 89507})


@dataclass(frozen=True)
class Window:
    """What somebody last did in the chat, and how many customer messages went out since."""

    message_at: datetime | None = None
    sent_since_message: int = 0
    tap_at: datetime | None = None
    sent_since_tap: int = 0
    has_left: bool = False


def opened_by(kind: str) -> str:
    """What a message's kind or an event's name does to the window: "message", "tap", "left" or nothing."""
    if kind in WRITTEN:
        return "message"
    return "tap" if kind in TAPPED else "left" if kind == LEFT else ""


def within(opened_at: datetime | None, lasts: timedelta, at: datetime) -> bool:
    """Half-open: opened_at <= at < opened_at + lasts."""
    return opened_at is not None and at < opened_at + lasts


def pot(window: Window, at: datetime) -> str:
    """Which quota the next customer message takes from, "tap" or "message"; "" where both are over or used up.

    The tap's first: it is gone in a minute. (WeChat does not say which it takes; what it refuses is believed, and goes on elsewhere.)
    """
    if within(window.tap_at, TAP_OPENS, at) and window.sent_since_tap < TAPS:
        return "tap"
    if within(window.message_at, MESSAGE_OPENS, at) and window.sent_since_message < MESSAGES:
        return "message"
    return ""


def why_closed(window: Window | None, at: datetime) -> str:
    """Why a customer message need not be tried: "left", "quota" or "closed"; "" where it may. Of whom nothing was heard WeChat is asked."""
    if window is None:
        return ""
    if window.has_left:
        return "left"
    if pot(window, at):
        return ""
    return "quota" if within(window.tap_at, TAP_OPENS, at) or within(window.message_at, MESSAGE_OPENS, at) else "closed"


def keeps_credit(errcode: int | None) -> bool:
    """Whether a refused subscribe message leaves its credit: 43101 says that there was none."""
    return errcode != NO_CREDIT


def fill(template: NoticeTemplate, facts: Mapping[str, str]) -> dict[str, str] | None:
    """A template's fields, free text cut to WeChat's limits; None where a fact is missing or does not fit, since WeChat refuses the whole
    message for one field (47003)."""
    try:
        return {name: wechat.fit(name, facts.get(fact, "")) for name, fact in template.fields.items()}
    except wechat.Unsendable:
        return None


def page_of(template: NoticeTemplate, slug: str | None) -> str:
    """Where a tap leads in the mini program: its page, with the campaign as `c`."""
    return f"{template.page}?c={slug}" if template.page and slug else template.page
