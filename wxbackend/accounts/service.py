"""Who somebody is: persons by what WeChat told our server, staff by password."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from wxbackend import audit
from wxbackend.accounts.models import Identity, Person, Staff, StaffSession, VoterToken
from wxbackend.accounts.rules import STAFF_SESSION_LIFE, VOTER_TOKEN_LIFE
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem
from wxbackend.wechat import WxUser

_hasher = PasswordHasher()
_decoy = _hasher.hash(secrets.token_hex(16))   # compared when the name is unknown, so that both answers take as long


class NotLoggedIn(Problem):
    status, type, title = 401, "not-logged-in", "还没认出您是谁。"
    hint = "请从公众号的文章或菜单重新进入。"


class VirtualIdentity(Problem):
    status, type, title = 403, "preview-identity", "现在看的是预览页。"
    hint = "点“使用完整服务”，再来投票，我才认得出您。"


class WrongPassword(Problem):
    status, type, title = 401, "wrong-password", "账号或密码不对。"
    hint = "请再试一次；忘了密码请找活动管理员重设。"


class UsernameTaken(Problem):
    status, type, title = 409, "username-taken", "这个账号已经有人用了。"


@dataclass(frozen=True)
class Voter:
    """A person together with the door she came through in this request."""

    identity: Identity

    @property
    def person_id(self) -> int:
        return self.identity.person_id

    @property
    def person_key(self) -> str:
        return self.identity.person.public_id

    @property
    def appid(self) -> str:
        return self.identity.appid

    @property
    def door(self) -> str:
        return "miniprogram" if self.appid == settings.miniprogram_appid else "h5"


@dataclass(frozen=True)
class StaffSeat:
    """A member of staff at work in one session."""

    staff: Staff
    session: StaffSession


def login(user: WxUser, at: datetime) -> Identity:
    """The identity WeChat just vouched for, made on first sight and joined to its person by unionid.

    Raises VirtualIdentity for a snapshot user, whom WeChat names anew each time.
    """
    if user.is_snapshot:
        raise VirtualIdentity()
    known = find_identity(user.appid, user.openid)
    if known is None:
        return _first_sight(user, at)
    if user.unionid and known.person.unionid is None and not _is_taken(user.unionid):
        known.person.unionid = user.unionid   # learnt late; where somebody else has it already, the two wait for a merge
        db.session.flush()
    return known


def find_identity(appid: str, openid: str) -> Identity | None:
    return db.session.scalar(select(Identity).where(Identity.appid == appid, Identity.openid == openid))


def _is_taken(unionid: str) -> bool:
    return db.session.scalar(select(Person.id).where(Person.unionid == unionid)) is not None


def _first_sight(user: WxUser, at: datetime) -> Identity:
    try:
        with db.session.begin_nested():
            identity = Identity(person_id=_person(user.unionid, at).id, appid=user.appid, openid=user.openid, first_seen_at=at)
            db.session.add(identity)
        return identity
    except IntegrityError:   # the same person came twice at once; the other request made the rows
        found = find_identity(user.appid, user.openid)
        return found or _first_sight(user, at)


def _person(unionid: str | None, at: datetime) -> Person:
    known = db.session.scalar(select(Person).where(Person.unionid == unionid)) if unionid else None
    if known:
        return known
    person = Person(public_id=secrets.token_hex(16), unionid=unionid, created_at=at)
    db.session.add(person)
    db.session.flush()
    return person


def issue_token(identity: Identity, at: datetime) -> tuple[str, datetime]:
    """A new bearer token for one device and when it ends; only its hash is kept."""
    token, ends = secrets.token_urlsafe(32), at + VOTER_TOKEN_LIFE
    db.session.add(VoterToken(token_hash=token_hash(token), identity_id=identity.id, issued_at=at, expires_at=ends))
    db.session.flush()
    return token, ends


def voter_of(token: str, at: datetime) -> Voter | None:
    """The voter a token stands for; None for one that is unknown, tampered with, revoked or over."""
    found = db.session.scalar(select(VoterToken).where(VoterToken.token_hash == token_hash(token)))
    if found is None or found.revoked_at is not None or found.expires_at <= at:
        return None
    return Voter(found.identity)


def create_staff(username: str, name: str, role: str, password: str, at: datetime) -> Staff:
    """Raises UsernameTaken. `role`: manager, reviewer or auditor."""
    if db.session.scalar(select(Staff).where(Staff.username == username)):
        raise UsernameTaken()
    staff = Staff(username=username, name=name, role=role, password_hash=_hasher.hash(password), created_at=at)
    db.session.add(staff)
    db.session.flush()
    audit.record(f"staff:{username}", "staff.created", f"staff:{username}", at, facts={"role": role})
    return staff


def set_password(staff: Staff, password: str, at: datetime) -> None:
    """A new password; sessions under the old one end."""
    staff.password_hash = _hasher.hash(password)
    db.session.execute(update(StaffSession).where(StaffSession.staff_id == staff.id, StaffSession.ended_at.is_(None)).values(ended_at=at))
    db.session.flush()
    audit.record(f"staff:{staff.username}", "staff.password-set", f"staff:{staff.username}", at)


def check_password(username: str, password: str, at: datetime) -> Staff:
    """The member of staff, or WrongPassword, which does not tell which half was wrong; what the caller did before is committed."""
    query = select(Staff.id, Staff.username, Staff.password_hash).where(Staff.username == username, Staff.is_active)
    found = db.session.execute(query).first()
    db.session.commit()   # hashing takes a tenth of a second, and on SQLite an open transaction keeps everybody from voting
    if found and found.username != username:
        found = None      # MariaDB does not mind case or blanks behind: each spelling would have tries of its own
    try:
        _hasher.verify(found.password_hash if found else _decoy, password)
    except (VerificationError, InvalidHashError):
        found = None
    if found is None:
        raise WrongPassword()
    audit.record(f"staff:{username}", "staff.logged-in", f"staff:{username}", at)
    return db.session.get_one(Staff, found.id)


def open_session(staff: Staff, at: datetime) -> tuple[str, datetime]:
    token, ends = secrets.token_urlsafe(32), at + STAFF_SESSION_LIFE
    db.session.add(StaffSession(token_hash=token_hash(token), staff_id=staff.id, started_at=at, expires_at=ends))
    db.session.flush()
    return token, ends


def seat_of(token: str, at: datetime) -> StaffSeat | None:
    session = db.session.scalar(select(StaffSession).where(StaffSession.token_hash == token_hash(token)))
    if session is None or session.ended_at is not None or session.expires_at <= at or not session.staff.is_active:
        return None
    return StaffSeat(session.staff, session)


def close_session(token: str, at: datetime) -> None:
    session = db.session.scalar(select(StaffSession).where(StaffSession.token_hash == token_hash(token)))
    if session is not None and session.ended_at is None:
        session.ended_at = at
        audit.record(f"staff:{session.staff.username}", "staff.logged-out", f"staff:{session.staff.username}", at)


def token_hash(token: str) -> str:
    # Tokens are 256 random bits: a plain hash is enough, there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()
