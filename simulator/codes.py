"""One-time codes of the mini program's login, its phone button and web login; and what web login hands out for them."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.people import Person
from simulator.random_text import letters

CODE_LIFE = timedelta(minutes=5)
USER_TOKEN_LIFE = timedelta(hours=2)
REFRESH_LIFE = timedelta(days=30)
EXPIRED = {"oauth": 42003}   # the others say 40029


@dataclass
class Code:
    kind: str                # login, phone or oauth
    appid: str
    person: Person
    made_at: datetime
    scope: str = ""
    used: bool = False


@dataclass
class UserToken:
    """What web login gives the account: it speaks for one person and one scope, not for the app."""

    openid: str
    unionid: str | None
    scope: str
    person: Person
    is_snapshot: bool
    dies_at: datetime
    refresh: str
    refresh_dies_at: datetime


class Codes:
    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.given: dict[str, Code] = {}
        self.user_tokens: dict[str, UserToken] = {}

    def make(self, kind: str, appid: str, person: Person, at: datetime, scope: str = "") -> str:
        code = "0" + letters(31)
        with self.lock:
            self.given[code] = Code(kind, appid, person, at, scope)
        return code

    def redeem(self, text: str, kind: str, appid: str, at: datetime) -> Code | int:
        """The code, now used up, or the errcode: 40029 unknown, of another kind or app, too old (42003 for web login); 40163 used."""
        with self.lock:
            found = self.given.get(text)
            if found is None or (found.kind, found.appid) != (kind, appid):
                return 40029
            if found.used:
                return 40163
            if at - found.made_at > CODE_LIFE:
                return EXPIRED.get(kind, 40029)
            found.used = True
            return found

    def user_token(self, person: Person, openid: str, unionid: str | None, scope: str, at: datetime) -> tuple[str, UserToken]:
        token = UserToken(openid, unionid, scope, person, person.sees_snapshot, at + USER_TOKEN_LIFE, "R_" + secrets.token_urlsafe(48),
                          at + REFRESH_LIFE)
        return self._keep(token)

    def _keep(self, token: UserToken) -> tuple[str, UserToken]:
        text = "USER_" + secrets.token_urlsafe(48)
        with self.lock:
            self.user_tokens[text] = token
        return text, token

    def user(self, text: str, at: datetime) -> UserToken | int:
        """Whom a user's token speaks for, or 40001 unknown, 42001 expired."""
        found = self.user_tokens.get(text)
        return 40001 if found is None else 42001 if at >= found.dies_at else found

    def refresh(self, text: str, at: datetime) -> tuple[str, UserToken] | int:
        """The token again with two hours before it; 40030 unknown, 42002 expired."""
        with self.lock:
            found = next(((k, t) for k, t in self.user_tokens.items() if t.refresh == text), None)
            if found is None:
                return 40030
            if at >= found[1].refresh_dies_at:
                return 42002
            found[1].dies_at = at + USER_TOKEN_LIFE
            return found
