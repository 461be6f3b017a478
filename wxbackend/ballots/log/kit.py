"""The audit kit: what an auditor needs to count every vote again and to recompute every ticket. Two people, after the close, on record.

It has two parts with nothing in common by which they could be joined: grades by line, without persons; ticket holders, without ballots.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from hmac import compare_digest
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from wxbackend import audit, jobs, keys
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Identity, Person, Staff
from wxbackend.ballots.log import blinds, kit_file, rules, sequence
from wxbackend.ballots.log.blinds import Blinds
from wxbackend.ballots.log.models import LogHead, LogKit, LogLeaf
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.problems import Invalid, Problem
from wxbackend.tickets import service as tickets
from wxbackend.tickets.models import Ticket, TicketEvent

PROTOCOL = "wxkit/1"
CODE = re.compile(r"([0-9A-HJKMNP-TV-Z]{16}):([0-9a-f]{64})")
MOST_NAMED = 500
PAGE = 2000
APPROVERS = ("manager", "auditor")


class TooEarly(Problem):
    status, type, title = 409, "kit-too-early", "投票截止、账本收尾以后才能要审计包。"
    hint = "截止后几分钟账本会自己收尾，请过一会儿再来。"


class NoSuchKit(Problem):
    status, type, title = 404, "kit-unknown", "没有找到这份审计包。"


class OwnKit(Problem):
    status, type, title = 403, "kit-own", "自己申请的审计包，要请另一位同事批准。"
    hint = "可以批准的是活动管理员和监督员。"


class NotAnApprover(Problem):
    status, type, title = 403, "kit-approver", "审计包要由活动管理员或监督员批准。"


class AlreadyApproved(Problem):
    status, type, title = 409, "kit-approved", "这份审计包已经批准过了，口令只显示过一次。"
    hint = "口令没有留底。忘了的话，请重新申请一份。"


class NotMade(Problem):
    status, type, title = 409, "kit-not-made", "这份审计包还没有做好。"
    hint = "批准以后几分钟就好，请刷新再看。"


def ask(campaign: Campaign, why: str, codes: Sequence[str], staff: Staff, at: datetime) -> LogKit:
    """One member of staff asks. `codes` are those that voters who help the audit gave of their own receipts. Raises TooEarly, Invalid."""
    _check_closed(campaign)
    kit = LogKit(campaign_id=campaign.id, why=why, named=_named(campaign, codes), asked_by=staff.id, asked_at=at)
    db.session.add(kit)
    db.session.flush()
    facts = {"kit": kit.id, "named": len(kit.named)}
    audit.record(f"staff:{staff.username}", "kit.asked", f"campaign:{campaign.slug}", at, why=why, facts=facts)
    return kit


def approve(kit_id: int, staff: Staff, at: datetime) -> tuple[LogKit, str]:
    """Another one approves: the passphrase, told this once, and the promise of the file.

    Raises NoSuchKit, NotAnApprover, OwnKit, AlreadyApproved.
    """
    kit = by_id(kit_id)
    if staff.role not in APPROVERS:
        raise NotAnApprover()
    if kit.asked_by == staff.id:
        raise OwnKit()
    passphrase = kit_file.new_passphrase()
    lock = kit_file.lock_for(passphrase, secrets.token_bytes(kit_file.SALT_BYTES))
    claimed = update(LogKit).where(LogKit.id == kit_id, LogKit.approved_at.is_(None)).values(
        approved_by=staff.id, approved_at=at, key_sealed=keys.seal("log-kit", lock.salt.hex() + lock.key.hex()))
    if db.session.execute(claimed, execution_options={"synchronize_session": False}).rowcount != 1:  # type: ignore[attr-defined]
        raise AlreadyApproved()
    db.session.refresh(kit)
    jobs.enqueue("ballots.log-kit", {"kit": kit_id}, at)
    audit.record(f"staff:{staff.username}", "kit.approved", f"campaign:{kit.campaign.slug}", at, why=kit.why, facts={"kit": kit_id})
    return kit, passphrase


def make(kit_id: int, at: datetime) -> None:
    """Write the file and forget its key; what the worker does. Done again it begins anew."""
    kit = by_id(kit_id)
    if not kit.key_sealed:
        return
    raw = bytes.fromhex(keys.unseal("log-kit", kit.key_sealed))
    lock = kit_file.Lock(raw[:kit_file.SALT_BYTES], raw[kit_file.SALT_BYTES:])
    campaign, path = kit.campaign, path_of(kit)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            sha256 = kit_file.write(out, lock, entries(campaign.id, kit.why, kit.named, at))
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    kit = by_id(kit_id)
    kit.key_sealed, kit.made_at, kit.file_sha256 = "", at, sha256
    audit.record("worker", "kit.made", f"campaign:{kit.campaign.slug}", at, facts={"kit": kit_id, "sha256": sha256})


def fetch(kit_id: int, staff: Staff, at: datetime) -> tuple[LogKit, Path]:
    """The sealed file; every download is on record. Raises NoSuchKit, NotMade."""
    kit = by_id(kit_id)
    path = path_of(kit)
    if kit.made_at is None or not path.exists():
        raise NotMade()
    audit.record(f"staff:{staff.username}", "kit.fetched", f"campaign:{kit.campaign.slug}", at, facts={"kit": kit_id})
    return kit, path


def by_id(kit_id: int) -> LogKit:
    """Raises NoSuchKit."""
    kit = db.session.get(LogKit, kit_id)
    if kit is None:
        raise NoSuchKit()
    return kit


def of(campaign: Campaign) -> list[LogKit]:
    """The newest first."""
    return list(db.session.scalars(select(LogKit).where(LogKit.campaign_id == campaign.id).order_by(LogKit.id.desc())))


def path_of(kit: LogKit) -> Path:
    return Path(settings.instance_dir) / "kits" / f"{kit.campaign.slug}-{kit.id}.wxkit"


def entries(campaign_id: int, why: str, named: Sequence[str], at: datetime) -> Iterator[dict[str, Any]]:
    """What is in the kit, in its order. Reads in pages, and on SQLite keeps nobody from writing."""
    with sequence.looking():
        campaign = db.session.get_one(Campaign, campaign_id)
        slug, key = campaign.slug, campaign.ticket_key
        query = select(LogHead.body, LogHead.signature, LogHead.size).where(LogHead.campaign_id == campaign_id)
        heads = db.session.execute(query.order_by(LogHead.number)).all()
        subjects = {s.id: s.key for s in campaign.subjects}
    size = max((head.size for head in heads), default=0)
    yield {"kit": PROTOCOL, "campaign": slug, "public_key": blinds.public_key(), "made_at": at.isoformat(timespec="seconds"), "why": why}
    yield from ({"head": {"body": head.body, "signature": head.signature}} for head in heads)
    yield from _lines(campaign_id, size)
    yield from _ballots(campaign_id, slug, subjects, size)
    yield from _openings(campaign_id, slug, named, size)
    yield {"k_campaign": key.hex()}
    yield from _holders(campaign_id, key)


def _lines(campaign_id: int, size: int) -> Iterator[dict[str, Any]]:
    for first in range(1, size + 1, PAGE):
        query = select(LogLeaf.data).where(LogLeaf.campaign_id == campaign_id, LogLeaf.seq.between(first, min(first + PAGE - 1, size)))
        with sequence.looking():
            found = list(db.session.scalars(query.order_by(LogLeaf.seq)))
        yield from ({"line": data} for data in found)


def _ballots(campaign_id: int, slug: str, subjects: dict[int, str], size: int) -> Iterator[dict[str, Any]]:
    """Salt and grade of each vote by its line. Nothing here names a person or a receipt."""
    blind = Blinds(slug)
    query = select(LogLeaf.seq, Ballot.receipt_id, Ballot.subject_id, Ballot.grade).join(Ballot, Ballot.id == LogLeaf.ref)
    query = query.where(LogLeaf.campaign_id == campaign_id, LogLeaf.kind == "vote")
    for first in range(1, size + 1, PAGE):
        with sequence.looking():
            page = db.session.execute(query.where(LogLeaf.seq.between(first, min(first + PAGE - 1, size))).order_by(LogLeaf.seq)).all()
        yield from ({"ballot": row.seq, "salt": blind.salt(row.receipt_id).hex(),
                     "grades": rules.grades_text(subjects.get(row.subject_id, ""), row.grade)} for row in page)


def _openings(campaign_id: int, slug: str, named: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
    """Which line belongs to each receipt whose own voter named it."""
    blind = Blinds(slug)
    for receipt_id in named:
        opening = blind.opening(receipt_id)
        known = rules.receipt_hash(opening, receipt_id)
        with sequence.looking():
            seq = db.session.scalar(select(LogLeaf.seq).where(LogLeaf.campaign_id == campaign_id, LogLeaf.receipt_hash == known))
        if seq is not None and seq <= size:
            yield {"named": receipt_id, "opening": opening.hex(), "seq": seq}


def _holders(campaign_id: int, key: bytes) -> Iterator[dict[str, Any]]:
    """Every ticket that counts: for whom it was granted, who she is now, how WeChat names her. Nothing here leads to a ballot."""
    last = ""
    while True:
        with sequence.looking():
            page = db.session.execute(select(Ticket.id, Ticket.ticket_id, Ticket.person_id).where(
                Ticket.campaign_id == campaign_id, Ticket.revoked_at.is_(None), Ticket.ticket_id > last)
                .order_by(Ticket.ticket_id).limit(PAGE // 4)).all()
            found = [_holder(row.id, row.ticket_id, row.person_id, key) for row in page]
        if not page:
            return
        yield from found
        last = page[-1].ticket_id


def _holder(row_id: int, ticket_id: str, person_id: int, key: bytes) -> dict[str, Any]:
    event = db.session.scalars(select(TicketEvent).where(TicketEvent.ticket_row_id == row_id, TicketEvent.verb == "granted")
                               .order_by(TicketEvent.id).limit(1)).one()
    granted_to, now = (db.session.get_one(Person, one).public_id for one in (event.person_id, person_id))
    names = db.session.execute(select(Identity.appid, Identity.openid).where(Identity.person_id.in_(accounts.all_ids(person_id)))
                               .order_by(Identity.id)).all()
    return {"ticket": ticket_id, "granted_to": granted_to, "day": event.day.isoformat(), "activity": event.activity, "n": event.n,
            "person": now, "tag": tickets.person_tag(key, now), "identities": [{"appid": n.appid, "openid": n.openid} for n in names]}


def _check_closed(campaign: Campaign) -> None:
    closed = select(LogHead.number).where(LogHead.campaign_id == campaign.id, LogHead.kind.in_(("close", "last"))).limit(1)
    if db.session.scalar(closed) is None:
        raise TooEarly()


def _named(campaign: Campaign, codes: Sequence[str]) -> list[str]:
    """Receipt ids of codes that only their voters have. A receipt alone is not enough: every screenshot shows it. Raises Invalid."""
    blind, found = Blinds(campaign.slug), []
    for number, code in enumerate(codes, 1):
        parts = CODE.fullmatch(code.strip())
        if parts is None or not compare_digest(blind.opening(parts[1]).hex(), parts[2]):
            detail = f"第{number}个核验码对不上，请让投票人从“我的票在账本里”重新复制。"
            raise Invalid(errors=[{"pointer": f"#/codes/{number - 1}", "detail": detail}])
        found.append(parts[1])
    return list(dict.fromkeys(found))
