"""The demo's own secrets: made once, kept in the instance folder, so that `make run` needs no account and no setting."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from dotenv import dotenv_values

from config.settings import ROOT, Settings

FIXED = {"MINIPROGRAM_APPID": "wxdemomini000001", "APPS_BOUND": "true",   # what the simulated WeChat plays beside the account
         "ACCOUNT_QR": "http://weixin.qq.com/r/simulated-account",
         "NOTICE_TEMPLATE": "SIM-NOTICE-DRAW|thing1=title|thing3=tip|time2=at",
         "ACCOUNT_TEMPLATE": "SIM-TEMPLATE-DRAW|thing1=title|thing3=tip|time2=at"}


def demo_file() -> Path:
    return Path(os.environ.get("INSTANCE_DIR", ROOT / "instance")) / "demo.env"


def settings_from_env() -> Settings:
    """Settings of the process; for the demo with its own file behind the environment. Raises SettingsError."""
    if os.environ.get("ENVIRONMENT", "demo") == "demo":
        for name, value in (FIXED | dotenv_values(ensure_demo_file())).items():
            os.environ.setdefault(name, value or "")
    return Settings.from_env()


def ensure_demo_file() -> Path:
    """Write fresh secrets where there are none yet; readable by their owner alone."""
    path = demo_file()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}" for name, value in _secrets().items()]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
            f.write("\n".join(lines) + "\n")
    return path


def remember(**values: str) -> None:
    """Keep what the demo found out at start (ports, roots) for the commands typed beside it."""
    path = ensure_demo_file()
    kept = dict(dotenv_values(path)) | values
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    part.replace(path)


def _secrets() -> dict[str, str]:
    aes = {f"{app}_AES_KEY": base64.b64encode(secrets.token_bytes(32)).decode()[:43] for app in ("ACCOUNT", "MINIPROGRAM")}
    names = ("SECRET_KEY", "ACCOUNT_SECRET", "ACCOUNT_TOKEN", "MINIPROGRAM_SECRET", "MINIPROGRAM_TOKEN")
    return {name: secrets.token_hex(16) for name in names} | aes | {"DATA_KEY": base64.b64encode(secrets.token_bytes(32)).decode()}
