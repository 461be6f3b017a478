"""What WeChat prints for the apps: scene QR codes, 小程序码 and links into the mini program. A scanner looks them up here."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.random_text import letters


@dataclass(frozen=True)
class Printed:
    """`content` is what the code says; `scene` of a QR code of the account; `page` and `query` of a way into the mini program."""

    kind: str                # scene-qr, mini-code, url-link or scheme
    content: str
    dies_at: datetime | None = None
    scene: str = ""
    ticket: str = ""
    page: str = ""
    query: str = ""
    env_version: str = "release"


class Press:
    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.made: dict[str, Printed] = {}   # by content

    def scene_qr(self, scene: str, dies_at: datetime | None) -> Printed:
        return self._keep(Printed("scene-qr", "http://weixin.qq.com/q/" + secrets.token_urlsafe(12), dies_at, scene,
                                  "gQ" + secrets.token_urlsafe(70)))

    def mini_code(self, scene: str, page: str, env_version: str) -> Printed:
        """The same code for the same scene, as WeChat draws it."""
        with self.lock:
            known = [p for p in self.made.values() if (p.kind, p.scene, p.page, p.env_version) == ("mini-code", scene, page, env_version)]
        return known[0] if known else self._keep(
            Printed("mini-code", f"https://mp.weixin.qq.com/a/~{letters(12)}~~", None, scene, page=page, env_version=env_version))

    def link(self, kind: str, page: str, query: str, dies_at: datetime | None) -> Printed:
        content = f"https://wxaurl.cn/{letters(11)}" if kind == "url-link" else f"weixin://dl/business/?t={letters(11)}"
        return self._keep(Printed(kind, content, dies_at, page=page, query=query))

    def _keep(self, printed: Printed) -> Printed:
        with self.lock:
            self.made[printed.content] = printed
        return printed

    def by_ticket(self, ticket: str) -> Printed | None:
        return next((p for p in self.made.values() if ticket and p.ticket == ticket), None)

    def read(self, content: str, at: datetime) -> Printed | None:
        """What a scanner finds, while it is valid."""
        found = self.made.get(content)
        return found if found and (found.dies_at is None or at < found.dies_at) else None

    def told(self) -> list[dict[str, Any]]:
        return [{"kind": p.kind, "content": p.content, "scene": p.scene, "page": p.page, "query": p.query} for p in self.made.values()]
