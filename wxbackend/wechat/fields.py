"""What a template's fields take. WeChat refuses the whole notice (47003) for one field that is too long.

Source: Tencent's page 订阅消息参数值内容限制说明; 1 汉字 = 1 character. A field's kind is its name without the number: thing1 is a thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wxbackend.wechat.refusals import Unsendable
from wxbackend.wechat.wording import wording

KEY = re.compile(r"([a-z_]+?)[0-9]*")
LENGTHS = {"thing": 20, "number": 32, "letter": 32, "symbol": 5, "character_string": 32, "phone_number": 17, "car_number": 8, "phrase": 5,
           "const": 20, "name": 20}
HAN = "\u3007\u3400-\u9fff\U00020000-\U0003ffff"
CLOCK = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
DAY = r"[0-9]{4}(-[0-9]{1,2}-|/[0-9]{1,2}/|\.[0-9]{1,2}\.)[0-9]{1,2}|[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日"
FORMS = {
    "number": re.compile(r"-?[0-9]+(\.[0-9]+)?"),
    "letter": re.compile(r"[A-Za-z]+"),
    "symbol": re.compile(r"[^\w\s]+"),
    "character_string": re.compile(r"[\x21-\x7e]+"),
    "time": re.compile(rf"(({DAY})[ T]?)?{CLOCK}|{DAY}"),
    "date": re.compile(rf"({DAY})([ T]?{CLOCK})?"),
    "amount": re.compile(r"[^\w\s]?[0-9]{1,10}(\.[0-9]+)?元?"),
    "phone_number": re.compile(r"[0-9+\-() ]+"),
    "car_number": re.compile(rf"[{HAN}A-Z0-9]+"),
    "name": re.compile(rf"[{HAN}·]{{1,10}}|[^{HAN}]{{1,20}}"),
    "phrase": re.compile(rf"[{HAN}]+"),
}
FREE = ("thing", "const")   # may be shortened without becoming something else
BREAKS = re.compile(r"[\t\n\r]+")


def values(data: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """{"thing1": "太极"} → {"thing1": {"value": "太极"}}, each checked. Raises Unsendable naming the field, ValueError for none."""
    if not data:
        raise ValueError("a template without fields says nothing")
    return {key: {"value": _checked(key, value)} for key, value in data.items()}


def fit(key: str, value: str) -> str:
    """`value` in one line and short enough for its field, an … at the cut. Only free text is shortened; raises Unsendable for the rest."""
    text, limit = _one_line(value), LENGTHS.get(kind_of(key), 0)
    if kind_of(key) in FREE and len(text) > limit:
        text = text[:limit - 1] + "…"
    return _checked(key, text)


def kind_of(key: str) -> str:
    """"thing" for "thing1". Raises ValueError for a name no template has."""
    match = KEY.fullmatch(key)
    if not match or match.group(1) not in LENGTHS | FORMS:
        raise ValueError(f"no field of a template: {key!r}")
    return match.group(1)


def _checked(key: str, value: str) -> str:
    kind, text = kind_of(key), _one_line(value)
    limit = LENGTHS.get(kind, 32)
    if not 0 < len(text) <= limit:
        raise Unsendable(f"通知里的“{key}”要1到{limit}个字，现在有{len(text)}个。")
    form = FORMS.get(kind)
    if form and not form.fullmatch(text):
        raise Unsendable(f"通知里的“{key}”不是微信要的写法。")
    return text


def _one_line(value: str) -> str:
    return wording(BREAKS.sub(" ", str(value))).strip()
