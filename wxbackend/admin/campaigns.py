"""Making, seeing and publishing a campaign."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

from flask import Response, flash, redirect, request

from wxbackend import clock
from wxbackend.admin import forms, plots, words
from wxbackend.admin import service as figures
from wxbackend.admin.account_words import said_of_rivals
from wxbackend.admin.rules import MANAGE, needs
from wxbackend.admin.site import actor, bp, page
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.draws.entropy import SOURCES
from wxbackend.extensions import db, settings
from wxbackend.notices import service as notices
from wxbackend.problems import NotThere, Problem
from wxbackend.results import service as results
from wxbackend.web import access

PHONE_DAYS = 6     # as many bars as a phone shows legibly
DEFAULTS = {
    "mode": "hosted", "quota": "subject", "results": "after-close", "captcha": "colour", "alternates": "30", "publicity_days": "5",
    "entropy_source": "ssq", "account_mascot": "小文文", "account_seal": "文", "per_box": "2",
    "sources": "article｜文章二维码\nread-more｜阅读原文\nmenu｜公众号菜单",
}


class DraftChanged(Problem):
    status, type, title = 409, "draft-changed", "草稿刚刚被改过。"
    hint = "请退回上一页，看过新的规则再发布。"


class DraftExists(Problem):
    status, type, title = 409, "draft-exists", "已经有一份用这个网址名的草稿。"
    hint = "要改那一份，请从工作台点进去改；要办新的活动，请换一个网址名。"


@bp.get("/campaigns/new")
@access("staff")
@needs(*MANAGE)
def new_campaign() -> Any:
    return _form(_defaults(), ["优", "良", "中", "差"])


@bp.get("/campaigns/<slug>/edit")
@access("staff")
@needs(*MANAGE)
def edit_campaign(slug: str) -> Any:
    """A draft back in its form. Raises AlreadyPublished, or NotThere where only a file can hold it."""
    campaign = campaigns.by_slug(slug)
    if campaign.is_published:
        raise campaigns.AlreadyPublished()
    if not forms.holds(campaign):
        raise NotThere("这份草稿有表单放不下的内容。", hint="请改原来的文件，再到“新建活动”里传一次。")
    packed = [box["items"] for box in campaigns.packing_list(campaign, "")["boxes"]]
    values = forms.form_of(campaign, packed) | {"editing": slug}
    return _form(values, [grade["grade"] for grade in campaign.subjects[0].grades])


@bp.post("/campaigns/new")
@access("staff", max_bytes=1_000_000)
@needs(*MANAGE)
def create_campaign() -> Any:
    """A draft from the pasted or uploaded document, or from the form; faults come back beside what was typed."""
    grades = request.form.getlist("grades")
    try:
        campaign = campaigns.load_document(_document(grades), actor(), clock.now())
    except campaigns.AlreadyPublished:
        db.session.rollback()
        return _form(request.form.to_dict(), grades, campaigns.AlreadyPublished(
            "用这个网址名的活动已经发布，不能再改。", hint="要办新的活动，请换一个网址名；要改发布了的，请发一则补充公告。",
            errors=[{"pointer": "#/slug", "detail": "这个网址名用过了，请换一个。"}]))
    except Problem as problem:
        db.session.rollback()
        return _form(request.form.to_dict(), grades, problem)
    db.session.commit()
    flash("草稿存好了。请从头看一遍，再发布。")
    return redirect(f"/admin/campaigns/{campaign.slug}")


@bp.get("/campaigns/<slug>")
@access("staff")
def overview(slug: str) -> Any:
    campaign, at = campaigns.by_slug(slug), clock.now()
    draw = figures.draws_of([campaign]).get(campaign.id)
    today = campaign.day(at)
    days, first, last = figures.by_day(campaign), campaign.first_day, campaign.last_day
    recent = max(first, min(last, today + timedelta(2)) - timedelta(PHONE_DAYS - 1))
    return page("overview.html", "overview", campaign, at, counts=figures.counts(campaign), told=notices.outcomes(campaign),
                winners=figures.winners_told(draw) if draw and draw.is_drawn else None,
                sources=figures.by_source(campaign, today),
                plot=plots.by_day(days, first, last, today),
                narrow=plots.by_day(days, recent, min(last, recent + timedelta(PHONE_DAYS - 1)), today, 340, 190),
                results=results.figures(campaign, at) if at >= campaign.closes_at else None,
                codes={source.code for source in campaign.sources if source.qr_png},
                entropy=[(SOURCES[e["source"]].name, e["issue"]) for e in campaign.entropy], words=words,
                rivals=said_of_rivals(campaign, at), may_edit=not campaign.is_published and forms.holds(campaign))


@bp.get("/campaigns/<slug>/publish")
@access("staff")
@needs(*MANAGE)
def confirm_publish(slug: str) -> Any:
    """What becomes fixed, word for word, before the button that fixes it; or why it cannot be pressed. Raises AlreadyPublished."""
    campaign = campaigns.by_slug(slug)
    try:
        campaigns.check_publishable(campaign, clock.now())
    except campaigns.CannotPublish as problem:
        return _confirm(campaign, problem)[0]
    return _confirm(campaign)


def _confirm(campaign: Campaign, problem: Problem | None = None) -> Any:
    rules = campaigns.rules_of(campaign, "")
    shown = json.dumps({key: value for key, value in rules.items() if key != "campaign"}, ensure_ascii=False, indent=2)
    return page("publish.html", "overview", campaign, rivals=said_of_rivals(campaign, clock.now()),
                doors=forms.DOORS[",".join(sorted(campaign.doors))], joined=campaigns.doors_joined(),
                problem=problem, may_edit=forms.holds(campaign), status=problem.status if problem else 200,
                sha256=rules["campaign"].partition("@")[2], rules=shown,
                sources={key: source.name for key, source in SOURCES.items()})


@bp.post("/campaigns/<slug>/publish")
@access("staff")
@needs(*MANAGE)
def publish(slug: str) -> Any:
    """Publish what was shown; what stands in the way is said on the same page. Raises DraftChanged, AlreadyPublished."""
    campaign = campaigns.by_slug(slug)
    seen = campaigns.rules_of(campaign, "")["campaign"].partition("@")[2]
    if not campaign.is_published and request.form.get("sha256") != seen:
        raise DraftChanged()
    try:
        campaigns.publish(campaign, actor(), clock.now())
    except campaigns.CannotPublish as problem:
        db.session.rollback()
        return _confirm(campaigns.by_slug(slug), problem)
    db.session.commit()
    flash("发布了。规则已经固定，每个来源的二维码可以下载了。")
    return redirect(f"/admin/campaigns/{slug}")


@bp.get("/campaigns/<slug>/sources/<code>.png")
@access("staff")
def source_qr(slug: str, code: str) -> Response:
    return qr_download(campaigns.by_slug(slug), code)


def qr_download(campaign: Campaign, code: str) -> Response:
    """The source's QR as a PNG of at least 430 px, made when the campaign was published. Raises NotThere."""
    source = next((s for s in campaign.sources if s.code == code), None)
    if source is None or not source.qr_png:
        raise NotThere("这张二维码还没有。", hint="活动发布以后才有二维码。")
    name = f"{campaign.slug}_{code}.png"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(base64.b64decode(source.qr_png), mimetype="image/png", headers=headers)


