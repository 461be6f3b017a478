"""What voters' requests read of a campaign: kept in the process, true to the second, nobody's to write."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from tests.factories import NOON, document, make_campaign
from tests.statements import statements
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns import snapshots
from wxbackend.campaigns.models import PARTS, Box, Campaign, Prize, RulesVersion, Source, Subject
from wxbackend.draws import freeze as freezing
from wxbackend.extensions import db

EARLY, SLUG = NOON - timedelta(days=3), "futian-2021-reform"


@pytest.fixture(autouse=True)
def others(request, any_app):
    make_campaign(slug="futian-2022-other")   # noise


def revision_of(slug: str = SLUG) -> int:
    db.session.commit()
    db.session.expire_all()
    return campaigns.by_slug(slug).revision


def a_second_later() -> None:
    for kept in snapshots._all().values():
        kept.look_at = 0.0


def elsewhere(**values: Any) -> None:
    """Another process commits a change of the campaign."""
    table = Campaign.__table__
    with db.engine.begin() as connection:
        connection.execute(update(table).where(table.c.slug == SLUG).values(revision=table.c.revision + 1, **values))


def test_everything_a_page_looks_at_is_there_without_a_query():
    make_campaign()
    campaigns.live(SLUG)
    db.session.remove()
    with statements() as sent:
        campaign = campaigns.live(SLUG)
        assert (campaign.title, campaign.content["greeting"], campaign.zone, campaign.doors) and campaign.is_open(NOON)
        assert campaign.subjects[0].campaign is campaign and campaign.subjects[0].grades and campaign.subjects[0].content
        assert campaign.sources[0].code == "article" and campaign.sources[0].qr_png and campaign.prizes[0].name
        assert campaign.rules is not None and campaign.rules.sha256 and campaign.rules.campaign is campaign
        assert campaigns.live(SLUG) is campaign
    assert sent == []


def test_once_a_second_one_tiny_query_asks_whether_it_still_stands():
    make_campaign()
    before = campaigns.live(SLUG)
    a_second_later()
    with statements() as sent:
        assert campaigns.live(SLUG) is before and campaigns.live(SLUG) is before
    assert len(sent) == 1 and "revision" in sent[0] and "content" not in sent[0]


def test_a_change_of_another_process_is_seen_after_a_second_at_most():
    make_campaign()
    before = campaigns.live(SLUG)
    db.session.remove()
    elsewhere(title="改过的")
    assert campaigns.live(SLUG).title == before.title
    a_second_later()
    assert campaigns.live(SLUG).title == "改过的" and before.title != "改过的"


def test_a_change_of_this_process_is_seen_at_once():
    campaign = make_campaign()
    assert campaigns.live(SLUG).subjects[0].title != "改过的项目"
    campaign.subjects[0].title = "改过的项目"
    assert campaigns.live(SLUG).subjects[0].title != "改过的项目", "not committed yet"
    db.session.commit()
    assert campaigns.live(SLUG).subjects[0].title == "改过的项目"


def test_drafts_and_addresses_that_are_none_are_not_there_and_not_kept():
    draft = make_campaign(publish=False)
    for slug in (SLUG, "no-such", "x" * 500):
        with pytest.raises(campaigns.NoSuchCampaign):
            campaigns.live(slug)
    assert snapshots._all() == {}
    campaigns.publish(draft, "test", EARLY)
    db.session.commit()
    assert campaigns.live(SLUG).is_published


def test_one_that_is_no_longer_published_is_gone():
    make_campaign()
    campaigns.live(SLUG)
    db.session.remove()
    elsewhere(published_at=None)
    a_second_later()
    with pytest.raises(campaigns.NoSuchCampaign):
        campaigns.live(SLUG)


def load_again(campaign: Campaign) -> None:
    campaigns.load_document(document(content={"greeting": "新的问候"}), "test", EARLY)


def publish(campaign: Campaign) -> None:
    campaigns.publish(campaign, "test", EARLY)


def freeze(campaign: Campaign) -> None:
    freezing.freeze(campaign, campaign.freeze_at, "test")


@pytest.mark.parametrize("verb, published", [(load_again, False), (publish, False), (freeze, True)])
def test_every_verb_that_changes_a_campaign_moves_its_revision(verb, published):
    campaign, other = make_campaign(publish=published), revision_of("futian-2022-other")
    before = revision_of()
    verb(campaign)
    assert revision_of() > before
    assert revision_of("futian-2022-other") == other


CHANGES = {
    Campaign: lambda c: setattr(c, "results", "live"), Subject: lambda c: setattr(c.subjects[0], "title", "另一个"),
    Source: lambda c: setattr(c.sources[-1], "name", "另一处"), Prize: lambda c: setattr(c.prizes[0], "count", 31),
    Box: lambda c: setattr(c.boxes[0], "items_sealed", "x"),
    RulesVersion: lambda c: c.rules_versions.append(RulesVersion(version=2, canonical="{}", sha256="0" * 64, published_at=NOON)),
}


@pytest.mark.parametrize("part", [Campaign, *PARTS])
def test_a_change_of_any_part_moves_the_revision(part):
    campaign = make_campaign()
    before = revision_of()
    CHANGES[part](campaign)
    assert revision_of() == before + 1


def test_a_part_added_by_number_or_taken_out_moves_the_revision():
    campaign = make_campaign()
    before = revision_of()
    db.session.add(Source(campaign_id=campaign.id, code="late", name="补贴的海报"))
    assert revision_of() == before + 1
    db.session.delete(campaigns.by_slug(SLUG).sources[-1])
    assert revision_of() == before + 2


def test_looking_at_a_campaign_moves_nothing():
    campaign = make_campaign()
    before = revision_of()
    campaign.title = str(campaign.title)
    assert campaign.prizes and campaign.boxes is not None
    assert revision_of() == before


@pytest.mark.parametrize("part", [Campaign, *PARTS])
def test_bulk_statements_which_would_leave_it_standing_are_refused(part):
    with pytest.raises(RuntimeError, match="revision"):
        db.session.execute(update(part).values(id=part.id))


def test_a_snapshot_cannot_slip_into_a_session():
    make_campaign()
    shared = campaigns.live(SLUG)
    for one in (shared, shared.subjects[0], shared.sources[0]):
        with pytest.raises(RuntimeError, match="for reading"):
            db.session.add(one)
    with pytest.raises(RuntimeError, match="for reading"):
        db.session.add(Source(campaign=shared, code="new", name="新的"))
    db.session.expunge_all()


def test_with_the_database_away_the_last_one_known_is_served_for_a_while(monkeypatch):
    make_campaign()
    before = campaigns.live(SLUG)

    def away():
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(snapshots, "_session", away)
    a_second_later()
    with statements():
        assert campaigns.live(SLUG) is before and campaigns.live(SLUG) is before
    snapshots._all()[SLUG].confirmed -= snapshots.LONGEST_UNCONFIRMED_SECONDS
    with pytest.raises(OperationalError):
        campaigns.live(SLUG)
    monkeypatch.undo()
    assert campaigns.live(SLUG).title == before.title


def test_while_one_looks_the_others_go_on_with_what_there_is(any_app, monkeypatch):
    make_campaign()
    before, really = campaigns.live(SLUG), snapshots._session
    db.session.remove()
    elsewhere(title="改过的")
    a_second_later()
    asked, answered, found = threading.Event(), threading.Event(), []

    def slow():
        asked.set()
        assert answered.wait(20)
        return really()

    def look():
        with any_app.app_context():
            found.append(campaigns.live(SLUG).title)

    monkeypatch.setattr(snapshots, "_session", slow)
    looker = threading.Thread(target=look)
    looker.start()
    assert asked.wait(20)
    assert campaigns.live(SLUG) is before
    answered.set()
    looker.join(20)
    assert found == ["改过的"] and campaigns.live(SLUG).title == "改过的"


def test_whoever_must_not_wait_has_it_looked_at_by_a_thread_of_its_own(any_app, monkeypatch):
    make_campaign()
    campaigns.live(SLUG)
    look, lookers = snapshots._look, []

    def noted(*of):
        lookers.append(threading.current_thread().name)
        return look(*of)

    monkeypatch.setattr(snapshots, "_look", noted)
    campaigns.by_slug(SLUG).title = "改过的名字"
    db.session.commit()   # which makes the next look due
    for _ in range(500):
        if campaigns.at_hand(SLUG).title == "改过的名字":
            break
        time.sleep(0.02)
    assert campaigns.at_hand(SLUG).title == "改过的名字"
    assert lookers and all(name.startswith("snapshots") for name in lookers)


def test_what_was_not_confirmed_for_three_seconds_is_not_at_hand(any_app, monkeypatch):
    make_campaign()
    campaigns.live(SLUG)
    kept = snapshots._all()[SLUG]
    kept.looking.acquire()   # somebody looks, and hangs
    try:
        kept.confirmed -= snapshots.LONGEST_AT_HAND_SECONDS + 1
        assert campaigns.at_hand(SLUG) is None and campaigns.live(SLUG) is kept.campaign
    finally:
        kept.looking.release()


def test_an_address_with_blanks_behind_is_none(any_app):
    """MariaDB compares them away: each spelling would be kept as a campaign of its own."""
    make_campaign()
    for spelling in (SLUG + " ", SLUG + "   "):
        with pytest.raises(campaigns.NoSuchCampaign):
            campaigns.live(spelling)
    assert set(snapshots._all()) <= {SLUG, "futian-2022-other"}
