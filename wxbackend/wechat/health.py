"""What an operator wants to know of an app: does its token work, from where do its messages come, what has WeChat refused."""

from __future__ import annotations

import ipaddress
from typing import Any

from wxbackend.problems import Problem
from wxbackend.wechat import endpoints, features
from wxbackend.wechat.calls import ask, inner, whole
from wxbackend.wechat.refusals import WeChatAway

WATCHED = {endpoints.ACCOUNT: endpoints.CUSTOMER_MESSAGE, endpoints.MINIPROGRAM: endpoints.SUBSCRIBE_MESSAGE}


def callback_addresses(app: str = endpoints.ACCOUNT) -> list[str]:
    """The addresses, or networks, that WeChat's messages to us come from. Raises WeChatAway, WeChatRefused, NoMiniProgram."""
    answer = ask(endpoints.CALLBACK_IPS, app=app)
    listed = answer.get("ip_list")
    if not isinstance(listed, list):
        raise WeChatAway("no ip_list in the answer")
    return [one for one in listed if isinstance(one, str) and _is_address(one)]


def probe(app: str = endpoints.ACCOUNT) -> dict[str, Any]:
    """One harmless call that needs a token, and facts for the doctor; `app`: "account" or "miniprogram".

    {"app": …, "addresses": 12, "lacks": ["scene-qr"], "quota": {"path": …, "limit": 500000, "used": 3} or None}. What WeChat has refused
    (`lacks`) is forgotten here and asked for anew: whoever runs the doctor may just have put it right.
    Raises WeChatRefused (40164: our address is not whitelisted; 40125, 40001: the secret is wrong; 40013), WeChatAway, NoMiniProgram.
    """
    addresses = callback_addresses(app)
    mine = features.OF_ACCOUNT if app == endpoints.ACCOUNT else features.OF_MINIPROGRAM
    lacks = [feature for feature in features.switched_off() if feature in mine]
    features.switch_on(lacks)
    return {"app": app, "addresses": len(addresses), "lacks": lacks, "quota": _quota(app)}


def _quota(app: str) -> dict[str, Any] | None:
    path = WATCHED[app].path
    try:
        found = inner(ask(endpoints.QUOTA, data={"cgi_path": path}, app=app), "quota")
        return {"path": path, "limit": whole(found, "daily_limit"), "used": whole(found, "used")}
    except Problem:   # a fact worth having, not worth failing for
        return None


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False
