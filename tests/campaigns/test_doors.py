"""Where voters may come in: both doors only while WeChat says that two openids are one person."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from tests import factories
from tests.factories import NOON, cast, document, enter, make_campaign, make_voter, solved_captcha
from wxbackend.ballots import service as ballots
from wxbackend.ballots.models import Ballot
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.extensions import db, settings
from wxbackend.problems import Invalid
from wxbackend.submissions import service as submissions
from wxbackend.submissions.models import Entrant, Submission

BOTH = ["account", "miniprogram"]
ALONE = {"miniprogram_appid": "", "apps_bound": False}


@pytest.fixture
def made(make_app):
    """An app with these settings, inside its context."""
    @contextmanager
    def inside(**changes):
        app = make_app(**changes)
        app.extensions["clock"].fixed = NOON
        with app.app_context():
            yield app

    return inside


def stored(**changes) -> Campaign:
    return make_campaign(publish=False, **changes)


@pytest.mark.parametrize(("changes", "doors"), [({}, BOTH), ({"apps_bound": False}, ["account"]), (ALONE, ["account"])])
def test_what_nobody_chose_is_what_is_safe(made, changes, doors):
    with made(**changes):
        assert stored().doors == doors
        campaigns.publish(campaigns.by_slug("futian-2021-reform"), "test", NOON)   # and can be published


@pytest.mark.parametrize("doors", [["account"], ["miniprogram"], BOTH, ["miniprogram", "account"]])
def test_a_document_names_its_doors_the_main_one_first(made, doors):
    with made():
        assert stored(doors=doors).doors == doors


@pytest.mark.parametrize("doors", [[], ["h5"], ["account", "account"], ["account", "miniprogram", "link"], "account", [None], [["account"]],
                                   {}])
def test_other_doors_are_refused_by_name(made, doors):
    with made(), pytest.raises(Invalid) as refused:
        campaigns.load_document(document(doors=doors), "test", NOON)
    assert all(e["pointer"].startswith("#/doors") for e in refused.value.facts["errors"])


def test_both_doors_are_not_published_while_the_apps_are_not_bound(made):
    with made(apps_bound=False):
        campaign = stored(doors=BOTH)
        with pytest.raises(campaigns.CannotPublish) as refused:
            campaigns.publish(campaign, "test", NOON)
        said = refused.value.as_reply()
        assert all(word in said for word in ("微信开放平台", "unionid", "只从公众号进", "只从小程序进"))
        assert not campaigns.by_slug(campaign.slug).is_published


@pytest.mark.parametrize("doors", [BOTH, ["miniprogram"]])
def test_a_mini_program_that_is_not_there_is_no_door(made, doors):
    with made(**ALONE):
        campaign = stored(doors=doors)
        with pytest.raises(campaigns.CannotPublish, match="还没有接小程序"):
            campaigns.publish(campaign, "test", NOON)


@pytest.mark.parametrize("doors", [["account"], ["miniprogram"]])
def test_one_door_needs_no_binding(made, doors):
    with made(apps_bound=False):
        campaigns.publish(stored(doors=doors), "test", NOON)


def test_the_rules_and_their_hash_hold_the_doors(made):
    with made():
        campaign = make_campaign(doors=["account"])
        assert json.loads(campaign.rules.canonical)["doors"] == ["account"]
        other = campaigns.rules_of(stored(slug="another-one", doors=BOTH), "")
        assert other["doors"] == BOTH
        assert campaigns.campaign_binding("x", other) != campaigns.campaign_binding("x", other | {"doors": ["account"]})


@pytest.mark.parametrize(("doors", "changes", "open_ones"), [
    (BOTH, {}, BOTH), (["account"], {}, ["account"]), (["miniprogram"], {}, ["miniprogram"]),
    (BOTH, {"apps_bound": False}, ["account"]), (["miniprogram", "account"], {"apps_bound": False}, ["miniprogram"])])
def test_when_the_binding_is_undone_the_first_door_alone_counts(made, doors, changes, open_ones):
    with made(**changes):
        campaign = stored(doors=doors)
        assert campaigns.open_doors(campaign) == open_ones
        refused = []
        for door, appid in (("account", settings.account_appid), ("miniprogram", settings.miniprogram_appid)):
            try:
                campaigns.check_door(campaign, appid)
            except campaigns.WrongDoor:
                refused.append(door)
        assert refused == [door for door in BOTH if door not in open_ones]


@pytest.mark.parametrize(("doors", "mini", "word"), [(["account"], True, "公众号"), (["miniprogram"], False, "小程序")])
def test_the_wrong_door_says_which_is_the_right_one_and_takes_nothing(made, doors, mini, word):
    with made() as app:
        campaign = make_campaign(doors=doors)
        amei = make_voter("阿美", settings.miniprogram_appid if mini else None)
        captcha_id, answer = solved_captcha(campaign, amei, NOON)
        vote = {"grade": "优", "captcha_id": captcha_id, "captcha_answer": answer}
        entry = {"name": "陈小美", "phone": "13800000001", "age_band": "18+", "consents": ["draw"]}
        here, headers = f"/api/v1/campaigns/{campaign.slug}", factories.bearer(amei)
        client = app.test_client()
        for path, body in (("/ballots", vote), ("/entries", entry), ("/entries", {})):
            answer_ = client.post(here + path, json=body, headers=headers)
            assert (answer_.status_code, answer_.json["type"]) == (403, "/problems/wrong-door")
            assert word in answer_.json["title"] and answer_.json["detail"] and answer_.json["doors"] == doors
        picture = {"name": "陈小美", "phone": "13800000001", "consents": "draw", "image": (io.BytesIO(b"png"), "x.png")}
        assert client.post(here + "/submissions", data=picture, headers=headers).json["type"] == "/problems/wrong-door"
        assert [db.session.query(model).count() for model in (Ballot, Entrant, Submission)] == [0, 0, 0]
        assert client.get(here).json["doors"] == doors


def test_the_right_door_is_open(made):
    with made():
        campaign, chen = make_campaign(doors=["miniprogram"]), make_voter("老陈", settings.miniprogram_appid)
        assert cast(campaign, chen).is_new
        enter(campaign, chen)
        assert submissions.tap(campaign, chen.person_id, None, NOON).state == "approved"


def test_the_page_says_it_before_anybody_fills_in_a_form(made):
    with made() as app:
        campaign = make_campaign(doors=["miniprogram"])
        client = app.test_client()
        client.set_cookie("wxv", factories.token_for(make_voter("阿美")))
        page = client.get(f"/c/{campaign.slug}", headers={"User-Agent": "MicroMessenger/8.0"})
        assert page.status_code == 403 and "请从小程序进来" in page.text and "captcha" not in page.text


def test_a_vote_cast_while_the_binding_stood_is_found_again_after_it_fell(made):
    """The door is asked of new votes; who voted before has her receipt."""
    with made() as app:
        campaign, amei = make_campaign(), make_voter("阿美", settings.miniprogram_appid, "u1")
        cast(campaign, amei)
        object.__setattr__(app.extensions["settings"], "apps_bound", False)
        with pytest.raises(campaigns.WrongDoor):
            cast(campaign, amei, at=NOON)
        assert len(ballots.receipts_of(campaign, amei.person_id)) == 1


def test_campaigns_from_before_have_both_doors(any_app):
    campaign = make_campaign()
    columns = ", ".join(c.name for c in Campaign.__table__.c if c.name not in ("id", "slug", "doors"))
    db.session.execute(text(f"INSERT INTO campaign (slug, {columns}) SELECT 'from-before', {columns} FROM campaign WHERE id = :id"),   # noqa: S608
                       {"id": campaign.id})
    assert campaigns.by_slug("from-before").doors == BOTH


def test_staff_choose_the_doors_in_the_form_and_read_why_before_publishing(made):
    with made(apps_bound=False) as app:
        campaign = stored(doors=BOTH, subjects=[{"key": "one", "title": "项目一"}])
        client = app.test_client()
        client.set_cookie("wxs", factories.staff_bearer(factories.make_staff())["Authorization"].removeprefix("Bearer "))
        page = client.get(f"/admin/campaigns/{campaign.slug}/publish").text
        assert "投票入口" in page and "还没有绑定" in page and "unionid" in page
        form = client.get(f"/admin/campaigns/{campaign.slug}/edit").text
        assert '<option value="account,miniprogram" selected>' in form and "开放平台" in form
