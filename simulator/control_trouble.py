"""/_sim/…: trouble on demand, what the console holds, and what happened."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, request

from simulator.control import given
from simulator.letterforms import read_template
from simulator.weather import HOWS
from simulator.wire import product, world

bp = Blueprint("control_trouble", __name__, url_prefix="/_sim")


@bp.post("/expire-tokens")
def expire_tokens() -> Any:
    """{"errcode": 42001}: every access token dies now and is answered so."""
    return {"expired": world().tokens.expire(product().now(), int(given().get("errcode", 42001)))}


@bp.post("/fail-next")
def fail_next() -> Any:
    """{"path" (… ending in * for all that begin so), "times": 1, "skip": 0, and one of "errcode": 45009, "http": 502, "hang": seconds,
    "drop": true, "html": true, "truncate": true or bytes, "json": {…}, "without": [fields]; with "after": true WeChat acts first}"""
    world().weather.failures.append(_trouble(given(), "path"))
    return {"ok": True}


def _trouble(data: dict[str, Any], *needed: str) -> dict[str, Any]:
    if any(name not in data for name in needed) or not set(HOWS) & data.keys():
        abort(400, f"needs {', '.join(needed)} and one of {', '.join(HOWS)}".replace("needs  and", "needs"))
    return {"times": 1, "skip": 0} | data


@bp.post("/outage")
def outage() -> Any:
    """{"on": true, "path": "*", and one of the ways of fail-next; "http": 503 if none} until {"on": false}."""
    data = given()
    how = data if set(HOWS) & data.keys() else data | {"http": 503}
    world().weather.outage = _trouble(how) if data.get("on", True) else None
    return {"outage": world().weather.outage}


@bp.post("/latency")
def latency() -> Any:
    """{"seconds": 10, "path": "*"}: every answer late by so much; 0 ends it."""
    data = given()
    world().weather.latency[str(data.get("path", "*"))] = float(data.get("seconds", 0))
    return {"latency": world().weather.latency}


@bp.post("/ip-whitelist")
def ip_whitelist() -> Any:
    """{"addresses": ["10.0.0.1"]}: only these may ask for tokens, others get 40164; {"addresses": null} lets everybody."""
    addresses = given().get("addresses")
    world().whitelist = None if addresses is None else {str(a) for a in addresses}
    return {"addresses": addresses}


@bp.post("/quota")
def quota() -> Any:
    """{"path", "daily": n, "per_minute": n}: 45009 and 45011 from there on."""
    data = given()
    for name, limits in (("daily", world().meter.daily), ("per_minute", world().meter.per_minute)):
        if name in data:
            limits[str(data["path"])] = int(data[name])
    return {"ok": True}


# what the console holds
@bp.post("/console")
def console() -> Any:
    """{"menu": {"button": […]}, "replies": {…}}: made by hand before the server was switched on, to be imported. Shapes as WeChat's own."""
    world().console.update({k: v for k, v in given().items() if k in world().console})
    return world().console


@bp.post("/templates")
def templates() -> Any:
    """{"app": account | miniprogram, "template": "ID|thing1=title|time2=at"}: a further template of that app."""
    data = given()
    template_id, names = read_template(str(data.get("template", "")))
    world().templates["miniprogram" if data.get("app") == "miniprogram" else "account"][template_id] = names
    return {"id": template_id, "fields": names}


@bp.post("/verdict")
def verdict() -> Any:
    """{"contains": "…", "suggest": pass | review | risky, "label": 20006} on texts; {"media": {"suggest", "label"}} on the next picture."""
    data = given()
    if "media" in data:
        world().media_verdicts.append(dict(data["media"]))
    else:
        world().verdicts.insert(0, {"contains": data["contains"], "suggest": data["suggest"], "label": data.get("label", 100)})
    return {"ok": True}


# what happened
@bp.get("/requests")
@bp.get("/log")
def requests_seen() -> Any:
    """What the product asked of WeChat, with errcode and time; ?path= for one endpoint."""
    path = request.args.get("path")
    return {"requests": [entry for entry in list(world().requests) if path in (None, entry["path"])]}


@bp.get("/callbacks")
def deliveries() -> Any:
    """Each delivery to the product with status, time, outcome and reply."""
    return {"callbacks": list(world().callbacks)}


@bp.get("/checked")
def checked() -> Any:
    """The pictures that were downloaded to be looked at."""
    return {"checked": list(world().checked)}


@bp.get("/printed")
def printed() -> Any:
    """Scene QR codes, 小程序码 and links that were made."""
    return {"printed": world().press.told()}
