"""Every setting of wxbackend, in one typed and frozen place.

Any of them may also come from a file: ``SECRET_KEY_FILE=/run/secrets/key``. Keys, tokens and passwords have no default.
``Settings.from_env()`` reports all faults together and the app does not start with any.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import EnvValidationError, FileAwareEnv

from config import notice_templates

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
ACCOUNT_KINDS = ("service", "service-unverified", "subscription", "subscription-unverified")
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """All faults found in the environment; ``str()`` is one line per fault."""

    def __init__(self, faults: list[str]):
        super().__init__("\n".join(faults))
        self.faults = faults


def setting(about: str, default: Any = MISSING, *, secret: bool = False) -> Any:
    """A field of `Settings` with its sentence; without a default it must be in the environment. A secret is not shown by repr."""
    return field(default=default, repr=not secret, metadata={"about": about, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    environment: str = setting("demo, test or production; demo and test may move the clock", "demo")
    public_url: str = setting("where people reach the site, scheme and host only", "http://127.0.0.1:8000")
    port: int = setting("port that `python app.py` listens on; the next free one if taken", 8000)
    instance_dir: str = setting("folder for the SQLite file, stored images and the demo's secrets", str(ROOT / "instance"))
    database_url: str = setting("SQLAlchemy URL; empty means a SQLite file in instance_dir", "", secret=True)   # may hold a password
    redis_url: str = setting("Redis 7 or newer; empty = in process, `spawn` = a private redis-server", "", secret=True)
    store_namespace: str = setting("begins every key in Redis; two installations on one server need two", "wx")
    accept_embedded_redis: bool = setting("production: one process only, captchas and limits vanish on restart", False)
    trusted_proxies: int = setting("how many reverse proxies stand in front and set X-Forwarded-*", 0)
    threads: int = setting("threads of one server process; the database pool is sized to it", 16)
    workers: int = setting("server processes; more than one needs a Redis server", 1)
    vote_queue: int = setting("votes that may wait in one process for their batch; more are told at once to try again", 256)
    compress: bool = setting("gzip pages, JSON and static files for whoever accepts it; false where a proxy is to do it", True)
    log_level: str = setting("debug, info, warning or error", "info")
    max_body_bytes: int = setting("largest request body outside uploads", 65_536)
    max_image_bytes: int = setting("largest screenshot accepted", 10_485_760)

    secret_key: str = setting("signs cookies and forms", secret=True)
    data_key: str = setting("32 bytes in base64: seals phone numbers, keys the receipts; losing it loses both", secret=True)

    wechat_api_root: str = setting("WeChat's API host", "https://api.weixin.qq.com")
    wechat_open_root: str = setting("WeChat's web login host", "https://open.weixin.qq.com")
    wechat_mp_root: str = setting("WeChat's public platform host", "https://mp.weixin.qq.com")
    wechat_timeout_seconds: float = setting("longest wait for one answer of WeChat", 5.0)
    account_name: str = setting("the public account's name as citizens know it", "福田文体中心")
    account_kind: str = setting("服务号: service, service-unverified; 订阅号: subscription, subscription-unverified (未认证)", "service")
    account_oauth: str = setting("web login: auto = as the kind has it; yes for a government 订阅号 that was granted it; no", "auto")
    account_qr: str = setting("what the account's own QR code says (decode it once), drawn where people must write first", "")
    account_appid: str = setting("the public account's AppID", "wxdemoaccount0001")
    account_secret: str = setting("the public account's AppSecret", secret=True)
    account_token: str = setting("token of the account's server configuration", secret=True)
    account_aes_key: str = setting("EncodingAESKey of the account, 43 characters", secret=True)
    miniprogram_appid: str = setting("the mini program's AppID; empty where there is none", "")
    miniprogram_secret: str = setting("the mini program's AppSecret", "", secret=True)
    miniprogram_token: str = setting("token of the mini program's message push", "", secret=True)
    miniprogram_aes_key: str = setting("EncodingAESKey of the mini program, 43 characters", "", secret=True)
    apps_bound: bool = setting("account and mini program hang on one 开放平台 account, so that unionid joins a person's two doors", False)
    relay_url: str = setting("https address of a second server that gets the messages which are not ours, as WeChat sent them", "")
    notice_template: str = setting("the mini program's subscribe template for the result: ID|thing1=title|time2=at", "")
    account_template: str = setting("the 服务号's template message for the result, in the same form", "")
    verify_files: str = setting("WeChat's domain proofs as name:content pairs, comma between", "")

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise SettingsError(faults)

    def _faults(self) -> Iterator[str]:
        if self.environment not in ("demo", "test", "production"):
            yield f"ENVIRONMENT is {self.environment!r}: use demo, test or production"
        if self.log_level not in LOG_LEVELS:
            yield f"LOG_LEVEL is {self.log_level!r}: use {', '.join(LOG_LEVELS)}"
        for name in ("threads", "workers", "vote_queue", "max_body_bytes", "max_image_bytes", "wechat_timeout_seconds"):
            if getattr(self, name) <= 0:
                yield f"{name.upper()} must be more than 0"
        if self.account_kind not in ACCOUNT_KINDS:
            yield f"ACCOUNT_KIND is {self.account_kind!r}: use {', '.join(ACCOUNT_KINDS)}"
        if self.account_oauth not in ("auto", "yes", "no"):
            yield f"ACCOUNT_OAUTH is {self.account_oauth!r}: use auto, yes or no"
        apps = ("account", "miniprogram") if self.has_miniprogram else ("account",)
        for name in ("secret_key", *(f"{app}_{what}" for app in apps for what in ("secret", "token"))):
            if not getattr(self, name):
                yield f"{name.upper()} is empty: an empty one lets anybody sign as WeChat or as us"
        for name in (f"{app}_aes_key" for app in apps):
            if _decoded(getattr(self, name) + "=", 32) is None:
                yield f"{name.upper()} must be the 43 characters of an EncodingAESKey"
        if _decoded(self.data_key, 32) is None:
            yield "DATA_KEY must be 32 bytes in base64 (openssl rand -base64 32)"
        for name in ("public_url", "wechat_api_root", "wechat_open_root", "wechat_mp_root"):
            yield from self._url_faults(name)
        relay = urlsplit(self.relay_url)
        if self.relay_url and not (relay.hostname and (relay.scheme == "https" or relay.scheme == "http" and relay.hostname in LOOPBACK)):
            yield "RELAY_URL must be an https address"
        for name in ("notice_template", "account_template"):
            yield from self._template_faults(name)
        if self.environment == "production" and not self.redis_url and not self.accept_embedded_redis:
            yield "REDIS_URL is empty in production: name a Redis server, or set ACCEPT_EMBEDDED_REDIS=true for one process"
        if self.workers > 1 and not self.redis_url:
            yield "WORKERS is more than 1 but REDIS_URL is empty: the embedded store serves one process"

    def _template_faults(self, name: str) -> Iterator[str]:
        try:
            notice_templates.parse(getattr(self, name))
        except ValueError as e:
            yield f"{name.upper()}: {e}"

    def _url_faults(self, name: str) -> Iterator[str]:
        url = urlsplit(getattr(self, name))
        if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/"):
            yield f"{name.upper()} must be a scheme and a host, like https://vote.example.org"
        elif self.environment == "production" and url.scheme != "https" and url.hostname not in LOOPBACK:
            yield f"{name.upper()} must be https in production"

    @property
    def has_miniprogram(self) -> bool:
        return bool(self.miniprogram_appid)

    @property
    def is_demo(self) -> bool:
        return self.environment == "demo"

    @property
    def may_move_clock(self) -> bool:
        return self.environment in ("demo", "test")

    @property
    def resolved_database_url(self) -> str:
        """The URL with its driver: bare postgresql:// and mysql:// get psycopg and PyMySQL."""
        url = self.database_url or f"sqlite:///{Path(self.instance_dir).resolve()}/wxbackend.db"
        for plain, driver in (("postgresql://", "postgresql+psycopg://"), ("postgres://", "postgresql+psycopg://"),
                              ("mysql://", "mysql+pymysql://"), ("mariadb://", "mariadb+pymysql://")):
            if url.startswith(plain):
                return driver + url.removeprefix(plain)
        return url

    @classmethod
    def from_env(cls) -> Settings:
        """Read the process's environment. Raises SettingsError with every fault at once."""
        env = FileAwareEnv(eager=False, strip_whitespace=True)   # a file's last line break is no part of the secret
        values: dict[str, Any] = {}
        faults: list[str] = []
        readers: dict[str, Callable[..., Any]] = {"str": env.str, "int": env.int, "float": env.float, "bool": env.bool}
        for f in fields(cls):
            read = readers[str(f.type)]
            try:
                values[f.name] = read(f.name.upper()) if f.default is MISSING else read(f.name.upper(), f.default)
            except ValueError as e:   # NAME_FILE leads nowhere
                faults.append(f"{f.name.upper()}: {e}")
        try:
            env.seal()
        except EnvValidationError as e:
            assert isinstance(e.error_messages, Mapping)   # environs: texts by name
            faults += [f"{name}: {' '.join(why)}" for name, why in e.error_messages.items()]
        if not faults:
            return cls(**values)
        missing = {f.name: _stand_in(f.name) for f in fields(cls) if values.get(f.name) is None}
        try:   # stand-ins fill the holes, so that the checks across fields speak in the same breath
            cls(**(values | missing))
        except SettingsError as more:
            faults += more.faults
        raise SettingsError(faults)


def _stand_in(name: str) -> Any:
    default = {f.name: f.default for f in fields(Settings)}[name]
    if default is not MISSING:
        return default
    return base64.b64encode(bytes(32)).decode()[:None if name == "data_key" else 43]


def _decoded(text: str, size: int) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size else None
