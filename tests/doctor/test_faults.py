"""Settings with which nothing starts: which line to mend, and how."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys

from tests.doctor.conftest import ROOT
from wxbackend.doctor.faults import NEW_AES_KEY


def test_settings_that_do_not_load_are_explained_line_by_line(tmp_path):
    """What nothing starts with: the doctor names each line and how to mend it, and repeats no value."""
    given = {"PATH": os.environ["PATH"], "ENVIRONMENT": "production", "INSTANCE_DIR": str(tmp_path), "SECRET_KEY": "s" * 40,
             "PUBLIC_URL": "vote.hidden.example/x", "REDIS_URL": "spawn", "ACCOUNT_AES_KEY": "hidden", "THREADS": "hidden"}
    done = subprocess.run([sys.executable, "-m", "flask", "--app", "app", "doctor"], env=given, cwd=ROOT,
                          capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    named = {line.split("：")[0].split()[-1]: line for line in lines if line.startswith("不行")}
    assert done.returncode == 1 and set(named) == {
        "DATA_KEY", "ACCOUNT_SECRET", "ACCOUNT_TOKEN", "ACCOUNT_AES_KEY", "PUBLIC_URL", "THREADS"}
    assert "没有写" in named["ACCOUNT_TOKEN"] and "写得不对" in named["ACCOUNT_AES_KEY"] and "写得不对" in named["THREADS"]
    assert "自己想" in done.stderr and "openssl rand -base64 32" in done.stderr and "hidden" not in done.stderr
    assert re.search(r"改这6行", lines[0])


def test_the_key_that_the_doctor_tells_to_make_is_one():
    made = subprocess.run(["sh", "-c", NEW_AES_KEY], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch("[A-Za-z0-9]{43}", made) and len(base64.b64decode(made + "=", validate=True)) == 32
