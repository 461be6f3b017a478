"""The product as the simulator sees it from outside: its demo clock, its campaigns, its newest receipt.

Answers of `GET {app_url}/demo/clock`:
{"now": "2022-01-06T06:16:00+00:00", "said": "1月6日（周四）14:16", "campaigns": [{"slug", "title", "mode", "entry_url",
"opens_at", "closes_at", "freeze_at"}, …]}; a campaign may also bring "mine_url", "draw_url" and "sources": [{"code", "name", "url"}].
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import requests

SHANGHAI = ZoneInfo("Asia/Shanghai")
FRESH_SECONDS = 1.0
AWAY_SECONDS = 3.0           # how long a product that hangs is left alone
CODE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}")
NOT_PRINTED = {"menu", "chat", "more"}   # ways in that are links, not QR codes
PATIENCE = (1, 2)            # connect, read


@dataclass(frozen=True)
class Campaign:
    slug: str
    title: str
    mode: str                # hosted or external
    entry_url: str
    menu_url: str            # the entry as the account's menu has it
    mine_url: str
    draw_url: str
    opens_at: datetime | None
    closes_at: datetime | None
    sources: tuple[tuple[str, str], ...]   # (name, url) of each QR
    keyword: str = "投票"    # what to send in the chat


@dataclass(frozen=True)
class Look:
    """One look at the product's clock; `there` is False while it does not answer or has no demo clock."""

    offset: timedelta = timedelta()
    campaigns: tuple[Campaign, ...] = ()
    there: bool = False
    taken: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Receipt:
    """What the success page shows: the QR as a data URL, the eight characters, the heading and the line below it."""

    qr: str
    code: str
    title: str
    day: str


