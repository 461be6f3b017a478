"""People, tokens and captchas for a run, in bulk: the rows and values a login and a captcha leave behind, without the logins and pictures.

Everything needs an app context (`create_app(app.settings)` of the installation in question) and commits.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import insert, select

from tests.factories import document
from wxbackend import captcha, keys, store
from wxbackend.accounts import service as accounts
from wxbackend.accounts import sessions
from wxbackend.accounts.models import Identity, Person, VoterToken
from wxbackend.accounts.rules import VOTER_TOKEN_LIFE
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.captcha import rules
from wxbackend.captcha.models import CaptchaChallenge
from wxbackend.extensions import db, settings
from wxbackend.store.service import connection

SLUG = "futian-2021-reform"
ANSWER = "362"
ROWS = 500   # in one statement
PUT_AT_ONCE, PUT_TRIES, PUT_PAUSE_SECONDS = 100, 5, 1.1   # longer than the store's own pause after a failure
T = TypeVar("T")


@dataclass(frozen=True)
class Citizen:
    """Somebody logged in on one device."""

    person_id: int
    person_key: str
    identity_id: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Solved:
    """A captcha whose answer is known; it serves once."""

    captcha_id: str
    answer: str = ANSWER


def open_campaign(at: datetime, days: int = 2, **changes: Any) -> Campaign:
    """The reference campaign, published, its window `days` before and after `at`."""
    window = {"opens_at": at - timedelta(days=days), "closes_at": at + timedelta(days=days),
              "evidence_until": at + timedelta(days=days + 1), "freeze_at": at + timedelta(days=days + 3)}
    doc = document(window={name: instant.isoformat() for name, instant in window.items()}, **changes)
    campaign = campaigns.load_document(doc, "bench", at - timedelta(days=days + 1))
    campaigns.publish(campaign, "bench", at - timedelta(days=days + 1))
    db.session.commit()
    return campaign


def citizens(count: int, at: datetime) -> list[Citizen]:
    """So many new people, each known by the account and logged in by web since `at`."""
    return [citizen for chunk in _chunks(range(count)) for citizen in _logged_in(len(chunk), at)]


def _logged_in(count: int, at: datetime) -> list[Citizen]:
    people: list[dict[str, Any]] = [{"public_id": secrets.token_hex(16), "unionid": "u" + secrets.token_hex(14), "created_at": at}
                                    for _ in range(count)]
    person_ids = _kept(Person.public_id, people)
    doors: list[dict[str, Any]] = [{"person_id": person_ids[p["public_id"]], "appid": settings.account_appid,
                                    "openid": "o" + secrets.token_hex(13), "first_seen_at": at} for p in people]
    identity_ids = _kept(Identity.openid, doors)
    made = [Citizen(door["person_id"], p["public_id"], identity_ids[door["openid"]], _new_token(p["public_id"]))
            for p, door in zip(people, doors, strict=True)]
    db.session.execute(insert(VoterToken), [
        {"token_hash": accounts.voter_hash(citizen.token), "identity_id": citizen.identity_id, "door": "h5", "issued_at": at,
         "expires_at": at + VOTER_TOKEN_LIFE} for citizen in made])
    db.session.commit()
    return made


def _kept(key: Any, rows: list[dict[str, Any]]) -> dict[str, int]:
    """Insert rows and find their numbers again by a key of theirs: {key: id}."""
    table, name = key.class_, key.key
    db.session.execute(insert(table), rows)
    return {row[1]: row[0] for row in db.session.execute(select(table.id, key).where(key.in_([row[name] for row in rows])))}


def at_hand(people: Sequence[Citizen], at: datetime) -> None:
    """Their sessions in Redis, as after the page that showed the captcha; there they stay for some minutes."""
    voters = [accounts.Voter(one.person_id, one.person_key, one.identity_id, settings.account_appid, "h5", True) for one in people]
    ends = at + VOTER_TOKEN_LIFE
    _put_all([(sessions.name_of(one.token), sessions.write(voter, ends)) for one, voter in zip(people, voters, strict=True)],
             sessions.KEPT_SECONDS)


def solved(people: Sequence[Citizen], at: datetime, slug: str = SLUG) -> list[Solved]:
    """A fresh captcha for each, kept in Redis as `captcha.make` keeps it; its picture was never drawn."""
    made, expires_at = [Solved("r" + secrets.token_hex(16)) for _ in people], at + rules.TTL
    _put_all([(store.name_of(citizen.person_key, captcha.once_name(one.captcha_id, slug, "vote")),
               rules.pack(_mac(one, citizen, slug), expires_at)) for citizen, one in zip(people, made, strict=True)],
             rules.TTL.total_seconds())
    return made


def solved_in_sql(people: Sequence[Citizen], at: datetime, slug: str = SLUG) -> list[Solved]:
    """The same as rows, as they are kept while Redis is away."""
    made = [Solved("s" + secrets.token_hex(16)) for _ in people]
    for chunk in _chunks(list(zip(people, made, strict=True))):
        db.session.execute(insert(CaptchaChallenge), [
            {"id": rules.slot(one.captcha_id, citizen.person_key, slug, "vote"), "mac": _mac(one, citizen, slug),
             "expires_at": at + rules.TTL} for citizen, one in chunk])
        db.session.commit()
    return made


def _mac(one: Solved, citizen: Citizen, slug: str) -> str:
    return rules.mac(keys.derive("captcha"), one.captcha_id, citizen.person_key, slug, "vote", one.answer)


def _put_all(pairs: Sequence[tuple[str, str]], seconds: float) -> None:
    """A hundred in one round trip. On a busy machine Redis is now and then slower than the 100 ms the product waits."""
    line = connection()
    for start in range(0, len(pairs), PUT_AT_ONCE):
        some = [(f"{line.namespace}:v:{name}", value) for name, value in pairs[start:start + PUT_AT_ONCE]]
        for tries_left in reversed(range(PUT_TRIES)):
            try:
                line.run(lambda client, some=some: _pipelined(client, some, seconds))   # type: ignore[misc]
                break
            except store.StoreAway:
                if not tries_left:
                    raise
                time.sleep(PUT_PAUSE_SECONDS)


def _pipelined(client: Any, pairs: Sequence[tuple[str, str]], seconds: float) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for key, value in pairs:
            pipeline.set(key, value, px=round(seconds * 1000))
        pipeline.execute()


def _new_token(person_key: str) -> str:
    return store.shard_of(person_key) + secrets.token_urlsafe(32)


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[start:start + ROWS] for start in range(0, len(rows), ROWS))


def now() -> datetime:
    return datetime.now(UTC)
