"""Receipts: what a voter holds of her ballot, without its grade."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, select

from wxbackend import keys
from wxbackend.accounts import service as accounts
from wxbackend.ballots import rules
from wxbackend.ballots.models import Ballot
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
        import qrcode
        from qrcode.constants import ERROR_CORRECT_Q

        code = qrcode.QRCode(version=4, error_correction=ERROR_CORRECT_Q, box_size=5, border=4)
        code.add_data(self.url)
        out = io.BytesIO()
        code.make_image().save(out, format="PNG")
        return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _key() -> bytes:
    return keys.derive("receipt")


def receipt_of(ballot: Ballot) -> Receipt:
    subject = db.session.get_one(Subject, ballot.subject_id)
    return Receipt(ballot.receipt_id, subject.campaign, subject, ballot.person_id, ballot.day, ballot.cast_at)


def read_token(text: str) -> Receipt:
    """The receipt of a scanned token. Raises ReceiptUnknown for a broken or foreign one, ReceiptVoided."""
    ballot = _read(text)
    if ballot.void_no:
        raise ReceiptVoided()
    return receipt_of(ballot)


def evidence(text: str) -> Receipt:
    """As `read_token`, but a voided receipt still shows that its voter voted that day: the receipt that counts. Raises ReceiptUnknown."""
    return receipt_of(standing(_read(text)))


def standing(ballot: Ballot) -> Ballot:
    """The ballot that counts for what this one was cast for: itself, or the same person's of that day where it was voided."""
    if ballot.void_no == 0:
        return ballot
    same = (Ballot.quota_key == ballot.quota_key, Ballot.person_id == ballot.person_id, Ballot.day == ballot.day)
    return db.session.scalars(_live().where(*same)).one()


def _read(text: str) -> Ballot:
    receipt_id = rules.read_token(_key(), text)
    ballot = db.session.scalar(select(Ballot).where(Ballot.receipt_id == receipt_id)) if receipt_id else None
    if ballot is None:
        raise ReceiptUnknown()
    return ballot


def receipts_of(campaign: Campaign, person_id: int) -> list[Receipt]:
    """A person's live receipts in one campaign, newest first."""
    query = _live().where(Ballot.campaign_id == campaign.id, Ballot.person_id == accounts.surviving(person_id))
    return [receipt_of(b) for b in db.session.scalars(query.order_by(Ballot.cast_at.desc(), Ballot.id.desc()))]


def receipt_on(campaign: Campaign, person_id: int, day: date, subject: Subject | None = None) -> Receipt | None:
    """The receipt of one local day; of one subject, where it is named."""
    for receipt in receipts_of(campaign, person_id):
        if receipt.day == day and (subject is None or receipt.subject.id == subject.id):
            return receipt
    return None


def by_code(campaign: Campaign, person_id: int, code: str) -> Receipt | None:
    """The person's own receipt with these eight characters; where that one was voided, the one that counts."""
    typed, key = rules.tidy(code[:20]), _key()
    query = select(Ballot).where(Ballot.campaign_id == campaign.id, Ballot.person_id == accounts.surviving(person_id))
    cast = db.session.scalars(query.order_by(Ballot.id.desc()))
    found = next((b for b in cast if rules.code_of(key, b.receipt_id).replace("-", "") == typed), None)
    return receipt_of(standing(found)) if found is not None else None


def _live() -> Select[Ballot]:
    return select(Ballot).where(Ballot.void_no == 0)
