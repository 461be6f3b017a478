"""Shapes of logging in."""

from __future__ import annotations

from wxbackend.shapes import Schema, fields, validate


class CodeSchema(Schema):
    """`wx.login`'s code: used once, five minutes."""

    code = fields.String(required=True, validate=validate.Length(1, 256))


class PasswordSchema(Schema):
    username = fields.String(required=True, validate=validate.Length(1, 40))
    password = fields.String(required=True, validate=validate.Length(1, 200))


class TokenSchema(Schema):
    """A bearer token: send it as ``Authorization: Bearer …``."""

    token = fields.String()
    expires_at = fields.AwareDateTime()
