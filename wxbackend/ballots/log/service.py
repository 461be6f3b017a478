"""The ballot log: what is public of it, a voter's own line, proofs. `heads.keep_up` writes it, `verify` checks it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import Select, select

from wxbackend.ballots.log import heads, rules, sequence
from wxbackend.ballots.log.blinds import Blinds
from wxbackend.ballots.log.counting import count
from wxbackend.ballots.log.models import LogHead, LogLeaf
from wxbackend.ballots.log.tree import Stored
from wxbackend.ballots.log.waiting import Book
from wxbackend.ballots.receipts import Receipt
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Problem

__all__ = ["Growth", "NoSuchHead", "NoSuchLine", "Own", "Proof", "count", "growth", "head_mark", "head_of", "heads_of", "keep_up", "latest",
           "lines", "newest_heads", "own", "proof", "published_size", "seen_head", "streamed"]
SEEN_SECONDS = 30.0
PAGE = 5000


class NoSuchLine(Problem):
    status, type, title = 404, "log-line-unknown", "账本里没有这一行。"
    hint = "刚投的票要等一等才入账本，最迟第二天0:05。"


class NoSuchHead(Problem):
    status, type, title = 404, "log-head-unknown", "还没有这样一份账本指纹。"
    hint = "每小时整点以后有新的一份，可以先看最新的。"


@dataclass(frozen=True)
class Proof:
    """A line, and that it stands in the log of one head."""

    seq: int
    data: str
    leaf_hash: str
    proof: list[str]
    head: LogHead


@dataclass(frozen=True)
class Own:
    """A voter's own line. `seq` is None while it waits, until `by` at the latest; `opening` is for her alone; `head` vouches for it."""

    receipt_hash: str
    opening: str
    seq: int | None
    by: datetime
    head: rules.Standing | None


@dataclass(frozen=True)
class Growth:
    """That the log of one head is the beginning of another's."""

    first: LogHead
    second: LogHead
    proof: list[str]


def keep_up(campaign: Campaign, at: datetime) -> None:
    """Enter what waits, make the heads that are due; what the worker does every minute. Commits."""
    heads.keep_up(Book.of(campaign), at)


def head_mark(campaign: Campaign) -> str:
    """账本指纹: eight characters of the latest head, "" before the first. At most half a minute old, and mostly without a query."""
    head = seen_head(campaign)
    return head.sha256[:rules.MARK_CHARS] if head else ""


def seen_head(campaign: Campaign) -> rules.Standing | None:
    """The latest head as this process last saw it."""
    known: dict[int, tuple[float, rules.Standing | None]] = current_app.extensions.setdefault("log_heads", {})
    looked, head = known.get(campaign.id, (float("-inf"), None))
    if time.monotonic() - looked > SEEN_SECONDS:
        columns = (LogHead.number, LogHead.kind, LogHead.day, LogHead.at, LogHead.size, LogHead.sha256)
        row = db.session.execute(_newest(campaign).with_only_columns(*columns)).first()
        head = rules.Standing(*row) if row else None
        known[campaign.id] = time.monotonic(), head
    return head


def latest(campaign: Campaign) -> LogHead | None:
    return heads.latest(campaign.id)


def heads_of(campaign: Campaign, first: int = 1, most: int | None = None) -> list[LogHead]:
    """From number `first` on, in their order."""
    query = select(LogHead).where(LogHead.campaign_id == campaign.id, LogHead.number >= first).order_by(LogHead.number)
    return list(db.session.scalars(query.limit(most) if most else query))


def newest_heads(campaign: Campaign, most: int) -> list[LogHead]:
    """The latest first."""
    return list(db.session.scalars(_newest(campaign, most)))


def published_size(campaign: Campaign) -> int:
    """How many lines the latest head vouches for; what came since is told with the next."""
    return db.session.scalar(_newest(campaign).with_only_columns(LogHead.size)) or 0


def lines(campaign: Campaign, first: int, last: int) -> list[LogLeaf]:
    """Published lines, first <= seq <= last."""
    last = min(last, published_size(campaign))
    query = select(LogLeaf).where(LogLeaf.campaign_id == campaign.id, LogLeaf.seq.between(first, last))
    return list(db.session.scalars(query.order_by(LogLeaf.seq)))


def streamed(campaign_id: int, size: int, what: str) -> Iterator[str]:
    """The `hash` or `data` of the first `size` lines, each ending with LF, some thousands at a time: a million never lie in memory."""
    column = {"hash": LogLeaf.hash, "data": LogLeaf.data}[what]
    for first in range(1, size + 1, PAGE):
        query = select(column).where(LogLeaf.campaign_id == campaign_id, LogLeaf.seq.between(first, min(first + PAGE - 1, size)))
        with sequence.looking():
            found = db.session.scalars(query.order_by(LogLeaf.seq)).all()
        yield "".join(f"{text}\n" for text in found)


def proof(campaign: Campaign, seq: int | None = None, receipt_hash: str = "", number: int | None = None) -> Proof:
    """That a line stands in the log, by its number or a vote's receipt hash, under the head of that number or the latest.

    Raises NoSuchLine, NoSuchHead.
    """
    head = head_of(campaign, number)
    query = select(LogLeaf).where(LogLeaf.campaign_id == campaign.id)
    leaf = db.session.scalar(query.where(LogLeaf.receipt_hash == receipt_hash) if seq is None else query.where(LogLeaf.seq == seq))
    if leaf is None or leaf.seq > head.size:
        raise NoSuchLine()
    return Proof(leaf.seq, leaf.data, leaf.hash, Stored(campaign.id).inclusion(leaf.seq, head.size), head)


def growth(campaign: Campaign, first: int, second: int | None = None) -> Growth:
    """That nothing changed between two heads, by their numbers; the second may be left out for the latest. Raises NoSuchHead."""
    old, new = head_of(campaign, first), head_of(campaign, second)
    if old.number > new.number:
        old, new = new, old
    return Growth(old, new, Stored(campaign.id).consistency(old.size, new.size) if old.size else [])


def head_of(campaign: Campaign, number: int | None = None) -> LogHead:
    """By its number, or the latest. Raises NoSuchHead."""
    if number is not None and not 0 <= number < 2**31:
        raise NoSuchHead()
    head = latest(campaign) if number is None else db.session.get(LogHead, (campaign.id, number))
    if head is None:
        raise NoSuchHead()
    return head


def own(receipt: Receipt) -> Own:
    """The line of a voter's own receipt, for her eyes. A vote of this hour costs no query: no head can vouch for it yet."""
    campaign = receipt.campaign
    opening = Blinds(campaign.slug).opening(receipt.receipt_id)
    known, head, seq = rules.receipt_hash(opening, receipt.receipt_id), seen_head(campaign), None
    if head is not None and head.at > receipt.cast_at:
        query = select(LogLeaf.seq).where(LogLeaf.receipt_hash == known, LogLeaf.campaign_id == campaign.id, LogLeaf.seq <= head.size)
        seq = db.session.scalar(query)
    return Own(known, opening.hex(), seq, rules.deadline(receipt.day, campaign.closes_at, campaign.zone), head)


def _newest(campaign: Campaign, most: int = 1) -> Select[LogHead]:
    return select(LogHead).where(LogHead.campaign_id == campaign.id).order_by(LogHead.number.desc()).limit(most)
