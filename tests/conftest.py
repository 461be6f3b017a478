"""What all tests share: an app on a fresh database, the three engines, real Redis, Chromium, and a closed network."""

from __future__ import annotations

import atexit
import base64
import itertools
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask, g
from flask_migrate import upgrade
from sqlalchemy import create_engine, literal, select, text
from sqlalchemy.pool import NullPool

from config.settings import Settings
from tests.sites import Site
from wxbackend import create_app
from wxbackend.accounts import service as accounts
from wxbackend.ballots import committer
from wxbackend.campaigns import service as campaigns
from wxbackend.clock import Clock
from wxbackend.extensions import db
from wxbackend.store.local import Buckets

KEY = base64.b64encode(bytes(range(32))).decode()
SECRETS = {"secret_key": "test", "data_key": KEY,
           "account_secret": "account-secret", "account_token": "accounttoken", "account_aes_key": KEY[:43],
           "miniprogram_appid": "wxdemomini000001", "apps_bound": True, "miniprogram_secret": "mini-secret",
           "miniprogram_token": "minitoken", "miniprogram_aes_key": KEY[:43]}
LOOPBACK = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "", None}
REQUIRED = bool(os.environ.get("REQUIRE_SERVICES"))
ARTEFACTS = Path(os.environ.get("TEST_ARTEFACTS", Path(__file__).parent.parent / "test-artifacts"))
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
_names = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def closed_network() -> Iterator[None]:
    """No name but loopback is looked up: a stray call to WeChat fails here rather than arrive there."""
    really = socket.getaddrinfo

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in LOOPBACK:
            raise OSError(f"tests stay on loopback: {name}")
        return really(host, *args, **kwargs)

    socket.getaddrinfo = guarded
    yield
    socket.getaddrinfo = really


def missing(what: str) -> None:
    """Skip with a line, or fail where services are required."""
    if REQUIRED:
        pytest.fail(f"{what} is required (REQUIRE_SERVICES=1) but not there")
    pytest.skip(f"{what} is not there")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite file after all migrations, copied for each test."""
    folder = tmp_path_factory.mktemp("migrated")
    app = create_app(settings_for(folder))
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()
    return folder / "wxbackend.db"


def settings_for(folder: Path, **changes: Any) -> Settings:
    return Settings(**(SECRETS | {"environment": "test", "instance_dir": str(folder), "log_level": "warning"} | changes))


@pytest.fixture
def make_app(migrated: Path, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Apps on databases of their own: ``make_app(public_url="https://vote.example")``."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        folder = tmp_path / f"instance{len(made)}"
        folder.mkdir()
        if not changes.get("database_url"):
            shutil.copy(migrated, folder / "wxbackend.db")
        app = create_app(settings_for(folder, **({"store_namespace": f"t{os.getpid()}-{next(_names)}"} | changes)))
        # Requests of a test client share the pushed context: what one request left in `g` must not serve the next.
        app.before_request_funcs.setdefault(None, []).insert(0, lambda: g.__dict__.clear())
        made.append(app)
        return app

    yield make
    for app in made:
        committer.stop(app)
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="session")
def lent_app(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Flask]:
    """The app of a database URL, as new for each test: making one costs a quarter of a second, putting its things back next to nothing."""
    known: dict[str, Flask] = {}

    def lend(database_url: str = "") -> Flask:
        app = known.get(database_url)
        if app is None:
            app = known[database_url] = create_app(settings_for(tmp_path_factory.mktemp("lent"), database_url=database_url))
            app.before_request_funcs.setdefault(None, []).insert(0, lambda: g.__dict__.clear())
        renew(app, migrated)
        return app

    return lend


def renew(app: Flask, migrated: Path) -> None:
    """No files, an empty store, the wall's clock; SQLite begins anew, a server's tables were truncated by whoever gave the URL."""
    folder = Path(app.extensions["settings"].instance_dir)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "store.lock":   # held as long as the app lives
            path.unlink()
    shutil.copy(migrated, folder / "wxbackend.db")
    app.extensions["clock"] = Clock()
    app.extensions["store"].namespace = f"t{os.getpid()}-{next(_names)}"
    app.extensions["store_buckets"] = Buckets()
    for made_anew in ("wechat", "inbox_intake", "live_campaigns", "log_heads"):
        app.extensions.pop(made_anew, None)


@contextmanager
def inside(app: Flask) -> Iterator[Flask]:
    """With its context pushed; SQLite's connections are closed behind, since the next test finds another file in that place."""
    with app.app_context():
        yield app
        committer.stop(app)
        db.session.remove()
        if db.engine.dialect.name == "sqlite":
            db.engine.dispose()


