"""What anybody may read of the log, and what only its voter may."""

from __future__ import annotations

import json
import re
from hashlib import sha256

import pytest

from tests.ballots.log.conftest import HOUR, entered, put_in
from tests.factories import NOON, bearer, cast, enter, make_campaign, make_voter
from wxbackend.audit import merkle
from wxbackend.ballots.log import rules, views
from wxbackend.ballots.log import service as log
from wxbackend.ballots.receipts import receipts_of
from wxbackend.extensions import db
from wxbackend.inbox import words
from wxbackend.pages import log as pages

API = "/api/v1/campaigns/futian-2021-reform/log"
PAGE = "/campaigns/futian-2021-reform/log"


@pytest.fixture
def full(campaign, app):
    app.extensions["clock"].fixed = NOON + 3 * HOUR
    entered(campaign)
    return campaign


def test_where_the_log_stands(full, client):
    answer = client.get(API)
    head = answer.json["head"]
    assert (answer.json["size"], answer.json["protocol"], head["number"]) == (32, "wxlog/1", 4)
    assert sha256(head["body"].encode()).hexdigest() == head["sha256"] and head["mark"] == head["sha256"][:8]
    assert answer.headers["Cache-Control"] == "public, max-age=60"


def test_before_the_first_head_there_is_none(campaign, client):
    assert client.get(API).json["head"] is None and client.get(API + "/heads").json == []
    assert client.get(API + "/proof?seq=1").status_code == 404 and "还没有账本指纹" in client.get(PAGE).text
    assert client.get(PAGE + "/hashes.txt").status_code == 404
    assert client.get("/api/v1/campaigns/nowhere/log").status_code == 404


def test_lines_proofs_and_growth_hold_what_anybody_recomputes(full, client):
    lines = client.get(API + "/leaves?from=1&to=100").json
    hashes = [bytes.fromhex(line["hash"]) for line in lines]
    assert [merkle.leaf_hash(line["data"].encode()) for line in lines] == hashes and len(lines) == 32
    heads = client.get(API + "/heads").json
    for seq in (1, 17, 32):
        found = client.get(f"{API}/proof?seq={seq}").json
        proof = [bytes.fromhex(node) for node in found["proof"]]
        assert merkle.verify_hash_inclusion(hashes[seq - 1], seq - 1, 32, proof, bytes.fromhex(found["head"]["root"]))
    by_receipt = client.get(f"{API}/proof?receipt_hash={lines[20]['data'].split('|')[3]}").json
    assert by_receipt["seq"] == 21
    grown = client.get(f"{API}/consistency?first=3&second=4").json
    old, new = (bytes.fromhex(grown[name]["root"]) for name in ("first", "second"))
    sizes = heads[2]["size"], heads[3]["size"]
    assert merkle.verify_consistency(*sizes, [bytes.fromhex(node) for node in grown["proof"]], old, new) and sizes == (22, 32)
    backwards = client.get(f"{API}/consistency?first=4&second=3").json
    assert backwards == grown


def test_an_older_heads_proof_is_for_good(full, client):
    answer = client.get(f"{API}/proof?seq=1&head=3")
    assert answer.json["head"]["number"] == 3 and "max-age=86400" in answer.headers["Cache-Control"]
    assert client.get(f"{API}/proof?seq=30&head=3").status_code == 404, "that head does not vouch for it"


def test_what_no_head_vouches_for_is_not_told(full, client):
    put_in(full, 10, NOON + 2 * HOUR, first_person=3000)
    log.keep_up(full, NOON + HOUR)
    assert len(client.get(API + "/leaves?from=1&to=100").json) == 32
    assert client.get(API + "/proof?seq=33").status_code == 404
    assert client.get(PAGE + "/hashes.txt").text.count("\n") == 32


@pytest.mark.parametrize("query", [
    "/leaves", "/leaves?from=0&to=1", "/leaves?from=5&to=4", "/leaves?from=1&to=1001", "/leaves?from=1&to=x",
    "/proof", "/proof?seq=0", "/proof?seq=1&receipt_hash=" + "a" * 64, "/proof?receipt_hash=zz", "/proof?seq=99999999999999999999",
    "/proof?seq=1&head=0", "/heads?most=201", "/heads?from=0", "/consistency", "/consistency?first=-1",
])
def test_every_parameter_has_its_bounds(full, client, query):
    answer = client.get(API + query)
    assert answer.status_code == 422 and answer.json["type"] == "/problems/invalid"


