"""The short lane takes plain votes and nothing else; what it says is what Flask says."""

from __future__ import annotations

import json

import pytest

from tests.factories import NOON, cast, make_campaign, make_voter, token_for
from wxbackend.accounts import service as accounts
from wxbackend.ballots import lane
from wxbackend.ballots.schemas import ReceiptSchema, told
from wxbackend.campaigns import service as campaigns

SLUG = "futian-2021-reform"
PLAIN = {"grade": "优", "captcha_id": "r" + "0" * 32, "captcha_answer": "362"}
HEADERS = {"host": "vote.example", "content-type": "application/json", "user-agent": "x", "accept-encoding": "gzip"}


@pytest.fixture
def token(app):
    app.extensions["clock"].fixed = NOON
    make_campaign()
    campaigns.live(SLUG)
    return token_for(make_voter("阿美"))


def read(token, body=None, slug=SLUG, raw=None, **headers):
    named = HEADERS | {"authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    sent = raw if raw is not None else json.dumps(PLAIN if body is None else body).encode()
    return lane.read(slug, [(name, value) for name, value in named.items() if value is not None], sent)


def test_a_plain_vote_is_taken_and_nothing_asked(token):
    ask, session = read(token, PLAIN | {"subject": "culture-coupons", "source": "article"}) or read(token, PLAIN | {"source": "article"})
    assert (ask.campaign.slug, ask.grade, ask.captcha_id, ask.answer, ask.source_code, ask.at) == (
        SLUG, "优", PLAIN["captcha_id"], "362", "article", NOON)
    assert session == accounts.session_name_of(token)


@pytest.mark.parametrize("body", [
    {}, {"grade": "优"}, PLAIN | {"grade": "好"},
    PLAIN | {"grade": 1}, PLAIN | {"captcha_answer": ""}, PLAIN | {"captcha_answer": "1" * 17},
    PLAIN | {"captcha_answer": "3\x006"}, PLAIN | {"captcha_id": "s" + "0" * 32}, PLAIN | {"captcha_id": None}, PLAIN | {"subject": "none"},
    PLAIN | {"subject": None}, PLAIN | {"source": "x" * 21}, PLAIN | {"openid": "o1"}, PLAIN | {"person_id": 1}, PLAIN | {"extra": "x"},
    [], "优", None, 7])
def test_a_body_that_differs_by_a_hair_goes_through_flask(token, body):
    assert read(token, body=body, raw=b"null" if body is None else None) is None


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 2_000, b"{" * 3_000, b" " * 2_100 + json.dumps(PLAIN).encode(),
                                 '{"grade": "优"}'.encode("gb18030")])
def test_what_is_no_json_goes_through_flask(token, raw):
    assert read(token, raw=raw) is None


@pytest.mark.parametrize("headers", [
    {"authorization": None}, {"authorization": ""}, {"authorization": "Basic abc"}, {"authorization": "Bearer "},
    {"authorization": "Bearer 中"}, {"cookie": "wxv=1"}, {"content_type": None}, {"content_type": "text/plain"},
    {"content_type": "application/x-www-form-urlencoded"},
    {"x_wx_openid": "o1"}, {"openid": "o1"}, {"x_unionid": "u1"}])
def test_a_request_that_is_not_a_programs_goes_through_flask(token, headers):
    assert read(token, **headers) is None


def test_a_campaign_that_is_not_at_hand_or_not_open_goes_through_flask(token, app):
    assert read(token, slug="another") is None
    app.extensions["clock"].fixed = campaigns.live(SLUG).closes_at
    assert read(token) is None


def test_a_program_may_name_a_charset(token):
    assert read(token, content_type="application/json; charset=utf-8")


def test_what_is_told_of_a_receipt_is_what_the_shape_says(token):
    receipt = cast(campaigns.by_slug(SLUG), make_voter("老陈")).receipt
    assert told(receipt) == ReceiptSchema().dump(receipt)


@pytest.mark.parametrize("path", ["/api/v1/campaigns/a/ballots/", "/api/v1/campaigns//ballots", "/api/v1/campaigns/A/ballots",
                                  "/api/v1/campaigns/a%2fb/ballots", "/api/v1/campaigns/a/ballots\n", "/api/v1/campaigns/a/captchas"])
def test_only_the_address_of_votes_is_looked_at(path):
    assert lane.PATH.fullmatch(path) is None and lane.PATH.fullmatch("/api/v1/campaigns/a-1/ballots")[1] == "a-1"
