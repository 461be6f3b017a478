"""Who won, as a public page may say it: masked, and by name only with that person's own tick."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import select

from wxbackend.draws import service as draws
from wxbackend.draws.models import Award, Draw
from wxbackend.extensions import db
from wxbackend.keys import Unreadable
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Entrant


@dataclass(frozen=True)
class Shown:
    """One winner: 王* or 138****0000, her ticket, what she won."""

    rank: int
    who: str
    ticket: str
    tier: str
    box: str


def winners(draw: Draw) -> list[tuple[str, list[Shown]]]:
    """Winners by prize, in the order of drawing: [("一等奖", [Shown, …]), …]."""
    names = {prize.tier: prize.name for prize in draw.campaign.prizes}
    entrants = _entrants(draw)
    rows = [Shown(a.rank, masked(entrants.get(a.person_id)), a.ticket_id, a.tier or "", a.box or "") for a in draws.awards(draw, "winner")]
    return [(names.get(tier, tier), list(group)) for tier, group in groupby(rows, lambda row: row.tier)]


def _entrants(draw: Draw) -> dict[int, Entrant]:
    """The winners' entries alone: this page is public, and a campaign has many thousands."""
    won = select(Award.person_id).where(Award.draw_id == draw.id, Award.kind == "winner")
    active = select(Entrant).where(Entrant.campaign_id == draw.campaign_id, Entrant.withdrawn_at.is_(None), Entrant.person_id.in_(won))
    return {entrant.person_id: entrant for entrant in db.session.scalars(active)}


def masked(entrant: Entrant | None) -> str:
    """王* with her consent to show it, else 138****0000; 已退出公示 where she withdrew after the draw."""
    if entrant is None:
        return "已退出公示"
    try:
        person = submissions.named(entrant)
    except Unreadable:
        return "—"   # names and phones are destroyed some time after the campaign
    return person.masked_name if "show-name" in entrant.consents else person.masked_phone
