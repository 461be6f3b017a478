"""The draw's verbs: numbers typed by two people, then winners, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from wxbackend import audit, jobs, keys
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Staff
from wxbackend.draws import entropy as chance
from wxbackend.draws import rules
from wxbackend.draws.freeze import REASONS, ExclusionTooLate, NotYet, exclude, freeze, lines_of, of
from wxbackend.draws.models import Award, Draw, DrawLine, NumberEntry
from wxbackend.extensions import db
from wxbackend.problems import Invalid, Problem

__all__ = ["Entered", "ExclusionTooLate", "NoSuchDraw", "NotYet", "NotYourNumbers", "REASONS", "SamePerson", "Sealed", "award_of", "awards",
           "by_public_id", "enter_numbers", "entries", "evidence", "exclude", "freeze", "lines_of", "of", "run",
           "sources", "transcript"]

PROGRAM = "wxbackend, protocol " + rules.PROTOCOL
MAY_ENTER = ("manager", "auditor")


class NoSuchDraw(Problem):
    status, type, title = 404, "no-such-draw", "这里还没有抽奖公示。"
    hint = "投票截止、签号名单封存以后，这一页才会出现。"


class SamePerson(Problem):
    status, type, title = 409, "second-person-needed", "您已经录过一份，第二份要换一位同事来录。"
    hint = "请另一位同事用自己的账号，照官方公告再抄一遍。"


class NotYourNumbers(Problem):
    status, type, title = 403, "numbers-not-yours", "录开奖号由活动管理员和监督员来做。"
    hint = "请找他们，或请活动管理员给您换一个角色。"


class Entered(Enum):
    """What came of one entry."""

    SEALED = "sealed"          # the first: nobody reads it before the second is in
    DIFFERENT = "different"    # both are void, both people type again
    DRAWN = "drawn"


@dataclass(frozen=True)
class Sealed:
    """An entry of the present round as others may see it: by whom and when, without the numbers."""

    staff: Staff
    entered_at: datetime


def by_public_id(public_id: str) -> Draw:
    """Raises NoSuchDraw."""
    draw = db.session.scalar(select(Draw).where(Draw.public_id == public_id))
    if draw is None:
        raise NoSuchDraw()
    return draw


def sources(draw: Draw) -> list[dict[str, str]]:
    """The public drawings named by the rules in force, in order: [{"source": "ssq", "issue": "2022005"}]."""
    return _rules(draw)["entropy"]


def entries(draw: Draw) -> list[Sealed]:
    """Who has typed the numbers in this round."""
    return [Sealed(entry.staff, entry.entered_at) for entry in _entries(draw)]


def evidence(draw: Draw) -> list[str]:
    """The official bulletins that the numbers were copied from; none before the draw, for they tell the numbers."""
    return sorted({entry.evidence_url for entry in _entries(draw)}) if draw.is_drawn else []


def awards(draw: Draw, *kinds: str) -> list[Award]:
    """Winners, then alternates, by rank; none before the draw. `kinds`: winner, alternate; both where none is named."""
    query = select(Award).where(Award.draw_id == draw.id, Award.kind.in_(kinds or ("winner", "alternate")))
    return list(db.session.scalars(query.order_by(Award.rank)))


def award_of(draw: Draw, person_id: int) -> Award | None:
    """Where this person came; also under whoever was merged into her since. Two places of hers: the better one."""
    query = select(Award).where(Award.draw_id == draw.id, Award.person_id.in_(accounts.all_ids(person_id)))
    return db.session.scalar(query.order_by(Award.rank).limit(1))


def enter_numbers(draw: Draw, staff: Staff, numbers: Sequence[dict[str, Any]], evidence_url: str, at: datetime) -> Entered:
    """Take one person's copy of the bulletin: [{"source": "ssq", "issue": "2022005", "groups": [[3, 8, …], [6]]}].

    Sealed until a second person's is in. Equal: drawn at once, in this transaction. Unequal: both void, a new round.
    After the draw nothing happens any more. Raises NotYourNumbers, NotYet, Invalid, SamePerson.
    """
    if staff.role not in MAY_ENTER:
        raise NotYourNumbers()
    _lock(draw)
    if draw.is_drawn:
        return Entered.DRAWN
    line = _line(draw, numbers, at)
    earlier = _entries(draw)
    if any(entry.staff_id == staff.id for entry in earlier):
        raise SamePerson()
    db.session.add(NumberEntry(draw_id=draw.id, round=draw.round, staff_id=staff.id, sealed=keys.seal("draw-numbers", line),
                               evidence_url=evidence_url, entered_at=at))
    db.session.flush()
    outcome = Entered.SEALED
    if earlier and keys.unseal("draw-numbers", earlier[0].sealed) == line:
        _draw(draw, line, at)
        outcome = Entered.DRAWN
    elif earlier:
        draw.round += 1
        outcome = Entered.DIFFERENT
    _note(draw, f"staff:{staff.username}", "draw.numbers-differed" if outcome is Entered.DIFFERENT else "draw.numbers-entered", at,
          outcome=outcome.value)
    if outcome is Entered.DRAWN:
        _note_drawn(draw, at)
    return outcome


def run(draw: Draw, entropy: str, at: datetime) -> Draw:
    """Compute winners from the frozen list and write the transcript; a second run finds it written and changes nothing."""
    _lock(draw)
    if not draw.is_drawn:
        _draw(draw, entropy, at)
        _note_drawn(draw, at)
    return draw


def _draw(draw: Draw, entropy: str, at: datetime) -> None:
    plan, lines = _rules(draw), lines_of(draw)
    result = rules.compute(plan, "", entropy, lines)
    if (result["root"], result["list_sha256"]) != (draw.root, draw.list_sha256):
        raise RuntimeError(f"the stored list of {draw.public_id} is not the one whose fingerprint was published")
    _award(draw, result)
    urls = sorted({entry.evidence_url for entry in _entries(draw)})
    document = _frozen(draw, plan) | {"state": "drawn", "drawn_at": at.isoformat(), "evidence": urls, "secret": "", "entropy": entropy,
                                      "entrants": lines, "result": result}
    draw.transcript = json.dumps(document, ensure_ascii=False, indent=1)
    draw.transcript_sha256 = sha256(draw.transcript.encode()).hexdigest()
    draw.entropy, draw.seed, draw.state, draw.drawn_at, draw.published_at = entropy, result["seed"], "drawn", at, at
    db.session.flush()
    jobs.enqueue("draws.tell", {"draw": draw.public_id, "after": 0}, at, dedupe=f"tell:{draw.public_id}:0")


def transcript(draw: Draw) -> str:
    """JSON without anybody's name, phone or openid: the transcript, or before the draw the frozen list with its fingerprint."""
    if draw.transcript is not None:
        return draw.transcript
    document = _frozen(draw, _rules(draw)) | {"root": draw.root, "list_sha256": draw.list_sha256, "tickets": draw.tickets,
                                              "persons": draw.persons, "entrants": lines_of(draw)}
    return json.dumps(document, ensure_ascii=False, indent=1)


