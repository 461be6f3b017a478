"""One exception for everything that is refused, rendered by who asks.

`title` is the sentence a citizen reads, `type` the key a program relies on (RFC 9457). Under /api it
becomes application/problem+json, in a browser a page, in the chat a reply.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, ClassVar

import structlog
from flask import Flask, Response, g, json, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty
from werkzeug.exceptions import HTTPException

log = structlog.get_logger()
JSON = "application/problem+json"


class Problem(Exception):
    """A refusal with its status, stable key, Chinese sentence and next step.

    Further keyword arguments are facts for programs (`retry_after`, `receipt_code`); `hint` says what to do next.
    """

    status: ClassVar[int] = 400
    type: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "这一步没办成。"
    hint: ClassVar[str] = ""

    def __init__(self, title: str | None = None, *, hint: str | None = None, headers: dict[str, str] | None = None, **facts: Any):
        self.said = title or self.title
        self.next_step = self.hint if hint is None else hint
        self.facts = facts
        self.headers = dict(headers or {})
        if "retry_after" in facts:
            self.headers.setdefault("Retry-After", str(facts["retry_after"]))
        super().__init__(self.said)

    def to_dict(self) -> dict[str, Any]:
        """RFC 9457 members first, then the facts."""
        body: dict[str, Any] = {"type": f"/problems/{self.type}", "title": self.said, "status": self.status}
        if self.next_step:
            body["detail"] = self.next_step
        return body | self.facts

    def as_reply(self) -> str:
        """The same in the chat."""
        return self.said + self.next_step

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        CATALOGUE[cls.type] = cls


CATALOGUE: dict[str, type[Problem]] = {}   # every key that can be answered; docs/problems.md is made from it


class BadRequest(Problem):
    status, type, title = 400, "bad-request", "这个请求我没看懂。"
    hint = "请退回上一页再试一次。"


class BadJson(Problem):
    status, type, title = 400, "bad-json", "发来的内容不是完整的JSON。"
    hint = "请检查格式后再发。"


class Invalid(Problem):
    """A wrong shape; `errors` lists a pointer and a sentence for each field."""

    status, type, title = 422, "invalid", "有几处还要改一改。"


class NotThere(Problem):
    status, type, title = 404, "not-found", "没有找到这个页面。"
    hint = "请从公众号的文章或菜单重新进入。"


class WrongMethod(Problem):
    status, type, title = 405, "wrong-method", "这个地址不能这样用。"
    hint = "请退回上一页再试一次。"


class TooLarge(Problem):
    status, type, title = 413, "too-large", "发来的内容太大了。"
    hint = "截图请控制在10 MB以内。"


class SlowBody(Problem):
    status, type, title = 408, "slow-body", "网络太慢，没有收全。"
    hint = "请换个信号好的地方再试，不会投成两票。"


class FormExpired(Problem):
    status, type, title = 403, "form-expired", "这一页放得太久了。"
    hint = "请刷新页面再提交，不会投成两票。"


class Unavailable(Problem):
    status, type, title = 503, "unavailable", "有点挤，请稍等一下。"
    hint = "您放心，再点几次也只算一票。过一分钟再试就好。"


class Internal(Problem):
    status, type, title = 500, "internal", "有点小状况，请稍等一下。"
    hint = "您放心，再点几次也只算一票。过一分钟再试就好。"


BY_STATUS: dict[int, type[Problem]] = {400: BadRequest, 404: NotThere, 405: WrongMethod, 413: TooLarge, 503: Unavailable}


def init_app(app: Flask) -> None:
    app.register_error_handler(Problem, render)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(InterfaceError, _database_away)
    app.register_error_handler(PoolEmpty, _database_away)
    app.register_error_handler(Exception, _from_fault)


def wants_json() -> bool:
    """Whether the asker is a program: everything under /api, and the machine addresses."""
    return request.path.startswith("/api/") or request.path in ("/openapi.json", "/healthz", "/readyz", "/metrics")


def render(problem: Problem) -> Response:
    if wants_json():
        response = Response(body_of(problem), problem.status, mimetype=JSON)
    else:
        staff = request.path.startswith("/admin")
        response = Response(render_template("admin/problem.html" if staff else "pages/problem.html", problem=problem), problem.status)
    response.headers.update(headers_of(problem) if wants_json() else problem.headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def body_of(problem: Problem) -> bytes:
    """RFC 9457, for a program."""
    return json.dumps(problem.to_dict(), ensure_ascii=False).encode()


def headers_of(problem: Problem) -> dict[str, str]:
    """What a program is told beside the body."""
    return problem.headers | ({"WWW-Authenticate": "Bearer"} if problem.status == 401 else {})


def _from_http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()   # redirects of the router
    data = getattr(error, "data", None) or {}
    if error.code == 422 and "messages" in data:
        return render(Invalid(errors=list(pointers(data["messages"]))))
    if error.code == 400 and "json" in str(data.get("messages", "")):
        return render(BadJson())
    kind = BY_STATUS.get(error.code or 500, BadRequest if (error.code or 500) < 500 else Internal)
    return render(kind(headers={"Allow": ", ".join(error.valid_methods or [])} if hasattr(error, "valid_methods") else None))


def pointers(messages: Any, at: str = "#") -> Iterator[dict[str, str]]:
    """marshmallow's messages as RFC 9457 errors: {"pointer": "#/grade", "detail": "…"}."""
    if isinstance(messages, dict):
        for key, value in messages.items():
            skip = at == "#" and key in ("json", "form", "files", "query", "_schema")
            yield from pointers(value, at if skip else f"{at}/{key}")
    else:
        for text in messages if isinstance(messages, list) else [messages]:
            yield {"pointer": at, "detail": str(text)}


def _database_away(error: Exception) -> Response:
    log.error("database away", kind=type(error).__name__)
    return render(Unavailable(retry_after=60))


def _from_fault(error: Exception) -> Response:
    number = f"E-{secrets.randbelow(9000) + 1000}"
    g.fault = number
    log.exception("unforeseen fault", number=number, endpoint=request.endpoint)
    return render(Internal(number=number))
