"""Who a voter's token stands for, kept at hand in Redis, so that a rush of votes asks the database for no logins.

The database is the truth. Whatever changes who somebody is (logging out, one person from two, a unionid learned) has the next requests look
there again. While Redis is away every request looks there.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from sqlalchemy import select

from wxbackend import store
from wxbackend.accounts.models import Identity, VoterToken
from wxbackend.accounts.tokens import ASK_THE_DATABASE, KEPT_SECONDS, find_token, look_again, session_name, voter_hash
from wxbackend.extensions import db, settings
from wxbackend.store import StoreAway

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Voter:
    """A person together with the door she came through in this request; `came_by` is what her token says of it.

    `is_known`: WeChat has said who she is behind every door (her unionid).
    """

    person_id: int
    person_key: str
    identity_id: int
    appid: str
    came_by: str
    is_known: bool

    @classmethod
    def of(cls, identity: Identity, came_by: str = "") -> Self:
        person = identity.person
        return cls(person.id, person.public_id, identity.id, identity.appid, came_by, person.unionid is not None)

    @property
    def identity(self) -> Identity:
        return db.session.get_one(Identity, self.identity_id)

    @property
    def door(self) -> str:
        """miniprogram, h5 (web login), or link (a message to the account first)."""
        return "miniprogram" if self.appid == settings.miniprogram_appid else self.came_by or "h5"


def voter_of(token: str, at: datetime) -> Voter | None:
    """The voter a token stands for; None for one that is unknown, tampered with, revoked or over."""
    name = name_of(token)
    try:
        kept = store.get(name)
    except StoreAway:
        return _stored(token, at)[0]
    if kept and kept != ASK_THE_DATABASE:
        return read(kept, at)
    voter, ends = _stored(token, at)
    if voter is not None and kept is None and token.startswith(store.shard_of(voter.person_key)):   # else her other values lie elsewhere
        with contextlib.suppress(StoreAway):
            store.put_once(name, write(voter, ends), KEPT_SECONDS)   # once: a change that came meanwhile stands there already
    return voter


def name_of(token: str) -> str:
    """Under which name a token's session is kept in Redis."""
    return session_name(voter_hash(token))


def write(voter: Voter, ends: datetime) -> str:
    """ "<32 hex of the person>|7|12|wx…|link|1|1641603600000" """
    ms = (ends - EPOCH) // timedelta(milliseconds=1)
    return "|".join((voter.person_key, str(voter.person_id), str(voter.identity_id), voter.appid, voter.came_by,
                     "1" if voter.is_known else "", str(ms)))


def read(kept: str, at: datetime) -> Voter | None:
    """None for a session that is over."""
    person_key, person_id, identity_id, appid, came_by, known, ms = kept.split("|")
    if at >= EPOCH + timedelta(milliseconds=int(ms)):
        return None
    return Voter(int(person_id), person_key, int(identity_id), appid, came_by, known == "1")


def look_again_at(at: datetime, *person_ids: int) -> None:
    """The same for every token of these persons."""
    query = select(VoterToken.token_hash).join(Identity, VoterToken.identity_id == Identity.id)
    look_again(db.session.scalars(query.where(Identity.person_id.in_(person_ids), VoterToken.revoked_at.is_(None))), at)


def _stored(token: str, at: datetime) -> tuple[Voter | None, datetime]:
    found = find_token(token, at)
    return (None, at) if found is None else (Voter.of(found.identity, found.door), found.expires_at)
