"""docs/wechat.md names every address we call and every errcode we know, each with a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from wechatpy import WeChatClient

from wxbackend import wechat
from wxbackend.wechat import endpoints, features
from wxbackend.wechat.errcodes import MEANINGS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "wechat.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "wxbackend" / "wechat").glob("*.py"))
ADDRESS = re.compile(r"(?:https?://[^/]+)?/?((?:cgi-bin|sns|wxa|connect|datacube|customservice)/[A-Za-z0-9_/]+)")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its two head lines."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def texts(path: Path) -> list[str]:
    """Every string of a source file but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose]
    return [node.value for node in constants if isinstance(node.value, str)]


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_address_stands_in_the_table_once() -> None:
    table = [(method, address.strip("`")) for method, address, *_ in rows("Every address we call")]
    assert sorted(table) == sorted((endpoint.method, endpoint.path) for endpoint in endpoints.ALL)


def test_no_address_is_called_that_is_not_in_the_list() -> None:
    """The list is endpoints.py; an address written elsewhere would be missing here."""
    written = {(path.name, match.group(1)) for path in SOURCES for text in texts(path) if (match := ADDRESS.fullmatch(text))}
    assert written == {("endpoints.py", endpoint.path.strip("/")) for endpoint in endpoints.ALL}
    assert len({endpoint.path for endpoint in endpoints.ALL}) == len(endpoints.ALL)


def test_no_other_room_calls_an_address_that_is_not_in_the_list() -> None:
    written = {match.group(1) for path in (ROOT / "wxbackend").rglob("*.py") for text in texts(path) if (match := ADDRESS.fullmatch(text))}
    assert written <= {endpoint.path.strip("/") for endpoint in endpoints.ALL}


def test_no_method_of_wechatpy_calls_an_address_of_its_own() -> None:
    """wechatpy's API objects (client.message, client.user …) would call past the list."""
    parts = {name for name, value in vars(WeChatClient).items() if hasattr(value, "API_BASE_URL")}
    used = {(path.name, node.attr) for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and node.attr in parts and isinstance(node.value, ast.Call | ast.Name)
            and ast.unparse(node.value) in ("client", "account()", "miniprogram()", "self")}
    assert len(parts) > 10 and used == set()


def test_the_verbs_of_the_table_exist() -> None:
    named = {name for _, _, verbs, *_ in rows("Every address we call") for name in re.findall(r"`(\w+)`", verbs)}
    assert named <= set(wechat.__all__) and len(named) > 15


def test_every_feature_stands_in_the_page() -> None:
    section = PAGE.split("## What an account may do\n")[1].split("\n## ")[0]
    assert [name for name in (*features.OF_ACCOUNT, *features.OF_MINIPROGRAM) if f"`{name}`" not in section] == []


def test_every_errcode_stands_in_the_table_with_its_kind() -> None:
    table = {int(errcode): kind for errcode, _, kind, *_ in rows("Every errcode")}
    assert table == {errcode: known.kind.value for errcode, known in MEANINGS.items()}
    assert len(table) == len(rows("Every errcode"))


@pytest.mark.parametrize("heading", ["Every address we call", "Every errcode"])
def test_every_row_is_whole_and_names_a_test_that_exists(heading: str) -> None:
    for row in rows(heading):
        assert len(row) == 5 and all(row), row
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[-1])
        assert named, row
        for path, name in named:
            assert name.startswith("test_") and name in names_in(path), (path, name)
