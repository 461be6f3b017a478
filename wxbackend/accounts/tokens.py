"""Voter tokens: which device is whose. Random, kept as hashes, few for each identity, taken back at will.

A token begins with the shard of its owner in Redis, and so does its hash: her session is found on the node where her other values are.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import joinedload

from wxbackend import jobs, store
from wxbackend.accounts.models import Identity, VoterToken
from wxbackend.accounts.rules import VOTER_TOKEN_LIFE
from wxbackend.extensions import db

SHARD_CHARS, SHARD = 3, re.compile("[0-9a-f]{3}")
KEPT_SECONDS = 600          # how long a session stays in Redis
ASK_THE_DATABASE = "-"      # kept in its place, and longer than what a slow reader of the old state may still put there
MOST_DEVICES = 5        # live tokens of one identity; the oldest gives way
SWEEP_ONE_IN, SWEPT_AT_ONCE = 50, 200


def issue_token(identity: Identity, at: datetime, door: str = "h5", replaces: str = "") -> tuple[str, datetime]:
    """A new bearer token for one device and when it ends; only its hash is kept. `door` she came by: h5, miniprogram, link.

    `replaces`: the token this very request carried. It ends with this login if it was hers; somebody else's on the same device is not
    ours to end. Of six live ones the oldest ends. Tokens past their end go now and then.
    """
    db.session.execute(select(Identity.id).where(Identity.id == identity.id).with_for_update())   # two logins at once count one by one
    if replaces:
        _revoke(at, VoterToken.token_hash == voter_hash(replaces), VoterToken.identity_id == identity.id)
    mine = (VoterToken.identity_id == identity.id, VoterToken.revoked_at.is_(None), VoterToken.expires_at > at)
    live = list(db.session.scalars(select(VoterToken.id).where(*mine).order_by(VoterToken.issued_at.desc(), VoterToken.id.desc())))
    if len(live) >= MOST_DEVICES:
        _revoke(at, VoterToken.id.in_(live[MOST_DEVICES - 1:]))
    if secrets.randbelow(SWEEP_ONE_IN) == 0:
        sweep_tokens(at)
    token, ends = store.shard_of(identity.person.public_id) + secrets.token_urlsafe(32), at + VOTER_TOKEN_LIFE
    db.session.add(VoterToken(token_hash=voter_hash(token), identity_id=identity.id, door=door, issued_at=at, expires_at=ends))
    db.session.flush()
    return token, ends


def find_token(token: str, at: datetime) -> VoterToken | None:
    """The device of a token; None for one that is unknown, tampered with, revoked or over."""
    query = select(VoterToken).where(VoterToken.token_hash == voter_hash(token))
    found = db.session.scalar(query.options(joinedload(VoterToken.identity).joinedload(Identity.person)))
    return None if found is None or found.revoked_at is not None or found.expires_at <= at else found


def revoke_token(token: str, at: datetime) -> None:
    """This device is logged out; one that is unknown stays so."""
    _revoke(at, VoterToken.token_hash == voter_hash(token))


def sweep_tokens(at: datetime) -> int:
    """Forget some tokens past their end, revoked or not; how many."""
    over = list(db.session.scalars(select(VoterToken.id).where(VoterToken.expires_at <= at).order_by(VoterToken.id).limit(SWEPT_AT_ONCE)))
    if over:
        db.session.execute(delete(VoterToken).where(VoterToken.id.in_(over)), execution_options={"synchronize_session": "fetch"})
    return len(over)


def token_hash(token: str) -> str:
    # Tokens are 256 random bits: a plain hash is enough, there is nothing to guess.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def voter_hash(token: str) -> str:
    """The token's shard, and as much of its hash as the column takes; a made-up token may have no shard."""
    shard = token[:SHARD_CHARS] if SHARD.fullmatch(token[:SHARD_CHARS]) else "0" * SHARD_CHARS
    return shard + token_hash(token)[:64 - SHARD_CHARS]


def session_name(hashed: str) -> str:
    """Under which name the session of a token's hash is kept in Redis; its hash tag is the one of its owner's other values."""
    return f"{{{hashed[:SHARD_CHARS]}}}:session:{hashed}"


def look_again(token_hashes: Iterable[str], at: datetime) -> None:
    """The next requests with these tokens ask the database. Said before a change is committed: until then it has the old answer.

    While Redis does not answer, what it keeps is left as it is, and would be believed afterwards: a job says it again until it is heard.
    """
    hashes = list(token_hashes)
    try:
        put_marks(hashes)
    except store.StoreAway:
        jobs.enqueue("accounts.look-again", {"tokens": hashes}, at)


def put_marks(token_hashes: Iterable[str]) -> None:
    """Raises StoreAway."""
    for one in token_hashes:
        store.put(session_name(one), ASK_THE_DATABASE, 2 * KEPT_SECONDS)


def _revoke(at: datetime, *which: Any) -> None:
    those = (VoterToken.revoked_at.is_(None), *which)
    look_again(db.session.scalars(select(VoterToken.token_hash).where(*those)), at)
    db.session.execute(update(VoterToken).where(*those).values(revoked_at=at))
