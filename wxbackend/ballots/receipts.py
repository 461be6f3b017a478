"""Receipts: what a voter holds of her ballot, without its grade."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, bindparam, select

from wxbackend import keys
from wxbackend.accounts import service as accounts
from wxbackend.ballots import qr, rules
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem


class ReceiptUnknown(Problem):
    status, type, title = 404, "receipt-unknown", "没有找到这张凭证。"
    hint = "请对着图再看一眼，或重新扫一次。"


class ReceiptVoided(ReceiptUnknown):
    """One person voted by two doors before it was known that she is one: the earlier ballot of the day counts."""

    status, type, title = 410, "receipt-voided", "这张凭证不算数了。"
    hint = "同一个人那天先从另一个入口投过一票，按先投的那票算。"


@dataclass(frozen=True)
class Receipt:
    """A ballot as its voter may show it: which subject, which day, never which grade."""

    receipt_id: str
    campaign: Campaign
    subject: Subject
    person_id: int
    day: date
    cast_at: datetime

    @property
    def token(self) -> str:
        return rules.token_of(_key(), self.receipt_id)

    @property
    def code(self) -> str:
        return rules.code_of(_key(), self.receipt_id)

    @property
    def url(self) -> str:
        """Upper case throughout, so that the QR stays in its smaller alphanumeric mode."""
        return f"{settings.public_url.rstrip('/').upper()}/R/{self.token}"

    @property
    def day_number(self) -> int:
        return self.campaign.day_number(self.day)

    def qr_png(self) -> str:
        """A data URL: version 4, level Q, quiet zone of four modules, five pixels a module."""
        return "data:image/png;base64," + base64.b64encode(qr.png(self.url)).decode()


def _key() -> bytes:
    return keys.derive("receipt")


def receipt_of(ballot: Any, campaign: Campaign | None = None) -> Receipt:
    """Of a ballot, or a row with its columns; where its `campaign` is at hand, without asking the database for it and its subject."""
    found = next((s for s in campaign.subjects if s.id == ballot.subject_id), None) if campaign else None
    subject = found or db.session.get_one(Subject, ballot.subject_id)
    return Receipt(ballot.receipt_id, campaign or subject.campaign, subject, ballot.person_id, ballot.day, ballot.cast_at)


def read_token(text: str) -> Receipt:
    """The receipt of a scanned token, for reading. Raises ReceiptUnknown for a broken or foreign one, ReceiptVoided."""
    ballot = _read(text)
    if ballot.void_no:
        raise ReceiptVoided()
    return receipt_of(ballot, campaigns.live_by_id(ballot.campaign_id))


def evidence(text: str) -> Receipt:
    """As `read_token`, but a voided receipt still shows that its voter voted that day: the receipt that counts. Raises ReceiptUnknown."""
    return receipt_of(standing(_read(text)))


def standing(ballot: Ballot) -> Ballot:
    """The ballot that counts for what this one was cast for: itself, or the same person's of that day where it was voided."""
    if ballot.void_no == 0:
        return ballot
    same = (Ballot.quota_key == ballot.quota_key, Ballot.person_id == ballot.person_id, Ballot.day == ballot.day)
    return db.session.scalars(_live().where(*same)).one()


def _read(text: str) -> Any:
    receipt_id = rules.read_token(_key(), text)
    row = db.session.execute(_OF_RECEIPT, {"receipt_id": receipt_id}).first() if receipt_id else None
    if row is None:
        raise ReceiptUnknown()
    return row


def voted_on(campaign: Campaign, person_id: int, day: date) -> list[Receipt]:
    """The live receipts of one local day of whoever is just logged in, newest first: one query, for the pages."""
    return [receipt_of(row, campaign) for row in _rows_of(campaign, person_id, day)]


def receipts_of(campaign: Campaign, person_id: int, day: date | None = None) -> list[Receipt]:
    """A person's live receipts in one campaign, newest first; of one local day, where it is named."""
    found = _rows_of(campaign, person_id, day)
    if not found:   # whoever was merged into somebody has nothing left of her own: all her ballots went along
        survivor = accounts.surviving(person_id)
        found = _rows_of(campaign, survivor, day) if survivor != person_id else []
    return [receipt_of(row, campaign) for row in found]


def receipt_on(campaign: Campaign, person_id: int, day: date, subject: Subject | None = None) -> Receipt | None:
    """The receipt of one local day, the newest; of one subject, where it is named."""
    return next((r for r in receipts_of(campaign, person_id, day) if subject is None or r.subject.id == subject.id), None)


def by_code(campaign: Campaign, person_id: int, code: str) -> Receipt | None:
    """The person's own receipt with these eight characters; where that one was voided, the one that counts."""
    typed, key = rules.tidy(code[:20]), _key()
    query = select(Ballot).where(Ballot.campaign_id == campaign.id, Ballot.person_id == accounts.surviving(person_id))
    cast = db.session.scalars(query.order_by(Ballot.id.desc()))
    found = next((b for b in cast if rules.code_of(key, b.receipt_id).replace("-", "") == typed), None)
    return receipt_of(standing(found)) if found is not None else None


def _live() -> Select[Ballot]:
    return select(Ballot).where(Ballot.void_no == 0)


# Columns of the table, not objects: read at every look at a page, and never changed through them.
_BALLOT = Ballot.__table__.c
_OF_RECEIPT = select(Ballot.__table__).where(_BALLOT.receipt_id == bindparam("receipt_id"))
_OF_PERSON = select(_BALLOT.receipt_id, _BALLOT.subject_id, _BALLOT.person_id, _BALLOT.day, _BALLOT.cast_at).where(
    _BALLOT.person_id == bindparam("person"), _BALLOT.campaign_id == bindparam("campaign"), _BALLOT.void_no == 0,
).order_by(_BALLOT.cast_at.desc(), _BALLOT.id.desc())
_OF_DAY = _OF_PERSON.where(_BALLOT.day == bindparam("day"))


def _rows_of(campaign: Campaign, person_id: int, day: date | None) -> Sequence[Any]:
    which = {"person": person_id, "campaign": campaign.id}
    rows = db.session.execute(_OF_DAY, which | {"day": day}) if day else db.session.execute(_OF_PERSON, which)
    return rows.all()
