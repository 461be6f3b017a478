"""Shapes of subscribing to the draw's result."""

from __future__ import annotations

from wxbackend.shapes import Schema, fields, validate


class CreditSchema(Schema):
    """What `wx.requestSubscribeMessage` came back with."""

    campaign = fields.String(required=True, validate=validate.Length(1, 40))
    template_id = fields.String(required=True, validate=validate.Length(1, 64))
    accepted = fields.Boolean(required=True, truthy={True}, falsy={False})


class CreditOut(Schema):
    campaign = fields.String()
    template_id = fields.String()
    state = fields.String(metadata={"description": "available, used, refused"})
