"""For front ends in WeChat's browser: what wx.config wants for a page of this site."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from wxbackend import wechat
from wxbackend.shapes import Schema, fields
from wxbackend.web import access

bp = Blueprint("jssdk", __name__, url_prefix="/api/v1", description="JS-SDK")


class PageSchema(Schema):
    """The page as it sees its own address (location.href); what follows # is cut."""

    url = fields.String(required=True, metadata={"example": "https://vote.example.org/c/futian-2021-reform"})
    refused = fields.Boolean(load_default=False, metadata={"description": "The page heard “invalid signature”: ask for a new ticket."})


class ConfigSchema(Schema):
    appId = fields.String(required=True)
    timestamp = fields.Integer(required=True)
    nonceStr = fields.String(required=True)
    signature = fields.String(required=True, metadata={"description": "40 hex characters"})


@bp.route("/jssdk", methods=["GET"])
@access("public")
@bp.arguments(PageSchema, location="query")
@bp.response(200, ConfigSchema)
def config(page: dict[str, Any]) -> dict[str, Any]:
    """Sign one of this site's own pages for WeChat's JS-SDK."""
    return wechat.jssdk(page["url"], was_refused=page["refused"])
