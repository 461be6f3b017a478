"""One accept in the mini program is one message: by the page's word, and by WeChat's own event."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.factories import NOON, bearer, make_campaign, make_voter
from tests.notices.conftest import SETTINGS, SUBSCRIBE, configured, report
from wxbackend.accounts.models import Identity
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.notices import service as notices
from wxbackend.notices.models import NoticeCredit

URL = "/api/v1/me/notice-credits"
ACCEPT, REJECT = ({"TemplateId": SUBSCRIBE, "SubscribeStatusString": word} for word in ("accept", "reject"))


@pytest.fixture
def campaign(app, templates, at):
    at(NOON)
    make_campaign(slug="futian-2022-other")
    return make_campaign()


@pytest.fixture
def chen(campaign):
    """老陈 of the mini program."""
    return make_voter("老陈", settings.miniprogram_appid)


def credits() -> dict[str, str]:
    """{campaign: state}."""
    db.session.expire_all()
    slugs = dict(db.session.query(Campaign.id, Campaign.slug).all())
    return {slugs[c.campaign_id]: c.state for c in db.session.query(NoticeCredit).order_by(NoticeCredit.id)}


def ask(client, voter, **changes):
    body = {"campaign": "futian-2021-reform", "template_id": SUBSCRIBE, "accepted": True} | changes
    return client.post(URL, json={name: value for name, value in body.items() if value is not None}, headers=bearer(voter))


def test_an_accept_is_kept_and_said_again_is_the_same(client, chen):
    first, again = ask(client, chen), ask(client, chen)
    assert (first.status_code, again.status_code) == (201, 200) and first.json == again.json
    assert first.json == {"campaign": "futian-2021-reform", "template_id": SUBSCRIBE, "state": "available"}
    assert credits() == {"futian-2021-reform": "available"}


def test_the_last_answer_counts(client, chen):
    for accepted, state, status in ((False, "refused", 201), (True, "available", 200), (False, "refused", 200)):
        answer = ask(client, chen, accepted=accepted)
        assert (answer.status_code, answer.json["state"]) == (status, state)


@pytest.mark.parametrize(("changes", "status", "pointer"), [
    ({"template_id": "SOMEBODY-ELSES"}, 422, "#/template_id"), ({"template_id": None}, 422, "#/template_id"),
    ({"template_id": 7}, 422, "#/template_id"),
    ({"accepted": None}, 422, "#/accepted"), ({"accepted": "yes"}, 422, "#/accepted"), ({"accepted": [True]}, 422, "#/accepted"),
    ({"campaign": None}, 422, "#/campaign"), ({"campaign": "x" * 41}, 422, "#/campaign"), ({"extra": 1}, 422, "#/extra"),
    ({"campaign": "no-such-campaign"}, 404, None)])
def test_what_cannot_be_is_refused_with_its_place(client, chen, changes, status, pointer):
    answer = ask(client, chen, **changes)
    assert answer.status_code == status and [e["pointer"] for e in answer.json.get("errors", [])] == ([pointer] if pointer else [])
    assert credits() == {}


def test_a_draft_takes_none(client, chen):
    make_campaign(publish=False, slug="spring")
    assert ask(client, chen, campaign="spring").status_code == 404


def test_who_came_by_the_account_subscribes_in_the_mini_program(client, campaign):
    answer = ask(client, make_voter("阿美"))
    assert answer.status_code == 409 and answer.json["type"] == "/problems/not-by-miniprogram" and "我的" in answer.json["detail"]


def test_nobody_and_a_site_without_a_template_are_refused(app, client, chen):
    assert client.post(URL, json={}).status_code == 401
    with configured(app, notice_template=""):
        assert ask(client, chen).status_code == 422


def test_the_campaign_says_what_to_ask_for(app, client, campaign):
    assert client.get("/api/v1/campaigns/futian-2021-reform").json["notice_template"] == SUBSCRIBE
    for gone in ({"notice_template": ""}, {"miniprogram_appid": ""}):
        with configured(app, **SETTINGS | gone):
            assert client.get("/api/v1/campaigns/futian-2021-reform").json["notice_template"] is None


# ---- WeChat's own events ----

OTHERS = {"TemplateId": "OTHER", "SubscribeStatusString": "reject"}


@pytest.mark.parametrize("facts", [{"List": [ACCEPT]}, {"List": ACCEPT}, {"SubscribeMsgPopupEvent": {"List": ACCEPT}},
                                   {"SubscribeMsgPopupEvent": {"List": [OTHERS, ACCEPT]}}])
def test_an_accept_the_page_never_told_counts_for_the_campaign_that_runs(chen, facts):
    assert notices.on_report(report("subscribe_msg_popup_event", chen, facts), NOON)
    assert notices.on_report(report("subscribe_msg_popup_event", chen, facts), NOON)   # delivered again
    assert len(credits()) == 1 and set(credits().values()) == {"available"}


def test_the_pages_word_and_the_event_are_one_credit(client, chen):
    ask(client, chen)
    notices.on_report(report("subscribe_msg_popup_event", chen, {"List": [ACCEPT]}), NOON + timedelta(minutes=1))
    assert credits() == {"futian-2021-reform": "available"}
    notices.on_report(report("subscribe_msg_popup_event", chen, {"List": [REJECT]}), NOON + timedelta(minutes=2))
    assert credits() == {"futian-2021-reform": "refused"}


def test_a_page_that_claims_an_accept_is_put_right_by_wechat(client, chen):
    ask(client, chen)
    notices.on_report(report("subscribe_msg_popup_event", chen, {"List": [REJECT]}), NOON)
    assert credits() == {"futian-2021-reform": "refused"}


def test_switching_off_takes_every_credit_back_and_switching_on_gives_none(client, chen):
    ask(client, chen), ask(client, chen, campaign="futian-2022-other")
    notices.on_report(report("subscribe_msg_change_event", chen, {"List": [ACCEPT]}), NOON)
    assert set(credits().values()) == {"available"}
    notices.on_report(report("subscribe_msg_change_event", chen, {"List": [REJECT]}), NOON)
    notices.on_report(report("subscribe_msg_change_event", chen, {"List": [ACCEPT]}), NOON)
    assert credits() == {"futian-2021-reform": "refused", "futian-2022-other": "refused"}


def test_an_answer_long_after_every_campaign_goes_to_the_newest(chen, campaign):
    notices.on_report(report("subscribe_msg_popup_event", chen, {"List": [ACCEPT]}), NOON + timedelta(days=90))
    assert list(credits().values()) == ["available"]


def test_who_subscribed_is_known_until_told(client, chen, campaign):
    assert notices.subscribed(campaign, [chen.person_id]) == set()
    ask(client, chen)
    assert notices.subscribed(campaign, [chen.person_id, 999]) == {chen.person_id} and notices.subscribed(campaign, []) == set()
    ask(client, chen, accepted=False)
    assert notices.subscribed(campaign, [chen.person_id]) == set()


def test_the_same_tap_twice_at_once_is_one_credit(any_app):
    with configured(any_app, **SETTINGS):
        campaign_id, chen = make_campaign().id, make_voter("老陈", settings.miniprogram_appid)
        identity_id, gate, made = chen.identity.id, threading.Barrier(4), []
        db.session.rollback()

        def tap() -> None:
            with any_app.app_context():
                gate.wait()
                try:
                    identity, campaign = db.session.get_one(Identity, identity_id), db.session.get_one(Campaign, campaign_id)
                    made.append(notices.add_credit(identity, campaign, SUBSCRIBE, True, NOON)[1])
                    db.session.commit()
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=tap) for _ in range(4)]
        [t.start() for t in threads], [t.join() for t in threads]
        assert sorted(made) == [False, False, False, True] and len(credits()) == 1
