"""What an account may do by its kind: unverified or verified, 订阅号 or 服务号. A missing right is errcode 48001."""

from __future__ import annotations

from simulator.settings import Config

KINDS = ("service", "service-unverified", "subscription", "subscription-unverified")
_VERIFIED = {"service", "subscription"}
GRANTED = {
    "menu": {"service", "service-unverified", "subscription"},
    "media": _VERIFIED, "customer-message": _VERIFIED, "user-info": _VERIFIED,
    "oauth": {"service"}, "scene-qr": {"service"}, "template-message": {"service"},
}
SAID = {"service": "服务号，已认证", "service-unverified": "服务号，未认证", "subscription": "订阅号，已认证",
        "subscription-unverified": "订阅号，未认证"}


def may(config: Config, right: str) -> bool:
    """Whether the account has a right. Web login may be granted to a 订阅号 of the government, or taken away, one by one."""
    if right == "oauth" and config.account_oauth != "auto":
        return config.account_oauth == "yes"
    return config.account_kind in GRANTED[right]
