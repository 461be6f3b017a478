"""Make a challenge, redeem it once.

Kept is only HMAC(key, id, person, campaign, purpose, answer). A challenge is consumed before it is compared, so a wrong answer
costs the picture, never the vote. An id opens with where it is kept: r in Redis, s in SQL while Redis was away.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import math
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, select

from wxbackend import keys, store
from wxbackend.captcha import rules
from wxbackend.captcha.models import CaptchaChallenge
from wxbackend.extensions import db, reading
from wxbackend.problems import Problem
from wxbackend.store import Limit, StoreAway

FAMILIES = ("colour", "arithmetic")   # the first is the usual one; "换一种" gives the other
IMAGES, PER_SECONDS = 30, 600
SWEEP_ONE_IN = 50


class CaptchaWrong(Problem):
    status, type, title = 422, "captcha-wrong", "没对上，已换了一张新的。看不清就点“换一种”。"


class CaptchaExpired(Problem):
    status, type, title = 422, "captcha-expired", "这张图放久了，已换新的，您的选择还在。"


class TooOften(Problem):
    """`retry_after` in seconds; the sentence says it in minutes."""

    status, type, title = 429, "too-often", "点得有点快，歇1分钟再来。"

    def __init__(self, retry_after: int, **facts: Any) -> None:
        super().__init__(f"点得有点快，歇{max(1, math.ceil(retry_after / 60))}分钟再来。", retry_after=retry_after, **facts)


@dataclass(frozen=True)
class Challenge:
    """What a person is shown. The picture exists only here: it is served once, because it is returned once."""

    id: str
    image_data_url: str   # data:image/jpeg;base64,… 240 × 66
    prompt: str
    expires_at: datetime
    family: str

    @property
    def alt(self) -> str:
        """What a screen reader says of the picture: its kind, never its content."""
        return str(_family(self.family).ALT)


def choose() -> random.Random:
    """Where answers come from: the machine's own chance.

    The one hook for tests that have to know them: replaced by `lambda: random.Random(7)`, every answer of the usual family
    is `colour.puzzle(random.Random(7)).answer`. There is no answer that always passes.
    """
    return secrets.SystemRandom()


def make(person_key: str, campaign: str, purpose: str, at: datetime, family: str = FAMILIES[0]) -> Challenge:
    """A new picture for this person, campaign and purpose. Raises TooOften after 30 within 10 minutes.

    While Redis is away its row goes into SQL; that commits the session (see `_sql_at_once`).
    """
    _admit(person_key, at)
    module = _family(family)
    module.bank().renew(time.monotonic())
    drawn = module.draw(choose())
    bound, expires_at = (person_key, campaign, purpose), at + rules.TTL
    try:
        challenge_id = "r" + secrets.token_hex(16)
        value = rules.pack(_mac(challenge_id, bound, drawn.answer), expires_at)
        store.put(_name(challenge_id, bound), value, rules.TTL.total_seconds())
    except StoreAway:
        challenge_id = "s" + secrets.token_hex(16)
        _keep_row(rules.slot(challenge_id, *bound), _mac(challenge_id, bound, drawn.answer), expires_at, at)
    picture = "data:image/jpeg;base64," + base64.b64encode(drawn.image).decode()
    return Challenge(challenge_id, picture, drawn.prompt, expires_at, family)


def redeem(challenge_id: str, answer: str, person_key: str, campaign: str, purpose: str, at: datetime) -> None:
    """Use a challenge up; of many at once, one passes.

    Raises CaptchaExpired when it is unknown, used, too old or somebody else's (which of these is not told, and another's is not
    consumed), CaptchaWrong when the answer differs. A challenge kept in Redis counts as expired while Redis is away; one kept
    in SQL commits the session.
    """
    bound = (person_key, campaign, purpose)
    _judge(_consume(challenge_id, bound), challenge_id, bound, answer, at)


def lies_in_redis(challenge_id: str) -> bool:
    """Whether an id is one of ours whose challenge was put into Redis; the others are rows, or nothing at all."""
    return challenge_id[:1] == "r" and rules.ID.fullmatch(challenge_id) is not None


def once_name(challenge_id: str, campaign: str, purpose: str) -> str:
    """Where a challenge lies under its person in Redis ("captcha:9f86…"), for whoever takes it away together with other things."""
    return "captcha:" + rules.slot(challenge_id, "", campaign, purpose)


def judge(value: str, challenge_id: str, answer: str, person_key: str, campaign: str, purpose: str, at: datetime) -> None:
    """What `redeem` says of a value that somebody has taken away from there. Raises CaptchaExpired, CaptchaWrong."""
    _judge(rules.unpack(value), challenge_id, (person_key, campaign, purpose), answer, at)


def _judge(kept: tuple[str, datetime] | None, challenge_id: str, bound: tuple[str, str, str], answer: str, at: datetime) -> None:
    if kept is None or at >= kept[1]:
        raise CaptchaExpired()
    if not rules.equal(kept[0], _mac(challenge_id, bound, answer)):
        raise CaptchaWrong()


def mac_of(challenge_id: str) -> str:
    """64 hex by which a ballot remembers its challenge, so that the same request again is known as such."""
    return hashlib.sha256(challenge_id.encode("utf-8", "surrogatepass")).hexdigest()


def sweep(at: datetime) -> int:
    """Forget challenges nobody answered in time; how many."""
    with _sql_at_once():
        return _delete(CaptchaChallenge.expires_at <= at)


def warm_up() -> None:
    """Draw this process's shapes now rather than in somebody's first request (about a second)."""
    for name in FAMILIES:
        _family(name).bank()


def _admit(person_key: str, at: datetime) -> None:
    limits = [Limit(store.name_of(person_key, "captcha"), IMAGES, PER_SECONDS)]
    try:
        verdict = store.take(limits)
    except StoreAway:
        verdict = store.take_locally(limits, at)
    if not verdict.allowed:
        raise TooOften(verdict.retry_after_seconds)


def _consume(challenge_id: str, bound: tuple[str, str, str]) -> tuple[str, datetime] | None:
    """(mac, expires_at) of a challenge that from now on is nobody's, or None."""
    if not rules.ID.fullmatch(challenge_id):
        return None
    if challenge_id[0] == "s":
        return _consume_row(rules.slot(challenge_id, *bound))
    try:
        value = store.pop_once(_name(challenge_id, bound))
    except StoreAway:
        return None   # whether it was still unused cannot be known: a fresh picture costs less than a doubt
    return rules.unpack(value) if value else None


