"""The documents say what is so: commands exist, links lead somewhere, both READMEs keep step, tables equal the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest
from flask import Flask

from config.settings import Settings
from wxbackend import apidocs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
READMES = PAGES[:2]
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
COMMAND = re.compile(r"flask --app app ([a-z]+)(?: ([a-z-]+)\b)?")
PLUGINS = {"db"}   # Flask-Migrate's own group


def outside_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)


@pytest.mark.parametrize("page", READMES, ids=lambda p: p.name)
def test_the_readmes_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(re.findall(r"`[^`]+`|```.*?```", page.read_text(encoding="utf-8"), re.S))))
    assert {"run", "test"} <= named <= targets


def test_both_readmes_have_the_same_headings_pictures_and_commands() -> None:
    english, chinese = (page.read_text(encoding="utf-8") for page in READMES)
    for shape in (r"^#+ ", r"docs/images/\w+\.png", r"^\| `flask --app app [^`]+`", r"^\| `[a-z` ]+` \|", r"`[A-Z_]{5,}"):
        of = [[found.rstrip() for found in re.findall(shape, text, re.M)] for text in (english, chinese)]
        assert sorted(of[0]) == sorted(of[1]), shape


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in filter(None, (a or b for a, b in LINK.findall(outside_code(page.read_text(encoding="utf-8"))))):
        if link.startswith("http"):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_the_pictures_are_light_and_each_is_shown() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert sum(picture.stat().st_size for picture in pictures) < 1_000_000
    shown = READMES[0].read_text(encoding="utf-8")
    assert [picture.name for picture in pictures if f"docs/images/{picture.name}" not in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_named_in_the_docs_exist(app: Flask, page: Path) -> None:
    for name, sub in COMMAND.findall(page.read_text(encoding="utf-8")):
        command = app.cli.get_command(click.Context(app.cli), name)
        assert command is not None, name
        if sub and isinstance(command, click.Group) and name not in PLUGINS:
            assert sub in command.commands, f"{name} {sub}"


def test_the_list_of_problems_is_in_step_with_the_code(app: Flask) -> None:
    made = app.test_cli_runner().invoke(args=["problems"])
    assert made.exit_code == 0
    assert made.output == (ROOT / "docs" / "problems.md").read_text(encoding="utf-8"), "flask --app app problems > docs/problems.md"


def test_every_problem_has_a_key_a_status_and_a_sentence(app: Flask) -> None:
    rows = apidocs.problem_rows()
    for row in rows:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.key), row
        assert 400 <= row.status < 600, row
        assert re.search("[\u4e00-\u9fff]", row.title), row
    statuses = {(row.key, row.status) for row in rows}
    assert len(statuses) == len({row.key for row in rows}), "one key, one status"


def test_operators_read_about_every_setting() -> None:
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    assert [f.name.upper() for f in fields(Settings) if f"| `{f.name.upper()}` |" not in text] == []


def test_the_protocol_page_is_enough_to_check_a_draw(tmp_path: Path) -> None:
    """The program in docs/draw-protocol.md accepts the worked example and refuses it with one winner changed."""
    page = (ROOT / "docs" / "draw-protocol.md").read_text(encoding="utf-8")
    (tmp_path / "check.py").write_text(re.findall(r"```python\n(.*?)```", page, re.S)[0], encoding="utf-8")
    transcript = json.loads((ROOT / "tests" / "vectors" / "draw-vectors.json").read_text(encoding="utf-8"))

    def check() -> int:
        (tmp_path / "transcript.json").write_text(json.dumps(transcript, ensure_ascii=False), encoding="utf-8")
        run = [sys.executable, "check.py", "transcript.json"]
        return subprocess.run(run, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode

    assert check() == 0
    transcript["result"]["winners"][0]["box"], transcript["result"]["winners"][1]["box"] = \
        transcript["result"]["winners"][1]["box"], transcript["result"]["winners"][0]["box"]
    assert check() == 1
