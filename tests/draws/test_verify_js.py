"""The browser's verifier judges every transcript exactly as ours does; it runs here under Node."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REQUIRED
from tests.draws.transcripts import ALL, EXAMPLE, bound, changed, otherwise, written
from wxbackend.draws import rules
from wxbackend.draws.verify import Differs, verify

SCRIPT = Path(__file__).resolve().parents[2] / "wxbackend/static/verify.js"
JUDGE = """
var draw = require(process.argv[1]), input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(input.map(draw.verify)));
"""
needs_node = pytest.mark.skipif(shutil.which("node") is None and not REQUIRED,
                                reason="node is not installed: the browser's verifier is not run here")


def by_node(program: str, given: Any) -> Any:
    run = subprocess.run(["node", "-e", program, str(SCRIPT)], input=json.dumps(given), capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def by_us(transcript: Any) -> str | None:
    try:
        verify(transcript)
    except Differs as e:
        return e.path
    return None


def same_judgement(transcripts: dict[str, Any]) -> None:
    theirs = by_node(JUDGE, list(transcripts.values()))
    ours = [by_us(transcript) for transcript in transcripts.values()]
    assert dict(zip(transcripts, theirs, strict=True)) == dict(zip(transcripts, ours, strict=True))


def plain_draw(chance: random.Random, tickets: int, persons: int) -> dict[str, Any]:
    """A whole transcript of a campaign with Chinese in its rules, as ours publish them."""
    plan: dict[str, Any] = {"protocol": "wxdraw/1", "title": "改革项目“评议”\u2028\t😀", "alternates": 5, "boxes_sha256": "",
                            "commitment": rules.commitment(), "entropy": [{"source": "kl8", "issue": "2022011"}, {"source": "stage"}],
                            "tiers": [{"id": "青年文化盲盒", "count": 30}, {"id": "b", "count": 0}], "é": 1, "\ufb33": 1, "\U0001f600": 2}
    plan["campaign"] = rules.campaign_binding("reform", plan)
    tags = [f"{chance.getrandbits(64):016x}" for _ in range(persons)]
    lines = sorted(f"{chance.getrandbits(64):016x} {chance.choice(tags)}" for _ in range(tickets))
    line = rules.entropy_from_numbers("kl8", "2022011", [chance.sample(range(1, 81), 20)]) + ";stage=4.0.9.1.7.2./"
    return {"rules": plan, "secret": "", "entropy": line, "entrants": lines, "result": rules.compute(plan, "", line, lines)}


@needs_node
def test_both_accept_the_example_and_draws_of_every_size():
    chance = random.Random(1)
    sizes = [(0, 1), (1, 1), (2, 1), (3, 3), (29, 29), (64, 40), (65, 65), (500, 120), (3000, 900)]
    draws = {f"{n}/{p}": plain_draw(chance, n, p) for n, p in sizes}
    same_judgement({"example": EXAMPLE} | draws)
    assert by_node(JUDGE, [EXAMPLE, *draws.values()]) == [None] * (len(draws) + 1)


@needs_node
def test_both_refuse_any_one_value_changed_at_the_same_place():
    transcripts: dict[str, Any] = {}
    for way in ALL:
        for name, change in (("another", otherwise), ("empty", ""), ("null", None), ("list", []), ("true", True), ("minus", -1)):
            transcripts[f"{written(way)} {name}"] = changed(way, change)
    same_judgement(transcripts)
    assert None not in by_node(JUDGE, list(transcripts.values()))


@needs_node
def test_both_refuse_other_tampering_at_the_same_place():
    first, rows = EXAMPLE["entrants"][0], EXAMPLE["result"]["winners"]
    cases = [
        *[bound(changed(("rules", *way), new)) for way, new in [
            (("tiers", 2, "count"), 4), (("entropy", 0, "issue"), "2022006"), (("entropy", 0, "source"), "dlt"), (("entropy", 0), 7),
            (("entropy",), []), (("tiers", 0, "count"), "1"), (("tiers", 0, "count"), -1), (("tiers", 0, "count"), 10**9),
            (("tiers",), {}), (("alternates",), "3"), (("boxes_sha256",), "x"), (("commitment",), "0" * 64),
            (("tiers", 0, "id"), "一等奖"), (("note",), "\u2028😀")]],
        *[changed(way, new) for way, new in [
            (("rules", "extra"), 1.5), (("rules", "extra"), None), (("rules", "extra"), "\ud800"), (("rules", "extra"), [[[[]]]]),
            (("entropy",), "ssq:2022005=03.08.15.21.27.32./06./"), (("entropy",), "ssq:2022005=03.08.15.21.27.33./17./"),
            (("entropy",), "ssq:2022005=03.08.15.21.27.27./06./"), (("entropy",), "ssq:2022005=3.08.15.21.27.33./06./"),
            (("entropy",), "ssq:2022006=03.08.15.21.27.33./06./"), (("entropy",), "dlt:22005=01.02.03.04.35./01.12./"),
            (("entropy",), "sealed=407213.118842.000001.118842.999999./"), (("entropy",), "sealed=407213.118842.000001.118842./"),
            (("entropy",), "ssq:2022005=03.08.15.21.27.33./06./;stage=1.2.3.4.5.6./"), (("entropy",), "constructor:2022005=1./"),
            (("secret",), "39C"), (("secret",), "39\n"), (("entrants", 1), first), (("entrants", 1), first[:16] + " " + "f" * 16),
            (("entrants", 1), EXAMPLE["entrants"][5]), (("entrants", 1), EXAMPLE["entrants"][1] + "\n"), (("entrants",), []),
            (("result", "winners"), rows[:-1]), (("result", "winners"), [*rows, rows[0]]), (("result", "winners"), rows[::-1]),
            (("result", "winners"), {}), (("result", "winners", 0), {**rows[0], "name": "路人"}), (("result", "alternates", 0), rows[0]),
            (("result", "winners", 0), {k: v for k, v in rows[0].items() if k != "box"}), (("result", "winners", 0, "rank"), True)]],
        *[{k: v for k, v in EXAMPLE.items() if k != key} for key in EXAMPLE], None, [], 7, "", {},
    ]
    same_judgement({str(i): case for i, case in enumerate(cases)})


@needs_node
def test_a_person_hears_where_her_ticket_stands():
    program = """
        var draw = require(process.argv[1]), given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        var steps = draw.check(given.transcript), s;
        do { s = steps.next(); } while (!s.done);
        process.stdout.write(JSON.stringify(given.tickets.map(function (t) { return draw.tell(s.value, t); })));
    """
    result = EXAMPLE["result"]
    last = result["alternates"][-1]
    other = next(line[:16] for line in EXAMPLE["entrants"] if line[17:] == last["person"] and line[:16] != last["ticket"])
    told = by_node(program, {"transcript": EXAMPLE, "tickets": [result["winners"][1]["ticket"], last["ticket"], other, "0" * 16]})
    assert told == ["这个签号排在第2位，中奖了。", "这个签号排在第9位，前6位中奖，这次差3位，是候补第3位。",
                    "您还有一个签号排得更靠前，按那一个算：排在第9位，前6位中奖，这次差3位，是候补第3位。",
                    "名单里没有这个签号。如果“我的”里有它，请打监督电话。"]


@needs_node
def test_a_district_draw_is_checked_within_seconds():
    draw = plain_draw(random.Random(2), 50_000, 12_000)
    assert by_node(JUDGE, [draw]) == [None]


def test_old_phones_can_read_the_script():
    code = re.sub(r"/\*.*?\*/|'(?:\\.|[^'\\\n])*'", "", SCRIPT.read_text(), flags=re.S)
    later = r"\?\.(?!\d)|\?\?|\*\*|\basync\b|\bawait\b|\.\.\.|\bcatch\s*\{|\bBigInt\b|#\w+\s*[=(]"
    later += r"|\.flatMap|\.padStart|\.includes|Object\.(entries|values)"
    assert not re.search(later, code)