def _keep_row(slot: str, mac: str, expires_at: datetime, at: datetime) -> None:
    if secrets.randbelow(SWEEP_ONE_IN) == 0:
        sweep(at)
    with _sql_at_once():
        db.session.add(CaptchaChallenge(id=slot, mac=mac, expires_at=expires_at))


def _consume_row(slot: str) -> tuple[str, datetime] | None:
    """The delete decides who was first; its count of rows is right on all three databases (an insert's is not)."""
    with _sql_at_once():
        mine = CaptchaChallenge.id == slot
        found = db.session.execute(select(CaptchaChallenge.mac, CaptchaChallenge.expires_at).where(mine)).first()
        return (found.mac, found.expires_at) if found is not None and _delete(mine) == 1 else None


def _delete(which: ColumnElement[bool]) -> int:
    result = db.session.execute(delete(CaptchaChallenge).where(which), execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


@contextmanager
def _sql_at_once() -> Iterator[None]:
    """A transaction of its own within the caller's session, committed whatever the caller does next.

    A wrong answer must stay burnt although the refusal rolls the request back. A second connection would do the same, but on
    SQLite it would wait for the lock its own request holds. What the caller did before is committed with it: challenges are
    made and redeemed before anything is written.
    """
    db.session.commit()
    with reading(False):   # a page that only reads shows a captcha too
        try:
            yield
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise


def _mac(challenge_id: str, bound: tuple[str, str, str], answer: str) -> str:
    return rules.mac(keys.derive("captcha"), challenge_id, *bound, answer)


def _name(challenge_id: str, bound: tuple[str, str, str]) -> str:
    return store.name_of(bound[0], once_name(challenge_id, *bound[1:]))


def _family(name: str) -> Any:
    """A family's module, imported at first use since it brings Pillow. Raises ValueError for one that is not there."""
    if name not in FAMILIES:
        raise ValueError(name)
    return importlib.import_module(f"wxbackend.captcha.{name}")
