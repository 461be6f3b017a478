"""The tree against published vectors and against a naive re-implementation of the RFC's words."""

from __future__ import annotations

import base64
import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

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


def naive_consistency(leaves: list[bytes], m: int, is_whole: bool = True) -> list[bytes]:
    """RFC 9162 §2.1.4.1 word by word: SUBPROOF(m, D_n, b)."""
    n = len(leaves)
    if m == n:
        return [] if is_whole else [naive_root(leaves)]
    k = 1 << (n - 1).bit_length() - 1
    if m <= k:
        return naive_consistency(leaves[:k], m, is_whole) + [naive_root(leaves[k:])]
    return naive_consistency(leaves[k:], m - k, False) + [naive_root(leaves[:k])]


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


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=300), st.data())
def test_every_consistency_proof_is_the_naive_one_and_holds_only_where_it_belongs(leaves, data):
    first = data.draw(st.integers(1, len(leaves)))
    second, old, new = len(leaves), merkle.root(leaves[:first]), merkle.root(leaves)
    proof = merkle.consistency_proof(leaves, first)
    assert proof == naive_consistency(leaves, first)
    assert merkle.verify_consistency(first, second, proof, old, new)
    assert not merkle.verify_consistency(first, second, [*proof, bytes(32)], old, new)
    assert not merkle.verify_consistency(first, second, proof, bytes(32), new)
    assert not merkle.verify_consistency(first, second, proof, old, bytes(32))
    assert not merkle.verify_consistency(second, first, proof, new, old) or first == second
    if proof:
        assert not merkle.verify_consistency(first, second, proof[:-1], old, new)
        assert not merkle.verify_consistency(first, second, [bytes(32), *proof[1:]], old, new)


def test_every_pair_of_sizes_up_to_40_is_consistent():
    leaves = [str(i).encode() for i in range(40)]
    for second in range(1, 41):
        for first in range(1, second + 1):
            proof = merkle.consistency_proof(leaves[:second], first)
            assert proof == naive_consistency(leaves[:second], first)
            assert merkle.verify_consistency(first, second, proof, naive_root(leaves[:first]), naive_root(leaves[:second]))


def test_a_tree_that_grows_leaf_by_leaf_is_the_whole_tree_at_every_size():
    leaves = [str(i).encode() for i in range(300)]
    growing = merkle.Frontier()
    for size, leaf in enumerate(leaves, 1):
        made = growing.append(merkle.leaf_hash(leaf))
        assert growing.root() == naive_root(leaves[:size])
        for level, number, node in made:
            assert node == naive_root(leaves[number << level:(number + 1) << level])
        assert merkle.Frontier(size, merkle.over(leaves)).root() == growing.root()


@pytest.mark.parametrize("first, second", [(0, 0), (0, 8), (-1, 8), (9, 8)])
def test_nothing_is_proved_from_an_empty_or_a_longer_tree(first, second):
    assert not merkle.verify_consistency(first, second, [], merkle.EMPTY, merkle.root(LEAVES))
    with pytest.raises(IndexError):
        merkle.consistency_spans(first, second)


def test_proofs_of_other_peoples_trees_are_judged_as_they_say():
    published = REPOSITORY.parent / "shared/vectors/merkle-proofs.json"
    if not published.exists():
        pytest.skip("shared/vectors/merkle-proofs.json (Apache-2.0, not ours) does not lie beside this clone")
    cases = json.loads(published.read_text())["cases"]
    assert len(cases) == 518
    wrong = {name for name, case in cases.items() if JUDGES[name.split("/")[0]](case) is case["wantErr"]}
    assert wrong == set()


def judged_inclusion(case: dict[str, Any]) -> bool:
    return merkle.verify_hash_inclusion(raw(case["leafHash"]), case["leafIdx"], case["treeSize"], nodes(case), raw(case["root"]))


def judged_consistency(case: dict[str, Any]) -> bool:
    return merkle.verify_consistency(case["size1"], case["size2"], nodes(case), raw(case["root1"]), raw(case["root2"]))


def judged_subtree_inclusion(case: dict[str, Any]) -> bool:
    span = case["start"], case["end"]
    return merkle.is_subtree(span) and merkle.verify_hash_inclusion(
        raw(case["leafHash"]), case["leafIdx"] - span[0], span[1] - span[0], nodes(case), raw(case["root"]))


def judged_subtree_consistency(case: dict[str, Any]) -> bool:
    return merkle.verify_subtree((case["start"], case["end"]), case["size"], nodes(case), raw(case["root1"]), raw(case["root2"]))


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def nodes(case: dict[str, Any]) -> list[bytes]:
    return [raw(node) for node in case["proof"] or []]


JUDGES = {"inclusion": judged_inclusion, "consistency": judged_consistency, "subtreeinclusion": judged_subtree_inclusion,
          "subtreeconsistency": judged_subtree_consistency}
