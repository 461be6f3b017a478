"""/_sim/…: the strings behind the stage, JSON in and out, for tests and for the curious. `GET /_sim/` lists them all.

Here: people and their cases, codes, the clock, settings. Trouble and logs are in control_trouble, what people say and do in control_talk.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, current_app, request
from werkzeug.exceptions import HTTPException

from simulator.people import Person
from simulator.product import say_time
from simulator.rights import KINDS
from simulator.state import NUMBERS, OPTIONAL
from simulator.wire import product, world

bp = Blueprint("control", __name__, url_prefix="/_sim")
CASES = {"about": str, "phone": str, "follows": bool, "snapshot": bool, "snapshot_flag": bool, "full": bool, "bound": bool,
         "web_login": bool, "risk": int, "blocks_templates": bool}
CHOICES = {"account_kind": KINDS, "account_mode": ("secure", "mixed", "plain"), "miniprogram_mode": ("secure", "mixed", "plain"),
           "miniprogram_format": ("json", "xml"), "retry_nonce": ("same", "fresh"), "account_oauth": ("auto", "yes", "no")}


@bp.app_errorhandler(HTTPException)
def _explain(error: HTTPException) -> Any:
    """JSON for the control interface, the usual page elsewhere."""
    return ({"error": error.description}, error.code) if request.path.startswith("/_sim/") else error


def given() -> dict[str, Any]:
    """The JSON object, or the form of a multipart request."""
    data = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(data, dict):
        abort(400, "send a JSON object")
    return data


def who(data: Any) -> Person:
    return world().person(str(data.get("person", ""))) or abort(404, "no such person")


@bp.get("/")
def verbs() -> Any:
    """This list."""
    known = [rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith("/_sim/")]
    about = {f"{'POST' if 'POST' in (r.methods or ()) else 'GET'} {r.rule}": current_app.view_functions[r.endpoint].__doc__ for r in known}
    return {"verbs": {k: " ".join((v or "").split()) for k, v in sorted(about.items())}}


# people
@bp.get("/people")
def people() -> Any:
    """Everybody, with openids, unionid and case."""
    return {"people": [p.told() for p in world().people.values()]}


@bp.post("/people")
def add_person() -> Any:
    """{"name", "about", "phone", "follows": true, "bound": true, "snapshot": false, "risk": 0, "web_login": true, …} → the person"""
    data = given()
    case = _case(data)
    case.setdefault("phone", f"1380000{len(world().people):04d}")
    return world().add_person(str(data.get("name", "新朋友")), **case).told(), 201


@bp.post("/person")
def change_person() -> Any:
    """{"person", and what changes of the fields of /people}: bind late ("bound": true), another phone, a risk, …"""
    data = given()
    person = who(data)
    for name, value in _case(data).items():
        setattr(person, name, value)
    return person.told()


def _case(data: dict[str, Any]) -> dict[str, Any]:
    if unknown := data.keys() - CASES.keys() - {"name", "person"}:
        abort(400, "unknown: " + ", ".join(sorted(unknown)))
    return {name: kind(data[name]) for name, kind in CASES.items() if name in data}


# codes
@bp.post("/login-code")
def login_code() -> Any:
    """{"person"} → {"code"}: what wx.login gives; once, for five minutes."""
    return {"code": world().make_code("login", who(given()), product().now(fresh=True))}


@bp.post("/phone-code")
def phone_code() -> Any:
    """{"person"} → {"code"}: what the phone button gives."""
    person = who(given())
    return {"code": world().make_code("phone", person, product().now(fresh=True))} if person.phone else abort(409, "no phone number")


@bp.post("/oauth-code")
def oauth_code() -> Any:
    """{"person", "scope": "snsapi_base"} → {"code"}: what web login brings back."""
    data = given()
    return {"code": world().make_code("oauth", who(data), product().now(fresh=True), str(data.get("scope", "snsapi_base")))}


# time and settings
@bp.post("/advance-clock")
def advance_clock() -> Any:
    """{"days", "hours", "minutes", "seconds"}: WeChat's clock alone, on top of the product's; {"reset": true} puts it back."""
    data = given()
    there = product()
    if data.get("reset"):
        there.own = timedelta()
    there.own += timedelta(**{k: float(data[k]) for k in ("days", "hours", "minutes", "seconds") if k in data})
    return now()


@bp.get("/now")
def now() -> Any:
    """What time it is here."""
    at = product().now(fresh=True)
    there = product()
    return {"now": at.isoformat(), "said": say_time(at), "from_product": there.look().there, "own_seconds": there.own.total_seconds()}


@bp.post("/config")
def configure() -> Any:
    """Any field of Config while it runs: app_url, account_kind, apps_bound, account_mode, callback_timeout_seconds, retry_nonce, …"""
    data = given()
    for name, allowed in CHOICES.items():
        if name in data and data[name] not in allowed:
            abort(400, f"{name} is one of {', '.join(allowed)}")
    try:
        world().config = world().config.changed(data)
    except TypeError as e:
        abort(400, str(e))
    product().point_at(world().config.app_url)
    return {f.name: getattr(world().config, f.name) for f in fields(world().config) if not f.name.endswith(("secret", "token", "aes_key"))}


@bp.post("/shape")
def shape() -> Any:
    """{"numbers": alternate | number | string, "optional": present | missing}: countryCode and label; errcode and errmsg of success."""
    data = given()
    if data.get("numbers", NUMBERS[0]) not in NUMBERS or data.get("optional", OPTIONAL[0]) not in OPTIONAL:
        abort(400, f"numbers: {', '.join(NUMBERS)}; optional: {', '.join(OPTIONAL)}")
    world().shape.update({k: str(v) for k, v in data.items() if k in world().shape})
    return world().shape


@bp.post("/reset")
def reset() -> Any:
    """As on the first day; settings stay, the clock's own offset goes."""
    world().reset()
    product().own = timedelta()
    return {"ok": True}
