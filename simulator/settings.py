"""What the simulator must know: where the product listens, the credentials both sides share, what kind of account it plays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

APPS = ("account", "miniprogram")
PAGES = ("pages/index/index,pages/index,pages/vote/vote,pages/vote/index,pages/vote,pages/campaign/campaign,pages/campaign/index,"
         "pages/campaign,pages/mine/mine,pages/mine/index,pages/mine,pages/draw/draw,pages/draw/index,pages/draw")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Names are those of the product's own settings; the values here serve tests only.

    `account_kind`: service, service-unverified, subscription, subscription-unverified. `account_oauth`: auto (as the kind has it),
    yes, no. Modes of message push: secure, mixed, plain. `miniprogram_format`: json or xml. `retry_nonce`: same or fresh.
    """

    app_url: str = "http://127.0.0.1:8000"
    account_name: str = "福田文体中心"
    account_kind: str = "service"
    account_oauth: str = "auto"
    account_qr: str = "http://weixin.qq.com/r/simulated-account"
    account_appid: str = "wxdemoaccount0001"
    account_secret: str = "simulated-account-secret"          # noqa: S105  a secret of nothing: it opens this simulator
    account_token: str = "simulatedtoken"                     # noqa: S105
    account_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    account_original_id: str = "gh_demo_account"
    account_template: str = "SIM-TEMPLATE-DRAW|thing1=title|thing3=tip|time2=at"
    account_mode: str = "secure"
    miniprogram_appid: str = "wxdemomini000001"               # empty: there is none
    miniprogram_secret: str = "simulated-miniprogram-secret"  # noqa: S105
    miniprogram_token: str = "simulatedminitoken"             # noqa: S105
    miniprogram_aes_key: str = "ABCDEFGabcdefghijklmnopqrstuvwxyz0123456789"
    miniprogram_original_id: str = "gh_demo_mini"
    miniprogram_name: str = "福田文体"
    miniprogram_mode: str = "secure"
    miniprogram_format: str = "json"
    miniprogram_pages: str = PAGES                            # of the released version, comma between
    notice_template: str = "SIM-NOTICE-DRAW|thing1=title|thing3=tip|time2=at"
    apps_bound: bool = True
    callback_timeout_seconds: float = 5.0
    retry_invalid_replies: bool = False
    retry_nonce: str = "same"
    console_made: bool = False                                # menu and replies made by hand, to be imported
    report_delay_seconds: float = 0.2                         # how long after the call its event comes

    @classmethod
    def from_env(cls, app_url: str, env: Mapping[str, str] = os.environ) -> Config:
        """Read ACCOUNT_*, MINIPROGRAM_*, NOTICE_TEMPLATE and APPS_BOUND, a secret also from NAME_FILE.

        What is absent keeps its default; an empty MINIPROGRAM_APPID means that there is no mini program.
        Raises KeyError naming every missing secret.
        """
        texts = {f.name: value for f in fields(cls) if f.type == "str" and (value := _read(env, f.name.upper()))}
        found: dict[str, Any] = texts | {"app_url": app_url.rstrip("/")}
        if env.get("MINIPROGRAM_APPID") == "":
            found["miniprogram_appid"] = ""
        if said := env.get("APPS_BOUND", "").strip().lower():
            found["apps_bound"] = said in ("1", "true", "yes", "on")
        needed = ["account_secret", "account_token", "account_aes_key"]
        needed += ["miniprogram_secret"] if found.get("miniprogram_appid", cls.miniprogram_appid) else []
        if missing := [name.upper() for name in needed if name not in found]:
            raise KeyError(", ".join(missing))
        return cls(**found)

    @classmethod
    def like(cls, settings: Any, app_url: str, **changes: Any) -> Config:
        """The same credentials as the product's settings object has; where it leaves a template or the QR open, ours stand."""
        shared = {f.name: getattr(settings, f.name) for f in fields(cls) if hasattr(settings, f.name)}
        for name in ("account_qr", "account_template", "notice_template"):
            if not shared.get(name):
                shared.pop(name, None)
        return cls(**(shared | {"app_url": app_url.rstrip("/")} | changes))

    def changed(self, changes: Mapping[str, Any]) -> Config:
        """With some fields changed; raises TypeError for an unknown one."""
        return replace(self, **changes)

    @property
    def has_miniprogram(self) -> bool:
        return bool(self.miniprogram_appid)

    @property
    def secrets(self) -> dict[str, str]:
        """{appid: AppSecret} of the apps there are."""
        mini = {self.miniprogram_appid: self.miniprogram_secret} if self.has_miniprogram else {}
        return {self.account_appid: self.account_secret} | mini

    def of(self, app: str, what: str) -> str:
        """`of("miniprogram", "token")`: the field of one of the two apps."""
        return getattr(self, f"{app}_{what}")

    @property
    def released_pages(self) -> set[str]:
        return {page.strip() for page in self.miniprogram_pages.split(",") if page.strip()}

    @property
    def oauth_host(self) -> str:
        """The registered 网页授权域名: an exact host without scheme or port."""
        return urlsplit(self.app_url).hostname or ""

    def is_ours(self, url: str) -> bool:
        """Whether a URL lies in the product: same scheme, host and port."""
        there, here = urlsplit(url), urlsplit(self.app_url)
        return (there.scheme, there.netloc) == (here.scheme, here.netloc)


def _read(env: Mapping[str, str], name: str) -> str:
    path = env.get(name + "_FILE")
    return Path(path).read_text().strip() if path else env.get(name, "")
