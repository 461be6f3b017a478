"""The tree of a campaign's log out of the database: roots and proofs that read hundreds of hashes, whatever the log's size."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from wxbackend.audit import merkle
from wxbackend.ballots.log.models import LogLeaf, LogNode
from wxbackend.extensions import db

STORED = (8, 16, 24)         # levels whose complete subtrees have a row of their own
BLOCK = 256                  # hashes of one level read at once: the children of one stored subtree


class Stored:
    """The complete subtrees of the lines as stored; blocks that were read are kept for the next question."""

    def __init__(self, campaign_id: int):
        self.campaign_id = campaign_id
        self._blocks: dict[tuple[int, int], list[bytes]] = {}

    def complete(self, level: int, number: int) -> bytes:
        """The hash of subtree `number` of a level; its lines are all there."""
        base = max(stored for stored in (0, *STORED) if stored <= level)
        first, count = number << (level - base), 1 << (level - base)
        at = first % BLOCK
        hashes = self._block(base, first // BLOCK)[at:at + count]
        if len(hashes) < count:
            raise LookupError(f"hashes are missing at level {base} from {first} on")
        while len(hashes) > 1:
            hashes = [merkle.node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    def root(self, size: int) -> str:
        return merkle.span_hash((0, size), self.complete).hex()

    def inclusion(self, seq: int, size: int) -> list[str]:
        """From line `seq` (from 1) to the root of the first `size` lines, lowest first."""
        return [merkle.span_hash(span, self.complete).hex() for span in merkle.inclusion_spans(seq - 1, size)]

    def consistency(self, first: int, second: int) -> list[str]:
        return [merkle.span_hash(span, self.complete).hex() for span in merkle.consistency_spans(first, second)]

    def _block(self, level: int, block: int) -> list[bytes]:
        if (level, block) not in self._blocks:
            self._blocks[level, block] = self._read(level, block * BLOCK)
        return self._blocks[level, block]

    def _read(self, level: int, first: int) -> list[bytes]:
        """As many as there are, without a gap: a missing one would move the others."""
        if level == 0:
            query = select(LogLeaf.seq - 1, LogLeaf.hash).where(LogLeaf.campaign_id == self.campaign_id,
                                                                LogLeaf.seq.between(first + 1, first + BLOCK))
        else:
            query = select(LogNode.number, LogNode.hash).where(LogNode.campaign_id == self.campaign_id, LogNode.level == level,
                                                               LogNode.number.between(first, first + BLOCK - 1))
        found: list[bytes] = []
        for number, node in sorted(db.session.execute(query)):
            if number != first + len(found):
                break
            found.append(bytes.fromhex(node))
        return found


def grow(campaign_id: int, size: int, hashes: Iterable[bytes]) -> list[dict[str, object]]:
    """The rows of the stored subtrees that become complete when these follow the first `size` lines."""
    growing = merkle.Frontier(size, Stored(campaign_id).complete)
    return [{"campaign_id": campaign_id, "level": level, "number": number, "hash": node.hex()}
            for leaf in hashes for level, number, node in growing.append(leaf) if level in STORED]
