"""The tree against published vectors and against a naive re-implementation of the RFC's words."""

from __future__ import annotations

import base64
import json
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxbackend.audit import merkle

REPOSITORY = Path(__file__).resolve().parents[2]
RFC = json.loads((REPOSITORY / "tests/vectors/rfc9162-vectors.json").read_text())
LEAVES = [bytes.fromhex(leaf) for leaf in RFC["leaves_hex"]]


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1 word by word: split at the largest power of two below n."""
    if len(leaves) < 2:
        return sha256(b"\0" + leaves[0]).digest() if leaves else sha256(b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_proof(leaves: list[bytes], m: int) -> list[bytes]:
    """RFC 9162 §2.1.3.1 word by word."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return naive_proof(leaves[:k], m) + [naive_root(leaves[k:])]
    return naive_proof(leaves[k:], m - k) + [naive_root(leaves[:k])]


def test_published_roots_and_proofs_are_met():
    assert [merkle.root(LEAVES[:n]).hex() for n in range(9)] == RFC["roots_for_size_0_to_8"]
    for index, proof in RFC["inclusion_proofs_size_8"].items():
        assert [node.hex() for node in merkle.inclusion_proof(LEAVES, int(index))] == proof


def test_it_equals_the_naive_tree_for_sizes_0_to_300():
    leaves = [str(i).encode() for i in range(300)]
    for size in range(301):
        assert merkle.root(leaves[:size]) == naive_root(leaves[:size])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=300), st.data())
def test_every_proof_is_the_naive_one_and_holds_only_where_it_belongs(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root = merkle.inclusion_proof(leaves, index), merkle.root(leaves)
    assert proof == naive_proof(leaves, index)
    assert merkle.verify_inclusion(leaves[index], index, len(leaves), proof, root)
    assert not merkle.verify_inclusion(leaves[index] + b"!", index, len(leaves), proof, root)
    assert not merkle.verify_inclusion(leaves[index], index, len(leaves), [*proof, bytes(32)], root)
    assert not merkle.verify_inclusion(leaves[index], index, len(leaves), proof, bytes(32))
    if proof:
        assert not merkle.verify_inclusion(leaves[index], index, len(leaves), proof[:-1], root)
        assert not merkle.verify_inclusion(leaves[index], index, len(leaves), [proof[0][:31], *proof[1:]], root)


@pytest.mark.parametrize("index, size", [(0, 0), (-1, 1), (1, 1), (8, 8)])
def test_a_leaf_outside_the_tree_is_never_included(index, size):
    assert not merkle.verify_inclusion(LEAVES[0], index, size, [], merkle.root(LEAVES[:1]))


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_proof_outside_the_list(index):
    with pytest.raises(IndexError):
        merkle.inclusion_proof(LEAVES, index)


def test_a_hundred_thousand_lines_take_seconds_and_no_recursion():
    started = time.perf_counter()
    merkle.root(b"%032x" % i for i in range(100_000))
    assert time.perf_counter() - started < 5


def test_proofs_of_other_peoples_trees_are_judged_as_they_say():
    published = REPOSITORY.parent / "shared/vectors/merkle-proofs.json"
    if not published.exists():
        pytest.skip("shared/vectors/merkle-proofs.json (Apache-2.0, not ours) does not lie beside this clone")
    cases = {name: case for name, case in json.loads(published.read_text())["cases"].items() if name.startswith("inclusion")}
    assert len(cases) > 90
    for name, case in cases.items():
        raw = {key: base64.b64decode(case[key] or "") for key in ("root", "leafHash")}
        proof = [base64.b64decode(node) for node in case["proof"] or []]
        holds = merkle.verify_hash_inclusion(raw["leafHash"], case["leafIdx"], case["treeSize"], proof, raw["root"])
        assert holds is not case["wantErr"], name
