"""Who takes part: what one door was told, another does not take back."""

from __future__ import annotations

import pytest

from tests.factories import NOON, bearer, cast, make_campaign, make_voter
from wxbackend.submissions import service as submissions
from wxbackend.submissions.service import EntryForm


@pytest.fixture
def campaign(app, at):
    at(NOON)
    make_campaign("external")   # noise
    return make_campaign()


def test_name_and_phone_sent_in_the_chat_leave_age_guardian_and_consents(campaign):
    amei = make_voter()
    form = EntryForm("王小梅", "13800000000", "<14", ("王大梅", "13900000000"), ("draw", "show-name"))
    guardian = submissions.enter(campaign, amei.person_id, form, NOON).guardian_sealed
    kept = submissions.enter(campaign, amei.person_id, EntryForm("王小梅", "13800000001"), NOON)
    assert (kept.age_band, kept.guardian_sealed, kept.consents) == ("<14", guardian, ["draw", "show-name"])
    assert submissions.named(kept).phone == "13800000001"


def test_the_entry_form_takes_a_consent_back(campaign):
    amei = make_voter()
    for consents in (("draw", "show-name"), ("draw",)):
        entrant = submissions.enter(campaign, amei.person_id, EntryForm("王小梅", "13800000000", "18+", None, consents), NOON)
    assert entrant.consents == ["draw"]


def test_whoever_comes_back_after_leaving_begins_anew(campaign):
    amei = make_voter()
    submissions.enter(campaign, amei.person_id, EntryForm("王小梅", "13800000000", "18+", None, ("draw", "show-name")), NOON)
    submissions.withdraw(campaign, amei.person_id, NOON)
    back = submissions.enter(campaign, amei.person_id, EntryForm("王小梅", "13800000000"), NOON)
    assert (back.age_band, back.consents, back.withdrawn_at) == ("unsaid", ["draw"], None)


def test_the_first_entry_by_api_says_the_age(campaign, client):
    amei = make_voter()
    cast(campaign, amei)
    entry = {"name": "王小梅", "phone": "13800000000", "consents": ["draw"]}
    url, headers = f"/api/v1/campaigns/{campaign.slug}/entries", bearer(amei)
    refused = client.post(url, json=entry, headers=headers)
    assert refused.status_code == 422 and refused.json["errors"][0]["pointer"] == "#/age_band"
    assert client.post(url, json=entry | {"age_band": "18+"}, headers=headers).status_code == 201
