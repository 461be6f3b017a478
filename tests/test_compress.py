"""Answers are sent smaller to whoever can unpack them, and tell nothing by their length."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from tests import factories
from wxbackend import compress
from wxbackend.extensions import db

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def campaign(app, at):
    at(factories.NOON)
    return factories.make_campaign()


def test_a_page_is_the_same_but_smaller(client, campaign):
    url = f"/c/{campaign.slug}/rules"
    plain, small = client.get(url), client.get(url, headers=GZIP)
    assert small.headers["Content-Encoding"] == "gzip" and gzip.decompress(small.data) == plain.data
    assert len(small.data) < 0.6 * len(plain.data) and int(small.headers["Content-Length"]) == len(small.data)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"] and "Accept-Encoding" in small.headers["Vary"]


@pytest.mark.parametrize("accepts", ["", "identity", "br", "gzip;q=0", "gzip;q=0, *"])
def test_who_does_not_take_gzip_is_not_sent_it(client, campaign, accepts):
    answer = client.get(f"/c/{campaign.slug}/rules", headers={"Accept-Encoding": accepts})
    assert "Content-Encoding" not in answer.headers and "活动规则" in answer.text


def test_json_and_problems_are_compressed_too(client, campaign):
    answer = client.get(f"/api/v1/campaigns/{campaign.slug}", headers=GZIP)
    assert json.loads(gzip.decompress(answer.data))["slug"] == campaign.slug
    page = client.get("/c/no-such", headers=GZIP)
    assert page.status_code == 404 and "没有找到这个活动" in gzip.decompress(page.data).decode()


def test_the_votes_own_answer_is_sent_as_it_is(client, campaign):
    voter = factories.make_voter()
    captcha_id, answer = factories.solved_captcha(campaign, voter, factories.NOON)
    token, url = factories.bearer(voter), f"/api/v1/campaigns/{campaign.slug}/ballots"
    db.session.remove()
    sent = client.post(url, headers=GZIP | token,
                       json={"grade": "优", "captcha_id": captcha_id, "captcha_answer": answer})
    assert sent.status_code == 201 and "Content-Encoding" not in sent.headers and sent.json["receipt_code"]


def test_equal_pages_differ_in_length(client, campaign):
    lengths = {len(client.get(f"/c/{campaign.slug}/rules", headers=GZIP).data) for _ in range(30)}
    assert len(lengths) > 10 and max(lengths) - min(lengths) <= compress.LONGEST_NAME + 1


@pytest.mark.parametrize("name", [b"", b"x", b"x" * 100])
@pytest.mark.parametrize("body", [b"", b"a", "您好".encode() * 9000])
def test_what_is_packed_is_a_gzip_file(name, body):
    for level in (compress.LEVEL, compress.BEST):
        assert gzip.decompress(compress.packed(body, level, name)) == body
        assert zlib.decompress(compress.packed(body, level, name), wbits=31) == body


def test_a_static_file_is_packed_once_and_has_a_tag_of_its_own(client, app):
    plain, small = client.get("/static/citizen.css?v=1"), client.get("/static/citizen.css?v=1", headers=GZIP)
    assert gzip.decompress(small.data) == plain.data and small.headers["Content-Encoding"] == "gzip"
    assert small.headers["ETag"] != plain.headers["ETag"]
    for answer in (plain, small):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable" and "Accept-Encoding" in answer.headers["Vary"]
    assert client.get("/static/citizen.css?v=1", headers=GZIP).data == small.data, "no padding: anybody may read it"
    before = len(app.extensions["packed_files"])
    assert client.get("/static/none/../citizen.css", headers=GZIP).data == small.data
    assert len(app.extensions["packed_files"]) == before, "other spellings of a name are kept no second time"


def test_a_static_file_that_is_known_is_not_sent_again(client):
    for headers in ({}, GZIP):
        tag = client.get("/static/citizen.js", headers=headers).headers["ETag"]
        again = client.get("/static/citizen.js", headers=headers | {"If-None-Match": tag})
        assert again.status_code == 304 and again.data == b"" and "Accept-Encoding" in again.headers["Vary"]
        assert again.headers["ETag"] == tag


def test_a_part_of_a_file_is_a_part_of_the_plain_one(client):
    whole = client.get("/static/citizen.js").data
    part = client.get("/static/citizen.js", headers=GZIP | {"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.data == whole[10:20] and "Content-Encoding" not in part.headers


def test_where_a_proxy_compresses_we_do_not(make_app):
    client = make_app(compress=False).test_client()
    for url in ("/", "/static/citizen.css", "/no-such"):
        answer = client.get(url, headers=GZIP)
        assert "Content-Encoding" not in answer.headers and answer.data