class Product:
    def __init__(self, app_url: str) -> None:
        self._asking = threading.Lock()
        self.own = timedelta()           # how far WeChat's clock runs ahead of the product's
        self.point_at(app_url)

    def point_at(self, app_url: str) -> None:
        self.app_url = app_url.rstrip("/")
        self._last = Look(taken=float("-inf"))

    def look(self, fresh: bool = False) -> Look:
        """The newest look, at most a second old. While another thread asks, the last one serves."""
        stale = fresh or time.monotonic() - self._last.taken > FRESH_SECONDS
        if stale and self._asking.acquire(blocking=fresh):
            try:
                self._last = self._ask("GET")
            finally:
                self._asking.release()
        return self._last

    def now(self, fresh: bool = False) -> datetime:
        """The demo clock's present instant, aware UTC, plus what control added; the wall's when the product has none."""
        offset = self.look(fresh).offset
        return datetime.now(UTC) + offset + self.own

    def jump(self, to: str) -> str:
        """Move the demo clock to "tomorrow", "before-close" or "draw"; "moved", "past" (it only runs forward) or "away"."""
        look = self._ask("POST", to)
        if look.there:
            self._last = look
            return "moved"
        return "past" if self.look(fresh=True).there else "away"

    def _ask(self, method: str, to: str | None = None) -> Look:
        asked = datetime.now(UTC)   # counted from before the question, so that we never run behind the product
        try:
            answer = fetch(method, f"{self.app_url}/demo/clock", json={"to": to} if to else None, timeout=PATIENCE)
            if answer.status_code != 200:
                return Look()
            said = answer.json()
            campaigns = sorted((self._campaign(c) for c in said.get("campaigns", ())), key=lambda c: c.mode != "hosted")
            return Look(datetime.fromisoformat(said["now"]) - asked, tuple(campaigns), True)
        except requests.ConnectionError:
            return Look()
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return Look(self._last.offset, self._last.campaigns, self._last.there, time.monotonic() + AWAY_SECONDS)

    def _campaign(self, c: dict[str, Any]) -> Campaign:
        home = f"{self.app_url}/c/{c['slug']}"
        entry = urljoin(self.app_url + "/", c.get("entry_url") or home)
        sources = tuple((s["name"], s["url"]) for s in c.get("sources", ()) if s["code"] not in NOT_PRINTED) or \
            (("公众号文章", with_source(entry, "article")), ("海报", with_source(entry, "poster")))
        menu = next((s["url"] for s in c.get("sources", ()) if s["code"] == "menu"), entry)
        draw = urljoin(self.app_url + "/", c.get("draw_url") or home + "/results")
        return Campaign(c["slug"], c["title"], c.get("mode", "hosted"), entry, menu, c.get("mine_url") or home + "/mine", draw,
                        _instant(c.get("opens_at")), _instant(c.get("closes_at")), sources, c.get("keyword") or "投票")

    def about(self, api: str, slug: str, patience: tuple[float, float]) -> dict[str, Any]:
        """The campaign as the product's API tells it to anybody; empty when it does not."""
        try:
            answer = fetch("GET", f"{self.app_url}{api}/campaigns/{slug}", timeout=patience)
            told = answer.json() if answer.status_code == 200 else {}
        except (requests.RequestException, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def newest_receipt(self, slugs: list[str], cookies: dict[str, str]) -> Receipt | None:
        """The receipt page of the newest ballot in the first of these campaigns that has one for this browser."""
        for slug in slugs:
            if found := self._receipt(f"{self.app_url}/c/{slug}/receipts/latest", cookies):
                return found
        return None

    def _receipt(self, url: str, cookies: dict[str, str]) -> Receipt | None:
        try:
            for _ in range(4):   # never led away from the product
                answer = fetch("GET", url, cookies=cookies, timeout=(0.5, 5))
                if not answer.is_redirect:
                    return read_receipt(answer.text) if answer.status_code == 200 else None
                url = urljoin(url, answer.headers["Location"])
                if urlsplit(url).netloc != urlsplit(self.app_url).netloc:
                    return None
        except requests.RequestException:
            pass
        return None


class _ReceiptReader(HTMLParser):
    """Takes the first img.qr, .code and h1, and the first .small after the h1."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._into = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {k: v or "" for k, v in attrs}
        classes = values.get("class", "").split()
        if tag == "img" and "qr" in classes:
            self.found.setdefault("qr", values.get("src", ""))
        want = "title" if tag == "h1" else "code" if "code" in classes else "day" if tag == "p" and "title" in self.found else ""
        if want and want not in self.found:
            self._into, self.found[want] = want, ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h1", "p"):
            self._into = ""

    def handle_data(self, data: str) -> None:
        if self._into:
            self.found[self._into] += data


def read_receipt(page: str) -> Receipt | None:
    """The receipt on a success page, or None when the page is another one."""
    reader = _ReceiptReader()
    reader.feed(page)
    f = {k: " ".join(v.split()) for k, v in reader.found.items()}
    code = CODE.search(f.get("code", ""))
    if not f.get("qr", "").startswith("data:image/png;base64,") or not code:
        return None
    return Receipt(f["qr"], code.group(), f.get("title", ""), f.get("day", ""))


def with_source(url: str, source: str) -> str:
    """The same address with ?s=<source>."""
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query) if k != "s"] + [("s", source)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def say_time(at: datetime) -> str:
    """1月8日（周六）09:00 in Shenzhen; midnight is 0点."""
    local = at.astimezone(SHANGHAI)
    hour = "0点" if (local.hour, local.minute) == (0, 0) else f"{local:%H:%M}"
    return f"{local.month}月{local.day}日（周{'一二三四五六日'[local.weekday()]}）{hour}"


def say_day(day: str) -> str:
    """1月8日（周六） of "2022-01-08"."""
    date = datetime.fromisoformat(day)
    return f"{date.month}月{date.day}日（周{'一二三四五六日'[date.weekday()]}）"


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def fetch(method: str, url: str, **options: Any) -> requests.Response:
    """One request to the product, redirects left to the caller; no proxy stands between two programs on one machine."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, allow_redirects=False, **options)
