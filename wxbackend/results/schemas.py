"""Figures as anybody may read them."""

from __future__ import annotations

from marshmallow import Schema, fields


class SubjectResult(Schema):
    subject = fields.String(attribute="key")
    title = fields.String()
    category = fields.String()
    counts = fields.Function(lambda f: f.shown_counts and {g.value: n for g, n in f.shown_counts.items()},
                             metadata={"type": "object", "nullable": True,
                                       "description": '{"优": 13, "良": 2, "中": 0, "差": 1}; null under ten ballots'})
    total = fields.Integer()
    excellent_share = fields.Float(allow_none=True, metadata={"description": "优 ÷ total; null under ten ballots"})
    satisfied_share = fields.Float(allow_none=True, metadata={"description": "(优 + 良) ÷ total; null under ten ballots"})


class ResultsSchema(Schema):
    """A campaign's count."""

    people = fields.Integer(allow_none=True, metadata={"description": "who voted, each once, as counted at `people_at`; null before"})
    people_at = fields.AwareDateTime(allow_none=True)
    ballots = fields.Integer(metadata={"description": "exact now"})
    subjects = fields.List(fields.Nested(SubjectResult))


class WinnerSchema(Schema):
    rank = fields.Integer()
    tier = fields.String()
    prize = fields.String()
    ticket = fields.String()
    shown = fields.String()
