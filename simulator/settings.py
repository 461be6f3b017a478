"""What the simulator must know: where the product listens, and the credentials both sides share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Config:
    """Names are those of the product's own settings; the values here serve tests only."""

    app_url: str = "http://127.0.0.1:8000"
    account_name: str = "福田文体中心"
    account_appid: str = "wxdemoaccount0001"
    account_secret: str = "simulated-account-secret"          # noqa: S105  a secret of nothing: it opens this simulator
    account_token: str = "simulatedtoken"                     # noqa: S105
    account_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
    account_original_id: str = "gh_demo_account"
    miniprogram_appid: str = "wxdemomini000001"
    miniprogram_secret: str = "simulated-miniprogram-secret"  # noqa: S105
    callback_timeout_seconds: float = 5.0
    retry_invalid_replies: bool = True

    @classmethod
    def from_env(cls, app_url: str, env: Mapping[str, str] = os.environ) -> Config:
        """Read ACCOUNT_* and MINIPROGRAM_*, a secret also from NAME_FILE. Raises KeyError naming every missing one."""
        found = {f.name: value for f in fields(cls) if f.type == "str" and (value := _read(env, f.name.upper()))}
        needed = ("account_secret", "account_token", "account_aes_key", "miniprogram_secret")
        if missing := [name.upper() for name in needed if name not in found]:
            raise KeyError(", ".join(missing))
        return cls(**(found | {"app_url": app_url.rstrip("/")}))  # type: ignore[arg-type]

    @classmethod
    def like(cls, settings: Any, app_url: str, **changes: Any) -> Config:
        """The same credentials as the product's settings object has."""
        shared = {f.name: getattr(settings, f.name) for f in fields(cls) if hasattr(settings, f.name)}
        return cls(**(shared | {"app_url": app_url.rstrip("/")} | changes))

    def changed(self, changes: Mapping[str, Any]) -> Config:
        """With some fields changed; raises TypeError for an unknown one."""
        return replace(self, **changes)

    @property
    def secrets(self) -> dict[str, str]:
        """{appid: AppSecret} of both apps."""
        return {self.account_appid: self.account_secret, self.miniprogram_appid: self.miniprogram_secret}

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