def test_proofs_and_files_are_rationed(full, client, monkeypatch):
    monkeypatch.setattr(views.limit, "__defaults__", (2,))
    assert [client.get(f"{API}/proof?seq=1").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get(f"{API}/proof?seq=1").headers["Retry-After"]
    monkeypatch.setattr(pages, "FILES_A_MINUTE", 2)
    assert [client.get(PAGE + "/lines.txt").status_code for _ in range(3)] == [200, 200, 429]


def test_the_files_hold_the_whole_log(full, client):
    lines = client.get(PAGE + "/lines.txt")
    leaves = [line.encode() for line in lines.text.splitlines()]
    hashes = client.get(PAGE + "/hashes.txt")
    assert [merkle.leaf_hash(leaf).hex() for leaf in leaves] == hashes.text.splitlines()
    assert int(hashes.headers["Content-Length"]) == len(hashes.data) == 32 * 65
    heads = client.get(PAGE + "/heads.json").json
    for head in heads:
        said = json.loads(head["body"])
        assert merkle.root(leaves[:said["size"]]).hex() == said["root"] and rules.fingerprint(head["body"]) == head["sha256"]
    assert "attachment" in lines.headers["Content-Disposition"] and "max-age=300" in lines.headers["Cache-Control"]
    again = client.get(PAGE + "/lines.txt", headers={"If-None-Match": lines.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""
    assert client.get(PAGE + "/lines.txt?head=3").text.count("\n") == 22


def test_a_file_is_streamed_in_pieces_and_keeps_nobody_from_writing(full, app, client, monkeypatch):
    monkeypatch.setattr(log, "PAGE", 10)
    answer = client.get(PAGE + "/lines.txt", buffered=False)
    pieces = answer.iter_encoded()
    assert next(pieces).count(b"\n") == 10
    put_in(full, 1, first_person=9000)   # SQLite's write lock is free while the rest is on its way
    assert sum(piece.count(b"\n") for piece in pieces) == 22


def test_nothing_published_tells_a_grade_a_person_or_a_receipt(full, client):
    amei = make_voter("阿美")
    enter(full, amei)
    everything = "".join(client.get(path).text for path in (
        PAGE, PAGE + "/lines.txt", PAGE + "/heads.json", API, API + "/leaves?from=1&to=100", API + "/heads"))
    for secret in ("优", "良", "差", _receipt(full).receipt_id, amei.person_key, amei.identity.openid, "13800000000"):
        assert secret not in everything, secret


def test_the_page_says_what_the_log_shows_and_what_not(full, client):
    page = client.get(PAGE).text
    assert log.latest(full).mark in page and "没有哪一票被悄悄添上、拿掉或改过" in page and "不能说明每个投票的都是真人" in page
    assert page.count("<h1") == 1 and not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)", page)


def test_a_voter_alone_gets_what_opens_her_receipt(full, client):
    amei, stranger = make_voter("阿美"), make_voter("路人")
    mine = client.get(API + "/mine", headers=bearer(amei)).json
    assert len(mine) == 1 and mine[0]["receipt_id"] == _receipt(full).receipt_id
    assert sha256(bytes.fromhex(mine[0]["opening"]) + _receipt(full).receipt_id.encode()).hexdigest() == mine[0]["receipt_hash"]
    found = client.get(f"{API}/proof?receipt_hash={mine[0]['receipt_hash']}").json
    assert found["seq"] == mine[0]["seq"] and found["data"].split("|")[3] == mine[0]["receipt_hash"]
    assert client.get(API + "/mine", headers=bearer(stranger)).json == []
    assert client.get(API + "/mine").status_code == 401


def test_the_receipt_page_keeps_the_number_folded_away(full, amei):
    page = amei.get("/c/futian-2021-reform/receipts/2022-01-06").text
    seq = log.proof(full, receipt_hash=log.own(_receipt(full)).receipt_hash).seq
    before, _, folded = page.partition("<details")
    assert f"第 {seq} 行" in folded and f"第 {seq} 行" not in before and "<details open" not in page
    assert log.head_mark(full) in before and "log.js" in page and "sha256.js" in page


def _receipt(campaign):
    return receipts_of(campaign, make_voter("阿美").person_id)[0]


def test_a_vote_just_cast_waits_and_is_told_until_when(campaign, amei):
    cast(campaign, make_voter("阿美"))
    page = amei.get("/c/futian-2021-reform/receipts/latest").text
    assert "还在排队，最迟明天0:05入账本" in page and "log.js" not in page


def test_on_the_last_morning_it_waits_until_the_close(campaign, app, amei):
    app.extensions["clock"].fixed = NOON.replace(day=8, hour=8)
    cast(campaign, make_voter("阿美"), at=NOON.replace(day=8, hour=8))
    assert "最迟今天9:05入账本" in amei.get("/c/futian-2021-reform/receipts/latest").text
    app.extensions["clock"].fixed = NOON.replace(day=8, hour=9, minute=6)
    assert "几分钟就入账本" in amei.get("/c/futian-2021-reform/receipts/latest").text


def test_her_own_page_has_the_codes_and_no_picture(full, amei, client):
    page = amei.get(PAGE + "/mine").text
    assert f"{_receipt(full).receipt_id}:{log.own(_receipt(full)).opening}" in page and "<img" not in page
    assert client.get(PAGE + "/mine").status_code == 403


def test_the_chat_tells_the_mark_with_each_ticket():
    said = words.counted([NOON.date()], NOON.date(), True, "1a2b3c4d")
    assert said.endswith("（账本指纹 1a2b3c4d）") and "指纹" not in words.counted([NOON.date()], NOON.date(), True, "")


def test_the_log_stands_in_the_specification(client):
    paths = client.get("/openapi.json").json["paths"]
    ours = {path for path in paths if path.startswith("/api/v1/campaigns/{slug}/log")}
    assert {path.rpartition("/")[2] for path in ours} == {"log", "heads", "leaves", "proof", "consistency", "mine"}


def test_a_vote_held_elsewhere_has_a_log_of_tickets(app, client):
    campaign = make_campaign("external")
    log.keep_up(campaign, NOON)
    page = client.get(f"/campaigns/{campaign.slug}/log").text
    assert "我的票在里面吗" not in page and "投票账本" in page
    db.session.rollback()