def _frozen(draw: Draw, plan: dict[str, Any]) -> dict[str, Any]:
    return {"id": draw.public_id, "state": draw.state, "program": PROGRAM, "frozen_at": draw.frozen_at.isoformat(),
            "rules": plan, "excluded": draw.excluded}


def _rules(draw: Draw) -> dict[str, Any]:
    """The rules in force: an amendment names the next issue where a drawing was cancelled."""
    version = draw.campaign.rules
    assert version is not None   # what is frozen was published
    return json.loads(version.canonical)


def _entries(draw: Draw) -> list[NumberEntry]:
    query = select(NumberEntry).where(NumberEntry.draw_id == draw.id, NumberEntry.round == draw.round)
    return list(db.session.scalars(query.order_by(NumberEntry.id)))


def _lock(draw: Draw) -> None:
    """Hold the draw, read afresh: two people pressing at once pass one after the other."""
    db.session.refresh(draw, ["state", "round", "entropy", "seed"], with_for_update=True)


def _line(draw: Draw, numbers: Sequence[dict[str, Any]], at: datetime) -> str:
    """The canonical line of these numbers. Raises Invalid unless they are of the drawings that the rules name, NotYet before those."""
    named = sources(draw)
    for source in named:
        if "drawn_at" in source and at < datetime.fromisoformat(source["drawn_at"]):
            raise NotYet("还没有开奖，开奖以后再来录。", drawn_at=source["drawn_at"])
    if [(n["source"], n["issue"]) for n in numbers] != [(s["source"], s.get("issue", "")) for s in named]:
        wanted = "；".join(f"{chance.known(s['source']).name}{s.get('issue', '')}期" for s in named)
        raise Invalid(errors=[{"pointer": "#/numbers", "detail": f"规则写明的是{wanted}，请录这一期的号码。"}])
    parts = []
    for i, n in enumerate(numbers):
        try:
            parts.append(rules.entropy_from_numbers(n["source"], n["issue"], n["groups"]))
        except rules.BadNumbers as e:
            raise Invalid(errors=[{"pointer": f"#/numbers/{i}/groups", "detail": str(e)}]) from e
    return chance.join(parts)


def _award(draw: Draw, result: dict[str, Any]) -> None:
    owners = dict(db.session.execute(select(DrawLine.ticket_id, DrawLine.person_id).where(DrawLine.draw_id == draw.id)).all())
    for kind, rows in (("winner", result["winners"]), ("alternate", result["alternates"])):
        db.session.add_all(Award(draw_id=draw.id, rank=row["rank"], kind=kind, person_id=owners[row["ticket"]], ticket_id=row["ticket"],
                                 tier=row.get("tier"), box=row.get("box")) for row in rows)
    db.session.flush()


def _note_drawn(draw: Draw, at: datetime) -> None:
    _note(draw, "worker", "draw.drawn", at, seed=draw.seed, transcript_sha256=draw.transcript_sha256)


def _note(draw: Draw, actor: str, verb: str, at: datetime, **facts: Any) -> None:
    # The last thing in a transaction: until it ends, everybody else's entries wait for ours.
    audit.record(actor, verb, f"draw:{draw.public_id}", at, facts={"round": draw.round, **facts})
