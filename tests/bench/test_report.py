"""From samples to the figures the targets are about."""

from __future__ import annotations

import json
import math
import random

import pytest

from bench import report, votes
from bench.arrivals import after_article, poisson
from bench.sides import Sample

# What the issue asks of the JSON, at the least.
NEEDED = {"vote_over_post_64", "vote_over_get_64", "vote_over_post_256", "vote_over_naive", "whole_vote_over_get", "p50_ms", "p99_ms",
          "p99_over_p50_64", "captcha_cpu_over_vote_cpu", "cpu_us_per_vote", "cpu_over_post_cpu", "pg_ceiling_ratio"}


def sample(rate: float, **changes: object) -> Sample:
    made = {"rate": rate, "p50_ms": 10.0, "p99_ms": 25.0, "cpu_us": {"app": 100.0, "database": 50.0, "redis": 10.0}, "shares": [0.4, 0.6]}
    return Sample(**(made | changes))   # type: ignore[arg-type]


@pytest.fixture
def rounds() -> report.Rounds:
    """Three rounds on a machine that was twice as slow in the second, MariaDB worse than PostgreSQL."""
    rates = {"get": 12_000.0, "post": 10_000.0, "naive": 250.0, "pgbench": 20_000.0, "vote postgresql": 5_000.0,
             "whole postgresql": 1_800.0, "journey postgresql": 600.0, "vote mariadb": 4_000.0}
    return {(side, connections): [sample(rate * slow, acknowledged=10, stored=10) for slow in (1.0, 0.5, 1.1)]
            for side, rate in rates.items() for connections in (64, 256)}


@pytest.fixture
def figures(rounds: report.Rounds) -> dict:
    summary = report.Summary(rounds)
    summary.captcha(200.0)
    return summary.figures


def test_the_json_has_every_figure_of_the_issue(figures: dict, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_OUT", str(tmp_path / "out.json"))
    report.write(figures)
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert set(written) >= NEEDED
    assert set(written["vote_over_post_64"]) == {"postgresql", "mariadb"} and set(written["vote_over_naive"]) == {"postgresql"}


def test_ratios_are_taken_within_a_round_so_that_a_slow_one_tells_nothing(figures: dict):
    assert figures["vote_over_post_64"] == {"postgresql": 0.5, "mariadb": 0.4}
    assert figures["spread"]["vote_over_post_64"]["postgresql"] == [0.5, 0.5]
    assert figures["vote_over_naive"]["postgresql"] == 20 and figures["pg_ceiling_ratio"]["postgresql"] == 0.25
    assert figures["whole_vote_over_get"]["postgresql"] == pytest.approx(0.15)
    assert figures["votes_per_second"]["postgresql"] == 5_000 and figures["spread"]["votes_per_second"]["postgresql"] == [2_500, 5_500]


def test_cpu_is_that_of_all_parts(figures: dict):
    assert figures["cpu_us_per_vote"]["postgresql"] == 160 and figures["cpu_us_per_vote_parts"]["postgresql"]["database"] == 50
    assert figures["captcha_cpu_over_vote_cpu"]["postgresql"] == 1.25 and figures["p99_over_p50_64"]["mariadb"] == 2.5


def test_nothing_that_went_wrong_is_dropped(rounds: report.Rounds, capsys):
    rounds["vote mariadb", 64][1] = sample(9e9, ran_dry=True, shares=[0.0, 1.0], faults={"vote 503": 3}, acknowledged=9, stored=8, lost=2)
    summary = report.Summary(rounds)
    figures = summary.figures
    assert figures["lost"] == 2 and figures["stored_but_not_acknowledged"] == 1
    assert figures["faults"] == ["vote mariadb at 64, round 2: {'vote 503': 3}"]
    assert figures["lopsided_rounds"] == ["vote mariadb at 64, round 2: [0.0, 1.0]"]
    assert figures["left_out"] == ["vote mariadb at 64, round 2: votes ran out"] and figures["vote_over_post_64"]["mariadb"] == 0.4
    report.show(rounds, {"machine": {"cpus": 2, "load_before": [0], "load_after": [0], "seconds": 1, "versions": {}}} | figures)
    said = capsys.readouterr().out
    assert "vote 503" in said and "votes ran out" in said and "2 of them not in the box" in said


def test_what_was_not_run_is_not_there():
    summary = report.Summary({("get", 64): [sample(10.0)], ("post", 64): [sample(8.0)]})
    assert "vote_over_naive" not in summary.figures and "p50_ms" not in summary.figures


def test_numbers_are_rounded_and_not_a_number_is_nothing():
    assert report.rounded({"a": [1.23456, math.nan], "b": "x"}) == {"a": [1.235, None], "b": "x"}


@pytest.mark.parametrize(("words", "expected"), [
    ([], (5, [64, 256], ["postgresql", "mariadb", "sqlite"])),
    (["--rounds", "7", "--connections", "32", "--databases", "sqlite"], (7, [32], ["sqlite"]))])
def test_options(words: list[str], expected: tuple):
    options = votes.read_options(words)
    assert (options.rounds, options.connections, options.databases) == expected


def test_arrivals_rise_at_once_and_die_away():
    rate = after_article(80, 600)
    assert rate(0) == 0 and rate(30) == rate(100) == 80 and 80 > rate(250) > rate(400) > rate(600) > 0
    instants = list(poisson(rate, 80, 600, random.Random(7)))
    assert instants == sorted(instants) and instants[0] > 0 and instants[-1] < 600
    early, late = sum(60 <= at < 120 for at in instants), sum(540 <= at < 600 for at in instants)
    assert 80 * 60 * 0.9 < early < 80 * 60 * 1.1 and late < early / 4
