"""Live results: they move in steps in which nobody's grade can be read."""

from __future__ import annotations

from datetime import timedelta

from tests.factories import NOON, cast, make_campaign, make_voter
from wxbackend.campaigns.rules import Grade
from wxbackend.results import service as results


def good_and_poor(campaign, at) -> tuple[int, int]:
    counts = results.figures(campaign, at).subjects[0].counts
    return counts[Grade.GOOD], counts[Grade.POOR]


def test_one_more_vote_changes_nothing_by_grade_before_the_close(any_app):
    campaign = make_campaign(results="live")
    for n in range(12):
        cast(campaign, make_voter(f"路人{n}"), "良")
    tomorrow, later = NOON + timedelta(days=1), campaign.closes_at - timedelta(minutes=1)
    assert good_and_poor(campaign, NOON) == (0, 0) and good_and_poor(campaign, tomorrow) == (12, 0)
    cast(campaign, make_voter("阿美"), "差", tomorrow)
    assert results.figures(campaign, tomorrow).ballots == 13
    assert good_and_poor(campaign, tomorrow) == good_and_poor(campaign, later) == (12, 0)   # one alone would be seen
    assert good_and_poor(campaign, campaign.closes_at) == (12, 1)


def test_few_votes_of_several_days_come_together(any_app):
    campaign = make_campaign(results="live")
    for n in range(12):
        cast(campaign, make_voter(f"路人{n}"), "差" if n % 4 == 0 else "良", NOON + timedelta(days=n // 6))
    assert good_and_poor(campaign, NOON + timedelta(days=1)) == (0, 0)
    assert good_and_poor(campaign, NOON + timedelta(days=1, hours=12)) == (9, 3)
