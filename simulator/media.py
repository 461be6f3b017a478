"""Pictures, voices and videos that were sent: three days by media_id, for the app they belong to."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.random_text import letters

MEDIA_LIFE = timedelta(days=3)


@dataclass
class Media:
    data: bytes
    mimetype: str
    made_at: datetime
    appid: str
    kind: str = "image"      # image, voice or video


class Shelf:
    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.kept: dict[str, Media] = {}

    def keep(self, data: bytes, at: datetime, appid: str, kind: str = "image") -> str:
        media_id = letters(64)
        mimetype = {"voice": "audio/amr", "video": "video/mp4"}.get(kind) or image_type(data)
        with self.lock:
            self.kept[media_id] = Media(data, mimetype, at, appid, kind)
        return media_id

    def find(self, media_id: str, at: datetime, appid: str | None = None) -> Media | None:
        """While it lives; of one app, where that is asked."""
        found = self.kept.get(media_id)
        if found is None or at - found.made_at > MEDIA_LIFE or appid not in (None, found.appid):
            return None
        return found


def image_type(data: bytes) -> str:
    return ("image/png" if data.startswith(b"\x89PNG") else "image/gif" if data.startswith(b"GIF8")
            else "image/webp" if data[8:12] == b"WEBP" else "image/jpeg")
