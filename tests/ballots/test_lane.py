"""The short lane takes plain votes and nothing else; what it says is what Flask says."""

from __future__ import annotations

import json

import pytest

from tests.factories import NOON, cast, make_campaign, make_voter, token_for
from tests.statements import statements
from wxbackend import store
from wxbackend.accounts import service as accounts
from wxbackend.ballots import lane
from wxbackend.ballots.schemas import CastSchema, ReceiptSchema, told
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


def test_a_plain_vote_is_taken_and_nobody_asked(token, monkeypatch):
    monkeypatch.setattr(store, "get", lambda *_: 1 / 0)
    with statements() as sent:
        ask, session = read(token, PLAIN | {"subject": "culture-network", "source": "article"})
    assert sent == []
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


def test_the_lane_takes_nothing_that_the_shape_of_a_vote_refuses():
    """The lane looks for itself, at a tenth of the cost; here the two are held together."""
    schema = CastSchema()
    assert set(schema.fields) == lane.FIELDS
    assert {name for name, field in schema.fields.items() if field.required} == lane.NEEDED
    for name, most in lane.LONGEST.items():
        longest = {"grade": "优", "captcha_id": "r" + "0" * 32, "captcha_answer": "1"} | {name: "x" * most}
        assert lane._fields(json.dumps(longest).encode()) == longest and not schema.validate(longest)
        assert lane._fields(json.dumps(longest | {name: "x" * (most + 1)}).encode()) is None
        assert schema.validate(longest | {name: "x" * (most + 1)})


@pytest.mark.parametrize("source", ["a\x00b", "\ud800"])
def test_what_no_database_keeps_goes_through_flask(token, source):
    assert read(token, PLAIN | {"source": source}) is None


def test_headers_sent_twice_go_through_flask(token):
    twice = [*HEADERS.items(), ("authorization", f"Bearer {token}"), ("authorization", "Bearer another")]
    assert lane.read(SLUG, twice, json.dumps(PLAIN).encode()) is None


@pytest.mark.parametrize("path", ["/api/v1/campaigns/a/ballots/", "/api/v1/campaigns//ballots", "/api/v1/campaigns/A/ballots",
                                  "/api/v1/campaigns/a%2fb/ballots", "/api/v1/campaigns/a/ballots\n", "/api/v1/campaigns/a/captchas"])
def test_only_the_address_of_votes_is_looked_at(path):
    assert lane.PATH.fullmatch(path) is None and lane.PATH.fullmatch("/api/v1/campaigns/a-1/ballots")[1] == "a-1"
