"""What WeChat counts: calls a day and a minute, and messages to one person after what that person did."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.product import SHANGHAI

DAILY = {"/cgi-bin/token": 2000, "/cgi-bin/stable_token": 500_000, "/cgi-bin/media/get": 10_000, "/wxa/msg_sec_check": 2_000_000,
         "/wxa/media_check_async": 200_000, "/wxa/generate_urllink": 500_000, "/wxa/generatescheme": 500_000,
         "/cgi-bin/message/custom/send": 500_000, "/cgi-bin/message/template/send": 100_000, "/cgi-bin/menu/create": 1000,
         "/cgi-bin/menu/delete": 1000, "/cgi-bin/menu/get": 10_000, "/cgi-bin/user/info": 5_000_000, "/cgi-bin/ticket/getticket": 1000}
PER_MINUTE = {"/wxa/getwxacodeunlimit": 5000, "/cgi-bin/stable_token": 10_000, "/wxa/msg_sec_check": 4000, "/wxa/media_check_async": 2000,
              "/sns/oauth2/access_token": 50_000}
ANY_DAY = 10_000_000
CLEARINGS_A_MONTH = 10
LOGINS_A_MINUTE = 100        # of one person


class Meter:
    """Counts of calls, by appid and path; a day is the day in Shenzhen."""

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self.daily, self.per_minute = dict(DAILY), dict(PER_MINUTE)
        self.used: Counter[tuple[str, ...]] = Counter()

    def spend(self, appid: str, path: str, at: datetime) -> int:
        """Count one call; 0, or 45009 above the day's limit, 45011 above the minute's."""
        local = at.astimezone(SHANGHAI)
        today, minute = (appid, path, f"{local:%Y%m%d}"), (appid, path, f"{local:%Y%m%d%H%M}")
        with self.lock:
            if self.used[today] >= self.daily.get(path, ANY_DAY):
                return 45009
            if self.used[minute] >= self.per_minute.get(path, ANY_DAY):
                return 45011
            self.used[today] += 1
            self.used[minute] += 1
            return 0

    def spend_login(self, openid: str, at: datetime) -> bool:
        """A person logs in 100 times a minute at most."""
        key = ("login", openid, f"{at:%Y%m%d%H%M}")
        with self.lock:
            self.used[key] += 1
            return self.used[key] <= LOGINS_A_MINUTE

    def quota(self, appid: str, path: str, at: datetime) -> dict[str, int]:
        limit, used = self.daily.get(path, ANY_DAY), self.used[(appid, path, f"{at.astimezone(SHANGHAI):%Y%m%d}")]
        return {"daily_limit": limit, "used": used, "remain": max(limit - used, 0)}

    def clear(self, appid: str, at: datetime) -> bool:
        """Forget an app's counts; ten times a month."""
        key = ("clear", appid, f"{at.astimezone(SHANGHAI):%Y%m}")
        with self.lock:
            if self.used[key] >= CLEARINGS_A_MONTH:
                return False
            for counted in [k for k in self.used if k[0] == appid]:
                del self.used[counted]
            self.used[key] += 1
            return True


@dataclass
class Grant:
    """Leave to write to a person: five messages for two days after a message, three for a minute after a click, follow or scan."""

    left: int
    dies_at: datetime


class Grants:
    BY_MESSAGE, BY_ACTION = (5, timedelta(hours=48)), (3, timedelta(minutes=1))

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self._of: dict[tuple[str, str], dict[str, Grant]] = {}

    def open(self, appid: str, openid: str, at: datetime, *, message: bool) -> None:
        count, life = self.BY_MESSAGE if message else self.BY_ACTION
        with self.lock:
            self._of.setdefault((appid, openid), {})["message" if message else "action"] = Grant(count, at + life)

    def close(self, appid: str, openid: str) -> None:
        with self.lock:
            self._of.pop((appid, openid), None)

    def spend(self, appid: str, openid: str, at: datetime) -> int:
        """Use one up, the shorter-lived first; 0, or 45015 where no window is open, 45047 where its messages are used."""
        with self.lock:
            alive = sorted((g for g in self._of.get((appid, openid), {}).values() if at < g.dies_at), key=lambda g: g.dies_at)
            grant = next((g for g in alive if g.left), None)
            if grant is None:
                return 45047 if alive else 45015
            grant.left -= 1
            return 0
