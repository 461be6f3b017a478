"""The API described for programs and for people: /openapi.json finished, /docs without foreign hosts, /problems/<key>."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from apispec import BasePlugin
from flask import Blueprint, Flask, redirect, render_template
from flask.typing import ResponseReturnValue

from wxbackend.extensions import api
from wxbackend.problems import NotThere, Problem
from wxbackend.web import access

bp = Blueprint("apidocs", __name__)

TOKENS = {"voter": "From `POST /api/v1/login/miniprogram`; lasts 30 days.", "staff": "From `POST /api/v1/staff/login`; lasts 10 hours."}
PROBLEM: dict[str, Any] = {
    "type": "object", "description": "A refusal (RFC 9457). Further members are facts: retry_after, receipt_code, closes_at …",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "a stable key, relative to the server", "example": "/problems/already-voted"},
        "title": {"type": "string", "description": "the Chinese sentence for the reader"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "the next step"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}, "description": "of `invalid` only"},
    },
}
FAULT: dict[str, Any] = {
    "type": "object",
    "properties": {"pointer": {"type": "string", "example": "#/grade"}, "detail": {"type": "string"}},
}
REFUSALS = {"Problem": "Refused, with a problem", "NotLoggedIn": "No token, or one that is over", "NotYours": "Another role does this",
            "NotThere": "No such thing", "Invalid": "A wrong shape; `errors` points at each field"}


class Finish(BasePlugin):
    """What flask-smorest cannot know of an operation: who may call it, and that every refusal is application/problem+json."""

    def __init__(self, app: Flask):
        self.app = app

    def init_spec(self, spec: Any) -> None:
        super().init_spec(spec)
        for name, said in TOKENS.items():
            spec.components.security_scheme(name, {"type": "http", "scheme": "bearer", "description": said})
        spec.components.schema("Problem", PROBLEM)
        spec.components.schema("Fault", FAULT)
        for name, said in REFUSALS.items():
            content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            spec.components.response(name, {"description": said, "content": content})

    def operation_helper(self, path: str | None = None, operations: dict[str, Any] | None = None, **kwargs: Any) -> None:
        rule = kwargs["rule"]
        kind = getattr(self.app.view_functions[rule.endpoint], "access", "public")
        for operation in (operations or {}).values():
            operation["operationId"] = rule.endpoint.replace(".", "_")
            if kind in TOKENS:
                operation["security"] = [{kind: []}]
            operation["responses"] = _answers(operation.get("responses", {}), kind, takes_path=bool(rule.arguments))
            _one_form(operation)


def _answers(said: dict[Any, Any], kind: str, *, takes_path: bool) -> dict[str, Any]:
    """Success as the view declares it, JSON where it does not say; refusals as problems."""
    answers = {str(code): answer for code, answer in said.items() if str(code).startswith("2")}
    for code, answer in answers.items():
        if code != "204" and "content" not in answer:
            answer["content"] = {"application/json": {"schema": {"type": "object"}}}
    refusals = {"401": kind in TOKENS, "403": kind == "staff", "404": takes_path, "422": "422" in map(str, said), "default": True}
    names = {"401": "NotLoggedIn", "403": "NotYours", "404": "NotThere", "422": "Invalid", "default": "Problem"}
    return answers | {code: names[code] for code, applies in refusals.items() if applies}


def _one_form(operation: dict[str, Any]) -> None:
    """Text fields beside a file are one multipart body; OpenAPI 3 knows no `in: formData`."""
    texts = [p for p in operation.get("parameters", []) if isinstance(p, dict) and p.get("in") == "formData"]
    if not texts:
        return
    operation["parameters"] = [p for p in operation["parameters"] if p not in texts]
    body = operation["requestBody"]["content"]["multipart/form-data"]
    fields = {p["name"]: p["schema"] | ({"description": p["description"]} if "description" in p else {}) for p in texts}
    own = {"type": "object", "properties": fields, "required": [p["name"] for p in texts if p.get("required")]}
    body["schema"] = {"allOf": [body["schema"], own]}


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    endpoint = "api-docs.openapi_json"
    spec: Callable[[], Any] = app.view_functions[endpoint]
    app.view_functions[endpoint] = access("public")(lambda: spec())   # flask-smorest registers a bound method, which takes no mark


@bp.get("/docs")
@access("public")
def page() -> str:
    """Every operation, shape and problem on one page, from the same specification as /openapi.json."""
    spec = api.spec.to_dict()
    return render_template("pages/docs.html", spec=spec, groups=list(_groups(spec)), schemas=spec["components"]["schemas"],
                           fields_of=lambda schema: fields_of(schema, spec), problems=problem_rows())


@bp.get("/problems/<key>")
@access("public")
def problem(key: str) -> ResponseReturnValue:
    """Where the `type` of a problem leads. Raises NotThere."""
    if key not in {row.key for row in problem_rows()}:
        raise NotThere()
    return redirect(f"/docs#problem-{key}")


class Operation(NamedTuple):
    method: str
    path: str
    said: dict[str, Any]
    parameters: list[dict[str, Any]]


def _groups(spec: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Operation]]]:
    """(tag, its operations), in the order of the rooms."""
    every = [Operation(method.upper(), path, said, [*item.get("parameters", []), *said.get("parameters", [])])
             for path, item in spec["paths"].items() for method, said in item.items() if method != "parameters"]
    for tag in spec["tags"]:
        if own := [operation for operation in every if tag["name"] in operation.said["tags"]]:
            yield tag, own


class Field(NamedTuple):
    """One line of a shape's table. `shape` names the schema that its values have, if that stands on the page."""

    name: str
    kind: str
    required: bool
    note: str
    shape: str


