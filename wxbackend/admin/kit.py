"""The log's desk: where it stands, and the audit kit that one asks for and another approves. As pages and as an API."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, redirect, request, send_file
from werkzeug import Response as Redirect

from wxbackend import clock
from wxbackend.accounts.models import Staff
from wxbackend.admin.site import bp, page
from wxbackend.ballots.log import kit as kits
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.models import LogKit
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db
from wxbackend.problems import Invalid, Problem
from wxbackend.shapes import Schema, fields, validate
from wxbackend.web import access, load

HEADS_SHOWN = 10
MOST_CODE_BYTES = 100 * kits.MOST_NAMED


class AskSchema(Schema):
    """Why an audit kit is wanted, and the codes of voters who help with it."""

    why = fields.String(required=True, validate=validate.Length(2, 200, error="请写明为什么要，2到200个字。"))
    codes = fields.List(fields.String(validate=validate.Length(max=100)), load_default=list, validate=validate.Length(max=kits.MOST_NAMED))


class KitOut(Schema):
    """An audit kit: asked, approved (the worker makes it) or made."""

    id = fields.Integer()
    state = fields.String()
    why = fields.String()
    named = fields.Function(lambda kit: len(kit.named), metadata={"description": "receipts named by their own voters"})
    asked_by = fields.String(attribute="asker.name")
    asked_at = fields.AwareDateTime()
    approved_by = fields.String(attribute="approver.name", allow_none=True)
    approved_at = fields.AwareDateTime(allow_none=True)
    made_at = fields.AwareDateTime(allow_none=True)
    file_sha256 = fields.String()


class ApprovedOut(Schema):
    """The only time the passphrase is told."""

    passphrase = fields.String()
    kit = fields.Nested(KitOut)


@bp.get("/campaigns/<slug>/kit")
@access("staff")
def kit_desk(slug: str) -> Any:
    return _desk(campaigns.by_slug(slug))


def _desk(campaign: Campaign, problem: Problem | None = None, told: tuple[LogKit, str] | None = None) -> Any:
    """The page as it stands; `told` is the passphrase just made, shown in this answer and never again."""
    at = clock.now()
    return page("kit.html", "kit", campaign, at, heads=log.newest_heads(campaign, HEADS_SHOWN), kits=kits.of(campaign), problem=problem,
                told=told, typed=request.form, may_approve=g.staff.staff.role in kits.APPROVERS, status=problem.status if problem else 200)


@bp.post("/campaigns/<slug>/kits")
@access("staff", max_bytes=MOST_CODE_BYTES)
def ask_for_kit(slug: str) -> Any:
    """Ask for one; a code that does not fit comes back beside the others."""
    campaign = campaigns.by_slug(slug)
    form = {"why": request.form.get("why", "").strip(), "codes": request.form.get("codes", "").split()}
    try:
        asked(campaign, load(AskSchema(), form), g.staff.staff)
    except (Invalid, kits.TooEarly) as problem:
        db.session.rollback()
        return _desk(campaigns.by_slug(slug), problem)
    flash("申请记下了，请另一位同事来批准。")
    return redirect(f"/admin/campaigns/{slug}/kit")


@bp.post("/kits/<int:number>/approval")
@access("staff")
def approve_kit(number: int) -> Any:
    """The second person's word; the passphrase stands on this one answer."""
    kit, passphrase = approved(number, g.staff.staff)
    return _desk(kit.campaign, told=(kit, passphrase))


@bp.get("/kits/<int:number>/file")
@access("staff", writes=True)
def kit_file(number: int) -> Response | Redirect:
    return download(number, g.staff.staff)


def asked(campaign: Campaign, form: dict[str, Any], staff: Staff) -> LogKit:
    kit = kits.ask(campaign, form["why"], form["codes"], staff, clock.now())
    db.session.commit()
    return kit


def approved(number: int, staff: Staff) -> tuple[LogKit, str]:
    kit, passphrase = kits.approve(number, staff, clock.now())
    db.session.commit()
    return kit, passphrase


def download(number: int, staff: Staff) -> Response:
    """The sealed file; the download is one line of the log."""
    kit, path = kits.fetch(number, staff, clock.now())
    db.session.commit()
    response = send_file(path.resolve(), "application/octet-stream", as_attachment=True, etag=False, download_name=path.name)
    response.headers["Cache-Control"] = "no-store"
    return response
