"""What an app may say to a person of its own accord: customer messages, template messages, subscribe messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint

from simulator import callbacks
from simulator.acts import listed
from simulator.api.menus import check_mini
from simulator.letterforms import fault, rows
from simulator.people import Line, Person
from simulator.rights import may
from simulator.wire import ApiError, account_only, body, caller, done, mini_only, product, text_of, world

bp = Blueprint("messages", __name__)
TEXT_BYTES, ARTICLES = 2048, 1
WITH_MEDIA = {"image", "voice", "video", "mpnews"}
MINI_STATES = {"developer", "trial", "formal"}


@bp.route("/cgi-bin/message/custom/send", methods=["POST"])
def custom_send() -> Any:
    """It lands in the person's chat at once, as long as the person wrote or acted lately: 45015 window over, 45047 all used."""
    appid = caller()
    config = world().config
    if appid == config.account_appid and not may(config, "customer-message"):
        raise ApiError(48001)
    data = body(escapes_allowed=False)
    person = _receiver(appid, data)
    line = _custom_line(data, appid)
    if errcode := world().grants.spend(appid, person.openids[appid], line.at):
        raise ApiError(errcode)
    (world().say if appid == config.account_appid else world().notify)(person, line)
    return done()


def _receiver(appid: str, data: dict[str, Any]) -> Person:
    """Whoever is not this app's own: 40003, whosever else it may be."""
    person = world().holder(appid, text_of(data, "touser", 40003))
    if person is None:
        raise ApiError(40003)
    return person


def _custom_line(data: dict[str, Any], appid: str) -> Line:
    kind, at = data.get("msgtype"), product().now()
    if kind not in WITH_MEDIA | {"text", "news", "msgmenu", "miniprogrampage", "link"}:
        raise ApiError(40008)
    content = data.get(str(kind))
    if not isinstance(content, dict):
        raise ApiError(40097)
    if kind in WITH_MEDIA:
        _media(content, "media_id", appid, at)
        return Line("it", str(kind), at, media_id=content["media_id"], via="customer")
    if kind == "text":
        text = text_of(content, "content")
        if not 0 < len(text.encode()) <= TEXT_BYTES:
            raise ApiError(45002 if text else 44002)
        return Line("it", "text", at, text, via="customer")
    return Line("it", str(kind), at, via="customer", card=_card(str(kind), content, appid, at))


def _media(content: dict[str, Any], name: str, appid: str, at: datetime) -> None:
    if world().media.find(str(content.get(name, "")), at, appid) is None:
        raise ApiError(40007)


def _card(kind: str, content: dict[str, Any], appid: str, at: datetime) -> dict[str, Any]:
    if kind == "news":
        articles = content.get("articles")
        if not isinstance(articles, list) or not articles or not isinstance(articles[0], dict):
            raise ApiError(40097)
        if len(articles) > ARTICLES:
            raise ApiError(45008)
        shown = {"title": "title", "text": "description", "url": "url"}
        return {ours: str(articles[0].get(theirs, "")) for ours, theirs in shown.items()}
    if kind == "miniprogrampage":
        check_mini({"appid": content.get("appid", world().config.miniprogram_appid), "pagepath": content.get("pagepath")})
        _media(content, "thumb_media_id", appid, at)
        return {"title": str(content.get("title", "")), "page": content["pagepath"]}
    if kind == "link":
        return {"title": text_of(content, "title"), "text": str(content.get("description", "")), "url": text_of(content, "url")}
    choices = content.get("list")
    if not isinstance(choices, list) or not choices:
        raise ApiError(40097)
    return {"title": str(content.get("head_content", "")), "choices": [str(c.get("content", "")) for c in choices],
            "text": str(content.get("tail_content", ""))}


@bp.route("/cgi-bin/message/template/send", methods=["POST"])
def template_send() -> Any:
    """服务号 only, to followers only; how it went comes as TEMPLATESENDJOBFINISH. client_msg_id keeps it from going out twice."""
    appid = account_only("template-message")
    data = body(escapes_allowed=False)
    person = _receiver(appid, data)
    names = _template("account", data)
    if not person.follows:
        raise ApiError(43004)
    if mini := data.get("miniprogram"):
        check_mini(mini if isinstance(mini, dict) else {})
    sent = (data["touser"], str(data.get("client_msg_id") or ""))
    if sent[1] and sent in world().sent_ids:
        return done(msgid=world().sent_ids[sent])
    msgid = world().sent_ids[sent] = world().next_msg_id()
    if not person.blocks_templates:
        page = mini["pagepath"] if mini else ""
        world().say(person, _letter("template", names, data, {"url": str(data.get("url") or ""), "page": page}))
    status = "failed:user block" if person.blocks_templates else "success"
    callbacks.report(world(), product(), person, "account", "TEMPLATESENDJOBFINISH", {"MsgID": msgid, "Status": status})
    return done(msgid=msgid)


def _template(app: str, data: dict[str, Any]) -> tuple[str, ...]:
    """The template's fields, all of which the data must fill: 40037 unknown, 47003 what does not fit."""
    names = world().template_fields(app, str(data.get("template_id", "")))
    if names is None:
        raise ApiError(40037)
    if not isinstance(data.get("data"), dict):
        raise ApiError(47001)
    if what := fault(names, data["data"]):
        raise ApiError(47003, what)
    return names


def _letter(kind: str, names: tuple[str, ...], data: dict[str, Any], ways: dict[str, str]) -> Line:
    card = {"title": "抽奖结果通知", "rows": rows(names, data["data"])} | ways
    return Line("it", kind, product().now(), "；".join(value for _, value in card["rows"]), via="template", card=card)


@bp.route("/cgi-bin/message/subscribe/send", methods=["POST"])
def subscribe_send() -> Any:
    """One message for one 允许, into 服务通知: 43101 where none is left."""
    appid, data = mini_only(), body(escapes_allowed=False)
    person, names = _receiver(appid, data), _template("miniprogram", data)
    page = str(data.get("page") or "")
    if data.get("miniprogram_state", "formal") not in MINI_STATES:
        raise ApiError(40097)
    if page and page.partition("?")[0] not in world().config.released_pages:
        raise ApiError(41030)
    template_id = data["template_id"]
    with world().lock:
        if person.credits.get(template_id, 0) < 1 or template_id in person.refuses:
            raise ApiError(43101)
        person.credits[template_id] -= 1
    world().notify(person, _letter("subscribe", names, data, {"page": page}))
    item = {"TemplateId": template_id, "MsgID": str(world().next_msg_id()), "ErrorCode": "0", "ErrorStatus": "success"}
    event = "subscribe_msg_sent_event"
    callbacks.report(world(), product(), person, "miniprogram", event, listed(world(), event, item))
    return done()
