"""Everything the simulated WeChat remembers: people, codes, tokens, media, chats. In memory, behind one lock."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets
import string
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulator.settings import Config

CODE_LIFE = timedelta(minutes=5)
TOKEN_LIFE = timedelta(hours=2)
OLD_TOKEN_GRACE = timedelta(minutes=5)
MEDIA_LIFE = timedelta(days=3)
ALBUM_SIZE = 6
CAST = (   # id, name, about, follows the account, sees the snapshot page
    ("amei", "阿美", "每天都投", True, False),
    ("laochen", "老陈", "用长辈版，喜欢发截图", True, False),
    ("luren", "路人", "拿别人的截图来试", True, False),
    ("afang", "阿芳", "还没关注公众号", False, False),
    ("xiaozhou", "小周", "打开的是预览页", True, True),
)


@dataclass
class Line:
    """One line of a chat: from "me" (the person), "it" (the account) or WeChat itself ("note")."""

    who: str
    kind: str                # text, image or event
    at: datetime
    text: str = ""
    media_id: str = ""
    via: str = ""            # passive or customer, for lines of the account


@dataclass
class Photo:
    id: str
    data: bytes
    from_name: str = ""      # who forwarded it


@dataclass
class Person:
    id: str
    name: str
    about: str
    openids: dict[str, str]  # appid → openid
    unionid: str | None
    follows: bool = True
    snapshot: bool = False
    chat: list[Line] = field(default_factory=list)
    album: list[Photo] = field(default_factory=list)


@dataclass
class Code:
    kind: str                # login or oauth
    appid: str
    person: Person
    made_at: datetime
    scope: str = ""
    used: bool = False


@dataclass
class Token:
    appid: str
    pool: str                # stable or plain; the two never touch each other
    dies_at: datetime
    errcode: int = 42001     # what a dead one is answered with


@dataclass
class Media:
    data: bytes
    mimetype: str
    made_at: datetime


class State:
    """One simulated WeChat. Methods take `at`, the demo's instant, and hold the lock for their own length only."""

    def __init__(self, config: Config) -> None:
        self.lock = threading.RLock()
        self.config = config
        self.reset()

    def reset(self) -> None:
        """As on the first day: the cast with empty chats, no tokens, no logs."""
        with self.lock:
            self.people: dict[str, Person] = {}
            self.codes: dict[str, Code] = {}
            self.tokens: dict[str, Token] = {}
            self.user_tokens: dict[str, tuple[str, str, Person]] = {}   # token → (openid, scope, person)
            self.media: dict[str, Media] = {}
            self.scenes: dict[str, str] = {}                            # ticket → url
            self.menu: dict[str, Any] | None = None
            self.failures: list[dict[str, Any]] = []
            self.requests: deque[dict[str, Any]] = deque(maxlen=2000)
            self.callbacks: deque[dict[str, Any]] = deque(maxlen=2000)
            self.last_callback: Any = None
            self._numbers = itertools.count(1)
            self._msg_ids = itertools.count(secrets.randbelow(10**9) + 23_000_000_000_000_000)
            for key, name, about, follows, snapshot in CAST:
                self.add_person(name, about, key=key, follows=follows, snapshot=snapshot)

    # people
    def add_person(self, name: str, about: str = "", *, key: str = "", follows: bool = True, snapshot: bool = False,
                   bound: bool = True) -> Person:
        """A person with one openid per app, the same at every start; `bound` False gives no unionid."""
        with self.lock:
            key = key or f"p{next(self._numbers)}"
            openids = {appid: _fixed_id("o-demo-", appid + key) for appid in self.config.secrets}
            person = Person(key, name, about, openids, _fixed_id("u-demo-", key) if bound else None, follows, snapshot)
            self.people[key] = person
            return person

    def person(self, key: str | None) -> Person | None:
        """By id or by name."""
        with self.lock:
            return self.people.get(key or "") or next((p for p in self.people.values() if p.name == key), None)

    def holder(self, appid: str, openid: str) -> Person | None:
        with self.lock:
            return next((p for p in self.people.values() if p.openids.get(appid) == openid), None)

    # codes
    def make_code(self, kind: str, person: Person, at: datetime, scope: str = "") -> str:
        """A one-time code for the mini program ("login") or the account ("oauth")."""
        appid = self.config.miniprogram_appid if kind == "login" else self.config.account_appid
        code = "0" + _random(31)
        with self.lock:
            self.codes[code] = Code(kind, appid, person, at, scope)
        return code

    def redeem(self, code: str, kind: str, appid: str, at: datetime) -> Code | int:
        """The code, now used up, or the errcode: 40029 unknown, of another app or too old; 40163 used before."""
        with self.lock:
            found = self.codes.get(code)
            if found is None or (found.kind, found.appid) != (kind, appid) or at - found.made_at > CODE_LIFE:
                return 40029
            if found.used:
                return 40163
            found.used = True
            return found

    # tokens
    def stable_token(self, appid: str, at: datetime, force: bool = False) -> tuple[str, int]:
        """(token, seconds left): the same one again until five minutes before its end."""
        with self.lock:
            for text, token in self.tokens.items():
                if (token.appid, token.pool) == (appid, "stable") and token.dies_at - at > OLD_TOKEN_GRACE and not force:
                    return text, int((token.dies_at - at).total_seconds())
            return self._new_token(appid, "stable", at)

    def plain_token(self, appid: str, at: datetime) -> tuple[str, int]:
        """A new token; the older ones of this pool live five more minutes."""
        with self.lock:
            return self._new_token(appid, "plain", at)

    def _new_token(self, appid: str, pool: str, at: datetime) -> tuple[str, int]:
        for token in self.tokens.values():
            if (token.appid, token.pool) == (appid, pool) and token.dies_at > at + OLD_TOKEN_GRACE:
                token.dies_at, token.errcode = at + OLD_TOKEN_GRACE, 40001
        text = f"SIM_{pool}_{_random(96)}"
        self.tokens[text] = Token(appid, pool, at + TOKEN_LIFE)
        return text, int(TOKEN_LIFE.total_seconds())

    def token_owner(self, text: str, at: datetime) -> str | int:
        """The appid a token belongs to, or the errcode: 41001 none, 40014 malformed, 40001 unknown or not latest, 42001 expired."""
        if not text:
            return 41001
        if not text.startswith("SIM_"):
            return 40014
        with self.lock:
            token = self.tokens.get(text)
            if token is None:
                return 40001
            return token.appid if at < token.dies_at else token.errcode

    def expire_tokens(self, at: datetime, errcode: int = 42001) -> int:
        """Let every living token die now; how many did."""
        with self.lock:
            alive = [t for t in self.tokens.values() if t.dies_at > at]
            for token in alive:
                token.dies_at, token.errcode = at, errcode
            return len(alive)

    # media and messages
    def keep_media(self, data: bytes, at: datetime) -> str:
        media_id = _random(64)
        with self.lock:
            self.media[media_id] = Media(data, image_type(data), at)
        return media_id

    def media_of(self, media_id: str, at: datetime) -> Media | None:
        """Temporary media live three days."""
        with self.lock:
            found = self.media.get(media_id)
        return found if found and at - found.made_at <= MEDIA_LIFE else None

    def say(self, person: Person, line: Line) -> None:
        with self.lock:
            person.chat.append(line)

    def add_photo(self, person: Person, data: bytes, from_name: str = "") -> Photo:
        """The newest photos of a phone; the oldest leave."""
        photo = Photo(_random(12), data, from_name)
        with self.lock:
            person.album.append(photo)
            del person.album[:-ALBUM_SIZE]
        return photo

    def next_msg_id(self) -> int:
        """Rising numbers beyond what a JavaScript number holds exactly, as WeChat's are."""
        with self.lock:
            return next(self._msg_ids)

    def failure_for(self, path: str) -> dict[str, Any] | None:
        """What fail-next asked for this path, counted down."""
        with self.lock:
            for failure in self.failures:
                if failure["path"] == path and failure["times"] > 0:
                    failure["times"] -= 1
                    return failure
        return None


def image_type(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/webp" if data[8:12] == b"WEBP" else "image/jpeg"


def _fixed_id(prefix: str, seed: str) -> str:
    """28 characters, the same for the same seed."""
    return prefix + base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()).decode()[:28 - len(prefix)]


def _random(size: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(size))
