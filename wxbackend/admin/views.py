"""Logging in and out, the desk with what waits, the log. The other pages register themselves on the same blueprint."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request
from werkzeug import Response as Redirect

from wxbackend import clock
from wxbackend.accounts import service as accounts
from wxbackend.accounts.finders import STAFF_COOKIE
from wxbackend.accounts.rules import STAFF_SESSION_LIFE, safe_next
from wxbackend.accounts.views import staff_login
from wxbackend.admin import account, account_api, account_menu, alarms, campaigns, desk, draw, kit, log, review, words  # noqa: F401  (their views register on `bp`)
from wxbackend.admin.site import bp, page
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem
from wxbackend.web import access

__all__ = ["bp"]


@bp.get("/login")
@access("public")
def login() -> Any:
    return _login_page()


@bp.post("/login")
@access("public")
def log_in() -> Any:
    """A session in a cookie, or the same page saying why not."""
    username = request.form.get("username", "").strip()[:40]
    try:
        token, _ends = staff_login(username, request.form.get("password", "")[:200])
    except Problem as problem:
        db.session.rollback()
        return _login_page(username, problem)
    response = redirect(_inside(request.form.get("next")))
    response.set_cookie(STAFF_COOKIE, token, max_age=int(STAFF_SESSION_LIFE.total_seconds()), httponly=True, samesite="Lax", path="/",
                        secure=settings.public_url.startswith("https://"))
    return response


@bp.post("/logout")
@access("public")
def logout() -> Redirect:
    """Ends the session on the server too; somebody whose session is over is let go just the same."""
    accounts.close_session(request.cookies.get(STAFF_COOKIE, ""), clock.now())
    db.session.commit()
    response = redirect("/admin/login")
    response.delete_cookie(STAFF_COOKIE, path="/")
    return response


@bp.get("/")
@access("staff")
def home() -> Any:
    at = clock.now()
    view = desk.look(at)
    return page("home.html", "home", at=at, greeting=words.greeting(at), todo=view.todo, deadlines=view.deadlines, rows=view.rows,
                alarms=alarms.shown())


def _login_page(username: str = "", problem: Problem | None = None) -> Any:
    target = _inside(request.values.get("next"))
    body = render_template("admin/login.html", username=username, problem=problem, next=target,
                           is_over=bool(request.cookies.get(STAFF_COOKIE)))
    return body, problem.status if problem else 200, problem.headers if problem else {}


def _inside(target: str | None) -> str:
    path = safe_next(target, "/admin/")
    return path if path == "/admin" or path.startswith("/admin/") else "/admin/"