def fields_of(schema: dict[str, Any], spec: dict[str, Any]) -> list[Field]:
    """The members of a schema, references followed, `allOf` joined."""
    if "$ref" in schema:
        return fields_of(spec["components"]["schemas"][_name(schema)], spec)
    found = [field for part in schema.get("allOf", []) for field in fields_of(part, spec)]
    required = schema.get("required", [])
    return found + [_field(name, own, name in required) for name, own in schema.get("properties", {}).items()]


def _field(name: str, own: dict[str, Any], required: bool) -> Field:
    inner = own.get("items", own)
    shape = _name(inner) or next((_name(part) for part in own.get("allOf", [])), "")
    kind = ("list of " if "items" in own else "") + (shape or " ".join(str(inner[k]) for k in ("type", "format") if k in inner) or "any")
    notes = [str(own["description"])] if "description" in own else []
    notes += [" · ".join(map(str, filter(None, inner["enum"])))] if "enum" in inner else []
    notes += [f"at most {own['maxLength']} characters"] if "maxLength" in own else []
    return Field(name, kind, required, "; ".join(notes), shape)


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


class Row(NamedTuple):
    """One problem as it is listed: a key may have several sentences, each at its place."""

    key: str
    status: int
    title: str
    hint: str


def problem_rows() -> list[Row]:
    """Every problem the rooms can answer with, by key; the class that owns the key first. The demo's own are left out."""
    kinds = [kind for kind in _kinds(Problem) if kind.__module__.startswith("wxbackend.") and ".demo." not in kind.__module__]
    kinds.sort(key=lambda kind: (kind.type, "type" not in vars(kind), kind.__module__, kind.__name__))
    return list(dict.fromkeys(Row(kind.type, kind.status, kind.title, kind.hint) for kind in kinds))


def _kinds(parent: type[Problem]) -> Iterator[type[Problem]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from _kinds(kind)


def problems_markdown() -> str:
    """docs/problems.md."""
    lines = [f"| `{row.key}` | {row.status} | {row.title} | {row.hint} |" for row in problem_rows()]
    return HEAD + "\n".join(lines) + "\n"


HEAD = """# Problems

Every refusal has a stable key. Under `/api` it is `application/problem+json` (RFC 9457): `type` is `/problems/<key>`, `title` the
sentence for the reader, `detail` the next step; further members are facts such as `retry_after`. In a browser the same refusal is a
page, in the chat a reply. A program decides by `type` and `status`, never by the sentence, which may name a date or a number.

Made from the code by `flask --app app problems > docs/problems.md`; a test holds both together.

| key | status | sentence | next step |
| --- | --- | --- | --- |
"""
