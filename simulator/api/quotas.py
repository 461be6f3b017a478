"""Tokens, tickets, quotas, addresses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, request

from simulator.wire import ApiError, body, caller, check_app, done, product, world

bp = Blueprint("quotas", __name__)
TICKET_TYPES = ("jsapi", "wx_card")


@bp.route("/cgi-bin/token", methods=["GET", "POST"])
def token() -> Any:
    appid = _credential(request.args)
    text, left = world().tokens.plain(appid, product().now())
    return {"access_token": text, "expires_in": left}


@bp.route("/cgi-bin/stable_token", methods=["POST"])
def stable_token() -> Any:
    data = body()
    appid = _credential(data)
    if not isinstance(data.get("force_refresh", False), bool):
        raise ApiError(47001)
    found = world().tokens.stable(appid, product().now(), data.get("force_refresh", False))
    if isinstance(found, int):
        raise ApiError(found)
    return {"access_token": found[0], "expires_in": found[1]}


def _credential(args: Any) -> str:
    """Both token calls look at the caller's address first."""
    allowed = world().whitelist
    if allowed is not None and request.remote_addr not in allowed:
        raise ApiError(40164)
    if args.get("grant_type") != "client_credential":
        raise ApiError(40002)
    return check_app(args, *world().config.secrets)


@bp.route("/cgi-bin/ticket/getticket", methods=["GET"])
def getticket() -> Any:
    """The same ticket again, and 7200 seconds again, however old it is."""
    appid = caller(world().config.account_appid)
    if request.args.get("type") not in TICKET_TYPES:
        raise ApiError(40097)
    return done(ticket=world().tokens.ticket(appid, product().now()), expires_in=7200)


@bp.route("/cgi-bin/clear_quota", methods=["POST"])
def clear_quota() -> Any:
    appid, data = caller(), body()
    if data.get("appid") != appid:
        raise ApiError(40013)
    if not world().meter.clear(appid, product().now()):
        raise ApiError(48006)
    return done()


@bp.route("/cgi-bin/openapi/quota/get", methods=["POST"])
def quota_get() -> Any:
    appid, path = caller(), body().get("cgi_path")
    known = {rule.rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith(("/cgi-bin/", "/wxa/", "/sns/"))}
    if path not in known:
        raise ApiError(76021)
    return done(quota=world().meter.quota(appid, str(path), product().now()))


@bp.route("/cgi-bin/getcallbackip", methods=["GET"])
@bp.route("/cgi-bin/get_api_domain_ip", methods=["GET"])
def getcallbackip() -> Any:
    caller()
    return {"ip_list": ["127.0.0.1"]}
