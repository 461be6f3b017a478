"""Voter tokens: which device is whose. Random, kept as hashes, few for each identity, taken back at will."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, select, update

from wxbackend.accounts.models import Identity, VoterToken
from wxbackend.accounts.rules import VOTER_TOKEN_LIFE
from wxbackend.extensions import db

MOST_DEVICES = 5        # live tokens of one identity; the oldest gives way
SWEEP_ONE_IN, SWEPT_AT_ONCE = 50, 200


def issue_token(identity: Identity, at: datetime, door: str = "h5", replaces: str = "") -> tuple[str, datetime]:
    """A new bearer token for one device and when it ends; only its hash is kept. `door` she came by: h5, miniprogram, link.

    `replaces`: the token this very request carried. It ends with this login if it was hers; somebody else's on the same device is not
    ours to end. Of six live ones the oldest ends. Tokens past their end go now and then.
    """
    db.session.execute(select(Identity.id).where(Identity.id == identity.id).with_for_update())   # two logins at once count one by one
    if replaces:
        _revoke(at, VoterToken.token_hash == token_hash(replaces), VoterToken.identity_id == identity.id)
    mine = (VoterToken.identity_id == identity.id, VoterToken.revoked_at.is_(None), VoterToken.expires_at > at)
    live = list(db.session.scalars(select(VoterToken.id).where(*mine).order_by(VoterToken.issued_at.desc(), VoterToken.id.desc())))
    if len(live) >= MOST_DEVICES:
        _revoke(at, VoterToken.id.in_(live[MOST_DEVICES - 1:]))
    if secrets.randbelow(SWEEP_ONE_IN) == 0:
        sweep_tokens(at)
    token, ends = secrets.token_urlsafe(32), at + VOTER_TOKEN_LIFE
    db.session.add(VoterToken(token_hash=token_hash(token), identity_id=identity.id, door=door, issued_at=at, expires_at=ends))
    db.session.flush()
    return token, ends


def find_token(token: str, at: datetime) -> VoterToken | None:
    """The device of a token; None for one that is unknown, tampered with, revoked or over."""
    found = db.session.scalar(select(VoterToken).where(VoterToken.token_hash == token_hash(token)))
    return None if found is None or found.revoked_at is not None or found.expires_at <= at else found


def revoke_token(token: str, at: datetime) -> None:
    """This device is logged out; one that is unknown stays so."""
    _revoke(at, VoterToken.token_hash == token_hash(token))


def sweep_tokens(at: datetime) -> int:
    """Forget some tokens past their end, revoked or not; how many."""
    over = list(db.session.scalars(select(VoterToken.id).where(VoterToken.expires_at <= at).order_by(VoterToken.id).limit(SWEPT_AT_ONCE)))
    if over:
        db.session.execute(delete(VoterToken).where(VoterToken.id.in_(over)), execution_options={"synchronize_session": "fetch"})
    return len(over)


def token_hash(token: str) -> str:
    # Tokens are 256 random bits: a plain hash is enough, there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()


def _revoke(at: datetime, *which: object) -> None:
    db.session.execute(update(VoterToken).where(VoterToken.revoked_at.is_(None), *which).values(revoked_at=at))  # type: ignore[arg-type]
