"""The entry form as people fill it in: what was typed stays, each fault stands beside its field."""

from __future__ import annotations

from dataclasses import dataclass, field

from werkzeug.datastructures import MultiDict

from wxbackend.submissions.entrants import PURPOSES
from wxbackend.submissions.rules import tidy_name, tidy_phone
from wxbackend.submissions.service import EntryForm

AGES = (("18+", "已满18周岁", ""), ("14-17", "14到17周岁", ""), ("<14", "未满14周岁", "请家长陪着填，由家长同意"))
CONSENTS = (("draw", "同意用姓名和手机号办理这次抽奖", "不勾就没法抽奖，但不影响投票"),
            ("show-name", "中奖时公布打码的姓名，像“王*梅”", "可不勾，那就只公布打码的手机号和签号"),
            ("notify", "中奖时用公众号消息提醒我", "可不勾，到“我的”里也能看到"))


@dataclass
class Filled:
    """What was typed and what is wrong with it: ``errors`` is {field: sentence}, in the order of the page."""

    typed: MultiDict[str, str] = field(default_factory=MultiDict)
    errors: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        return self.typed.get(name, "")[:40]

    def ticked(self, name: str, value: str) -> bool:
        return value in self.typed.getlist(name)


def read_entry(typed: MultiDict[str, str]) -> tuple[Filled, EntryForm]:
    """The form checked, and as `submissions.enter` wants it; the second is good only where the first has no errors."""
    filled = Filled(typed)
    _check_person(filled, "name", "phone", "请填写姓名，和证件上一样")
    if filled.get("age_band") not in {value for value, *_ in AGES}:
        filled.errors["age_band"] = "请选一下年龄"
    guardian = None
    if filled.get("age_band") == "<14":
        _check_person(filled, "g_name", "g_phone", "请家长填上姓名")
        if not typed.get("g_ok"):
            filled.errors["g_ok"] = "要家长同意，孩子才能参加"
        guardian = (filled.get("g_name"), filled.get("g_phone"))
    consents = tuple(value for value in typed.getlist("consent") if value in PURPOSES)
    if "draw" not in consents:
        filled.errors["consent"] = "要参加抽奖，请先勾上这一条"
    return filled, EntryForm(filled.get("name"), filled.get("phone"), filled.get("age_band"), guardian, consents)


def read_correction(typed: MultiDict[str, str]) -> Filled:
    """Name and phone to be set right."""
    filled = Filled(typed)
    _check_person(filled, "name", "phone", "请填写姓名，和证件上一样")
    return filled


def _check_person(filled: Filled, name: str, phone: str, ask: str) -> None:
    if tidy_name(filled.get(name)) is None:
        filled.errors[name] = ask
    if tidy_phone(filled.get(phone)) is None:
        filled.errors[phone] = _phone_fault(filled.get(phone))


def _phone_fault(text: str) -> str:
    """少了一位，手机号是11位数字: says how far off it is, where that helps."""
    digits = sum(c.isdecimal() for c in text)
    if not digits:
        return "请填写手机号，11位数字"
    missing = 11 - digits
    if missing == 0:
        return "这个号码不像手机号，请再对一遍"
    count = {1: "一位", 2: "两位"}.get(abs(missing), "几位")
    return f"{'少' if missing > 0 else '多'}了{count}，手机号是11位数字"
