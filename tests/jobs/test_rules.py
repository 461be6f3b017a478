from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from wxbackend.jobs.rules import GiveUp, Retry, backoff, remembered, wait_after
from wxbackend.problems import Unavailable


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (400, 3600)])
def test_waits_double_up_to_an_hour(attempts, seconds):
    assert backoff(attempts) == timedelta(seconds=seconds)


def test_the_eighth_failure_is_the_last():
    assert wait_after(ValueError(), 7) == backoff(7)
    assert wait_after(ValueError(), 8) is None
    assert wait_after(ValueError(), 8, tries=80) == timedelta(hours=1)


def test_a_handler_may_name_its_wait_or_give_up():
    assert wait_after(Retry("later", timedelta(seconds=5)), 1) == timedelta(seconds=5)
    assert wait_after(Retry("later"), 2) == backoff(2)
    assert wait_after(Retry("later", timedelta(seconds=5)), 8) is None
    assert wait_after(GiveUp("gone"), 1) is None


def test_only_our_own_words_are_remembered():
    assert remembered(ValueError("阿美 13800000000")) == "ValueError"
    assert remembered(IntegrityError("INSERT …", {"phone": "13800000000"}, Exception("x"))) == "IntegrityError"
    assert remembered(Unavailable("阿美，请稍等")) == f"Unavailable: {Unavailable.title}"
    assert remembered(Retry("the account is busy")) == "Retry: the account is busy"
    assert len(remembered(Retry("x" * 999))) == 255
