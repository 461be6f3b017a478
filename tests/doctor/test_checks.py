"""What a check is: one that raises, or hangs, is a finding like any other."""

from __future__ import annotations

import time

import requests

from tests.doctor.conftest import GOOD, WRONG, ask
from wxbackend.doctor import checks
from wxbackend.doctor.checks import REGISTRY


def test_a_check_that_raises_is_a_finding_and_the_others_go_on(app, monkeypatch):
    def broken(_at):
        yield checks.good("half")
        raise requests.ConnectionError("https://api.weixin.qq.com/?secret=abc")

    monkeypatch.setitem(REGISTRY, "relay", checks.Check("relay", "第二台服务器", 5, broken))
    told = ask(app, "relay")
    assert told.level == WRONG and "ConnectionError" in told.only["said"] and "secret" not in str(told)
    assert ask(app, "domain-files").level == GOOD


def test_a_check_that_hangs_ends_at_its_time(app, monkeypatch):
    monkeypatch.setitem(REGISTRY, "relay", checks.Check("relay", "第二台服务器", 0.2, lambda _at: time.sleep(3) or []))
    began = time.monotonic()
    told = ask(app, "relay")
    assert told.level == WRONG and "0.2秒" in told.only["said"] and time.monotonic() - began < 2
