"""Shapes of the ballot log."""

from __future__ import annotations

from typing import Any

from wxbackend.shapes import Schema, ValidationError, fields, validate, validates_schema

LARGEST = 2**53 - 1
LINES_AT_ONCE, HEADS_AT_ONCE = 1000, 200
NUMBER = validate.Range(1, LARGEST)


class LinesQuery(Schema):
    """From one line to another, both included, a thousand at most."""

    first = fields.Integer(data_key="from", required=True, validate=NUMBER)
    last = fields.Integer(data_key="to", required=True, validate=NUMBER)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if not 0 <= data["last"] - data["first"] < LINES_AT_ONCE:
            raise ValidationError(f"从小到大，一次最多{LINES_AT_ONCE}行。", "to")


class HeadsQuery(Schema):
    first = fields.Integer(data_key="from", load_default=1, validate=NUMBER)
    most = fields.Integer(load_default=100, validate=validate.Range(1, HEADS_AT_ONCE))


class ProofQuery(Schema):
    """A line by its number or a vote's receipt hash; `head` is the number of a head, the latest where it is left out."""

    seq = fields.Integer(load_default=None, validate=NUMBER)
    receipt_hash = fields.String(load_default="", validate=validate.Regexp(r"[0-9a-f]{64}\Z", error="64位小写十六进制。"))
    head = fields.Integer(load_default=None, validate=NUMBER)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if (data["seq"] is None) == (not data["receipt_hash"]):
            raise ValidationError("写行号或凭证摘要，两样选一样。", "seq")


class GrowthQuery(Schema):
    """The numbers of two heads; the second is the latest where it is left out."""

    first = fields.Integer(required=True, validate=NUMBER)
    second = fields.Integer(load_default=None, validate=NUMBER)


class HeadOut(Schema):
    """A signed head. `sha256` is that of the bytes of `body`, which `signature` (Ed25519) signs; `mark` its first eight characters."""

    number = fields.Integer()
    kind = fields.String(metadata={"description": "hour, day, close, last"})
    day = fields.Date()
    at = fields.AwareDateTime()
    size = fields.Integer()
    root = fields.String()
    mark = fields.String()
    sha256 = fields.String()
    prev_head_sha256 = fields.String(attribute="prev_sha256")
    body = fields.String(metadata={"description": "canonical JSON: these very bytes are hashed and signed"})
    signature = fields.String()


class LogOut(Schema):
    """Where a campaign's log stands."""

    campaign = fields.String()
    protocol = fields.String()
    public_key = fields.String(metadata={"description": "Ed25519, hex"})
    size = fields.Integer(metadata={"description": "lines the latest head vouches for"})
    head = fields.Nested(HeadOut, allow_none=True)


class LogLineOut(Schema):
    seq = fields.Integer(metadata={"description": "the number of the line, from 1"})
    data = fields.String()
    hash = fields.String(metadata={"description": "SHA-256(00 ‖ data)"})


class ProofOut(Schema):
    """RFC 9162 §2.1.3: from leaf `seq` - 1 to the root of `head`, lowest sibling first."""

    seq = fields.Integer()
    data = fields.String()
    leaf_hash = fields.String()
    proof = fields.List(fields.String())
    head = fields.Nested(HeadOut)


class GrowthOut(Schema):
    """RFC 9162 §2.1.4: that the log of `first` is the beginning of that of `second`. Empty for equal sizes, and after no line."""

    first = fields.Nested(HeadOut)
    second = fields.Nested(HeadOut)
    proof = fields.List(fields.String())


class OwnOut(Schema):
    """A voter's own receipt in the log. `opening` is hers alone: SHA-256(opening ‖ receipt id) is `receipt_hash`."""

    receipt_code = fields.String()
    receipt_id = fields.String()
    day = fields.Date()
    receipt_hash = fields.String()
    opening = fields.String()
    seq = fields.Integer(allow_none=True)
    by = fields.AwareDateTime(metadata={"description": "it is in by then"})
