"""The draw's desk: exclusions before the freeze, numbers typed by two people, the result. No redraw, no field for a winner."""

from __future__ import annotations

import re
from datetime import datetime
from io import BytesIO
from typing import Any, NamedTuple

from flask import Response, flash, g, redirect, request, send_file
from werkzeug import Response as Redirect

from wxbackend import clock
from wxbackend.accounts.models import Staff
from wxbackend.admin import service as figures
from wxbackend.admin.rules import MANAGE, NUMBERS, WINNERS, needs
from wxbackend.admin.site import actor, bp, page
from wxbackend.admin.steps import steps
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws import service as draws
from wxbackend.draws.entropy import SOURCES, Group, parse, say
from wxbackend.draws.models import Draw
from wxbackend.extensions import db
from wxbackend.problems import Invalid, Problem
from wxbackend.results import service as results
from wxbackend.submissions import service as submissions
from wxbackend.submissions.rules import tidy_phone
from wxbackend.web import access

ENTERED = {
    draws.Entered.SEALED: "录好了，您这一份封着。等另一位同事用自己的账号再录一份。",
    draws.Entered.DIFFERENT: "两份不一样，都作废了。请两位对着官方公告各自重录，这件事已记入日志。",
    draws.Entered.DRAWN: "两份一致，结果已经算出来了。",
}


class BadPhones(Problem):
    status, type, title = 422, "phone-wrong", "有的手机号不是11位。"


class Asked(NamedTuple):
    """One public drawing to copy: ssq, 双色球, 2022005, its groups."""

    source: str
    name: str
    issue: str
    groups: tuple[Group, ...]


class Excluded(NamedTuple):
    reason: str
    shown: str      # masked phone where somebody entered with it
    by: str
    at: datetime


@bp.get("/campaigns/<slug>/draw")
@access("staff")
def draw_desk(slug: str) -> Any:
    return _desk(campaigns.by_slug(slug))


def _desk(campaign: Campaign, problem: Problem | None = None) -> Any:
    """The page as it stands; with a problem, what was typed stays in its fields."""
    at = clock.now()
    draw = figures.draws_of([campaign]).get(campaign.id)
    values: dict[str, Any] = {"draw": draw, "steps": steps(campaign, draw, at), "excluded": _excluded(campaign),
                              "classes": draws.REASONS}
    if draw:
        entered = draws.entries(draw)
        values |= {"asked": _asked(draw), "entered": entered, "mine": any(e.staff.id == g.staff.staff.id for e in entered)}
    if draw and draw.is_drawn:
        numbers = [(SOURCES[r.source].name, r.issue, say(r)) for r in parse(draw.entropy or "")]
        values |= {"winners": results.winners(draw), "numbers": numbers}
    return page("draw.html", "draw", campaign, at, problem=problem, typed=request.form, status=problem.status if problem else 200, **values)


@bp.post("/campaigns/<slug>/exclusions")
@access("staff")
@needs(*MANAGE)
def exclude(slug: str) -> Any:
    """Phones that may not win, one a line, before the freeze; a wrong one comes back beside the others to be mended."""
    try:
        phones = read_phones(request.form.get("phones", ""))
    except BadPhones as problem:
        return _desk(campaigns.by_slug(slug), problem)
    reason = request.form.get("reason", "")
    if reason not in draws.REASONS:
        raise Invalid(errors=[{"pointer": "#/reason", "detail": "请选排除的原因。"}])
    new = draws.exclude(campaigns.by_slug(slug), phones, reason, g.staff.staff, clock.now())
    db.session.commit()
    flash(f"排除名单加了{new}个号码。" if new else "这些号码早就在排除名单里了。")
    return redirect(f"/admin/campaigns/{slug}/draw")


@bp.post("/campaigns/<slug>/freeze")
@access("staff")
@needs(*MANAGE)
def freeze(slug: str) -> Redirect:
    """The same freeze that runs by itself, for somebody who will not wait; never before its instant. Raises NotYet."""
    draws.freeze(campaigns.by_slug(slug), clock.now(), actor())
    db.session.commit()
    flash("名单封存了，已经公开。")
    return redirect(f"/admin/campaigns/{slug}/draw")


