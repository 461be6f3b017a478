"""From samples to figures: medians over rounds, ratios round by round, a table for people and JSON for programs."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.sides import Sample

Rounds = dict[tuple[str, int], list[Sample]]     # (side, connections): its samples, round by round
Value = Callable[[Sample], float]


def rate(sample: Sample) -> float:
    return sample.rate


def cpu(sample: Sample) -> float:
    return sample.cpu


def tail(sample: Sample) -> float:
    return sample.p99_ms / sample.p50_ms


class Summary:
    """The figures the targets are about: medians under the names in the issue, [least, most] of the rounds under "spread".

    Those of a vote are by database, {"postgresql": 0.51}; what was not run is not there.
    """

    def __init__(self, rounds: Rounds) -> None:
        self.rounds = rounds
        self.few, self.many = (choose(connections for _, connections in rounds) for choose in (min, max))
        self.figures: dict[str, Any] = {"spread": {}}
        self._ratios()
        self._plain()
        self._honesty()

    def compare(self, key: str, sides: Sequence[str], other: str, connections: int) -> None:
        """Rates of some sides over one of them."""
        self._keep(key, {side: self._ratio(side, other, connections, rate) for side in sides})

    def captcha(self, captcha_us: float) -> None:
        """Beside the CPU of one challenge."""
        self.figures["captcha_cpu_us"] = captcha_us
        self._keep("captcha_cpu_over_vote_cpu", {
            name: self._series(f"vote {name}", self.few, lambda s: captcha_us / s.cpu) for name in self._databases("vote")})

    def _ratios(self) -> None:
        few, many = self.few, self.many
        for key, what, other, connections, value in (
                (f"vote_over_post_{few}", "vote", "post", few, rate), (f"vote_over_get_{few}", "vote", "get", few, rate),
                (f"vote_over_post_{many}", "vote", "post", many, rate), (f"vote_over_get_{many}", "vote", "get", many, rate),
                (f"vote_over_plain_post_{few}", "vote", "plain post", few, rate),
                (f"vote_over_plain_get_{few}", "vote", "plain get", few, rate),
                ("whole_vote_over_plain_get", "whole", "plain get", few, rate),
                ("cpu_over_plain_post_cpu", "vote", "plain post", few, cpu),
                ("vote_over_naive", "vote", "naive", few, rate), ("whole_vote_over_get", "whole", "get", few, rate),
                ("journey_over_get", "journey", "get", few, rate), ("pg_ceiling_ratio", "vote", "pgbench", few, rate),
                ("cpu_over_post_cpu", "vote", "post", few, cpu)):
            only = ["postgresql"] if other in ("naive", "pgbench") else self._databases(what)
            self._keep(key, {name: self._ratio(f"{what} {name}", other, connections, value) for name in only})

    def _plain(self) -> None:
        few, many = self.few, self.many
        for key, connections, value in (
                ("votes_per_second", few, rate), ("p50_ms", few, lambda s: s.p50_ms), ("p99_ms", few, lambda s: s.p99_ms),
                (f"p99_over_p50_{few}", few, tail), (f"p99_over_p50_{many}", many, tail), ("cpu_us_per_vote", few, cpu)):
            self._keep(key, {name: self._series(f"vote {name}", connections, value) for name in self._databases("vote")})
        self.figures["cpu_us_per_vote_parts"] = {
            name: {part: statistics.median(s.cpu_us[part] for s in samples) for part in samples[0].cpu_us}
            for name in self._databases("vote") if (samples := self._good(f"vote {name}", few))}

    def _honesty(self) -> None:
        """What was refused, failed, lost or lopsided in any round, warm-ups included; nothing is dropped without a word."""
        every = [(f"{side} at {connections}", n, one) for (side, connections), samples in self.rounds.items()
                 for n, one in enumerate(samples, 1)]
        self.figures |= {
            "acknowledged": sum(one.acknowledged for *_, one in every), "lost": sum(one.lost for *_, one in every),
            "stored_but_not_acknowledged": sum(one.stored - one.acknowledged + one.lost for *_, one in every),
            "faults": [f"{where}, round {n}: {one.faults}" for where, n, one in every if one.faults],
            "lopsided_rounds": [f"{where}, round {n}: {one.shares}" for where, n, one in every if one.is_lopsided],
            "left_out": [f"{where}, round {n}: votes ran out" for where, n, one in every if one.ran_dry]}

    def _databases(self, what: str) -> list[str]:
        return list(dict.fromkeys(side.removeprefix(what + " ") for side, _ in self.rounds if side.startswith(what + " ")))

    def _good(self, side: str, connections: int) -> list[Sample]:
        return [one for one in self.rounds.get((side, connections), []) if not one.ran_dry]

    def _series(self, side: str, connections: int, value: Value) -> list[float]:
        return [value(one) for one in self._good(side, connections)]

    def _ratio(self, side: str, other: str, connections: int, value: Value) -> list[float]:
        pairs = zip(self.rounds.get((side, connections), []), self.rounds.get((other, connections), []), strict=False)
        return [value(a) / value(b) for a, b in pairs if not a.ran_dry and value(b)]

    def _keep(self, key: str, series: dict[str, list[float]]) -> None:
        known = {name: values for name, values in series.items() if values}
        if known:
            self.figures[key] = {name: statistics.median(values) for name, values in known.items()}
            self.figures["spread"][key] = {name: [min(values), max(values)] for name, values in known.items()}


def publish(rounds: Rounds, figures: dict[str, Any], facts: dict[str, Any]) -> None:
    figures = {"machine": facts} | figures
    show(rounds, figures)
    figures["sides"] = [{"side": side, "connections": connections, "rounds": [one.as_json() for one in samples]}
                        for (side, connections), samples in rounds.items()]
    write(figures)


def write(figures: dict[str, Any]) -> None:
    """JSON to $BENCH_OUT, where that is set."""
    if os.environ.get("BENCH_OUT"):
        Path(os.environ["BENCH_OUT"]).write_text(json.dumps(rounded(figures), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Four figures are more than these are worth; not-a-number is nothing in JSON."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def tell(number: int, side: str, connections: int, sample: Sample) -> None:
    """A line while it runs."""
    remarks = [str(sample.faults)] if sample.faults else []
    remarks += [f"LOST {sample.lost}"] if sample.lost else []
    remarks += ["one worker got nothing"] if sample.is_lopsided else []
    remarks += ["votes ran out"] if sample.ran_dry else []
    print(f"  round {number}  {side:<20} {connections:>4}  {sample.rate:>9.0f}/s  {'; '.join(remarks)}".rstrip(), flush=True)


HEAD = ("side", "conns", "per second", "[least–most]", "p50 ms", "p99 ms", "p99/p50", "CPU µs", "app+database+redis", "least worker",
        "generator µs")


def show(rounds: Rounds, figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    print(f"\n{machine['cpus']} CPUs, load {machine['load_before'][0]} → {machine['load_after'][0]}, {machine['seconds']} s; "
          + ", ".join(f"{name} {number}" for name, number in machine["versions"].items()) + "\n")
    table([HEAD, *(_row(side, connections, samples) for (side, connections), samples in rounds.items())])
    print()
    spread = figures["spread"]
    table([("figure", "database", "median", "[least–most]"), *(
        (key, name, f"{value:.3g}", "–".join(f"{one:.3g}" for one in spread[key][name]))
        for key in spread for name, value in figures[key].items())])
    print(f"\n{figures['acknowledged']} votes acknowledged, {figures['lost']} of them not in the box; "
          f"{figures['stored_but_not_acknowledged']} stored without an answer")
    for what in ("faults", "lopsided_rounds", "left_out"):
        for line in figures[what]:
            print(f"{what.replace('_', ' ')}: {line}")


def table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need, the first to the left, the others to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for first, *others in rows:
        print("  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]))


def _row(side: str, connections: int, samples: list[Sample]) -> tuple[str, ...]:
    good = [one for one in samples if not one.ran_dry] or samples

    def middle(value: Value) -> float:
        return statistics.median(value(one) for one in good)

    rates, parts = [one.rate for one in good], list(good[0].cpu_us)
    return (side, str(connections), f"{middle(rate):.0f}", f"{min(rates):.0f}–{max(rates):.0f}", f"{middle(lambda s: s.p50_ms):.1f}",
            f"{middle(lambda s: s.p99_ms):.1f}", f"{middle(tail):.1f}", f"{middle(cpu):.0f}",
            "+".join(f"{middle(lambda s, part=part: s.cpu_us[part]):.0f}" for part in parts),   # type: ignore[misc]
            f"{middle(lambda s: s.shares[0] if s.shares else math.nan) * 100:.0f} %", f"{middle(lambda s: s.generator_us):.0f}")
