"""What an app of this kind may do at WeChat, and what WeChat itself has refused it.

Source: Tencent's table of permissions by kind of account. The settings say the kind; where WeChat answers 48001 all the same, the
feature is off for a day, so that an account registered as something else runs with less instead of failing at every turn.
"""

from __future__ import annotations

import structlog

from wxbackend import store
from wxbackend.extensions import settings
from wxbackend.wechat.tokens import UNSHARED

log = structlog.get_logger()

VERIFIED = ("service", "subscription")
EVERY_KIND = ("service", "service-unverified", "subscription", "subscription-unverified")
OF_ACCOUNT: dict[str, tuple[str, ...]] = {
    "oauth": ("service",), "scene-qr": ("service",), "template-message": ("service",), "open-tag": ("service",),
    "customer-message": VERIFIED, "user-info": VERIFIED, "media": VERIFIED,
    "menu": ("service", "service-unverified", "subscription"), "console": EVERY_KIND, "jssdk": EVERY_KIND,
}
OF_MINIPROGRAM = ("login", "phone", "subscribe-message", "code", "link", "check-text", "check-media", "risk-rank")
NEVER_OFF = ("login", "oauth")   # one odd answer must not close a door for a day
OFF_SECONDS = 24 * 3600


def can(feature: str) -> bool:
    """Whether to offer and ask for `feature`: as the kind of account has it, the mini program exists, and WeChat did not refuse it today.

    One look into the store; with the store away, as the settings say.
    """
    return _granted(feature) and (feature in NEVER_OFF or not _is_off(feature))


def switch_off(feature: str) -> None:
    """WeChat answered 48001: ask no more for a day. Said once in the log."""
    if feature in NEVER_OFF or not feature:
        return
    try:
        is_news = store.put_once(_name(feature), "48001", OFF_SECONDS)
    except UNSHARED:
        is_news = True
    if is_news:
        log.error("wechat does not grant this feature: off for a day", feature=feature, account_kind=settings.account_kind)


def switched_off() -> list[str]:
    """What is off by WeChat's own word, by name."""
    return [feature for feature in (*OF_ACCOUNT, *OF_MINIPROGRAM) if _granted(feature) and _is_off(feature)]


def switch_on(features: list[str]) -> None:
    """Ask WeChat anew: whoever looks after the account has changed something there. Raises nothing with the store away."""
    for feature in features:
        try:
            store.drop(_name(feature))
        except UNSHARED:
            return


def ask_again(feature: str) -> None:
    """Somebody has put it right at WeChat: do not wait for the day to end. Raises ValueError for a feature nobody knows."""
    _granted(feature)
    switch_on([feature])


def _granted(feature: str) -> bool:
    if feature in OF_MINIPROGRAM:
        return settings.has_miniprogram
    if feature == "oauth" and settings.account_oauth != "auto":
        return settings.account_oauth == "yes"
    if feature not in OF_ACCOUNT:
        raise ValueError(f"no such feature: {feature}")
    return settings.account_kind in OF_ACCOUNT[feature]


def _is_off(feature: str) -> bool:
    try:
        return store.get(_name(feature)) is not None
    except UNSHARED:
        return False


def _name(feature: str) -> str:
    appid = settings.account_appid if feature in OF_ACCOUNT else settings.miniprogram_appid
    return f"wechat:off:{appid}:{feature}"
