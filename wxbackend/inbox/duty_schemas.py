"""The account's replies and menu, shapes in and shapes out; the same for the staff's forms and their API."""

from __future__ import annotations

from wxbackend.inbox.buttons import DOES
from wxbackend.inbox.editing import LONGEST_WORD
from wxbackend.inbox.replies import MOST_BYTES
from wxbackend.shapes import Schema, fields, validate
from wxbackend.wechat.menus import KEY_BYTES, URL_BYTES

KINDS = ("greeting", "keyword", "human", "default")


def _line(most: int, about: str = "") -> fields.String:
    """Longer than any limit of ours is no text at all; the limits themselves are told in bytes, beside the field."""
    return fields.String(load_default="", validate=validate.Length(max=most), metadata={"description": about} if about else {})


class ReplyChangeSchema(Schema):
    """What the account says, and when. `text` may hold {投票链接}, {活动}, {截止}, {电话}, {工作时间}."""

    name = _line(60, "for the staff's eyes")
    equal = fields.List(fields.String(validate=validate.Length(max=LONGEST_WORD * 4)), load_default=list, validate=validate.Length(max=200),
                        metadata={"description": "words that must be the whole message"})
    contain = fields.List(fields.String(validate=validate.Length(max=LONGEST_WORD * 4)), load_default=list,
                          validate=validate.Length(max=200), metadata={"description": "words that may stand anywhere in it"})
    action = fields.String(load_default="text", validate=validate.OneOf(("text", "vote", "mine", "human")),
                           metadata={"description": "text · vote: the vote link · mine: the sender's tickets · human: WeChat's own desk"})
    text = _line(MOST_BYTES * 2, f"at most {MOST_BYTES} bytes")
    hours = _line(100, "of human: when somebody is at the desk (工作日 09:00–17:00); empty: as the running campaign's contact says")
    campaign = fields.String(load_default=None, allow_none=True, metadata={"description": "slug: holds while that campaign runs"})
    is_active = fields.Boolean(load_default=True)
    stamp = fields.Integer(load_default=None, allow_none=True, metadata={"description": "as it was read; refused when another is faster"})


class ReplySchema(ReplyChangeSchema):
    kind = fields.String(required=True, validate=validate.OneOf(KINDS, error="可以填：" + "、".join(KINDS) + "。"))


class WordOut(Schema):
    word = fields.String()
    match = fields.String(metadata={"description": "equal, contain"})


class ReplyOut(Schema):
    id = fields.Integer()
    kind = fields.String(metadata={"description": "greeting, keyword, click (a button of the menu), human, default"})
    name = fields.String()
    words = fields.List(fields.Nested(WordOut))
    action = fields.String()
    text = fields.String()
    hours = fields.String(metadata={"description": "of human: when somebody is at the desk"})
    campaign = fields.String(allow_none=True)
    is_active = fields.Boolean()
    is_hidden = fields.Boolean(metadata={"description": "out of force, and folded away in the list"})
    is_imported = fields.Boolean(metadata={"description": "read from WeChat's console"})
    note = fields.String(metadata={"description": "what could not be carried over, and why"})
    stamp = fields.Integer()
    changed_at = fields.AwareDateTime()


class ActiveSchema(Schema):
    is_active = fields.Boolean(required=True)


class HiddenSchema(Schema):
    is_hidden = fields.Boolean(required=True)


class SayingSchema(Schema):
    say = fields.String(required=True, validate=validate.Length(1, 600, error="请写一句话，最多600个字。"))


class TriedOut(Schema):
    how = fields.String(metadata={"description": "why the account answers so, in a sentence"})
    action = fields.String(metadata={"description": "text, vote, mine, human, campaign"})
    text = fields.String()
    campaign = fields.String(allow_none=True)
    source = fields.String()


class SubButtonSchema(Schema):
    """A button that does something: `does` says what, and which of the other fields count."""

    name = _line(100, "16 bytes at the top, 60 below")
    does = fields.String(load_default="", validate=validate.OneOf((*DOES, "")), metadata={"description": "empty for one that opens others"})
    url = _line(URL_BYTES * 2, "of view; of miniprogram for old versions of WeChat")
    text = _line(MOST_BYTES * 2, "of say")
    key = _line(KEY_BYTES, "of key; of say as it was read")
    appid = _line(60, "of miniprogram")
    pagepath = _line(URL_BYTES, "of miniprogram")
    kept = _line(URL_BYTES * 4, "of keep: the button as WeChat told it, JSON")


class ButtonSchema(SubButtonSchema):
    sub = fields.List(fields.Nested(SubButtonSchema), load_default=list, validate=validate.Length(max=20))


class MenuSchema(Schema):
    buttons = fields.List(fields.Nested(ButtonSchema), required=True, validate=validate.Length(max=20))
    seen = fields.Integer(load_default=None, allow_none=True, metadata={"description": "id of the version that was changed, 0 for none"})


class MenuOut(Schema):
    id = fields.Integer(allow_none=True)
    state = fields.String(metadata={"description": "none, draft, live, past"})
    came_from = fields.String(metadata={"description": "desk, wechat, template"})
    buttons = fields.List(fields.Nested(ButtonSchema))
    drafted_at = fields.AwareDateTime(allow_none=True)
    published_at = fields.AwareDateTime(allow_none=True)


class VersionSchema(Schema):
    id = fields.Integer(required=True, strict=True)


class LineOut(Schema):
    called = fields.String()
    outcome = fields.String(metadata={"description": "kept, changed, parked or open (somebody must finish it), known, lost"})
    why = fields.String()


class ReportOut(Schema):
    read = fields.Integer()
    lines = fields.List(fields.Nested(LineOut))
    notes = fields.List(fields.String())


class ChangedOut(Schema):
    changed = fields.Integer()


class FeatureOut(Schema):
    feature = fields.String()
    name = fields.String()
    is_there = fields.Boolean()
    is_refused = fields.Boolean(metadata={"description": "this kind of account has it, but WeChat refused it within the last day"})


class AccountOut(Schema):
    name = fields.String()
    kind = fields.String()
    features = fields.List(fields.Nested(FeatureOut))
    has_second_server = fields.Boolean()
    replies = fields.Integer(metadata={"description": "in force"})
    menu = fields.String(metadata={"description": "none, draft (not on the phones yet), live"})
