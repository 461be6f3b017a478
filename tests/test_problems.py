"""One refusal, told to whoever asks: problem+json to programs, a calm page to browsers, a sentence in the chat."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any

import pytest
from marshmallow import Schema, fields
from sqlalchemy.exc import TimeoutError as PoolEmpty

from tests.factories import make_voter
from wxbackend.apidocs import problem_rows
from wxbackend.extensions import db
from wxbackend.problems import CATALOGUE, Problem
from wxbackend.web import access

HAN = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[A-Za-z]{2,}")
ALLOWED_WORDS = {"MB", "JSON", "YAML", "QR", "GET", "AppID", "AppSecret"}


def problem(response: Any, status: int, key: str) -> dict[str, Any]:
    """The body of an RFC 9457 answer, its fixed members checked."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    body = json.loads(response.text)
    assert (body["type"], body["status"]) == (f"/problems/{key}", status)
    assert HAN.search(body["title"])
    assert response.headers["Cache-Control"] == "no-store"
    return body


def test_every_sentence_is_chinese():
    for row in problem_rows():
        for said in (row.title, row.hint):
            assert set(WORD.findall(said)) <= ALLOWED_WORDS, said
        assert HAN.search(row.title) and re.fullmatch(r"[a-z][a-z-]+", row.key) and 400 <= row.status < 600, row


def test_no_sentence_blames_the_citizen_or_speaks_of_machines():
    cold = re.compile("系统|参数|非法|失败|错误代码|异常|用户名不存在")
    assert [row.title for row in problem_rows() if cold.search(row.title + row.hint)] == []


def test_every_key_has_one_status():
    by_key: dict[str, set[int]] = {}
    for row in problem_rows():
        by_key.setdefault(row.key, set()).add(row.status)
    assert {key: statuses for key, statuses in by_key.items() if len(statuses) > 1} == {}
    assert {"already-voted", "campaign-not-open", "campaign-closed", "captcha-wrong", "captcha-expired", "too-often", "not-logged-in",
            "identity-not-verified", "image-unreadable", "draw-already-frozen"} <= CATALOGUE.keys()


def all_schemas(parent: type[Schema] = Schema) -> list[type[Schema]]:
    return [kind for child in parent.__subclasses__() for kind in (child, *all_schemas(child))]


def test_every_fault_of_a_shape_is_said_in_chinese(site):
    """marshmallow speaks English unless told: unknown fields, missing ones, wrong types and lengths of every shape of ours."""
    ours = [kind for kind in all_schemas() if kind.__module__.startswith("wxbackend.")]
    assert len(ours) > 20
    for kind in ours:
        names = [name for name, f in kind().fields.items() if not isinstance(f, fields.Function)]
        for value in (None, 5, 10**12, "", "x" * 5000, [], [[]], {}, {"a": []}, True, 1.5):
            said = json.dumps(kind().validate(dict.fromkeys(names, value) | {"nonsense": 1}), ensure_ascii=False)
            assert HAN.search(said)
            details = re.sub(r'"[^"]*":|可以填：[^"]*|true|false|https|Asia/Shanghai', "", said)
            assert WORD.findall(details) == [], (kind.__name__, value, said)


def test_a_program_gets_problem_json(site):
    body = problem(site.client.get("/api/v1/campaigns/nothing"), 404, "no-such-campaign")
    assert body == {"type": "/problems/no-such-campaign", "title": "没有找到这个活动。", "status": 404,
                    "detail": "请从公众号的文章或菜单重新进入。"}


def test_a_path_of_the_api_that_is_not_there(site):
    problem(site.client.get("/api/v1/nothing"), 404, "not-found")


def test_a_browser_gets_a_page(site):
    response = site.client.get("/c/nothing")
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "没有找到这个活动" in response.text and "从公众号的文章或菜单重新进入" in response.text
    assert "Traceback" not in response.text and "no-such-campaign" not in response.text


