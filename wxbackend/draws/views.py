"""The draw for anybody who wants to check it, and for the two members of staff who type the numbers."""

from __future__ import annotations

from typing import Any

import flask
from flask import Response, g, render_template
from flask_smorest import Blueprint

from wxbackend import clock
from wxbackend.draws import entropy as chance
from wxbackend.draws import service as draws
from wxbackend.draws import shown
from wxbackend.draws.schemas import EnteredSchema, NumbersSchema, StandingSchema, TranscriptSchema
from wxbackend.extensions import db
from wxbackend.web import access

api_bp = Blueprint("draws", __name__, url_prefix="/api/v1", description="抽奖")
bp = flask.Blueprint("draw_pages", __name__)

SAID = {
    draws.Entered.SEALED: "收到，已经封好。请另一位同事用自己的账号再录一遍。",
    draws.Entered.DIFFERENT: "两份不一样，都作废了。请两位照官方公告各自重录一遍。",
    draws.Entered.DRAWN: "结果已经算出，谁来算都一样。",
}


@api_bp.route("/draws/<draw_id>")
@access("public")
@api_bp.response(200, TranscriptSchema)
def transcript(draw_id: str) -> Response:
    """The transcript, these very bytes for ever; before the draw the frozen list and its fingerprint."""
    draw = draws.by_public_id(draw_id)
    headers = {"Cache-Control": "public, max-age=600"} if draw.is_drawn else {}
    return Response(draws.transcript(draw), mimetype="application/json", headers=headers)


@bp.get("/d/<draw_id>")
@access("public")
def page(draw_id: str) -> str:
    """The page on which a phone recomputes the draw."""
    draw = draws.by_public_id(draw_id)
    named = [(chance.SOURCES[s["source"]].name, s.get("issue", "")) for s in draws.sources(draw)]
    numbers = [chance.say(reading) for reading in chance.parse(draw.entropy)] if draw.entropy else []
    return render_template("pages/draw.html", campaign=draw.campaign, draw=draw, named=named, numbers=numbers, reasons=draws.REASONS,
                           evidence=draws.evidence(draw), winners=shown.winners(draw), alternates=draws.awards(draw, "alternate"))


@bp.get("/d/<draw_id>/list.txt")
@access("public")
def frozen_list(draw_id: str) -> Response:
    """The file whose SHA-256 and root were published at the freeze."""
    draw = draws.by_public_id(draw_id)
    body = "".join(f"{line}\n" for line in draws.lines_of(draw))
    return Response(body, mimetype="text/plain", headers={"Content-Disposition": f'attachment; filename="{draw.public_id}.txt"'})


@api_bp.route("/staff/draws/<draw_id>")
@access("staff")
@api_bp.response(200, StandingSchema)
def standing(draw_id: str) -> dict[str, Any]:
    """Where a draw stands, and who has typed the numbers in this round."""
    draw = draws.by_public_id(draw_id)
    facts = {name: getattr(draw, name) for name in ("public_id", "state", "frozen_at", "drawn_at", "root", "list_sha256", "tickets",
                                                    "persons", "excluded", "round")}
    return facts | {"entered": draws.entries(draw), "sources": draws.sources(draw)}


@api_bp.route("/staff/draws/<draw_id>/numbers", methods=["POST"])
@access("staff")
@api_bp.arguments(NumbersSchema)
@api_bp.response(200, EnteredSchema)
def enter_numbers(form: dict[str, Any], draw_id: str) -> dict[str, Any]:
    """Type the public drawing's numbers; the second person's equal copy draws at once."""
    draw = draws.by_public_id(draw_id)
    outcome = draws.enter_numbers(draw, g.staff.staff, form["numbers"], form["evidence_url"], clock.now())
    db.session.commit()
    return {"outcome": outcome.value, "said": SAID[outcome], "draw": draw}
