"""Settings: typed, all faults at once, secrets from files and out of sight; the example and the locks in step."""

from __future__ import annotations

import os
import re
from dataclasses import MISSING, FrozenInstanceError, fields, replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from config import demo_env
from config.settings import Settings, SettingsError
from tests.conftest import KEY, SECRETS, settings_for

ROOT = Path(__file__).parent.parent
ENV = {name.upper(): str(value) for name, value in SECRETS.items()}


@pytest.fixture
def environment(monkeypatch):
    """An environment that holds what a test gives and nothing of this machine's."""
    for f in fields(Settings):
        monkeypatch.delenv(f.name.upper(), raising=False)
        monkeypatch.delenv(f.name.upper() + "_FILE", raising=False)

    def hold(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return hold


def faults(**changes) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings(**(SECRETS | changes))
    return str(refused.value)


def test_secrets_are_all_it_takes(environment):
    environment(**ENV)
    settings = Settings.from_env()
    assert (settings.secret_key, settings.port, settings.threads, settings.is_demo) == ("test", 8000, 16, True)


def test_values_come_typed(environment):
    environment(**ENV, PORT="8123", WECHAT_TIMEOUT_SECONDS="2.5", ACCEPT_EMBEDDED_REDIS="true", ENVIRONMENT="test")
    settings = Settings.from_env()
    read = settings.port, settings.wechat_timeout_seconds, settings.accept_embedded_redis, settings.environment
    assert read == (8123, 2.5, True, "test")


def test_all_faults_are_reported_at_once(environment):
    environment(PORT="eight", WORKERS="two", PUBLIC_URL="vote.example", ENVIRONMENT="prod",
                **{k: v for k, v in ENV.items() if "AES" not in k})
    with pytest.raises(SettingsError) as refused:
        Settings.from_env()
    said = str(refused.value)
    assert len(refused.value.faults) == len(said.splitlines()) == 6, said
    for name in ("PORT", "WORKERS", "PUBLIC_URL", "ENVIRONMENT", "ACCOUNT_AES_KEY", "MINIPROGRAM_AES_KEY"):
        assert re.search(rf"^{name}\b", said, re.M), name


def test_nothing_at_all_names_every_secret(environment):
    with pytest.raises(SettingsError) as refused:
        Settings.from_env()
    required = {f.name.upper() for f in fields(Settings) if f.default is MISSING}
    assert {fault.partition(":")[0] for fault in refused.value.faults} == required


def test_an_account_may_stand_without_a_mini_program():
    mini = {name: "" for name in SECRETS if name.startswith("miniprogram")}
    assert Settings(**(SECRETS | mini)).has_miniprogram is False


@pytest.mark.parametrize("changes", [{"account_kind": "公众号"}, {"account_oauth": "maybe"}, {"relay_url": "old"},
                                     {"relay_url": "http://old.example/wx"}])
def test_an_account_or_relay_that_cannot_be_is_refused(changes):
    assert next(iter(changes)).upper() in faults(**changes)


def test_a_secret_may_come_from_a_file(environment, tmp_path):
    key = tmp_path / "key"
    key.write_text("from a file\n", encoding="utf-8")
    environment(**{name: value for name, value in ENV.items() if name != "SECRET_KEY"}, SECRET_KEY_FILE=str(key))
    assert Settings.from_env().secret_key == "from a file"


def test_a_secret_file_that_is_not_there_is_a_fault_among_the_others(environment, tmp_path):
    environment(**{name: value for name, value in ENV.items() if name != "SECRET_KEY"}, SECRET_KEY_FILE=str(tmp_path / "nothing"), PORT="x")
    with pytest.raises(SettingsError, match="SECRET_KEY(.|\n)*PORT|PORT(.|\n)*SECRET_KEY"):
        Settings.from_env()


@pytest.mark.parametrize("name", ["secret_key", "account_secret", "account_token", "miniprogram_secret", "miniprogram_token"])
def test_an_empty_secret_is_refused(name):
    """An empty token lets anybody sign as WeChat (wechat-contract: wechatpy accepts any caller then)."""
    assert name.upper() in faults(**{name: ""})


@pytest.mark.parametrize(("name", "value"),
                         [("data_key", "c2hvcnQ="), ("data_key", "not base64 !"), ("data_key", ""), ("account_aes_key", KEY[:42]),
                                             ("miniprogram_aes_key", "x" * 44), ("account_aes_key", "")])
def test_a_key_of_the_wrong_size_is_refused(name, value):
    assert name.upper() in faults(**{name: value})


@pytest.mark.parametrize("changes", [{"log_level": "verbose"}, {"threads": 0}, {"workers": -1}, {"max_image_bytes": 0}])
def test_nonsense_is_refused(changes):
    assert next(iter(changes)).upper() in faults(**changes)


@pytest.mark.parametrize("url", ["vote.example", "ftp://vote.example", "https://", "https://vote.example/path", ""])
def test_an_address_is_a_scheme_and_a_host(url):
    assert "PUBLIC_URL" in faults(public_url=url)


PRODUCTION = {"environment": "production", "public_url": "https://vote.example", "redis_url": "redis://127.0.0.1"}


def test_production_stands_with_https_and_redis():
    assert Settings(**(SECRETS | PRODUCTION)).may_move_clock is False


def test_production_refuses_plain_http():
    assert "PUBLIC_URL must be https" in faults(**(PRODUCTION | {"public_url": "http://vote.example"}))
    assert "WECHAT_API_ROOT must be https" in faults(**(PRODUCTION | {"wechat_api_root": "http://api.example"}))


def test_production_refuses_to_run_without_redis():
    assert "REDIS_URL" in faults(**(PRODUCTION | {"redis_url": ""}))
    Settings(**(SECRETS | PRODUCTION | {"redis_url": "", "accept_embedded_redis": True}))


@pytest.mark.parametrize("environment_name", ["demo", "test", "production"])
def test_several_workers_need_a_redis_server(environment_name):
    changes = PRODUCTION | {"environment": environment_name, "redis_url": "", "accept_embedded_redis": True, "workers": 2}
    assert "WORKERS" in faults(**changes)
    Settings(**(SECRETS | changes | {"redis_url": "redis://127.0.0.1"}))


def test_settings_are_frozen(tmp_path):
    with pytest.raises(FrozenInstanceError):
        settings_for(tmp_path).port = 1   # type: ignore[misc]


def test_no_secret_shows_in_a_log_line():
    """dataclass repr prints everything unless told not to; a DATABASE_URL holds a password as well."""
    marked = {f.name: f"HIDDEN{n}" for n, f in enumerate(fields(Settings)) if f.metadata["secret"]}
    keys = {name: SECRETS[name] for name in ("data_key", "account_aes_key", "miniprogram_aes_key")}
    settings = Settings(**(SECRETS | marked | keys))
    for shown in (repr(settings), str(settings), f"{replace(settings, port=1)}"):
        assert "HIDDEN" not in shown and not any(key in shown for key in keys.values())


@pytest.mark.parametrize(("given", "used"), [("postgresql://u@h/d", "postgresql+psycopg://u@h/d"), ("postgres://h/d", "postgresql+psycopg://h/d"),
                                             ("mysql://h/d", "mysql+pymysql://h/d"), ("mariadb://h/d", "mariadb+pymysql://h/d"),
                                             ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db")])
def test_a_bare_database_url_gets_its_driver(given, used):
    assert Settings(**SECRETS, database_url=given).resolved_database_url == used


def test_the_demo_makes_its_secrets_once_and_for_its_owner_alone(environment, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))   # the demo writes what it made into its own environment
    os.environ["INSTANCE_DIR"] = str(tmp_path / "instance")
    first, second = demo_env.settings_from_env(), demo_env.settings_from_env()
    assert first == second and first.is_demo and len(first.secret_key) == 32
    assert oct((tmp_path / "instance" / "demo.env").stat().st_mode)[-3:] == "600"


def example() -> list[str]:
    return (ROOT / "config" / "example.env").read_text(encoding="utf-8").splitlines()


def test_the_example_names_every_setting_with_its_sentence_and_default():
    lines = example()
    named = [m.group(1).lower() for line in lines if (m := re.match(r"(?:# )?([A-Z][A-Z_]*)=", line))]
    assert named == [f.name for f in fields(Settings)]
    for f in fields(Settings):
        value = {"instance_dir": "instance"}.get(f.name, "" if f.default is MISSING else f.default)
        written = f"{f.name.upper()}={str(value).lower() if isinstance(value, bool) else value}"
        n = lines.index(("# " if f.metadata["secret"] else "") + written)
        assert lines[n - 1] == f"# {f.metadata['about']}"


def test_the_example_holds_no_secret():
    private = [line for line in example() if re.match(r"(# )?[A-Z_]*(SECRET|TOKEN|KEY|DATABASE_URL|REDIS_URL)[A-Z_]*=", line)]
    assert all(re.fullmatch(r"# [A-Z_]+=", line) for line in private)


def wanted(name: str) -> list[Requirement]:
    """The lines of a requirements.txt, those of the files it includes among them."""
    found = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            found += wanted(line[3:])
        elif line:
            found.append(Requirement(line))
    return found


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(m.group(1)): m.group(2) for line in lines if (m := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line))}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_the_lock_satisfies_the_ranges(name):
    versions = locked(name + ".lock")
    wrong = [str(r) for r in wanted(name + ".txt")
             if not r.specifier.contains(versions.get(canonicalize_name(r.name), "0"), prereleases=True)]
    assert wrong == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_its_hashes(name):
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text(encoding="utf-8"))[1:]
    assert len(blocks) > 30
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_tests_run_on_what_the_product_runs_on():
    product, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: version for name, version in product.items() if dev.get(name) != version} == {}
