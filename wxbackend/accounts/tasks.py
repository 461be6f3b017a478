"""What the worker does about people: asks WeChat whose an identity is, brings over what came late to a merge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wxbackend import jobs, wechat
from wxbackend.accounts import service as accounts
from wxbackend.accounts.merge import LOOK_AGAIN
from wxbackend.accounts.models import Identity
from wxbackend.accounts.tokens import put_marks
from wxbackend.extensions import db


@jobs.handler("accounts.learn", tries=4)
def learn(payload: dict[str, Any], at: datetime) -> None:
    """Ask for a follower's unionid. Who does not follow has none there: a tap in the page (scope=userinfo) tells, or the next day's try."""
    identity = db.session.get(Identity, payload["identity"])
    if identity is None or identity.person.unionid is not None:
        return
    openid = identity.openid
    db.session.commit()
    unionid = wechat.unionid_of(openid)
    if unionid:
        accounts.learn_unionid(db.session.get_one(Identity, payload["identity"]), unionid, at)


@jobs.handler("accounts.look-again")
def look_again(payload: dict[str, Any], _at: datetime) -> None:
    """What Redis could not be told at a logout or a merge. Sessions end there after ten minutes by themselves."""
    put_marks(payload["tokens"])


@jobs.handler("accounts.tidy-merge")
def tidy_merge(payload: dict[str, Any], at: datetime) -> None:
    """After each merge, again and again until a look finds nothing that was written meanwhile under the person who went."""
    if accounts.tidy(payload["absorbed"], at):
        jobs.enqueue("accounts.tidy-merge", payload, at, run_at=at + LOOK_AGAIN)
