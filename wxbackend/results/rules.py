"""Formulas shown beside their numerators and denominators."""

from __future__ import annotations

from dataclasses import dataclass

from wxbackend.campaigns.rules import Grade

SMALLEST_SAMPLE = 10


@dataclass(frozen=True)
class SubjectFigures:
    """One subject's count. 优率 = 优 ÷ 有效票, 满意度 = (优 + 良) ÷ 有效票; both None under ten ballots (样本不足)."""

    key: str
    title: str
    category: str
    counts: dict[Grade, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def shown_counts(self) -> dict[Grade, int] | None:
        """Ballots per grade, once there are ten: among fewer a grade could be guessed back to its voter."""
        return None if self.total < SMALLEST_SAMPLE else self.counts

    @property
    def excellent_share(self) -> float | None:
        return self._share(Grade.EXCELLENT)

    @property
    def satisfied_share(self) -> float | None:
        return self._share(Grade.EXCELLENT, Grade.GOOD)

    def _share(self, *grades: Grade) -> float | None:
        if self.total < SMALLEST_SAMPLE:
            return None
        return sum(self.counts.get(g, 0) for g in grades) / self.total


def safe_cell(text: str) -> str:
    """Text that a spreadsheet will not take for a formula: an apostrophe before = + - @ and control characters."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
