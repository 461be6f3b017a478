"""open.weixin.qq.com: web login. Who logs in is the person whose phone this is, told by the cookie sim_person."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Blueprint, redirect, render_template, request

from simulator.wire import product, world

bp = Blueprint("oauth", __name__)

# WeChat looks at the order of the parameters, not only at their names.
ORDER = re.compile(r"appid=[^&]+&redirect_uri=[^&]+&response_type=code&scope=[^&]+(&state=[^&]*)?(&(forcePopup|connect_redirect)=[^&]*)*")
STATE = re.compile(r"[a-zA-Z0-9]{0,128}")
SCOPES = ("snsapi_base", "snsapi_userinfo")


@bp.get("/connect/oauth2/authorize")
def authorize() -> Any:
    """302 to redirect_uri with code and state, or WeChat's own page of refusal."""
    query = request.query_string.decode()
    values = {k: v[0] for k, v in parse_qs(query, keep_blank_values=True).items()}
    person = world().person(request.cookies.get("sim_person"))
    if fault := _fault(query, values):
        return render_template("refused.html", fault=fault), 400
    if person is None:
        return render_template("refused.html", fault="请在微信客户端打开链接"), 400
    code = world().make_code("oauth", person, product().now(), values["scope"])
    target = values["redirect_uri"]
    joint = "&" if urlsplit(target).query else "?"
    return redirect(target + joint + urlencode({"code": code, "state": values.get("state", "")}))


def _fault(query: str, values: dict[str, str]) -> str:
    """WeChat's sentence about the first thing that is wrong, or an empty one."""
    if not ORDER.fullmatch(query):
        return "链接参数的顺序或名称不对（appid, redirect_uri, response_type, scope, state）"
    if values["appid"] != world().config.account_appid:
        return "appid 不是这个公众号的"
    target = urlsplit(values["redirect_uri"])
    if target.scheme not in ("http", "https") or target.hostname != world().config.oauth_host:
        return "redirect_uri 域名与后台配置不一致，错误码：10003"
    if values["scope"] not in SCOPES:
        return "scope 只能是 snsapi_base 或 snsapi_userinfo，错误码：10005"
    return "" if STATE.fullmatch(values.get("state", "")) else "state 只能是字母和数字，最多128个"
