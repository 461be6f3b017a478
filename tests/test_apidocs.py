"""/openapi.json is whole and sound, /docs shows it without script or foreign host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from wxbackend import apidocs

METHODS = {"get", "post", "put", "patch", "delete"}
PLACES = {"path", "query", "header", "cookie"}


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """("POST /api/v1/…", operation) of every operation."""
    for path, item in spec["paths"].items():
        for method in item.keys() & METHODS:
            yield f"{method.upper()} {path}", item[method]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        part = list(part.values())
    for one in part if isinstance(part, list) else []:
        yield from references(one)


def at(spec: dict[str, Any], pointer: str) -> Any:
    """What a "#/components/…" names; KeyError where it names nothing."""
    for step in pointer.removeprefix("#/").split("/"):
        spec = spec[step]
    return spec


def test_the_specification_has_its_required_parts(spec: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.0\.\d", spec["openapi"])
    assert spec["info"]["title"] and spec["info"]["version"]
    assert all(path.startswith("/api/v1/") for path in spec["paths"])
    assert all(set(item) <= METHODS | {"parameters"} for item in spec["paths"].values())


def test_every_operation_says_what_it_is_and_has_a_known_tag(spec: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in spec["tags"]}
    for name, operation in operations(spec):
        assert operation.get("summary"), name
        assert operation["tags"] and set(operation["tags"]) <= tags.keys(), name
    ids = [operation["operationId"] for _, operation in operations(spec)]
    assert len(ids) == len(set(ids))


def test_every_operation_says_how_it_succeeds_and_how_it_refuses(spec: dict[str, Any]) -> None:
    for name, operation in operations(spec):
        answers = operation["responses"]
        good = [code for code in answers if code.startswith("2")]
        assert good, name
        assert all("content" in answers[code] for code in good if code != "204"), name
        for code, answer in answers.items():
            if code not in good:
                assert list(at(spec, answer["$ref"])["content"]) == ["application/problem+json"], (name, code)
        assert "default" in answers, name


def test_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    for pointer in references(spec):
        at(spec, pointer)


def test_path_parameters_are_those_of_the_path_and_no_place_is_unknown(spec: dict[str, Any]) -> None:
    for path, item in spec["paths"].items():
        for method in item.keys() & METHODS:
            parameters = item.get("parameters", []) + item[method].get("parameters", [])
            assert {p["in"] for p in parameters} <= PLACES, path
            assert {p["name"] for p in parameters if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path)), path
            assert all(p["required"] for p in parameters if p["in"] == "path"), path


def test_the_specification_tells_who_may_call(spec: dict[str, Any], app: Flask) -> None:
    said = {operation["operationId"]: next(iter(operation.get("security", [{}])[0]), "public") for _, operation in operations(spec)}
    for rule in app.url_map.iter_rules():
        name = rule.endpoint.replace(".", "_")
        if name in said:
            assert said[name] == app.view_functions[rule.endpoint].access   # type: ignore[attr-defined]
    assert {kind for kind in said.values() if kind != "public"} == spec["components"]["securitySchemes"].keys()


def test_every_api_route_is_in_the_specification(spec: dict[str, Any], app: Flask) -> None:
    described = {re.sub(r"{\w+}", "*", path) for path in spec["paths"]}
    routes = {re.sub(r"<[^>]+>", "*", str(rule)) for rule in app.url_map.iter_rules() if str(rule).startswith("/api/")}
    assert routes == described


def test_an_upload_is_one_multipart_body(spec: dict[str, Any]) -> None:
    body = spec["paths"]["/api/v1/campaigns/{slug}/submissions"]["post"]["requestBody"]["content"]
    assert list(body) == ["multipart/form-data"]
    shape = apidocs.fields_of(body["multipart/form-data"]["schema"], spec)
    assert {field.name for field in shape} == {"image", "name", "phone", "consents"}


def test_the_page_shows_every_operation_shape_and_problem(client: FlaskClient, spec: dict[str, Any]) -> None:
    page = client.get("/docs").get_data(as_text=True)
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert {operation["operationId"] for _, operation in operations(spec)} <= anchors
    assert {f"shape-{name}" for name in spec["components"]["schemas"]} <= anchors
    assert {f"problem-{row.key}" for row in apidocs.problem_rows()} <= anchors
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors


def test_the_page_needs_no_script_no_inline_style_and_no_other_host(client: FlaskClient) -> None:
    answer = client.get("/docs")
    page = answer.get_data(as_text=True)
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<style| style=| on\w+=|https?://", page)
    for link in re.findall(r'<link rel="stylesheet" href="([^"]+)"', page):
        assert client.get(link).status_code == 200


def test_the_type_of_a_problem_leads_to_its_line(client: FlaskClient) -> None:
    refusal = client.get("/api/v1/campaigns/nowhere").get_json()
    assert client.get(refusal["type"]).headers["Location"] == "/docs#problem-no-such-campaign"
    assert client.get("/problems/made-up").status_code == 404
