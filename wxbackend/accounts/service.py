"""Who somebody is: persons by what WeChat told our server, staff by password."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from wxbackend import audit, jobs
from wxbackend.accounts.merge import all_ids, follows, hold, hold_all, hold_alone, merge, surviving, tidy
from wxbackend.accounts.models import Identity, Person, Staff, StaffSession
from wxbackend.accounts.rules import STAFF_SESSION_LIFE
from wxbackend.accounts.sessions import Voter, look_again_at, voter_of
from wxbackend.accounts.sessions import name_of as session_name_of
from wxbackend.accounts.sessions import read as read_session
from wxbackend.accounts.tokens import issue_token, revoke_token, sweep_tokens, token_hash, voter_hash
from wxbackend.extensions import db, settings
from wxbackend.problems import Problem
from wxbackend.wechat import WxUser

__all__ = ["NotLoggedIn", "StaffSeat", "UsernameTaken", "VirtualIdentity", "Voter", "WrongPassword", "all_ids", "check_password",
           "close_session", "create_staff", "find_identity", "follows", "hold", "hold_all", "is_unknown",
           "issue_token", "learn_unionid", "login", "merge", "open_session", "read_session", "revoke_token", "seat_of", "session_name_of",
           "set_password", "surviving", "sweep_tokens", "tidy", "token_hash", "voter_hash",
           "voter_of", "wonder"]

CROSSED_TRIES = 5
DEADLOCKS = ("40P01", 1213, 1305)   # PostgreSQL's; MariaDB's, also where it took the savepoint along
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
class StaffSeat:
    """A member of staff at work in one session."""

    staff: Staff
    session: StaffSession


def login(user: WxUser, at: datetime) -> Identity:
    """The identity WeChat just vouched for, made on first sight and joined to its person by unionid.

    A unionid that comes late, and is known of somebody else, makes the two one (see `learn_unionid`, also for what it asks of callers).
    Raises VirtualIdentity for a snapshot user, whom WeChat names anew each time.
    """
    if user.is_snapshot:
        raise VirtualIdentity()
    unionid = user.unionid
    if unionid is None:
        return find_identity(user.appid, user.openid) or _first_sight(user, at)
    return _patiently(lambda: _learn(find_identity(user.appid, user.openid) or _first_sight(user, at), unionid, at))


def learn_unionid(identity: Identity, unionid: str, at: datetime) -> None:
    """WeChat says whose this identity is: kept with the person, who is merged with whoever has it already.

    Its last word counts: a person who had another one (the apps were bound anew) has this one from now on. Where it crosses another
    login or vote of hers the transaction is rolled back and it is tried again, so call it before anything is written.
    """
    _patiently(lambda: _learn(identity, unionid, at))


def _learn(identity: Identity, unionid: str, at: datetime) -> Identity:
    owner = db.session.scalar(select(Person.id).where(Person.unionid == unionid))
    if owner == identity.person_id:
        return identity
    if owner is None:   # of two at once the unique key refuses one, who then finds the other's (in a new transaction: no lock is kept)
        person_id = hold_alone(identity.person_id)[0]
        db.session.execute(update(Person).where(Person.id == person_id).values(unionid=unionid))
        look_again_at(at, person_id)
    else:
        merge(identity.person_id, owner, at, "unionid", unionid)
    db.session.expire_all()   # somebody else may have merged them while we waited
    return identity


def _patiently(do: Callable[[], Identity]) -> Identity:
    for tries_left in reversed(range(CROSSED_TRIES)):
        try:
            return do()
        except (IntegrityError, OperationalError) as e:
            if not tries_left or not _crossed(e):
                raise
            db.session.rollback()
            time.sleep(secrets.randbelow(50) / 1000)   # two that crossed shall not cross again
    raise AssertionError("not reached")


def _crossed(error: DBAPIError) -> bool:
    """Whether the database refused because of another at the same moment: a key taken, or two that waited for each other."""
    codes = {getattr(error.orig, "sqlstate", None), *getattr(error.orig, "args", ())[:1]}   # PyMySQL has both, and 40001 for its deadlock
    return isinstance(error, IntegrityError) or bool(codes & set(DEADLOCKS))


def is_unknown(identity: Identity) -> bool:
    """Whether this identity of the account may be somebody of the mini program, and WeChat has not said whose it is."""
    return settings.has_miniprogram and settings.apps_bound and identity.appid == settings.account_appid and identity.person.unionid is None


def wonder(identity: Identity, at: datetime) -> bool:
    """Have WeChat asked, soon and once a day, whose this identity of the account is; whether that is promised now.

    Web login and messages bring no unionid, `user/info` does for followers: by a job, since a login does not wait for it.
    """
    if not is_unknown(identity):
        return False
    return jobs.enqueue("accounts.learn", {"identity": identity.id}, at, dedupe=f"{identity.id}:{at.date()}")


def find_identity(appid: str, openid: str) -> Identity | None:
    return db.session.scalar(select(Identity).where(Identity.appid == appid, Identity.openid == openid))


def _first_sight(user: WxUser, at: datetime) -> Identity:
    try:
        with db.session.begin_nested():
            person_id = hold(_person(user.unionid, at).id)   # held: she may be merged before this identity points to her
            identity = Identity(person_id=person_id, appid=user.appid, openid=user.openid, first_seen_at=at)
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
