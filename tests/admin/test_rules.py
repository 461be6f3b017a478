"""What the staff site decides on plain values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from config.settings import ROOT
from wxbackend.admin import forms, plots, words
from wxbackend.admin.draw import BadPhones, read_phones
from wxbackend.admin.log import KINDS, SAID
from wxbackend.admin.review import next_in
from wxbackend.admin.rules import may, who
from wxbackend.admin.views import _inside

FORM = {
    "slug": "spring-2022", "title": "春节评议", "mode": "hosted", "opens_at": "2022-01-04T10:00", "closes_at": "2022-01-08T09:00",
    "evidence_until": "2022-01-09T09:00", "freeze_at": "2022-01-11T18:00", "entropy_source": "ssq", "entropy_issue": "2022005",
    "organiser": "区公共文化体育发展中心", "account_name": "福田文体中心", "account_mascot": "小文文",
    "account_seal": "文", "greeting": "您好。",
    "subjects": "文化馆总分馆制建设｜重点改革项目｜办到家门口\n街道书房 | 微改革项目", "sources": "article｜文章\n\nposter|海报",
    "prizes": "盲盒｜4｜180", "per_box": "2", "stock": "帽子｜4\n雨伞|4", "alternates": "5",
}


@pytest.mark.parametrize(("role", "roles", "allowed"), [
    ("manager", ("reviewer",), True), ("reviewer", ("reviewer",), True), ("auditor", ("reviewer",), False),
    ("reviewer", ("manager",), False), ("auditor", ("auditor",), True), ("reviewer", ("auditor",), False)])
def test_a_manager_may_do_everything_and_others_their_task(role, roles, allowed):
    assert may(role, roles) is allowed


def test_a_refusal_names_who_can():
    assert who(("reviewer",)) == "活动管理员、审核员"
    assert who(("manager",)) == "活动管理员"


@pytest.mark.parametrize(("queue", "number", "following"), [
    ([3, 5, 8], 3, 5), ([3, 5, 8], 8, 3), ([3], 3, None), ([], 3, None), ([5, 8], 3, 5)])
def test_after_a_decision_comes_the_next_oldest(queue, number, following):
    assert next_in(queue, number) == following


@pytest.mark.parametrize(("target", "path"), [
    ("/admin/log", "/admin/log"), ("/admin/", "/admin/"), ("/c/x", "/admin/"), ("//evil.example", "/admin/"),
    ("https://evil.example", "/admin/"), ("/administration", "/admin/"), (None, "/admin/"), ("/admin/\\evil", "/admin/\\evil")])
def test_a_login_leads_back_into_the_staff_site_only(target, path):
    assert _inside(target) == path


def test_the_plain_form_becomes_a_document():
    document = forms.document_of(FORM, ["优", "良"])
    assert document["window"]["closes_at"] == "2022-01-08T09:00:00+08:00"
    assert [s["title"] for s in document["subjects"]] == ["文化馆总分馆制建设", "街道书房"]
    assert document["subjects"][0]["grades"] == [{"grade": "优", "label": "很好"}, {"grade": "良", "label": "不错"}]
    assert document["sources"] == [{"code": "article", "name": "文章"}, {"code": "poster", "name": "海报"}]
    assert document["prizes"] == [{"tier": "t1", "name": "盲盒", "count": 4, "value_yuan": 180}]
    assert document["boxes"] == {"per_box": 2, "stock": {"帽子": 4, "雨伞": 4}}
    assert document["content"]["account"]["seal"] == "文"


def test_what_cannot_be_read_stays_as_typed():
    document = forms.document_of(FORM | {"prizes": "盲盒｜三十", "opens_at": "明天"}, [])
    assert document["prizes"][0]["count"] == "三十"
    assert document["window"]["opens_at"] == "明天"


def test_faults_find_their_fields():
    pointers = {"#/content/account/seal": "a", "#/content/contact/phone": "b", "#/window/closes_at": "c", "#/prizes/0/count": "d",
                "#/slug": "e", "#/entropy/0/issue": "f", "#/subjects/0/grades": "g"}
    errors = [{"pointer": pointer, "detail": detail} for pointer, detail in pointers.items()]
    assert forms.faults_by_field(errors) == {"account_seal": "a", "contact_phone": "b", "closes_at": "c", "prizes": "第1行：d", "slug": "e",
                                             "entropy_issue": "f", "grades": "g"}


@pytest.mark.parametrize("text", ["- 1\n- 2", "a: [", "a: &x [1]\nb: *x", "a: 2022-13-45T00:00:00", "[" * 3000])
def test_a_document_that_is_none_is_refused(text):
    with pytest.raises(forms.NotADocument):
        forms.read_yaml(text)


def test_unquoted_instants_are_taken_as_written():
    assert forms.read_yaml("w: {opens_at: 2022-01-04T10:00:00+08:00}") == {"w": {"opens_at": "2022-01-04T10:00:00+08:00"}}


def test_every_day_has_its_bar_and_the_days_to_come_none():
    plot = plots.by_day({date(2022, 1, 4): 43}, date(2022, 1, 4), date(2022, 1, 6), date(2022, 1, 5))
    assert [(b.label, b.weekday, b.count, b.kind) for b in plot.bars] == [
        ("1月4日", "周二", 43, "past"), ("1月5日", "周三", 0, "today"), ("1月6日", "周四", 0, "future")]
    assert plot.bars[0].y + plot.bars[0].height == pytest.approx(plot.base, abs=0.2)
    assert plot.lines[-1][1] == 0


@pytest.mark.parametrize(("most", "top"), [(0, 4), (5, 8), (43, 80), (900, 1200), (3200, 3200)])
def test_the_scale_is_round_and_holds_the_most(most, top):
    assert plots.ceiling(most) == top


@pytest.mark.parametrize(("minutes", "said"), [(0, "已到"), (-5, "已到"), (5, "还有5分"), (61, "还有1小时1分"), (3000, "还有2天")])
def test_what_is_left_is_said_plainly(minutes, said):
    at = datetime(2022, 1, 6, tzinfo=UTC)
    assert words.left(at + timedelta(minutes=minutes), at) == said


def test_phones_to_exclude_are_read_however_typed():
    assert read_phones("138 0000 0000\n+86 13800000001，13800000002") == ["13800000000", "13800000001", "13800000002"]


def test_a_wrong_phone_is_named_by_its_place_not_its_digits():
    with pytest.raises(BadPhones) as refused:
        read_phones("13800000000\n1380000")
    assert "第2个" in refused.value.next_step
    assert "1380000" not in refused.value.next_step


def recorded_verbs() -> Iterator[str]:
    """The verb of every `audit.record(actor, verb, …)` in the house, and of the `_note` and `note` (row, verb or actor, …) around it."""
    for path in (ROOT / "wxbackend").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and len(node.args) > 3 and name in ("audit.record", "_note", "note", "editing.note"):
                verb = node.args[2 if name == "_note" else 1]
                parts = [verb.body, verb.orelse] if isinstance(verb, ast.IfExp) else [verb]
                yield from (part.value for part in parts if isinstance(part, ast.Constant))


def test_the_log_has_a_sentence_for_every_deed_and_for_no_other():
    assert set(recorded_verbs()) == set(SAID)
    assert {verb for _, verbs in KINDS.values() for verb in verbs} == set(SAID)
