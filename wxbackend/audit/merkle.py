"""The Merkle tree of RFC 9162 §2.1: one fingerprint for a list, and short proofs that a line is in it, or that a list only grew.

A leaf is SHA-256(00 ‖ data), a node SHA-256(01 ‖ left ‖ right). Any subtree of the RFC's is made of complete ones (2^level leaves,
numbered from 0 at each level), so that a proof is a list of spans (start, end) and whoever knows the complete subtrees, from a list or
from a table, makes it without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from hmac import compare_digest

EMPTY = sha256(b"").digest()
HASH_BYTES = 32
Complete = Callable[[int, int], bytes]   # (level, number) -> its hash
Span = tuple[int, int]
Node = tuple[int, int, bytes]            # level, number, hash


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """32 bytes; those of SHA-256("") for no leaves."""
    growing = Frontier()
    for leaf in leaves:
        growing.append(leaf_hash(leaf))
    return growing.root()


class Frontier:
    """A tree that grows by one leaf after the other and remembers its complete subtrees only, one for each bit of its size."""

    def __init__(self, size: int = 0, complete: Complete | None = None):
        """Of `size` leaves already in it; `complete` is asked for their subtrees."""
        self.size = size
        self.peaks = [(level, complete(level, number)) for level, number in peaks((0, size))] if complete else []

    def append(self, leaf_hash: bytes) -> list[Node]:
        """The subtrees that are complete by this leaf, itself first."""
        level, number, here = 0, self.size, leaf_hash
        made = [(level, number, here)]
        while self.peaks and self.peaks[-1][0] == level:
            here = node_hash(self.peaks.pop()[1], here)
            level, number = level + 1, number >> 1
            made.append((level, number, here))
        self.peaks.append((level, here))
        self.size += 1
        return made

    def root(self) -> bytes:
        return _fold([node for _, node in self.peaks])


def peaks(span: Span) -> Iterator[tuple[int, int]]:
    """The complete subtrees (level, number) a span of the RFC's consists of, the largest first."""
    start, end = span
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def span_hash(span: Span, complete: Complete) -> bytes:
    """The hash of the leaves start <= i < end."""
    return _fold([complete(level, number) for level, number in peaks(span)])


def inclusion_spans(index: int, size: int) -> list[Span]:
    """What lies beside the way from leaf `index` (from 0) to the root of `size` leaves, lowest first. Source: RFC 9162 §2.1.3.1."""
    if not 0 <= index < size:
        raise IndexError(index)
    start, end, spans = 0, size, []
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """What shows that the tree of `second` leaves begins with that of `first`. Source: RFC 9162 §2.1.4.1."""
    if not 0 < first <= second:
        raise IndexError(first)
    start, end, spans = 0, second, []
    while first < end:
        middle = start + _half(end - start)
        if first <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return ([(start, end)] if start else []) + spans[::-1]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings on the way from leaf `index` (from 0) to the root, lowest first. Raises IndexError."""
    return [span_hash(span, over(leaves)) for span in inclusion_spans(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """That the first `first` leaves still are the beginning of `leaves`. Raises IndexError."""
    return [span_hash(span, over(leaves)) for span in consistency_spans(first, len(leaves))]


def over(leaves: Sequence[bytes]) -> Complete:
    """The complete subtrees of a list of leaves."""
    return lambda level, number: root(leaves[number << level:(number + 1) << level])


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows `leaf` at `index` of the tree of `size` leaves under `root`."""
    return verify_hash_inclusion(leaf_hash(leaf), index, size, proof, root)


def verify_hash_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """The same from the leaf's hash. Source: RFC 9162 §2.1.3.2; a tree of size 0 includes nothing."""
    if not 0 <= index < size or not _are_hashes(leaf_hash, root, *proof):
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


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether `proof` shows that the tree of `first` leaves is the beginning of that of `second`.

    Source: RFC 9162 §2.1.4.2; a tree of size 0 is the beginning of every other and proves nothing: refused.
    """
    return first > 0 and verify_subtree((0, first), second, proof, first_root, second_root)


def verify_subtree(span: Span, size: int, proof: Sequence[bytes], span_root: bytes, root: bytes) -> bool:
    """Whether `proof` shows that the leaves of `span`, under `span_root`, are those of the tree of `size` leaves under `root`.

    Source: draft-ietf-plants-merkle-tree-certs, subtree consistency proofs: RFC 9162's with a beginning other than 0. No leaves at all
    are part of any tree, whatever its root.
    """
    if span[0] == span[1] and 0 <= span[0] <= size:
        return not proof and compare_digest(span_root, EMPTY)
    if not is_subtree(span) or span[1] > size or not _are_hashes(*proof):
        return False
    way, is_whole = _way_to(span, size)
    if len(proof) != len(way) + (not is_whole):
        return False
    inner = outer = span_root if is_whole else proof[0]
    for (is_left, is_shared), node in zip(reversed(way), proof if is_whole else proof[1:], strict=True):
        outer = node_hash(node, outer) if is_left else node_hash(outer, node)
        inner = node_hash(node, inner) if is_shared else inner
    return compare_digest(inner, span_root) and compare_digest(outer, root)


def is_subtree(span: Span) -> bool:
    """Whether these leaves are a subtree of every tree that reaches further: the start is a multiple of their number, rounded up to
    a power of two."""
    start, end = span
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


def _way_to(span: Span, size: int) -> tuple[list[tuple[bool, bool]], bool]:
    """From the root down to the span: for each step whether the sibling lies left, and whether it belongs to the span, too. Then whether
    the way ends at the whole span rather than at the last part of it."""
    (start, end), low, high, way = span, 0, size, []
    while (low, high) != (start, end):
        middle = low + _half(high - low)
        if end <= middle:
            way.append((False, False))
            high = middle
        else:
            way.append((True, start < middle))
            low, start = middle, max(start, middle)
    return way, start == span[0]


def _are_hashes(*nodes: bytes) -> bool:
    return all(len(node) == HASH_BYTES for node in nodes)


def _half(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Subtrees side by side, the largest first, under one root."""
    if not nodes:
        return EMPTY
    here = nodes[-1]
    for left in reversed(nodes[:-1]):
        here = node_hash(left, here)
    return here