def _document(grades: list[str]) -> dict[str, Any]:
    upload = request.files.get("file")
    pasted = request.form.get("yaml", "")
    if upload and upload.filename:
        try:
            pasted = upload.read().decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise forms.NotADocument(hint="请把文件另存为UTF-8编码，再传一次。") from e
    if pasted.strip():
        return forms.read_yaml(pasted)
    if request.form.get("kind") == "file":
        raise forms.NotADocument("还没有贴上内容，也没有选文件。", hint="请贴上或选一份YAML，再点存为草稿。")
    document = forms.document_of(request.form, grades)
    if request.form.get("editing") != document["slug"] and any(c.slug == document["slug"] and not c.is_published
                                                              for c in campaigns.all_campaigns()):
        raise DraftExists(errors=[{"pointer": "#/slug", "detail": "这个网址名用过了，请换一个。"}])
    return document


def _defaults() -> dict[str, str]:
    return DEFAULTS | {"account_name": settings.account_name, "doors": "account,miniprogram" if campaigns.doors_joined() else "account"}


def _form(values: dict[str, str], grades: list[str], problem: Problem | None = None) -> Any:
    errors = problem.facts.get("errors", []) if problem else []
    is_file = bool(values.get("kind") or values.get("yaml"))
    if is_file:
        values, grades = _defaults() | values, grades or ["优", "良", "中", "差"]
    return page("new.html", "new", form=values, grades=grades, problem=problem, errors=errors, is_file=is_file,
                faults={} if is_file else forms.faults_by_field(errors), names=forms.NAMES,
                doors=forms.DOORS,
                entropy_sources={key: source.name for key, source in SOURCES.items()}, status=problem.status if problem else 200)
