"""The plain form of a new campaign turned into the document that everything else reads, and faults turned back into fields.

Lists are typed one a line with bars between: ``海报｜总馆海报``. The document's shape is `campaigns.schemas.CampaignDocument`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from wxbackend.campaigns.models import Campaign
from wxbackend.campaigns.rules import LABELS, Grade
from wxbackend.problems import Problem

INSTANTS = ("opens_at", "closes_at", "evidence_until", "freeze_at")
ACCOUNT = {"account_name": "name", "account_mascot": "mascot", "account_seal": "seal"}
CONTACT = {"contact_phone": "phone", "contact_hours": "hours", "contact_address": "address"}
CONTENT = ("organiser", "greeting", "footer", "keyword", "external_url", "external_name", "prize_heading", "prize_text", "prize_note",
           "claim")
CHOICES = ("quota", "results", "captcha")
DOORS = {"account,miniprogram": "公众号和小程序都行", "account": "只从公众号", "miniprogram": "只从小程序"}
NUMBERS = ("alternates", "publicity_days")

EXTRAS = ("network", "figures", "story_title", "story", "story_close")   # what only a file can say of a subject
# How the form calls its fields, where a fault is listed.
NAMES = {
    "title": "标题", "slug": "网址名", "organiser": "主办单位", "mode": "选票放在哪里", "external_url": "别处投票页的网址",
    "external_name": "那个投票页叫什么", "account_name": "公众号名", "account_mascot": "说话的人", "account_seal": "印章上的1个字",
    "opens_at": "开始投票", "closes_at": "截止", "evidence_until": "收截图到", "freeze_at": "封存签号名单", "subjects": "评议项目",
    "grades": "等级", "sources": "来源", "prizes": "礼品", "stock": "盲盒库存", "per_box": "每盒几件", "alternates": "候补名额",
    "publicity_days": "公示几个工作日", "entropy_source": "公共开奖号", "entropy_issue": "哪一期", "greeting": "开头问候",
    "keyword": "公众号里回什么字", "footer": "页脚落款", "prize_heading": "礼品小标题", "prize_text": "礼品怎么送",
    "prize_note": "礼品说明",
    "doors": "投票入口", "claim": "怎么领奖", "contact_phone": "咨询电话", "contact_hours": "接听时间", "contact_address": "地址",
}
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
        "slug": _half(form.get("slug", "")).lower(), "title": form.get("title", "").strip(), "mode": form.get("mode", ""), "zone": zone,
        "window": {name: _instant(form[name], zone) for name in INSTANTS if form.get(name)},
        "entropy": [{"source": form.get("entropy_source", ""), "issue": _half(form.get("entropy_issue", ""))}],
        "content": _content(form), "subjects": _subjects(form, grades),
        "sources": [{"code": code, "name": name} for code, name in _lines(form.get("sources", ""), 2)],
        "prizes": _prizes(form),
    }
    document |= {name: form[name] for name in CHOICES if form.get(name)}
    document |= {name: _whole(form[name]) for name in NUMBERS if form.get(name)}
    document |= {"doors": form["doors"].split(",")} if form.get("doors") else {}
    if form.get("stock", "").strip():
        document["boxes"] = {"per_box": _whole(form.get("per_box", "")), "stock": _stock(form["stock"])}
    return document


def form_of(campaign: Campaign, boxes: Sequence[Sequence[str]]) -> dict[str, str]:
    """A draft back in the fields it came from, to be changed and stored again. `boxes` holds what each was packed with."""
    content, zone = campaign.content, ZoneInfo(campaign.zone)
    form = {name: getattr(campaign, name) for name in ("slug", "title", "mode", "zone", *CHOICES)}
    form |= {name: str(getattr(campaign, name)) for name in NUMBERS}
    form["doors"] = ",".join(campaign.doors)
    form |= {name: f"{getattr(campaign, name).astimezone(zone):%Y-%m-%dT%H:%M}" for name in INSTANTS}
    form |= {name: content.get(name, "") for name in CONTENT}
    form |= {name: content.get("account", {}).get(key, "") for name, key in ACCOUNT.items()}
    form |= {name: content.get("contact", {}).get(key, "") for name, key in CONTACT.items()}
    form["subjects"] = _bars((s.title, s.category, s.content.get("summary", "")) for s in campaign.subjects)
    form["sources"] = _bars((s.code, s.name) for s in campaign.sources)
    form["prizes"] = _bars((p.name, p.count, *([p.value_fen // 100] if p.value_fen else [])) for p in campaign.prizes)
    form |= {"per_box": str(len(boxes[0])) if boxes else "", "stock": _bars(Counter(item for box in boxes for item in box).items())}
    return form | {f"entropy_{key}": campaign.entropy[0].get(key, "") for key in ("source", "issue")}


def holds(campaign: Campaign) -> bool:
    """Whether the form has a field for everything this draft says; a file can say more."""
    words = [word for s in campaign.subjects for word in (s.title, s.category, s.content.get("summary", ""))]
    words += [s.name for s in campaign.sources] + [p.name for p in campaign.prizes]
    one_scale = all(s.grades == campaign.subjects[0].grades for s in campaign.subjects)
    standard = all(g["label"] == LABELS[Grade(g["grade"])] for g in campaign.subjects[0].grades)
    named_alike = ",".join(campaign.doors) in DOORS
    return (len(campaign.entropy) == 1 and one_scale and standard and named_alike
            and not any(re.search(r"[|｜\n]", word) for word in words)
            and not any(s.content.get(extra) for s in campaign.subjects for extra in EXTRAS))


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
                found.setdefault(field + rest, _row(error["pointer"]) + error["detail"])
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


def _bars(rows: Iterable[Sequence[Any]]) -> str:
    return "\n".join("｜".join(str(part) for part in row) for row in rows)


def _row(pointer: str) -> str:
    """#/prizes/1/count → 第2行："""
    row = re.match(r"#/(?:sources|prizes|subjects)/([0-9]+)/(?!grades)", pointer)
    return f"第{int(row[1]) + 1}行：" if row else ""


def _half(text: str) -> str:
    """１２ typed with a Chinese keyboard is 12."""
    return unicodedata.normalize("NFKC", text).strip()


def _whole(text: str) -> int | str:
    return int(_half(text)) if re.fullmatch(r"[0-9]{1,9}", _half(text)) else text


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