def test_the_chat_gets_a_sentence():
    class Refused(Problem):
        title, hint, type = "今天已经投过啦，明天0点后再来。", "明天见。", "test-refused"

    try:
        assert Refused().as_reply() == "今天已经投过啦，明天0点后再来。明天见。"
        assert Refused(retry_after=30).headers == {"Retry-After": "30"}
        body = {"type": "/problems/test-refused", "title": "另一句。", "status": 400, "day": "2022-01-06"}
        assert Refused("另一句。", hint="", day="2022-01-06").to_dict() == body
    finally:
        del CATALOGUE["test-refused"]


@pytest.mark.parametrize("raw", ['{"grade": "优"', "", "优", "{'grade': 1}", b"\xff\xfe\x00", "nul"])
def test_broken_json_is_told_so(site, raw):
    problem(site.post(site.api("/ballots"), raw), 400 if raw else 422, "bad-json" if raw else "invalid")


def test_wrong_types_are_pointed_at(site):
    body = problem(site.post(site.api("/ballots"), json.dumps({"grade": 5, "captcha_id": ["x"], "captcha_answer": "", "nonsense": 1})), 422,
                   "invalid")
    assert {e["pointer"]: e["detail"] for e in body["errors"]} == {
        "#/grade": "这里要写文字。", "#/captcha_id": "这里要写文字。", "#/captcha_answer": "请输入验证码。",
        "#/nonsense": "没有这一项，请去掉。"}


@pytest.mark.parametrize("raw", ["[]", "1", '"优"', "null", "true"])
def test_json_that_is_no_object_is_pointed_at_as_a_whole(site, raw):
    body = problem(site.post(site.api("/ballots"), raw), 422, "invalid")
    assert body["errors"] == [{"pointer": "#", "detail": "这里要写成一组。"}]


def test_nested_faults_are_pointed_at_where_they_are(site):
    entry = {"name": "张三", "phone": "13800000000", "age_band": "<14", "guardian": {"name": "老陈", "agrees": False},
             "consents": ["draw", "all"]}
    body = problem(site.post(site.api("/entries"), json.dumps(entry)), 422, "invalid")
    assert {e["pointer"] for e in body["errors"]} == {"#/guardian/phone", "#/guardian/agrees", "#/consents/1"}


def test_a_form_sent_to_the_api_misses_everything(site):
    problem(site.post(site.api("/ballots"), "grade=优", content_type="application/x-www-form-urlencoded"), 422, "invalid")


@pytest.mark.parametrize("raw",
                         ['{"campaign": "\\ud800", "name": "a", "phone": "b"}', '{"campaign": "a\\u0000", "name": "a", "phone": "b"}',
                                 '{"\\u0000": 1}', "[" * 30_000])
def test_what_no_database_keeps_is_refused_at_the_door(site, raw):
    response = site.client.patch("/api/v1/me/data", data=raw, headers=site.amei, content_type="application/json")
    problem(response, 400, "bad-request")
    problem(site.client.get("/api/v1/campaigns/%00"), 400, "bad-request")
    problem(site.client.get("/api/v1/campaigns/x?s=%00"), 400, "bad-request")


class Endless(BytesIO):
    """A body that must not be read: fails the test where somebody does."""

    def read(self, *_size: int) -> bytes:
        raise AssertionError("the body was read")

    readline = readinto = read   # type: ignore[assignment]


def test_a_large_body_is_refused_before_it_is_read(site):
    response = site.client.open(site.api("/ballots"), method="POST", input_stream=Endless(), content_type="application/json",
                                headers=site.amei,
                                environ_overrides={"CONTENT_LENGTH": str(65_537)})
    problem(response, 413, "too-large")


