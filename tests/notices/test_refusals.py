"""What WeChat answers, and what follows: the next channel, another hour, an alarm for the operator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.factories import NOON
from tests.notices.conftest import DAY, HOUR, attempts, credit, states, tell, writes
from wxbackend import alarms, jobs, wechat

PERMANENT = [40003, 40037, 41030, 43004, 43101, 45002, 45015, 45047, 47003, 48001, 48002, 48004, 50002, 99999]


@pytest.mark.parametrize("errcode", PERMANENT)
@pytest.mark.parametrize("channel", ["customer", "subscribe", "template"])
def test_a_refusal_is_recorded_and_the_next_channel_comes(amei, post, channel, errcode):
    writes(amei)
    order = ["customer", "subscribe", "template"]
    before, after = order[:order.index(channel)], order[order.index(channel) + 1:]
    for one in before:
        post.answers[one] = [45015 if one == "customer" else 43101]
    post.answers[channel] = [errcode]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert (channel, "refused", errcode, "") in attempts()
    assert post.channels == after[:1] and post.asked == [*before, channel, *after[:1]]
    assert states() == [("sent" if after else "refused", errcode)]
    used = {"customer": "used", "subscribe": "used" if errcode == 43101 else "available", "template": "used"}[channel]
    assert credit() == used
    jobs.run_due(NOON + 2 * DAY)
    assert len(post.asked) == len(before) + 1 + len(after[:1])


@pytest.mark.parametrize("errcode", [45009, 45011, 40001, 42001, 40164, 40125, 40013, 89503])
def test_what_is_of_the_hour_or_of_the_accounts_settings_waits_and_spends_nothing(amei, post, errcode):
    tell(amei.person_id)
    post.answers["subscribe"] = [errcode] * 3
    jobs.run_due(NOON)
    assert states() == [("queued", errcode)] and credit() == "available" and attempts()[-1] == ("subscribe", "refused", errcode, "later")
    for hours in range(1, 5):
        jobs.run_due(NOON + hours * HOUR)
    assert post.channels == ["subscribe"] and states() == [("sent", errcode)] and credit() == "used" and len(attempts()) == 2


def test_a_quota_that_begins_anew_at_midnight_is_outlived(amei, post):
    writes(amei)
    post.answers["customer"] = [45009] * 18
    tell(amei.person_id)
    for minutes in range(0, 26 * 60, 20):
        jobs.run_due(NOON + timedelta(minutes=minutes))
    assert post.channels == ["customer"] and states()[0][0] == "sent"


@pytest.mark.parametrize("problem", [wechat.Unsendable(), wechat.CodeRefused(), wechat.MediaLost()])
def test_a_refusal_without_an_errcode_goes_on_as_well(amei, post, problem):
    writes(amei)
    post.answers["customer"] = [problem]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert attempts()[0] == ("customer", "refused", None, problem.type[:20]) and post.channels == ["subscribe"]


def test_an_operator_hears_of_what_only_she_can_mend(amei, post):
    post.answers["subscribe"] = [40037]
    tell(amei.person_id)
    jobs.run_due(NOON)
    assert [(a.kind, a.about) for a in alarms.open_alarms()] == [("wechat-operator", "40037 notices.subscribe")]
    tell(amei.person_id)
    jobs.run_due(NOON + HOUR)
    assert post.channels == ["template", "subscribe"] and alarms.open_alarms() == []
