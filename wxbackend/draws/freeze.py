"""The freeze: from live tickets to a list that nobody changes any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from wxbackend import audit
from wxbackend.accounts.models import Person, Staff
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import rules
from wxbackend.draws.models import Draw, DrawLine, Exclusion
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Entrant
from wxbackend.tickets import service as tickets

REASONS = {"staff": "工作人员", "relative": "工作人员亲属", "supplier": "供应商"}
LINES_AT_ONCE = 1000


class NotYet(Problem):
    status, type, title = 409, "not-yet", "还没到时候。"


class ExclusionTooLate(Problem):
    status, type, title = 409, "exclusion-too-late", "名单已经封存，不能再排除谁。"
    hint = "排除名单要在封存前定下，封存后一个也不改。"


def exclude(campaign: Campaign, phones: Iterable[str], reason_class: str, staff: Staff, at: datetime) -> int:
    """Phones (eleven digits each) that may not win, decided before the freeze; how many are new. Raises ExclusionTooLate."""
    if _lock(campaign) is not None or at >= campaign.freeze_at:
        raise ExclusionTooLate()
    known = set(db.session.scalars(select(Exclusion.phone_hash).where(Exclusion.campaign_id == campaign.id)))
    new = {submissions.phone_hash(phone) for phone in phones} - known
    for phone_hash in sorted(new):
        db.session.add(Exclusion(campaign_id=campaign.id, phone_hash=phone_hash, reason_class=reason_class,
                                 decided_by=staff.id, decided_at=at))
    db.session.flush()
    facts = {"reason": reason_class, "new": len(new)}
    audit.record(f"staff:{staff.username}", "draw.excluded", f"campaign:{campaign.slug}", at, facts=facts)
    return len(new)


def freeze(campaign: Campaign, at: datetime, actor: str = "worker") -> Draw:
    """Seal the list of tickets and make the draw; the same draw when asked again. Raises NotYet before `freeze_at`.

    The campaign's row is locked first: grants under way end before the list is read, later ones find `frozen_at` set
    (and the trigger on `ticket`). Of two freezes at once the second waits and finds the first one's draw.
    """
    if not campaign.is_published or at < campaign.freeze_at:
        raise NotYet(f"名单{campaign.say(campaign.freeze_at)}封存，还没到时候。", hint="到点会自己封存，不用守着。",
                     freeze_at=campaign.freeze_at.isoformat())
    if _lock(campaign) is not None:
        return of(campaign)
    try:
        with db.session.begin_nested():
            return _seal(campaign, at, actor)
    except IntegrityError:   # the unique key says that it was made after all
        db.session.refresh(campaign)
        return of(campaign)


def of(campaign: Campaign) -> Draw:
    """The campaign's draw. Raises NotYet before the freeze."""
    draw = db.session.scalar(select(Draw).where(Draw.campaign_id == campaign.id, Draw.number == 1))
    if draw is None:
        raise NotYet("名单还没有封存。", hint=f"{campaign.say(campaign.freeze_at)}封存，之后再来看。")
    return draw


def lines_of(draw: Draw) -> list[str]:
    """The frozen list as published: "<ticket> <tag>", sorted."""
    query = select(DrawLine.ticket_id, DrawLine.person_tag).where(DrawLine.draw_id == draw.id).order_by(DrawLine.position)
    return [f"{ticket} {tag}" for ticket, tag in db.session.execute(query)]


def _lock(campaign: Campaign) -> datetime | None:
    """Hold the campaign against grants and other freezes until the end of the transaction; when it was frozen, if it was."""
    return db.session.scalar(select(Campaign.frozen_at).where(Campaign.id == campaign.id).with_for_update())


def _seal(campaign: Campaign, at: datetime, actor: str) -> Draw:
    # Evidence sent in time and not yet looked at counts by the ballot behind it, as of the last instant before the freeze.
    settled = submissions.settle(campaign, campaign.freeze_at - timedelta(microseconds=1))
    rows, excluded = _list(campaign)
    lines = [f"{ticket} {tag}" for ticket, tag, _ in rows]
    draw = Draw(campaign_id=campaign.id, public_id=f"{campaign.slug}-1", frozen_at=at, root=rules.list_root(lines),
                list_sha256=rules.list_sha256(lines), tickets=len(lines), persons=len({tag for _, tag, _ in rows}), excluded=excluded)
    db.session.add(draw)
    db.session.flush()
    for start in range(0, len(rows), LINES_AT_ONCE):
        db.session.execute(insert(DrawLine), [
            {"draw_id": draw.id, "position": position, "ticket_id": ticket, "person_tag": tag, "person_id": person_id}
            for position, (ticket, tag, person_id) in enumerate(rows[start:start + LINES_AT_ONCE], start + 1)])
    campaign.frozen_at = at
    db.session.flush()
    facts = {"root": draw.root, "tickets": draw.tickets, "persons": draw.persons, "excluded": len(excluded), "settled": settled}
    audit.record(actor, "draw.frozen", f"draw:{draw.public_id}", at, facts=facts)
    return draw


def _list(campaign: Campaign) -> tuple[list[tuple[str, str, int]], list[dict[str, str]]]:
    """Sorted (ticket, tag, person id) of everybody who takes part, and who was left out: [{"person": tag, "reason": "staff"}]."""
    entrants = submissions.entrants(campaign)
    banned = {e.phone_hash: e.reason_class for e in db.session.scalars(select(Exclusion).where(Exclusion.campaign_id == campaign.id))}
    tags = _tags(campaign, list(entrants.values()))
    rows, left_out = [], {}
    for ticket in tickets.live(campaign):
        entrant = entrants.get(ticket.person_id)
        if entrant is not None and entrant.phone_hash in banned:
            left_out[tags[ticket.person_id]] = banned[entrant.phone_hash]
        elif entrant is not None:
            rows.append((ticket.ticket_id, tags[ticket.person_id], ticket.person_id))
    return sorted(rows), [{"person": tag, "reason": reason} for tag, reason in sorted(left_out.items())]


def _tags(campaign: Campaign, entrants: Sequence[Entrant]) -> dict[int, str]:
    """Each person's tag. One phone is one tag, that of whoever entered first, so that a phone wins once."""
    person_keys = dict(db.session.execute(select(Person.id, Person.public_id).join(Entrant, Entrant.person_id == Person.id)
                                          .where(Entrant.campaign_id == campaign.id)).all())
    key = campaign.ticket_key
    by_phone: dict[str, str] = {}
    for entrant in sorted(entrants, key=lambda e: (e.consented_at, e.id)):
        by_phone.setdefault(entrant.phone_hash, tickets.person_tag(key, person_keys[entrant.person_id]))
    if len(set(by_phone.values())) != len(by_phone):
        raise RuntimeError("two people share a tag of 64 bits")   # never by chance: stop rather than join them
    return {entrant.person_id: by_phone[entrant.phone_hash] for entrant in entrants}