def test_a_large_body_without_a_length_is_cut_off(site):
    """Chunked: nobody says how much is coming, so reading stops at the limit."""
    sent = BytesIO(b'{"grade": "' + b"x" * 10_000_000)
    response = site.client.open(site.api("/ballots"), method="POST", input_stream=sent, content_type="application/json", headers=site.amei,
                                environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"})
    problem(response, 413, "too-large")
    assert sent.tell() <= 131_072


def test_uploads_have_their_own_limit(site):
    path = site.api("/submissions")
    form = {"name": "张三", "phone": "13800000000", "consents": "draw", "image": (BytesIO(b"x" * 200_000), "shot.png")}
    problem(site.post(path, form, content_type="multipart/form-data"), 422, "image-unreadable")
    response = site.client.open(path, method="POST", input_stream=Endless(), content_type="multipart/form-data; boundary=x",
                                headers=site.amei,
                                environ_overrides={"CONTENT_LENGTH": str(11_000_000)})
    problem(response, 413, "too-large")


def test_a_large_body_on_a_page_gets_a_page(site):
    response = site.client.open(f"/c/{site.slug}", method="POST", input_stream=Endless(), content_type="application/x-www-form-urlencoded",
                                environ_overrides={"CONTENT_LENGTH": "70000"})
    assert (response.status_code, response.mimetype) == (413, "text/html") and "太大了" in response.text


def test_a_wrong_method_says_which_are_right(site):
    response = site.client.put(f"/api/v1/campaigns/{site.slug}")
    problem(response, 405, "wrong-method")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    page = site.client.delete("/c/x")
    assert page.status_code == 405 and "Allow" in page.headers and "不能这样用" in page.text


def boom() -> str:
    raise RuntimeError("13800000000 oSECRETOPENID")


@pytest.mark.parametrize(("path", "kind"),
                         [("/api/v1/boom", "application/problem+json"), ("/boom", "text/html"), ("/admin/boom", "text/html")])
def test_a_fault_is_told_calmly_with_a_number(make_app, path, kind):
    app = make_app()
    app.add_url_rule(path, "boom", access("public")(boom))
    response = app.test_client().get(path)
    assert (response.status_code, response.mimetype) == (500, kind)
    assert re.search(r"E-\d{4}", response.text) and "小状况" in response.text
    for leaked in ("Traceback", "RuntimeError", "13800000000", "oSECRETOPENID", "boom.py", "line "):
        assert leaked not in response.text


@pytest.mark.parametrize("path", ["/api/v1/campaigns/futian-2021-reform", "/c/futian-2021-reform", "/"])
def test_a_database_that_is_away_is_told_kindly(make_app, path):
    """A closed port: refused at once. No page of ours asks the database to say that it is away."""
    response = make_app(database_url="postgresql://nobody@127.0.0.1:9/none").test_client().get(path)
    assert response.status_code == 503 and response.headers["Retry-After"] == "60"
    assert "有点挤" in response.text and "psycopg" not in response.text


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:9/none", "mysql://nobody@127.0.0.1:9/none"])
def test_readiness_says_what_is_missing(make_app, url):
    response = make_app(database_url=url).test_client().get("/readyz")
    assert response.status_code == 503 and response.json["database"] is False and response.json["storage"] is True


def test_alive_without_a_database(make_app):
    assert make_app(database_url="postgresql://nobody@127.0.0.1:9/none").test_client().get("/healthz").status_code == 200


def test_an_empty_pool_is_a_short_wait_and_no_fault(make_app):
    def crowded() -> str:
        raise PoolEmpty("QueuePool limit of size 20 overflow 4 reached")

    app = make_app()
    app.add_url_rule("/api/v1/crowded", "crowded", access("public")(crowded))
    problem(app.test_client().get("/api/v1/crowded"), 503, "unavailable")


def test_errors_of_the_database_keep_their_values_to_themselves(app):
    """SQLAlchemy writes the values of a failed statement into its message, and that goes into the log."""
    make_voter("阿美")
    with pytest.raises(Exception) as failed:
        db.session.execute(db.text("INSERT INTO identity (openid) VALUES (:openid)"), {"openid": "oSECRETOPENID"})
    db.session.rollback()
    assert "oSECRETOPENID" not in str(failed.value)


def test_staff_refusals_are_pages_of_the_staff_site(site):
    response = site.client.get("/admin/nothing-here", headers=site.xiaoli)
    assert response.status_code == 404 and "回工作台" in response.text


def test_where_a_problems_type_leads(site):
    for key in ("already-voted", "too-large"):
        assert site.client.get(f"/problems/{key}").status_code == 302
    assert site.client.get("/problems/nothing").status_code == 404
