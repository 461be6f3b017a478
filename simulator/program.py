"""The mini program as a program: what it holds on one phone and how it speaks to the product's API. Not the institution's own one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from simulator.people import Person
from simulator.product import Product, fetch
from simulator.state import State

PATIENCE = (2, 20)
API = "/api/v1"


class Trouble(Exception):
    """What the API refused, in its own words: the sentence, what to do next, the key, the facts."""

    def __init__(self, title: str, hint: str = "", status: int = 0, facts: dict[str, Any] | None = None) -> None:
        super().__init__(title)
        self.title, self.hint, self.status, self.facts = title, hint, status, facts or {}

    @property
    def kind(self) -> str:
        return str(self.facts.get("type", "")).rpartition("/")[2]

    @property
    def fields(self) -> dict[str, str]:
        """{field: sentence} of what was filled in wrongly."""
        errors = [e for e in self.facts.get("errors", ()) if isinstance(e, dict)]
        return {str(e.get("pointer", "")).strip("#/"): str(e.get("detail", "")) for e in errors}


@dataclass
class Held:
    """In the memory of one person's mini program."""

    token: str = ""
    captchas: dict[str, dict[str, Any]] = field(default_factory=dict)   # slug → the one on the screen
    families: dict[str, str] = field(default_factory=dict)              # slug → 换一种
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)   # slug → the newest
    typed: dict[str, Any] = field(default_factory=dict)                 # what was filled in before a refusal
    trouble: Trouble | None = None                                      # shown once
    said: str = ""                                                      # a toast, shown once

    def take(self) -> tuple[Trouble | None, str, dict[str, Any]]:
        """What is to be shown once."""
        shown = self.trouble, self.said, self.typed
        self.trouble, self.said, self.typed = None, "", {}
        return shown


class Program:
    """The mini program on one person's phone."""

    def __init__(self, state: State, product: Product, person: Person) -> None:
        self.state, self.product, self.person = state, product, person
        with state.lock:
            self.held: Held = state.mini.setdefault(person.id, Held())

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.call("POST", path, body or {})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call with the bearer token; a token that is no longer taken is renewed by one silent login. Raises Trouble."""
        fresh = not self.held.token
        try:
            return self._ask(method, path, body, self.held.token or self.log_in())
        except Trouble as e:
            if e.status != 401 or fresh:
                raise
        return self._ask(method, path, body, self.log_in())

    def log_in(self) -> str:
        """wx.login, and the code to the product; the token stays here."""
        code = self.state.make_code("login", self.person, self.product.now(fresh=True))
        self.held.token = ""
        self.held.token = str(self._ask("POST", "/login/miniprogram", {"code": code})["token"])
        return self.held.token

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = fetch(method, self.product.app_url + API + path, json=body, headers=headers, timeout=PATIENCE)
        except requests.RequestException:
            raise Trouble("网络不太顺，没连上。", "过一会儿再试就好。") from None
        try:
            told = answer.json() if answer.content else {}
        except ValueError:
            told = {}
        if answer.ok:
            return told
        told = told if isinstance(told, dict) else {}
        hint = told.get("detail") or told.get("hint") or ""
        raise Trouble(str(told.get("title") or "这一步没办成。"), str(hint), answer.status_code, told)

    # what a page needs
    def captcha(self, slug: str, at: datetime) -> dict[str, Any]:
        """The one on the screen, or a fresh one. Raises Trouble."""
        shown = self.held.captchas.get(slug)
        if shown is None or _instant(shown.get("expires_at")) <= at:
            family = self.held.families.get(slug)
            shown = self.held.captchas[slug] = self.post(f"/campaigns/{slug}/captchas", {"family": family} if family else {})
        return shown

    def another_captcha(self, slug: str, family: str = "") -> None:
        self.held.captchas.pop(slug, None)
        if family:
            self.held.families[slug] = family

    def mine(self, slug: str) -> dict[str, Any]:
        """What the product holds of this person for a campaign: entry, receipts, tickets; empty before the first vote."""
        for about in self.get("/me/data").get("campaigns", ()):
            if about.get("campaign") == slug:
                return about
        return {"campaign": slug, "entry": None, "receipts": [], "tickets": [], "submissions": []}


def _instant(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
