"""What becomes public of a campaign: its figures, its winners masked; and the staff's list of winners."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from wxbackend import audit
from wxbackend.accounts.models import Staff
from wxbackend.ballots import tally as counting
from wxbackend.campaigns.models import Campaign
from wxbackend.clock import say_time
from wxbackend.draws import shown
from wxbackend.draws.models import Award, Draw
from wxbackend.extensions import db
from wxbackend.problems import Problem
from wxbackend.results import turnout
from wxbackend.results.rules import SMALLEST_SAMPLE, SubjectFigures, safe_cell
from wxbackend.submissions import service as submissions


class ResultsHidden(Problem):
    status, type, title = 403, "results-hidden", "结果还没公布。"


@dataclass(frozen=True)
class Figures:
    """A campaign's count: its ballots and each subject, exact now; `people` as the worker counted them last, at `people_at`."""

    ballots: int
    subjects: list[SubjectFigures]
    people: int | None
    people_at: datetime | None


@dataclass(frozen=True)
class PublicWinner:
    """A winner as the 公示 shows her. `shown`: the masked name where she agreed to that, else her masked phone."""

    rank: int
    tier: str
    prize: str
    ticket: str
    box: str
    shown: str


def are_shown(campaign: Campaign, at: datetime) -> bool:
    """Live, or after the close, or never, as the rules of the campaign say."""
    return campaign.results == "live" or (campaign.results == "after-close" and at >= campaign.closes_at)


def figures(campaign: Campaign, at: datetime) -> Figures | None:
    """None while the campaign keeps its results to itself, and for a vote held elsewhere; by grade only whole days before the close."""
    if not campaign.is_hosted or not are_shown(campaign, at):
        return None
    cells, is_over = counting.cells(campaign), at >= campaign.closes_at
    subjects = [SubjectFigures(s.key, s.title, s.category, counting.total(s, cells) if is_over
                               else counting.stepped(s, cells, campaign.day(at), SMALLEST_SAMPLE)) for s in campaign.subjects]
    counted = turnout.known([campaign.id]).get(campaign.id)
    seen = (counted.people, counted.at) if counted else (None, None)
    return Figures(sum(cell.counted for cell in cells), subjects, *seen)


def winners(draw: Draw) -> list[PublicWinner]:
    """The winners in order; masked as each of them agreed."""
    return [PublicWinner(row.rank, row.tier, prize, row.ticket, row.box, row.who) for prize, rows in shown.winners(draw) for row in rows]


def alternates(draw: Draw) -> list[Award]:
    """The alternates in line."""
    return _awards(draw, "alternate")


def winners_xlsx(draw: Draw, staff: Staff, at: datetime) -> bytes:
    """The winners with name and phone for handing out the prizes; every download is recorded."""
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    _fill(book, draw, staff, at)
    book.close()
    audit.record(f"staff:{staff.username}", "winners.exported", f"draw:{draw.public_id}", at)
    return out.getvalue()


def winners_filename(draw: Draw, at: datetime) -> str:
    """2021改革项目投票_中奖名单_20220110.xlsx"""
    day = draw.campaign.day(at)
    return f"{draw.campaign.title}_中奖名单_{day:%Y%m%d}.xlsx"


def _fill(book: Any, draw: Draw, staff: Staff, at: datetime) -> None:
    sheet, head = book.add_worksheet("中奖名单"), book.add_format({"bold": True, "bottom": 1})
    as_text = book.add_format({"num_format": "@"})
    columns = ("名次", "奖项", "盲盒编号", "签号", "姓名", "手机号", "公示显示", "签收")
    for x, title in enumerate(columns):
        sheet.write_string(0, x, title, head)
    rows = list(zip(winners(draw), _awards(draw, "winner"), strict=True))
    known = submissions.entrants(draw.campaign)
    for y, (winner, award) in enumerate(rows, 1):
        entrant = known.get(award.person_id)
        person = submissions.named(entrant) if entrant else None
        cells = (str(winner.rank), winner.prize, winner.box, winner.ticket, person.name if person else "已退出",
                 person.phone if person else "", winner.shown, "")
        for x, cell in enumerate(cells):
            sheet.write_string(y, x, safe_cell(cell), as_text)
    rules = draw.campaign.rules
    fingerprint = rules.sha256[:16] if rules else "—"
    sheet.write_string(len(rows) + 2, 0, f"{staff.name} 于 {say_time(at, draw.campaign.zone)} 导出，规则指纹 {fingerprint}")
    sheet.freeze_panes(1, 0)
    for x, width in enumerate((6, 20, 10, 20, 14, 16, 16, 14)):
        sheet.set_column(x, x, width)


def _awards(draw: Draw, kind: str) -> list[Award]:
    return list(db.session.scalars(select(Award).where(Award.draw_id == draw.id, Award.kind == kind).order_by(Award.rank)))
