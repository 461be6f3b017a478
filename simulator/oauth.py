"""open.weixin.qq.com: web login. Who logs in is the person whose phone this is, told by the cookie sim_person."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Blueprint, redirect, render_template, request

from simulator.people import Person
from simulator.rights import may
from simulator.wire import product, world

bp = Blueprint("oauth", __name__)

# WeChat looks at the order of the parameters, not only at their names.
ORDER = re.compile(r"appid=[^&]+&redirect_uri=[^&]+&response_type=code&scope=[^&]+(&state=[^&]*)?(&(forcePopup|connect_redirect)=[^&]*)*")
STATE = re.compile(r"[a-zA-Z0-9]{0,128}")
SCOPES = ("snsapi_base", "snsapi_userinfo")
NO_SCOPE = "Scope 参数错误或没有 Scope 权限，错误码：10005"
OUTSIDE = "请在微信客户端打开链接"


@bp.get("/connect/oauth2/authorize")
def authorize() -> Any:
    """302 to redirect_uri with code and state, a page that asks for consent, or WeChat's own page of refusal.

    snsapi_userinfo asks, except followers who came from the account's chat or menu.
    """
    query = request.query_string.decode()
    values = {k: v[0] for k, v in parse_qs(query, keep_blank_values=True).items()}
    person = world().person(request.cookies.get("sim_person"))
    if fault := _fault(query, values):
        return _refused(fault)
    if person is None:
        return _refused(OUTSIDE)
    if not person.web_login:
        return _refused(NO_SCOPE, f"{person.name}这里没有网页登录，像订阅号的读者一样。请回到聊天发关键词。")
    from_the_account = person.follows and request.cookies.get("sim_from") in ("chat", "menu")
    if values["scope"] == "snsapi_userinfo" and not from_the_account and not person.sees_snapshot:
        return _ask(person, query)
    return _through(person, values)


@bp.get("/connect/oauth2/agree/<ticket>")
def agree(ticket: str) -> Any:
    """允许. A link and not a form: the way goes on to another host."""
    person, query = world().consents.pop(ticket, (None, ""))
    if person is None:
        return _refused("这个页面过期了，请重新进入")
    return _through(person, {k: v[0] for k, v in parse_qs(query, keep_blank_values=True).items()})


def _ask(person: Person, query: str) -> Any:
    ticket = secrets.token_urlsafe(16)
    world().consents[ticket] = (person, query)
    return render_template("consent.html", person=person, account=world().config.account_name, ticket=ticket)


def _through(person: Person, values: dict[str, str]) -> Any:
    code = world().make_code("oauth", person, product().now(), values["scope"])
    target = values["redirect_uri"]
    joint = "&" if urlsplit(target).query else "?"
    return redirect(target + joint + urlencode({"code": code, "state": values.get("state", "")}))


def _refused(fault: str, hint: str = "") -> Any:
    return render_template("refused.html", fault=fault, hint=hint), 400


def _fault(query: str, values: dict[str, str]) -> str:
    """WeChat's sentence about the first thing that is wrong, or an empty one."""
    if not ORDER.fullmatch(query):
        return "链接参数的顺序或名称不对（appid, redirect_uri, response_type, scope, state）"
    if values["appid"] != world().config.account_appid:
        return "appid 不是这个公众号的"
    if not may(world().config, "oauth"):
        return NO_SCOPE
    target = urlsplit(values["redirect_uri"])
    if target.scheme not in ("http", "https") or target.hostname != world().config.oauth_host:
        return "redirect_uri 域名与后台配置不一致，错误码：10003"
    if values["scope"] not in SCOPES:
        return "scope 只能是 snsapi_base 或 snsapi_userinfo，错误码：10005"
    return "" if STATE.fullmatch(values.get("state", "")) else "state 只能是字母和数字，最多128个"
