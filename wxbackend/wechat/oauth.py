"""Web login of the public account, on wechatpy's WeChatOAuth with our roots, deadline and silence."""

from __future__ import annotations

import re
from typing import Any

from wechatpy import WeChatOAuth
from wechatpy.exceptions import WeChatOAuthException

from wxbackend.wechat.refusals import WeChatAway, refusal
from wxbackend.wechat.transport import Line

STATE = re.compile(r"[A-Za-z0-9]{1,128}")   # what WeChat carries back unchanged
SCOPES = ("snsapi_base", "snsapi_userinfo")


class OAuth(WeChatOAuth):
    """One login: wechatpy keeps the last user on the instance, so none is shared between requests."""

    def __init__(self, appid: str, secret: str, *, line: Line, api_root: str, open_root: str):
        super().__init__(appid, secret, redirect_uri="")
        self.API_BASE_URL = api_root.rstrip("/") + "/"
        self.OAUTH_BASE_URL = open_root.rstrip("/") + "/connect/"
        self._http = line

    def url(self, redirect_uri: str, state: str, scope: str) -> str:
        """Where to send the browser. WeChat checks the order of the parameters with a regular expression."""
        if not STATE.fullmatch(state) or scope not in SCOPES:
            raise ValueError("a state is 1-128 letters and digits; a scope is " + " or ".join(SCOPES))
        self.redirect_uri, self.state, self.scope = redirect_uri, state, scope
        return self.authorize_url

    def exchange(self, code: str) -> dict[str, Any]:
        """{"openid", "unionid"?, "is_snapshotuser"?: 1, …}; unionid only with snsapi_userinfo.

        Raises CodeRefused, WeChatRefused, WeChatAway.
        """
        try:
            return self.fetch_access_token(code)
        except WeChatOAuthException as e:
            fault = refusal(int(e.errcode), str(e.errmsg))
        except (AttributeError, KeyError, TypeError, ValueError):   # wechatpy expects errmsg with every errcode
            fault = WeChatAway("not the JSON we know")
        raise fault
