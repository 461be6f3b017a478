"""What a voter's requests ask of the database: counted, so that nobody adds a query a page without noticing."""

from __future__ import annotations

import pytest

from tests import factories
from tests.statements import statements
from wxbackend.campaigns import service as campaigns
from wxbackend.extensions import db
from wxbackend.pages.pieces import article

SLUG = "futian-2021-reform"
OTHERS = ("voter_token", "clock_offset", "SELECT campaign.revision")   # the login, the demo's clock, and once a second the snapshot


def asked(client, url: str, status: int = 200, **sent) -> list[str]:
    """The second time: the first fills what is kept."""
    def open_it():
        db.session.remove()
        return client.post(url, **sent) if sent else client.get(url)

    assert open_it().status_code == status
    with statements(but=OTHERS) as found:
        assert open_it().status_code == status
    return found


def test_the_ballot_asks_once_whether_she_has_voted(campaign, amei):
    found = asked(amei, f"/c/{SLUG}?s=article")
    assert len(found) <= 1, found


def test_a_fresh_captcha_asks_nothing(campaign, app):
    token = factories.bearer(factories.make_voter())
    assert asked(app.test_client(), f"/api/v1/campaigns/{SLUG}/captchas", 201, json={}, headers=token) == []


@pytest.mark.parametrize("quota", ["subject", "campaign"])
def test_several_subjects_are_asked_for_together(app, at, amei, quota):
    at(factories.NOON)
    subjects = [{"key": f"p{n}", "title": f"第{n}个项目"} for n in range(8)]
    factories.make_campaign(subjects=subjects, quota=quota)
    found = asked(amei, f"/c/{SLUG}")
    assert len(found) <= 1, found


def test_the_success_page_and_the_page_of_whoever_has_voted_ask_little(campaign, amei):
    factories.cast(campaign, factories.make_voter("阿美"))
    factories.enter(campaign, factories.make_voter("阿美"))
    page = asked(amei, f"/c/{SLUG}/receipts/2022-01-06")
    again = asked(amei, f"/c/{SLUG}")
    assert len([s for s in page if "ballot_log" not in s]) <= 4, page
    assert len(again) <= 1, again


def test_a_scanned_receipt_asks_for_its_ballot(campaign, app):
    receipt = factories.cast(campaign, factories.make_voter()).receipt
    found = asked(app.test_client(), f"/r/{receipt.token}")
    assert len(found) <= 1, found


@pytest.mark.parametrize("path", ["/rules", "/rules.json", "/privacy"])
def test_pages_of_the_rules_ask_nothing(campaign, app, path):
    assert asked(app.test_client(), f"/c/{SLUG}{path}") == []


def test_the_campaign_for_programs_asks_nothing(campaign, app):
    assert asked(app.test_client(), f"/api/v1/campaigns/{SLUG}") == []


def test_an_article_is_rendered_once_for_a_snapshot_and_anew_for_the_next(campaign, app):
    slug = campaign.slug
    with app.test_request_context("/"):
        first = campaigns.live(slug).subjects[0]
        assert article(first) is article(first) and first.title in article(first)
        campaign.subjects[0].title = "改过的<项目>"
        assert article(campaign.subjects[0]) is not article(campaign.subjects[0]), "one that may still change is not kept"
        db.session.commit()
        assert "改过的&lt;项目&gt;" in article(campaigns.live(slug).subjects[0])


def test_templates_are_compiled_once(app):
    assert app.jinja_env.auto_reload is False
    assert app.jinja_env.get_template("pages/vote.html") is app.jinja_env.get_template("pages/vote.html")
