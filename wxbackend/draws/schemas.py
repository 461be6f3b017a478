"""Shapes of draws."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from wxbackend.draws.freeze import REASONS


class SourceNumbers(Schema):
    """One public drawing as its bulletin prints it; numbers as whole numbers or as text ("03")."""

    source = fields.String(required=True, validate=validate.Length(1, 10))
    issue = fields.String(load_default="", validate=validate.Length(max=7))
    groups = fields.List(fields.List(fields.Raw(required=True), validate=validate.Length(1, 100)),
                         required=True, validate=validate.Length(1, 5))


class NumbersSchema(Schema):
    """One person's copy of the numbers, and where the official bulletin stands."""

    numbers = fields.List(fields.Nested(SourceNumbers), required=True, validate=validate.Length(1, 6, error="请录规则写明的每一期。"))
    evidence_url = fields.Url(required=True, schemes={"https", "http"}, validate=validate.Length(max=300),
                              error_messages={"required": "请附上官方公告的链接。", "invalid": "请附上官方公告的链接，以 https:// 开头。"})


class ExclusionsSchema(Schema):
    """Phones that may not win, of one reason."""

    phones = fields.List(fields.String(validate=validate.Regexp(r"1[3-9][0-9]{9}\Z", error="手机号是11位数字。")), required=True,
                         validate=validate.Length(1, 500, error="一次填1到500个手机号。"))
    reason = fields.String(required=True, validate=validate.OneOf(list(REASONS), error="可以填：" + "、".join(REASONS) + "。"))


class ExcludedSchema(Schema):
    new = fields.Integer()


class SealedSchema(Schema):
    """An entry seen from outside: who and when, no numbers."""

    name = fields.String(attribute="staff.name")
    entered_at = fields.AwareDateTime()


class DrawSchema(Schema):
    """Where a draw stands, for staff."""

    id = fields.String(attribute="public_id")
    state = fields.String()
    frozen_at = fields.AwareDateTime()
    drawn_at = fields.AwareDateTime()
    root = fields.String()
    list_sha256 = fields.String()
    tickets = fields.Integer()
    persons = fields.Integer()
    excluded = fields.List(fields.Dict())
    round = fields.Integer()


class StandingSchema(DrawSchema):
    entered = fields.List(fields.Nested(SealedSchema))
    sources = fields.List(fields.Dict())


class EnteredSchema(Schema):
    """sealed: a second person is awaited · different: both are void, both type again · drawn."""

    outcome = fields.String()
    said = fields.String()
    draw = fields.Nested(DrawSchema)


class TierSchema(Schema):
    id = fields.String()
    count = fields.Integer()


class RowSchema(Schema):
    rank = fields.Integer()
    digest = fields.String()
    ticket = fields.String()
    person = fields.String()
    tier = fields.String(metadata={"description": "winners only"})
    box = fields.String(metadata={"description": "winners only"})


class ResultSchema(Schema):
    root = fields.String()
    list_sha256 = fields.String()
    seed = fields.String()
    tickets = fields.Integer()
    persons = fields.Integer()
    winners = fields.List(fields.Nested(RowSchema))
    alternates = fields.List(fields.Nested(RowSchema))


class TranscriptSchema(Schema):
    """A transcript of wxdraw/1: everything needed to recompute the draw. `secret` to `result` come with the draw."""

    id = fields.String()
    state = fields.String(validate=validate.OneOf(["frozen", "drawn"]))
    program = fields.String()
    frozen_at = fields.AwareDateTime()
    rules = fields.Dict()
    excluded = fields.List(fields.Dict(), metadata={"description": "who was left out before the freeze: tag and class of reason"})
    entrants = fields.List(fields.String(), metadata={"description": "<ticket> <person tag>, sorted"})
    drawn_at = fields.AwareDateTime()
    evidence = fields.List(fields.String(), metadata={"description": "official bulletins"})
    secret = fields.String()
    entropy = fields.String()
    result = fields.Nested(ResultSchema)
