"""What a campaign's document may not say, since nobody could set it right after the publishing."""

from __future__ import annotations

import pytest

from tests.factories import document, make_campaign
from wxbackend.problems import Invalid

PRIZES = [{"tier": f"t{n}", "name": "纪念品", "count": 5000} for n in range(2)]


@pytest.mark.parametrize("changes, place", [
    ({"slug": "reform-2021\n"}, "#/slug"),
    ({"entropy": [{"source": "ssq", "issue": "2022005\n"}]}, "#/entropy/0/issue"),
    ({"entropy": [{"source": "stage"}]}, "#/entropy"),
    ({"entropy": [{"source": "pl5", "issue": "22011"}, {"source": "stage"}]}, "#/entropy"),
    ({"prizes": PRIZES, "boxes": None}, "#/prizes"),
], ids=["a slug with a line end", "an issue with a line end", "digits the staff choose", "few outcomes", "more boxes than numbers"])
def test_a_draw_that_could_be_steered_or_never_made_is_refused(app, changes, place):
    changed = document() | changes
    if changed["boxes"] is None:
        del changed["boxes"]
    with pytest.raises(Invalid) as refused:
        make_campaign(**changed)
    assert place in [error["pointer"] for error in refused.value.facts["errors"]]


def test_stage_digits_beside_a_lottery_are_welcome(app):
    assert make_campaign(entropy=[{"source": "ssq", "issue": "2022005"}, {"source": "stage"}]).is_published