@pytest.fixture
def app(lent_app: Callable[[str], Flask]) -> Iterator[Flask]:
    """One app with its context pushed."""
    with inside(lent_app("")) as app:
        yield app


@pytest.fixture(scope="session")
def one_site(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(migrated, folder / "wxbackend.db")
    return Site(create_app(settings_for(folder)))


@pytest.fixture
def site(one_site: Site) -> Iterator[Site]:
    """A running campaign seen from outside, on one app for all tests."""
    yield one_site.fresh()
    with one_site.inside():
        pass   # its connections are closed before the next test puts another file in their place


@pytest.fixture(scope="session", autouse=True)
def known_pictures() -> Iterator[None]:
    """A QR is a function of its text: each is drawn once in a run."""
    drawn = campaigns.qr_png
    campaigns.qr_png = cache(drawn)
    yield
    campaigns.qr_png = drawn


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Guessing is made dear by argon2's cost, and so is a run with a hundred logins; the same code with the smallest cost."""
    dear = accounts._hasher, accounts._decoy
    accounts._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts._decoy = accounts._hasher.hash("decoy")
    yield
    accounts._hasher, accounts._decoy = dear


@pytest.fixture
def client(app: Flask):
    return app.test_client()


@pytest.fixture
def at(app: Flask) -> Callable[[datetime], datetime]:
    """Set the app's clock: ``at(campaign.closes_at)``."""
    def set_to(instant: datetime) -> datetime:
        app.extensions["clock"].fixed = instant
        return instant

    return set_to


ADMIN_URLS = {"postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/postgres", "mariadb": "mysql+pymysql://root@127.0.0.1:3306/mysql"}
_databases: dict[str, str] = {}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def engine_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An emptied, migrated database of each engine; "" is SQLite's own file."""
    return "" if request.param == "sqlite" else emptied_database(request.param, tmp_path_factory)


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The two engines that serve several processes."""
    return emptied_database(request.param, tmp_path_factory)


def emptied_database(engine: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """This run's own database: migrated once, its tables truncated for each test (truncating fires no row triggers)."""
    if engine not in _databases:
        _databases[engine] = create_database(engine)
        app = create_app(settings_for(tmp_path_factory.mktemp(engine), database_url=_databases[engine]))
        with app.app_context():
            upgrade()
            db.session.remove()
            db.engine.dispose()
    else:
        truncate(_databases[engine])
    return _databases[engine]


def create_database(engine: str) -> str:
    """An empty database of a name of its own, dropped when the run ends. Skips where the engine is not there."""
    name = f"wx_test_{os.getpid()}_{next(_names)}"
    admin = create_engine(ADMIN_URLS[engine], isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except Exception as e:
        missing(f"{engine} ({type(e).__name__})")
    atexit.register(_drop, admin, engine, name)
    return ADMIN_URLS[engine].rpartition("/")[0] + "/" + name


def _drop(admin: Any, engine: str, name: str) -> None:
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}" + (" WITH (FORCE)" if engine == "postgresql" else "")))


def truncate(url: str) -> None:
    tables = [t for t in db.metadata.sorted_tables if t.name != "audit_head"]
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("TRUNCATE " + ", ".join(f'"{t.name}"' for t in tables) + " RESTART IDENTITY CASCADE"))
        else:
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
            for table in tables:
                if connection.execute(select(literal(1)).select_from(table).limit(1)).first():
                    connection.execute(text(f"TRUNCATE `{table.name}`"))
        connection.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": "0" * 64})


@pytest.fixture
def any_app(lent_app: Callable[[str], Flask], engine_url: str) -> Iterator[Flask]:
    """The app on each of the three engines."""
    with inside(lent_app(engine_url)) as app:
        yield app


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium through playwright."""
    path = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright")
    if path is None:
        missing("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The Redis server of this machine; keys are kept apart by `store_namespace`."""
    url = "redis://127.0.0.1:6379/0"
    try:
        socket.create_connection(("127.0.0.1", 6379), 1).close()
    except OSError:
        missing("redis")
    yield url
