"""The Merkle tree of RFC 9162 §2.1: one fingerprint for a list, and short proofs that a line is in it.

A leaf is SHA-256(00 ‖ data), a node SHA-256(01 ‖ left ‖ right). Computed level by level with the odd
node promoted, which equals the RFC's recursive definition and needs no recursion for a million lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest

EMPTY = sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """32 bytes; those of SHA-256("") for no leaves."""
    level = [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _above(level)
    return level[0] if level else EMPTY


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings on the way from leaf `index` (from 0) to the root, lowest first. Raises IndexError."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    proof, level = [], [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):   # the promoted node has none
            proof.append(level[sibling])
        level, index = _above(level), index >> 1
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows `leaf` at `index` of the tree of `size` leaves under `root`."""
    return verify_hash_inclusion(leaf_hash(leaf), index, size, proof, root)


def verify_hash_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """The same from the leaf's hash. Source: RFC 9162 §2.1.3.2; a tree of size 0 includes nothing."""
    if not 0 <= index < size or any(len(node) != HASH_BYTES for node in (leaf_hash, root, *proof)):
        return False
    here, last, running = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False   # the proof is longer than the tree is high
        if here & 1 or here == last:
            running = node_hash(sibling, running)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            running = node_hash(running, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and compare_digest(running, root)


def _above(level: list[bytes]) -> list[bytes]:
    nodes = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return nodes + level[-1:] if len(level) & 1 else nodes
