"""The message-first door: a link in the chat, bound by one tap to the device that follows it.

WeChat's encrypted callback says whose chat it is, so the link needs no web login and works for every kind of account. It lives
shortly, serves one device, and opening it changes nothing: chats prefetch what is sent in them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from wxbackend import keys
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import EntryLink, Identity
from wxbackend.extensions import db
from wxbackend.problems import Problem

LIFE = timedelta(minutes=30)          # long enough for somebody who reads slowly, too short to be passed round a group
MAC_CHARS = 16
AGAIN = "回公众号发“投票”，会收到一个新的。"


class LinkOver(Problem):
    status, type, title = 410, "link-over", "这个链接过了时间。"
    hint = AGAIN


class LinkTaken(Problem):
    status, type, title = 409, "link-taken", "这个链接已经在另一部手机上用过了。"
    hint = "每个链接只认一部手机。" + AGAIN


class LinkOfAnother(Problem):
    """Somebody is logged in on this device, and the link was sent to somebody else: passed on, by mistake or to be tried."""

    status, type, title = 403, "link-of-another", "这是发给别人的链接。"
    hint = "点了就成了替别人投票。发一句“投票”给公众号，会收到您自己的。"


class LinkUnknown(Problem):
    status, type, title = 404, "link-unknown", "这个链接不完整。"
    hint = AGAIN


def make(identity: Identity, slug: str, source_code: str, at: datetime) -> str:
    """The path of a new link, /e/<random>.<mac>: nothing in it says who it is for."""
    nonce = secrets.token_urlsafe(16)
    token = f"{nonce}.{_mac(nonce)}"
    db.session.add(EntryLink(token_hash=accounts.token_hash(token), identity_id=identity.id, slug=slug, source_code=source_code,
                             made_at=at, expires_at=at + LIFE))
    db.session.flush()
    return f"/e/{token}"


def look(token: str, at: datetime, mark: str = "") -> EntryLink:
    """The link as it stands, unchanged. `mark`: the browser's own, for which a link it has bound stays good.

    Raises LinkUnknown, LinkOver, LinkTaken.
    """
    return _checked(_find(token), at, mark)


def bind(token: str, mark: str, at: datetime, replaces: str = "") -> tuple[EntryLink, str]:
    """Let this device in: (link, voter token). Pressed twice it gets another token; a second device gets LinkTaken.

    `replaces`: the token this device had, refused from now on where it was hers. Raises LinkUnknown, LinkOver, LinkTaken.
    """
    link = _checked(_find(token, for_update=True), at, mark)
    if link.bound_at is None:
        link.bound_at, link.bound_by = at, _mark_hash(mark)
    fresh, _ends = accounts.issue_token(link.identity, at, door="link", replaces=replaces)
    return link, fresh


def forget_over(at: datetime) -> None:
    """Delete links a day past their end."""
    db.session.execute(delete(EntryLink).where(EntryLink.expires_at < at - timedelta(days=1)))


def _find(token: str, for_update: bool = False) -> EntryLink | None:
    nonce, _, mac = token.partition(".")
    if len(token) > 80 or not hmac.compare_digest(mac.encode(), _mac(nonce).encode()):
        return None   # made up: not worth a look into the database
    query = select(EntryLink).where(EntryLink.token_hash == accounts.token_hash(token))
    return db.session.scalar(query.with_for_update() if for_update else query)


def _checked(link: EntryLink | None, at: datetime, mark: str) -> EntryLink:
    if link is None:
        raise LinkUnknown()
    if link.expires_at <= at:
        raise LinkOver(slug=link.slug)
    if link.bound_at is not None and not (mark and hmac.compare_digest(link.bound_by, _mark_hash(mark))):
        raise LinkTaken(slug=link.slug)
    return link


def _mac(nonce: str) -> str:
    return keys.keyed_hash("entry-link", nonce)[:MAC_CHARS]


def _mark_hash(mark: str) -> str:
    return hashlib.sha256(mark.encode()).hexdigest()
