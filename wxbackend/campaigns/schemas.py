"""A campaign as a document (YAML or JSON, or the staff's plain form), and as the API shows it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from wxbackend.campaigns.rules import DOORS, Grade
from wxbackend.shapes import Schema, ValidationError, fields, validate, validates, validates_schema

SLUG = validate.Regexp(r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]\Z", error="网址名用小写字母、数字和短横线，3到40个。")
NUMBERED = ("ssq", "dlt", "kl8", "pl5")   # lotteries whose drawings are numbered
TOO_SMALL = ("stage", "pl5")   # under 2^20 outcomes: with the list in hand one can be picked that lets a friend win
MOST_PRIZES = 9999             # a box's number has four characters
CODE = validate.Regexp(r"^[a-z0-9][a-z0-9-]{0,19}\Z", error="代号用小写字母、数字和短横线，最多20个。")


def text(most: int, *, required: bool = True, default: str = "") -> fields.String:
    length = validate.Length(1 if required else 0, most, error=f"这里写1到{most}个字。" if required else f"这里最多写{most}个字。")
    return fields.String(required=True, validate=length) if required else fields.String(load_default=default, validate=length)


def rows(schema: type[Schema], most: int, what: str) -> fields.List:
    return fields.List(fields.Nested(schema), required=True, validate=validate.Length(1, most, error=f"{what}要写1到{most}个。"))


def one_of(*values: str) -> validate.OneOf:
    return validate.OneOf(values, error="可以填：" + "、".join(values) + "。")


class WindowSchema(Schema):
    """Four instants with their zone, in this order in time."""

    opens_at = fields.AwareDateTime(required=True)
    closes_at = fields.AwareDateTime(required=True)
    evidence_until = fields.AwareDateTime(required=True)
    freeze_at = fields.AwareDateTime(required=True)

    @validates_schema
    def in_order(self, data: dict[str, Any], **_: Any) -> None:
        if not data["opens_at"] < data["closes_at"] <= data["evidence_until"] <= data["freeze_at"]:
            raise ValidationError("时间要一个接一个：开始、截止、收截图截止、封存名单。", "closes_at")


class EntropySchema(Schema):
    """A public drawing named ahead: {source: ssq, issue: "2022005"}; with `drawn_at`, numbers are taken only afterwards."""

    source = fields.String(required=True, validate=one_of(*NUMBERED, "stage", "sealed"))
    issue = fields.String(load_default="", validate=validate.Regexp(r"^([0-9]{5,7})?\Z", error="期号是5到7位数字。"))
    drawn_at = fields.AwareDateTime(metadata={"description": "when it is held, with its zone"})

    @validates_schema
    def says_which(self, data: dict[str, Any], **_: Any) -> None:
        """Without its issue named ahead a lottery could be chosen after the fact."""
        if data["source"] in NUMBERED and not data["issue"]:
            raise ValidationError("请写明是哪一期，要在封存之后开奖。", "issue")


class NetworkSchema(Schema):
    n = fields.Integer(required=True, strict=True, validate=validate.Range(1, 9999))
    label = text(20)


class FigureSchema(Schema):
    n = text(12)
    unit = text(8, required=False)
    label = text(30)


class StorySchema(Schema):
    head = text(30)
    text = text(300)


class GradeSchema(Schema):
    grade = fields.String(required=True, validate=one_of(*(g.value for g in Grade)))
    label = text(8)


class SubjectSchema(Schema):
    """What is rated."""

    key = fields.String(required=True, validate=CODE)
    category = text(40, required=False)
    title = text(80)
    grades = fields.List(fields.Nested(GradeSchema), load_default=None, validate=validate.Length(2, 4))
    summary = text(400, required=False)
    network = fields.List(fields.Nested(NetworkSchema), load_default=list, validate=validate.Length(max=6))
    figures = fields.List(fields.Nested(FigureSchema), load_default=list, validate=validate.Length(max=6))
    story_title = text(40, required=False)
    story = fields.List(fields.Nested(StorySchema), load_default=list, validate=validate.Length(max=8))
    story_close = text(200, required=False)


class SourceSchema(Schema):
    """A channel its QR hangs in."""

    code = fields.String(required=True, validate=CODE)
    name = text(40)


class PrizeSchema(Schema):
    """A tier; `value_yuan` is the market value of its dearest form, at most 50,000 (反不正当竞争法 art. 10)."""

    tier = fields.String(required=True, validate=CODE)
    name = text(60)
    count = fields.Integer(required=True, strict=True, validate=validate.Range(1, 10_000))
    value_yuan = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 50_000, error="最高奖不能超过5万元。"))


class BoxesSchema(Schema):
    """Blind boxes to pack: how many kinds a box, how many pieces of each kind in stock. One box a prize."""

    per_box = fields.Integer(required=True, strict=True, validate=validate.Range(1, 20))
    stock = fields.Dict(keys=text(20), values=fields.Integer(strict=True, validate=validate.Range(0, 10_000)), required=True)


class AccountSchema(Schema):
    name = text(20)
    mascot = text(10)
    seal = fields.String(required=True, validate=validate.Length(1, 1, error="印章上写1个字。"))


class ContactSchema(Schema):
    phone = text(40, required=False)
    hours = text(60, required=False)
    address = text(80, required=False)


class ContentSchema(Schema):
    """What the pages say, free of personal data."""

    organiser = text(60)
    account = fields.Nested(AccountSchema, required=True)
    greeting = text(200)
    footer = text(60, required=False)
    keyword = text(10, required=False)
    external_url = fields.Url(load_default="", schemes={"https", "http"})
    external_name = text(40, required=False)
    prize_heading = text(40, required=False)
    prize_text = text(300, required=False)
    prize_note = text(300, required=False)
    claim = text(300, required=False)
    contact = fields.Nested(ContactSchema, load_default=dict)


class CampaignDocument(Schema):
    """A whole campaign. Either `window`, or ``live_demo: true`` whose window is worked out from today."""

    slug = fields.String(required=True, validate=SLUG)
    title = text(80)
    mode = fields.String(required=True, validate=one_of("hosted", "external"))
    zone = fields.String(load_default="Asia/Shanghai")
    window = fields.Nested(WindowSchema, load_default=None)
    live_demo = fields.Boolean(load_default=False)
    quota = fields.String(load_default="subject", validate=one_of("subject", "campaign"))
    results = fields.String(load_default="after-close", validate=one_of("live", "after-close", "hidden"))
    captcha = fields.String(load_default="colour", validate=one_of("colour", "arithmetic"))
    doors = fields.List(fields.String(validate=one_of(*DOORS)), load_default=None, allow_none=True,
                        validate=validate.Length(1, len(DOORS), error="投票入口写1到2个。"),
                        metadata={"description": "where voters may come in, the main one first; both need apps that are bound"})
    alternates = fields.Integer(load_default=30, strict=True, validate=validate.Range(0, 10_000))
    publicity_days = fields.Integer(load_default=5, strict=True, validate=validate.Range(1, 60))
    entropy = fields.List(fields.Nested(EntropySchema), load_default=list, validate=validate.Length(max=4))
    content = fields.Nested(ContentSchema, required=True)
    subjects = rows(SubjectSchema, 60, "评议项目")
    sources = rows(SourceSchema, 300, "来源")
    prizes = rows(PrizeSchema, 20, "礼品")
    boxes = fields.Nested(BoxesSchema, load_default=None)

    @validates("zone")
    def zone_exists(self, value: str, **_: Any) -> None:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as e:
            raise ValidationError("没有这个时区，深圳写 Asia/Shanghai。") from e

    @validates("doors")
    def doors_differ(self, value: list[str] | None, **_: Any) -> None:
        if value and len(set(value)) != len(value):
            raise ValidationError("同一个入口写了两次。")

    @validates_schema
    def whole(self, data: dict[str, Any], **_: Any) -> None:
        if bool(data.get("window")) == bool(data.get("live_demo")):
            raise ValidationError("请写明四个时间。", "window")
        if not data.get("live_demo") and not data.get("entropy"):
            raise ValidationError("请写明用哪一期公共开奖号。", "entropy")
        if data.get("entropy") and all(e["source"] in TOO_SMALL for e in data["entropy"]):
            raise ValidationError("现场数字和排列5的可能太少，单用会让人挑结果，请再加一期双色球、大乐透或快乐8。", "entropy")
        if sum(p["count"] for p in data.get("prizes", [])) > MOST_PRIZES:
            raise ValidationError(f"礼品合起来最多{MOST_PRIZES}份。", "prizes")
        for name, key in (("subjects", "key"), ("sources", "code"), ("prizes", "tier")):
            keys = [item[key] for item in data.get(name, [])]
            if len(keys) != len(set(keys)):
                raise ValidationError("里面有两个一样的代号。", name)


class GradeOut(Schema):
    grade = fields.String()
    label = fields.String()


class SubjectOut(Schema):
    key = fields.String()
    category = fields.String()
    title = fields.String()
    grades = fields.List(fields.Nested(GradeOut))
    content = fields.Dict()


class PrizeOut(Schema):
    tier = fields.String()
    name = fields.String()
    count = fields.Integer()


class CampaignOut(Schema):
    """A campaign as anybody may see it."""

    slug = fields.String()
    title = fields.String()
    mode = fields.String()
    zone = fields.String()
    state = fields.String(metadata={"description": "coming, open, evidence, review, due, frozen"})
    now = fields.AwareDateTime(metadata={"description": "the server's clock, for countdowns"})
    day = fields.Date(metadata={"description": "today in the campaign's zone"})
    opens_at = fields.AwareDateTime()
    closes_at = fields.AwareDateTime()
    evidence_until = fields.AwareDateTime()
    freeze_at = fields.AwareDateTime()
    quota = fields.String()
    captcha = fields.String()
    doors = fields.List(fields.String(), metadata={"description": "where voters may come in now: account, miniprogram"})
    subjects = fields.List(fields.Nested(SubjectOut))
    prizes = fields.List(fields.Nested(PrizeOut))
    content = fields.Dict()
    notice_template = fields.String(allow_none=True, metadata={"description": "subscribe message about the result, asked for at the entry"})
    rules = fields.Raw(metadata={"description": "the rules as published"})
    rules_sha256 = fields.String()