@bp.post("/draws/<public_id>/numbers")
@access("staff")
@needs(*NUMBERS)
def enter_numbers(public_id: str) -> Any:
    """One person's copy of the bulletin, sealed until the second is in."""
    draw = draws.by_public_id(public_id)
    url = request.form.get("evidence_url", "").strip()[:300]
    try:
        if not re.match(r"https?://[^\s/]+", url):
            raise Invalid(errors=[{"pointer": "#/evidence_url", "detail": "请贴上官方公告的网址，以 https:// 开头。"}])
        outcome = draws.enter_numbers(draw, g.staff.staff, _typed(draw), url, clock.now())
    except Invalid as problem:
        db.session.rollback()
        return _desk(draws.by_public_id(public_id).campaign, problem)
    db.session.commit()
    flash(ENTERED[outcome], "bad" if outcome is draws.Entered.DIFFERENT else "message")
    return redirect(f"/admin/campaigns/{draw.campaign.slug}/draw")


@bp.get("/draws/<public_id>/winners.xlsx")
@access("staff", writes=True)
@needs(*WINNERS)
def winners_xlsx(public_id: str) -> Response:
    return winners_download(public_id, g.staff.staff)


def winners_download(public_id: str, staff: Staff) -> Response:
    """2021改革项目投票_中奖名单_20220110.xlsx; the download is one line of the log. Raises NoSuchDraw, NotYet."""
    draw, at = draws.by_public_id(public_id), clock.now()
    if not draw.is_drawn:
        raise draws.NotYet("还没有抽取，没有中奖名单。", hint="两位同事录的开奖号一致以后，名单就出来了。")
    book = results.winners_xlsx(draw, staff, at)
    db.session.commit()
    response = send_file(BytesIO(book), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_attachment=True, etag=False,
                         download_name=results.winners_filename(draw, at))
    response.headers["Cache-Control"] = "no-store"
    return response


def read_phones(text: str) -> list[str]:
    """Eleven digits each. Raises BadPhones naming the lines, not the numbers."""
    lines = [line for line in re.split(r"[\n,，;；、]+", text) if line.strip()]
    phones = [tidy_phone(line) for line in lines]
    wrong = [str(n) for n, phone in enumerate(phones, 1) if phone is None]
    if wrong or not phones:
        raise BadPhones(hint=f"请看第{'、'.join(wrong[:10])}个。" if wrong else "请一行写一个手机号。")
    return [phone for phone in phones if phone]


def _typed(draw: Draw) -> list[dict[str, Any]]:
    """The form's numbers as the service takes them: [{"source": "ssq", "issue": "2022005", "groups": [["03", …], ["06"]]}]."""
    typed = []
    for n, asked in enumerate(_asked(draw)):
        groups = [request.form.getlist(f"n{n}g{k}") for k in range(len(asked.groups))]
        split = [re.split(r"[\s,，、.]+", typed_in[0].strip()) if rule.at_least and typed_in else typed_in
                 for rule, typed_in in zip(asked.groups, groups, strict=True)]
        typed.append({"source": asked.source, "issue": asked.issue, "groups": [[one.strip() for one in group] for group in split]})
    return typed


def _asked(draw: Draw) -> list[Asked]:
    return [Asked(s["source"], SOURCES[s["source"]].name, s.get("issue", ""), SOURCES[s["source"]].groups) for s in draws.sources(draw)]


def _excluded(campaign: Campaign) -> list[Excluded]:
    entered = {e.phone_hash: e for e in submissions.entrants(campaign).values()}
    people = {staff.id: staff.name for staff in figures.staff()}
    found = []
    for row in figures.exclusions(campaign):
        entrant = entered.get(row.phone_hash)
        shown = submissions.named(entrant).masked_phone if entrant else "还没有人用这个号码报名"
        found.append(Excluded(draws.REASONS[row.reason_class], shown, people[row.decided_by], row.decided_at))
    return found
