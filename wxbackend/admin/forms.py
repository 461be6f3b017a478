"""The plain form of a new campaign turned into the document that everything else reads, and faults turned back into fields.

Lists are typed one a line with bars between: ``海报｜总馆海报``. The document's shape is `campaigns.schemas.CampaignDocument`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from wxbackend.campaigns.rules import LABELS, Grade
from wxbackend.problems import Problem

INSTANTS = ("opens_at", "closes_at", "evidence_until", "freeze_at")
ACCOUNT = {"account_name": "name", "account_mascot": "mascot", "account_seal": "seal"}
CONTACT = {"contact_phone": "phone", "contact_hours": "hours", "contact_address": "address"}
CONTENT = ("organiser", "greeting", "footer", "keyword", "external_url", "external_name", "prize_heading", "prize_text", "prize_note",
           "claim")
CHOICES = ("quota", "results", "captcha")
NUMBERS = ("alternates", "publicity_days")

# Where the schema finds a fault → the field of the form that holds it; the longest pointer first.
FIELDS = (
    ("#/content/contact/", "contact_"), ("#/content/account/", "account_"), ("#/content/", ""), ("#/window/", ""), ("#/window", "opens_at"),
    ("#/boxes/per_box", "per_box"), ("#/boxes", "stock"), ("#/subjects/0/grades", "grades"), ("#/subjects", "subjects"),
    ("#/sources", "sources"), ("#/prizes", "prizes"), ("#/entropy/0/", "entropy_"), ("#/entropy", "entropy_issue"), ("#/", ""),
)


class NotADocument(Problem):
    status, type, title = 422, "not-a-document", "这份文件没读懂。"
    hint = "请照着示例的样子，用YAML写，缩进用空格。"


def document_of(form: Mapping[str, str], grades: Sequence[str]) -> dict[str, Any]:
    """{"title": "…", "opens_at": "2022-01-04T10:00", "sources": "article｜文章二维码\\n…", …} → the document.

    Local times are read in the form's zone. What cannot be read stays as typed, so that the schema names it.
    """
    zone = form.get("zone") or "Asia/Shanghai"
    document: dict[str, Any] = {
        "slug": form.get("slug", "").strip(), "title": form.get("title", "").strip(), "mode": form.get("mode", ""), "zone": zone,
        "window": {name: _instant(form.get(name, ""), zone) for name in INSTANTS},
        "entropy": [{"source": form.get("entropy_source", ""), "issue": form.get("entropy_issue", "").strip()}],
        "content": _content(form), "subjects": _subjects(form, grades),
        "sources": [{"code": code, "name": name} for code, name in _lines(form.get("sources", ""), 2)],
        "prizes": _prizes(form),
    }
    document |= {name: form[name] for name in CHOICES if form.get(name)}
    document |= {name: _whole(form[name]) for name in NUMBERS if form.get(name)}
    if form.get("stock", "").strip():
        document["boxes"] = {"per_box": _whole(form.get("per_box", "")), "stock": _stock(form["stock"])}
    return document


def read_yaml(text: str) -> dict[str, Any]:
    """A document pasted or uploaded as YAML (JSON is YAML too). Raises NotADocument, also for anchors, which can swell."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise NotADocument(hint="请不要用 & 和 * 的引用，把内容写全。")
        read = _plain(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        mark = getattr(e, "problem_mark", None)
        raise NotADocument(f"第{mark.line + 1}行没读懂。" if mark else None) from e
    if not isinstance(read, dict):
        raise NotADocument()
    return read


def faults_by_field(errors: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """[{"pointer": "#/content/account/seal", "detail": "…"}] → {"account_seal": "…"}; the first sentence of each field."""
    found: dict[str, str] = {}
    for error in errors:
        for start, field in FIELDS:
            if error["pointer"].startswith(start):
                rest = error["pointer"].removeprefix(start).split("/")[0] if start.endswith("/") else ""
                found.setdefault(field + rest, error["detail"])
                break
    return found


def _content(form: Mapping[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {name: form[name].strip() for name in CONTENT if form.get(name, "").strip()}
    content["account"] = {key: form.get(name, "").strip() for name, key in ACCOUNT.items()}
    content["contact"] = {key: form.get(name, "").strip() for name, key in CONTACT.items()}
    return content


def _subjects(form: Mapping[str, str], grades: Sequence[str]) -> list[dict[str, Any]]:
    offered = [{"grade": grade.value, "label": LABELS[grade]} for grade in Grade if grade.value in grades]
    return [{"key": f"p{n}", "title": title, "category": category, "summary": summary, "grades": offered}
            for n, (title, category, summary) in enumerate(_lines(form.get("subjects", ""), 3), 1)]


def _prizes(form: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"tier": f"t{n}", "name": name, "count": _whole(count)} | ({"value_yuan": _whole(value)} if value else {})
            for n, (name, count, value) in enumerate(_lines(form.get("prizes", ""), 3), 1)]


def _stock(text: str) -> dict[str, Any]:
    return {name: _whole(count) for name, count in _lines(text, 2)}


def _lines(text: str, parts: int) -> list[tuple[str, ...]]:
    """Non-empty lines split at bars, filled up with empty parts; what is too much stays in the last."""
    rows = [re.split(r"\s*[|｜]\s*", line.strip(), maxsplit=parts - 1) for line in text.splitlines() if line.strip()]
    return [tuple(row + [""] * (parts - len(row))) for row in rows]


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"\s*[0-9]{1,9}\s*", text) else text


def _instant(text: str, zone: str) -> str:
    """2022-01-04T10:00 of the campaign's place → 2022-01-04T10:00:00+08:00."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except (ValueError, KeyError, OSError):
        return text


def _plain(value: Any) -> Any:
    """YAML reads unquoted instants as datetimes; the schema takes them as written."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
