"""Where WeChat's messages come from: a harmless call, which shows as well that the app's token works."""

from __future__ import annotations

import ipaddress

from wxbackend.wechat import endpoints
from wxbackend.wechat.calls import ask
from wxbackend.wechat.refusals import WeChatAway


def callback_addresses(app: str = endpoints.ACCOUNT) -> list[str]:
    """The addresses, or networks, that WeChat's messages to us come from. Raises WeChatAway, WeChatRefused, NoMiniProgram."""
    answer = ask(endpoints.CALLBACK_IPS, app=app)
    listed = answer.get("ip_list")
    if not isinstance(listed, list):
        raise WeChatAway("no ip_list in the answer")
    return [one for one in listed if isinstance(one, str) and _is_address(one)]


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False
