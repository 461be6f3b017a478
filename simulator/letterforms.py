"""Templates of template messages and subscribe messages: which there are, and what fits into their fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Field names say what may stand in them: thing1, time2, character_string3. (most characters, pattern)
FIELDS: dict[str, tuple[int, str]] = {
    "thing": (20, r".+"), "number": (32, r"[-+]?\d+(\.\d+)?"), "letter": (32, r"[A-Za-z]+"), "symbol": (5, r"[^\w\s]+"),
    "character_string": (32, r"[\x20-\x7e]+"), "phone_number": (17, r"[-+\d]+"), "car_number": (8, r".+"), "name": (20, r".+"),
    "phrase": (5, r"[\u4e00-\u9fff]+"), "const": (20, r".+"), "enum": (20, r".+"), "amount": (14, r"[^\s\d]?\d+(\.\d{1,2})?元?"),
    "time": (40, r"(\d{4}(年\d{1,2}月\d{1,2}日|[-./]\d{1,2}[-./]\d{1,2}))?\s?(\d{1,2}:\d{2}(:\d{2})?)?(~.+)?"),
    "date": (40, r"\d{4}(年\d{1,2}月\d{1,2}日|[-./]\d{1,2}[-./]\d{1,2})(\s?\d{1,2}:\d{2}(:\d{2})?)?(~.+)?"),
}
TITLES = {"thing": "事项", "time": "时间", "date": "日期", "name": "姓名", "phrase": "结果", "number": "数量", "character_string": "编号",
          "phone_number": "电话", "const": "说明", "amount": "金额"}


def read_template(text: str) -> tuple[str, tuple[str, ...]]:
    """("ID", ("thing1", "time2")) of "ID|thing1=title|time2=at"."""
    template_id, *pairs = [part.strip() for part in text.split("|")]
    names = (pair.partition("=")[0].strip() for pair in pairs)
    return template_id, tuple(name for name in names if name != "page")


def fault(names: tuple[str, ...], data: Mapping[str, Any]) -> str:
    """Which field does not fit ("data.thing1.value"), or an empty text. A missing one does not fit either."""
    for name in names or tuple(data):
        given = data.get(name)
        value = given.get("value") if isinstance(given, Mapping) else None
        kind = re.sub(r"\d+$", "", name)
        most, pattern = FIELDS.get(kind, (200, r".*"))
        if not isinstance(value, str | int | float) or not str(value).strip():
            return f"data.{name}.value is empty"
        if len(str(value)) > most or not re.fullmatch(pattern, str(value), re.DOTALL):
            return f"data.{name}.value invalid"
    return ""


def rows(names: tuple[str, ...], data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the card shows: (标题, 值)."""
    shown = names or tuple(data)
    return [(TITLES.get(re.sub(r"\d+$", "", n), "内容"), str(data[n]["value"])) for n in shown if n in data]
