"""The walls of the house: rooms in a line, keepers of the foreign libraries, no clock in services, every route says who may call it.

Read from the source by AST, so that an import inside a function counts as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from wxbackend.web import KINDS

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "wxbackend"
# A room imports only rooms before it. `launch` is wxbackend/__init__.py, whose create_app is handed to launchers: behind it stand the
# demo, which starts a server, and the commands.
ORDER = ["extensions", "shapes", "keys", "clock", "problems", "audit", "alarms", "store", "jobs", "wechat", "web", "accounts",
         "campaigns", "notices", "tickets", "captcha", "ballots", "submissions", "draws", "results", "inbox", "admin", "pages", "apidocs",
         "health", "doctor", "logs", "compress", "factory", "launch", "front", "demo", "cli"]
KEEPERS = {"redis": "store", "fakeredis": "store", "wechatpy": "wechat", "xmltodict": "wechat", "zxingcpp": "submissions",
           "argon2": "accounts", "prometheus_client": "web health ballots front"}
# Edges read the clock and pass `at` on; services receive it. tokens.py measures the life of WeChat's access token, which no campaign sees.
EDGES = {"views.py", "lane.py", "cli.py", "tasks.py", "finders.py", "worker.py", "me.py", "clock.py", "health.py"}
EDGE_ROOMS = {"admin", "pages", "demo"}
WALL_CLOCK_ALLOWED = {"clock.py", "wechat/tokens.py", "demo/prepare.py", "demo/serve.py"}


def sources() -> list[Path]:
    return sorted(HOUSE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    return "launch" if first == "__init__" else first


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import; `from a import b` gives "a.b"."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def rooms_used(path: Path) -> Iterator[tuple[int, str]]:
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] == "wxbackend":
            yield line, "launch" if parts[1] == "create_app" else parts[1]


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """(line, "clock.now") of every call written as name.name(…)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            yield node.lineno, f"{node.func.value.id}.{node.func.attr}"


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_room_has_its_place_in_the_line():
    assert {room_of(path) for path in sources()} == set(ORDER)


def test_a_room_imports_only_rooms_before_it():
    place = {room: n for n, room in enumerate(ORDER)}
    backwards = [f"{at(path, line)} imports {used}" for path in sources() for line, used in rooms_used(path)
                 if used != room_of(path) and place[used] > place[room_of(path)]]
    assert backwards == []


def test_the_leaf_of_shared_handles_imports_nothing_of_ours():
    assert list(rooms_used(HOUSE / "extensions.py")) == []


def test_only_the_factory_imports_rooms_by_name():
    """A string would walk around the line; the captcha's families are its own files."""
    found = {str(path.relative_to(HOUSE)) for path in sources() if "import_module(" in path.read_text(encoding="utf-8")}
    assert found == {"factory.py", "captcha/service.py"}


@pytest.mark.parametrize("library", sorted(KEEPERS))
def test_a_foreign_library_lives_in_one_room(library):
    users = {room_of(path) for path in sources() for _, name in imported(path) if name.split(".")[0] == library}
    assert users <= set(KEEPERS[library].split()) and users


def test_scripts_of_redis_live_in_the_store():
    assert {room_of(path) for path in HOUSE.rglob("*.lua")} == {"store"}
    mentions = {room_of(path) for path in sources() if ".lua" in path.read_text(encoding="utf-8")}
    assert mentions <= {"store"}


def test_product_and_simulator_never_import_each_other():
    product = [at(path, line) for path in sources() for line, name in imported(path) if name.split(".")[0] == "simulator"]
    plays = [at(path, line) for path in sorted((ROOT / "simulator").rglob("*.py")) for line, name in imported(path)
             if name.split(".")[0] in ("wxbackend", "config", "wechatpy")]
    assert product + plays == []


def test_tests_are_not_imported_by_the_product():
    assert [at(p, line) for p in sources() for line, name in imported(p) if name.split(".")[0] in ("tests", "pytest", "hypothesis")] == []


def is_edge(path: Path) -> bool:
    return path.name in EDGES or room_of(path) in EDGE_ROOMS


def test_services_receive_the_instant_and_never_read_the_clock():
    found = [f"{at(path, line)} {call}" for path in sources() if not is_edge(path) for line, call in calls(path) if call == "clock.now"]
    assert found == []


def test_the_wall_clock_is_read_in_one_place():
    """datetime.now() and friends would walk around the demo's clock."""
    asked = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.localtime"}
    found = [f"{at(path, line)} {call}" for path in sources() for line, call in calls(path)
             if call in asked and str(path.relative_to(HOUSE)) not in WALL_CLOCK_ALLOWED]
    assert found == []


def test_rules_decide_on_plain_values():
    """rules.py: no database, no network, no clock. (The admin's rules are who may do what: they look at the caller.)"""
    foreign = {"flask", "sqlalchemy", "requests", "redis", "random", "time", "wechatpy"}
    pure = [path for path in sources() if path.name == "rules.py" and room_of(path) != "admin"]
    found = [f"{at(path, line)} {name}" for path in pure for line, name in imported(path)
             if name.split(".")[0] in foreign or name in ("wxbackend.extensions.db", "wxbackend.clock.now")]
    assert found == []


def test_every_route_says_who_may_call_it(make_app):
    for environment in ("test", "production"):
        app = make_app(environment=environment, public_url="https://vote.example", accept_embedded_redis=True)
        kinds = {rule.endpoint: getattr(app.view_functions[rule.endpoint], "access", None) for rule in app.url_map.iter_rules()}
        assert {endpoint: kind for endpoint, kind in kinds.items() if kind not in KINDS} == {}


def test_whatever_belongs_to_somebody_asks_who_it_is(make_app):
    """The other direction: under these paths nothing is public by a slip."""
    app = make_app()
    personal = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(("/api/v1/me", "/admin", "/api/v1/staff"))]
    public = {rule.rule for rule in personal if getattr(app.view_functions[rule.endpoint], "access", None) == "public"}
    assert public == {"/admin/login", "/admin/logout", "/api/v1/staff/login"}


def test_the_clock_of_production_has_no_lever(make_app):
    app = make_app(environment="production", public_url="https://vote.example", accept_embedded_redis=True)
    assert not [rule.rule for rule in app.url_map.iter_rules() if "demo" in rule.rule]
