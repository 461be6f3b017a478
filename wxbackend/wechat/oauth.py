"""The address of the public account's web login."""

from __future__ import annotations

import re
from urllib.parse import quote

from wxbackend.wechat.endpoints import AUTHORIZE

STATE = re.compile(r"[A-Za-z0-9]{1,128}")   # what WeChat carries back unchanged
SCOPES = ("snsapi_base", "snsapi_userinfo")


def authorize_url(open_root: str, appid: str, redirect_uri: str, state: str, scope: str) -> str:
    """Where to send the browser. WeChat checks the order of the parameters with a regular expression."""
    if not STATE.fullmatch(state) or scope not in SCOPES:
        raise ValueError("a state is 1-128 letters and digits; a scope is " + " or ".join(SCOPES))
    return (f"{open_root.rstrip('/')}{AUTHORIZE.path}?appid={appid}&redirect_uri={quote(redirect_uri, safe='')}"
            f"&response_type=code&scope={scope}&state={state}#wechat_redirect")
