"""Puts the rooms together into one Flask app."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from flask import Blueprint, Flask
from flask_smorest import Blueprint as ApiBlueprint

from config.settings import ROOT, Settings, SettingsError
from wxbackend import apidocs, clock, compress, health, logs, problems, store, web
from wxbackend.doctor.faults import in_chinese
from wxbackend.extensions import api, csrf, db, engine_options, migrate, prepare_engine

# In the order of the rooms; each has `views` with `bp` (pages) and `api_bp`, or an api `bp`.
VIEWS = ("accounts.views", "campaigns.views", "notices.views", "ballots.views", "ballots.log.views", "submissions.views", "submissions.me",
         "draws.views", "results.views", "inbox.views", "admin.views", "admin.api", "pages.views", "pages.jssdk")
TASKS = ("accounts.tasks", "ballots.merge", "tickets.merge", "submissions.merge",   # what follows a merge of persons, in this order
         "notices.service", "ballots.log.tasks", "draws.tasks", "results.tasks", "inbox.tasks", "doctor.tasks")
COMMANDS = ("campaigns.cli:campaigns_cli", "ballots.cli:ballots_cli", "ballots.log.cli:log_cli", "draws.cli:draws_cli", "jobs.cli:worker",
            "cli:staff_cli", "doctor.cli:doctor", "cli:merges", "cli:problems", "cli:demo")


def create_app(settings: Settings | None = None) -> Flask:
    """A whole app. Without `settings` they come from the environment (and the demo's own file)."""
    from config.demo_env import settings_from_env

    try:
        settings = settings or settings_from_env()
    except SettingsError as e:
        if "doctor" in sys.argv:   # it cannot start either: at least it says why in its own tongue
            sys.exit(in_chinese(e.faults, os.environ))
        sys.exit("wxbackend does not start with these settings:\n" + "\n".join(f"  {fault}" for fault in e.faults))
    app = Flask("wxbackend", root_path=str(ROOT / "wxbackend"), instance_path=str(Path(settings.instance_dir).resolve()))
    app.extensions["settings"] = settings
    _configure(app, settings)
    logs.init_app(app)
    clock.init_app(app)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    csrf.init_app(app)
    store.init_app(app)
    api.init_app(app, spec_kwargs={"extra_plugins": [apidocs.Finish(app)]})
    problems.init_app(app)
    _rooms(app)
    import_module("wxbackend.ballots.committer").init_app(app)
    if settings.may_move_clock:
        app.register_blueprint(import_module("wxbackend.demo.views").bp)
    health.init_app(app)
    apidocs.init_app(app)
    web.init_app(app)
    compress.init_app(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    url = settings.resolved_database_url
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    app.config.update(
        SECRET_KEY=settings.secret_key, SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options(url, settings.threads),
        WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=86_400, WTF_CSRF_SSL_STRICT=False,
        SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        API_TITLE="wxbackend", API_VERSION="v1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/", OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={"info": {"description": "Voting and lottery campaigns in WeChat."}},
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]


def _rooms(app: Flask) -> None:
    for name in TASKS:
        import_module(f"wxbackend.{name}")   # registers its job handlers
    for name in VIEWS:
        module = import_module(f"wxbackend.{name}")
        for blueprint in (getattr(module, "api_bp", None), getattr(module, "bp", None)):
            if blueprint is not None:
                _register(app, blueprint)
    for name in COMMANDS:
        where, what = name.split(":")
        app.cli.add_command(getattr(import_module(f"wxbackend.{where}"), what))


def _register(app: Flask, blueprint: Blueprint) -> None:
    if isinstance(blueprint, ApiBlueprint):
        api.register_blueprint(blueprint)
    else:
        app.register_blueprint(blueprint)
