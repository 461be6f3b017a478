"""Shapes of voting."""

from __future__ import annotations

from typing import Any

from wxbackend import captcha
from wxbackend.ballots.receipts import Receipt
from wxbackend.campaigns.rules import Grade
from wxbackend.shapes import Schema, fields, validate


class CaptchaRequest(Schema):
    family = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(captcha.FAMILIES, error="没有这一种。"))


class CaptchaSchema(Schema):
    """A fresh captcha; `image` is a data URL, shown once."""

    captcha_id = fields.String(attribute="id")
    image = fields.String(attribute="image_data_url")
    prompt = fields.String()
    expires_at = fields.AwareDateTime()


class CastSchema(Schema):
    """Today's rating."""

    subject = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=40))
    grade = fields.String(required=True, validate=validate.OneOf([g.value for g in Grade], error="请选一个等级。"))
    captcha_id = fields.String(required=True, validate=validate.Length(1, 64))
    captcha_answer = fields.String(required=True, validate=validate.Length(1, 16, error="请输入验证码。"))
    source = fields.String(load_default="", validate=validate.Length(max=20))


HINT = "一键参加抽奖，或把成功页截图连同姓名、手机号发到公众号聊天里，两种办法机会一样。"


def told(receipt: Receipt) -> dict[str, Any]:
    """What `ReceiptSchema` dumps, written down: the answer to a vote is made a thousand times a second (a test holds the two equal)."""
    return {"receipt_code": receipt.code, "receipt_url": receipt.url, "day": receipt.day.isoformat(), "day_number": receipt.day_number,
            "subject": receipt.subject.key, "tickets_hint": HINT}


class ReceiptSchema(Schema):
    """A receipt: no grade, nobody's name."""

    receipt_code = fields.String(attribute="code")
    receipt_url = fields.String(attribute="url")
    day = fields.Date()
    day_number = fields.Integer()
    subject = fields.String(attribute="subject.key")
    tickets_hint = fields.Function(lambda r: HINT)
