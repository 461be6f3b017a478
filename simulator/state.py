"""Everything the simulated WeChat remembers: people, codes, tokens, media, chats. In memory, behind one lock."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import deque
from datetime import datetime
from typing import Any

from simulator import console
from simulator.codes import Codes
from simulator.later import Later
from simulator.letterforms import read_template
from simulator.limits import Grants, Meter
from simulator.media import Shelf
from simulator.people import ALBUM_SIZE, CAST, Line, Person, Photo
from simulator.printed import Press
from simulator.random_text import fixed_id, letters
from simulator.settings import Config
from simulator.tokens import Tokens
from simulator.weather import Weather

LOG_SIZE = 5000
NUMBERS = ("alternate", "number", "string")
OPTIONAL = ("present", "missing")


class State:
    """One simulated WeChat. Methods take `at`, the demo's instant, and hold the lock for their own length only."""

    def __init__(self, config: Config) -> None:
        self.lock = threading.RLock()
        self.config = config
        self.reset()

    def reset(self) -> None:
        """As on the first day: the cast with empty chats, no tokens, no logs. Settings stay."""
        with self.lock:
            self.people: dict[str, Person] = {}
            self.codes, self.tokens, self.media = Codes(self.lock), Tokens(self.lock), Shelf(self.lock)
            self.press, self.meter, self.grants = Press(self.lock), Meter(self.lock), Grants(self.lock)
            self.weather, self.later = Weather(self.lock), Later()
            self.menu: dict[str, Any] | None = None                     # made by menu/create
            by_hand = self.config.console_made
            self.console: dict[str, Any] = {"menu": console.MENU if by_hand else None, "replies": console.REPLIES if by_hand else None}
            self.templates: dict[str, dict[str, tuple[str, ...]]] = {"account": {}, "miniprogram": {}}   # added by control
            self.sent_ids: dict[tuple[str, str], int] = {}              # (openid, client_msg_id) → msgid
            self.verdicts: list[dict[str, Any]] = []                    # on texts: {"contains", "suggest", "label"}
            self.media_verdicts: deque[dict[str, Any]] = deque()
            self.checked: deque[dict[str, Any]] = deque(maxlen=200)     # media that were downloaded to be looked at
            self.whitelist: set[str] | None = None                      # None: any address may ask for tokens
            self.shape = {"numbers": "alternate", "optional": "present"}
            self.consents: dict[str, tuple[Person, str]] = {}           # web login pages that wait for a tap
            self.mini: dict[str, Any] = {}                              # person → what the mini program holds on that phone
            self.requests: deque[dict[str, Any]] = deque(maxlen=LOG_SIZE)
            self.callbacks: deque[dict[str, Any]] = deque(maxlen=LOG_SIZE)
            self.last_callback: Any = None
            self._turns = itertools.count()
            self._numbers = itertools.count(1)
            self._msg_ids = itertools.count(secrets.randbelow(10**9) + 23_000_000_000_000_000)
            for about in CAST:
                self.add_person(**about)

    # people
    def add_person(self, name: str, about: str = "", *, key: str = "", **case: Any) -> Person:
        """A person with one openid per app, the same at every start; `case` sets the further fields of Person."""
        with self.lock:
            key = key or f"p{next(self._numbers)}"
            openids = {appid: fixed_id("o-demo-", appid + key) for appid in self.config.secrets}
            person = self.people[key] = Person(key, name, about, openids, fixed_id("u-demo-", key), **case)
            return person

    def person(self, key: str | None) -> Person | None:
        """By id or by name."""
        with self.lock:
            return self.people.get(key or "") or next((p for p in self.people.values() if p.name == key), None)

    def holder(self, appid: str, openid: str) -> Person | None:
        with self.lock:
            return next((p for p in self.people.values() if p.openids.get(appid) == openid), None)

    def unionid(self, person: Person) -> dict[str, str]:
        """{"unionid": …} where both apps are bound to one 开放平台 account, else nothing."""
        return {"unionid": person.unionid} if person.unionid and self.config.apps_bound else {}

    def make_code(self, kind: str, person: Person, at: datetime, scope: str = "") -> str:
        """A one-time code for the account ("oauth") or the mini program ("login", "phone")."""
        appid = self.config.account_appid if kind == "oauth" else self.config.miniprogram_appid
        return self.codes.make(kind, appid, person, at, scope)

    # chats
    def say(self, person: Person, line: Line) -> None:
        with self.lock:
            person.chat.append(line)

    def notify(self, person: Person, line: Line) -> None:
        """Into 服务通知."""
        with self.lock:
            person.notices.append(line)

    def add_photo(self, person: Person, data: bytes, from_name: str = "") -> Photo:
        """The newest photos of a phone; the oldest leave."""
        photo = Photo(letters(12), data, from_name)
        with self.lock:
            person.album.append(photo)
            del person.album[:-ALBUM_SIZE]
        return photo

    def next_msg_id(self) -> int:
        """Rising numbers beyond what a JavaScript number holds exactly, as WeChat's are."""
        with self.lock:
            return next(self._msg_ids)

    # shapes
    def number(self, value: int) -> int | str:
        """WeChat writes some numbers as numbers and some as texts: by turns, or as `shape` says."""
        how = self.shape["numbers"]
        as_text = how == "string" or how == "alternate" and next(self._turns) % 2 == 1
        return str(value) if as_text else value

    def template_fields(self, app: str, template_id: str) -> tuple[str, ...] | None:
        """The fields of a template the app has, or None."""
        text = self.config.account_template if app == "account" else self.config.notice_template
        known = dict([read_template(text)] if text else []) | self.templates[app]
        return known.get(template_id)
