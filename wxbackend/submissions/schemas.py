"""Shapes of taking part and of sending evidence."""

from __future__ import annotations

from typing import Any

from wxbackend.shapes import Schema, ValidationError, fields, validate, validates_schema
from wxbackend.submissions.entrants import PURPOSES
from wxbackend.submissions.models import Submission


class GuardianSchema(Schema):
    """A parent who agrees for a child under 14."""

    name = fields.String(required=True, validate=validate.Length(1, 40))
    phone = fields.String(required=True, validate=validate.Length(1, 30))
    agrees = fields.Boolean(required=True, validate=validate.Equal(True, error="要家长同意才行。"))


class EntrySchema(Schema):
    """The first time: name, phone, age, consents. Later: an empty object, one tap a day."""

    name = fields.String(load_default=None, validate=validate.Length(max=80))
    phone = fields.String(load_default=None, validate=validate.Length(max=40))
    age_band = fields.String(load_default=None, validate=validate.OneOf(["18+", "14-17", "<14"], error="请选您的年龄。"))
    guardian = fields.Nested(GuardianSchema, load_default=None, allow_none=True)
    consents = fields.List(fields.String(validate=validate.OneOf(list(PURPOSES), error="没有这一项。")), load_default=list)
    day = fields.Date(load_default=None, allow_none=True, metadata={"description": "whose ballot the tap is for; default today"})

    @validates_schema
    def age_comes_with_the_name(self, data: dict[str, Any], **_: Any) -> None:
        if data["name"] is not None and data["age_band"] is None:
            raise ValidationError("请选您的年龄。", "age_band")


class UploadForm(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 80))
    phone = fields.String(required=True, validate=validate.Length(1, 40))
    consents = fields.String(load_default="", metadata={"description": "purposes agreed to, comma between; draw is needed"})


class UploadFile(Schema):
    image = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


class SubmissionSchema(Schema):
    """Where one's own evidence stands."""

    id = fields.Integer()
    state = fields.String(metadata={"description": "arriving, waiting, pending, approved, rejected, dropped"})
    day = fields.Date(allow_none=True)
    channel = fields.String()
    reason = fields.Function(lambda s: _reason(s))
    arrived_at = fields.AwareDateTime()
    campaign = fields.String(attribute="campaign.slug")


class TicketSchema(Schema):
    campaign = fields.String()
    ticket = fields.String()
    day = fields.Date()


class MyReceiptSchema(Schema):
    campaign = fields.String(attribute="campaign.slug")
    subject = fields.String(attribute="subject.key")
    receipt_code = fields.String(attribute="code")
    receipt_url = fields.String(attribute="url")
    day = fields.Date()


class MeSchema(Schema):
    """Who the server takes the caller for; neither openid nor name."""

    door = fields.String()
    campaigns = fields.List(fields.String())


class CorrectionSchema(Schema):
    campaign = fields.String(required=True)
    name = fields.String(required=True, validate=validate.Length(1, 80))
    phone = fields.String(required=True, validate=validate.Length(1, 40))


class WithdrawalSchema(Schema):
    campaign = fields.String(required=True)


def _reason(submission: Submission) -> str | None:
    from wxbackend.submissions.service import REASONS
    return REASONS.get(submission.reason or "")
