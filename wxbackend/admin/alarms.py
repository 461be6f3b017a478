"""What is wrong and waits for somebody: on top of the desk, in sentences, with a button that says it has been dealt with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import flash, redirect
from werkzeug import Response as Redirect

from wxbackend import alarms, audit, clock, wechat
from wxbackend.admin.rules import MANAGE, needs
from wxbackend.admin.site import actor, bp
from wxbackend.alarms.models import Alarm
from wxbackend.alarms.rules import say
from wxbackend.extensions import db
from wxbackend.web import access


@dataclass(frozen=True)
class Shown:
    """An open alarm in words."""

    id: int
    kind: str
    what: str
    todo: str
    first_at: datetime
    last_at: datetime
    count: int


def shown() -> list[Shown]:
    """Every open alarm, the latest first."""
    return [tell(alarm) for alarm in alarms.open_alarms()]


def tell(alarm: Alarm) -> Shown:
    facts = alarm.known
    errcode = facts.get("errcode")
    words = say(alarm.kind, alarm.about, alarm.count, facts, wechat.meaning(errcode).about if isinstance(errcode, int) else "")
    return Shown(alarm.id, alarm.kind, words.what, words.todo, alarm.first_at, alarm.last_at, alarm.count)


def settle(number: int, at: datetime) -> Shown:
    """Mark as dealt with, and say so in the log; once is enough. Raises NoSuchAlarm."""
    alarm = alarms.by_id(number)
    words = tell(alarm)
    if alarms.settle_one(alarm, at):
        audit.record(actor(), "alarm.settled", f"alarm:{number}", at, facts={"kind": words.kind, "what": words.what})
    return words


@bp.post("/alarms/<int:number>/settle")
@access("staff")
@needs(*MANAGE)
def settle_alarm(number: int) -> Redirect:
    """已处理: should it come again, it stands here again."""
    settle(number, clock.now())
    db.session.commit()
    flash("标成已处理了。再出现的话，会重新提醒。")
    return redirect("/admin/")
