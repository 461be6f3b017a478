"""The phone's own check of a line judges as ours does; it runs here under Node."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ballots.log.conftest import entered, put_in
from tests.conftest import REQUIRED
from tests.factories import make_voter
from wxbackend.audit import merkle
from wxbackend.ballots.log import rules
from wxbackend.ballots.log import service as log
from wxbackend.ballots.receipts import receipts_of

STATIC = Path(__file__).resolve().parents[3] / "wxbackend/static"
needs_node = pytest.mark.skipif(shutil.which("node") is None and not REQUIRED,
                                reason="node is not installed: the browser's check is not run here")


def by_node(program: str, given: Any) -> Any:
    asked = ["node", "-e", program, str(STATIC / "log.js")]
    run = subprocess.run(asked, input=json.dumps(given), capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


READ = "var log = require(process.argv[1]), input = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
JUDGE = READ + "process.stdout.write(JSON.stringify(input.map(function (i) { return log.differs(i[0], i[1]); })));"
ROOTS = READ + """
function bytes(h) { return Uint8Array.from(Buffer.from(h, 'hex')); }
process.stdout.write(JSON.stringify(input.map(function (i) { return log.rootOf(bytes(i[0]), i[1], i[2], i[3]); })));"""


@needs_node
def test_the_phone_finds_every_root_we_find():
    leaves = [str(n).encode() for n in range(130)]
    cases, roots = [], []
    for size in (1, 2, 3, 7, 8, 64, 65, 129, 130):
        for index in {0, size // 2, size - 1}:
            proof = [node.hex() for node in merkle.inclusion_proof(leaves[:size], index)]
            cases.append([merkle.leaf_hash(leaves[index]).hex(), index, size, proof])
            roots.append(merkle.root(leaves[:size]).hex())
    assert by_node(ROOTS, cases) == roots
    longer = [[*case[:3], [*case[3], "0" * 64]] for case in cases]
    assert by_node(ROOTS, longer) == [None] * len(cases)
    assert by_node(ROOTS, [[cases[0][0], 1, 1, []], [cases[0][0], -1, 1, []], [cases[3][0], 0, 3, ["zz"]]]) == [None] * 3


@needs_node
def test_the_phone_accepts_her_line_and_names_what_does_not_fit(campaign):

    entered(campaign)
    put_in(campaign, 300, first_person=5000)
    receipt = receipts_of(campaign, make_voter("阿美").person_id)[0]
    own = log.own(receipt)
    found = log.proof(campaign, receipt_hash=own.receipt_hash)
    answer = {"seq": found.seq, "data": found.data, "proof": found.proof, "head": {"body": found.head.body, "sha256": found.head.sha256}}
    hers = {"receipt": receipt.receipt_id, "opening": own.opening, "seq": own.seq, "mark": found.head.mark, "number": found.head.number}

    def other(path: list[Any], value: Any) -> dict[str, Any]:
        changed = copy.deepcopy(answer)
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return changed

    body = found.head.body.replace('"votes":31', '"votes":32')
    assert body != found.head.body
    cases = {
        "nothing": ([hers, answer], None), "another head's mark": ([hers | {"mark": "00000000"}, answer], "mark"),
        "an older page": ([hers | {"mark": "00000000", "number": 1}, answer], None),
        "another line": ([hers, other(["seq"], found.seq + 1)], "line"),
        "another receipt": ([hers | {"receipt": "A" * 16}, answer], "line"),
        "another opening": ([hers | {"opening": "00" * 32}, answer], "line"),
        "another grade": ([hers, other(["data"], found.data[:-1] + ("0" if found.data[-1] != "0" else "1"))], "root"),
        "a shorter proof": ([hers, other(["proof"], found.proof[:-1])], "root"),
        "a rewritten head": ([hers, other(["head", "body"], body)], "head"),
        "a forged head": ([hers, {**answer, "head": {"body": body, "sha256": rules.fingerprint(body)}}], "mark"),
        "no head": ([hers, other(["head", "body"], "{")], "head"),
    }
    assert dict(zip(cases, by_node(JUDGE, [case for case, _ in cases.values()]), strict=True)) == {n: e for n, (_, e) in cases.items()}


@pytest.mark.parametrize("name", ["log.js", "sha256.js"])
def test_old_phones_can_read_the_script(name):
    script = (STATIC / name).read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|'(?:\\.|[^'\\\n])*'", "", script, flags=re.S)
    later = r"\?\.(?!\d)|\?\?|\*\*|\basync\b|\bawait\b|\.\.\.|\bcatch\s*\{|\bBigInt\b|#\w+\s*[=(]|=>|`"
    later += r"|\.flatMap|\.padStart|\.includes|\.replaceAll|\.at\(|Object\.(entries|values)"
    assert not re.search(later, code) and "eval(" not in code and "innerHTML" not in code
    assert len(script.encode()) <= 5_000


