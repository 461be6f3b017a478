"""A campaign from its document: loaded, corrected while a draft, published once."""

from __future__ import annotations

import base64
import io
import json
import threading
from datetime import timedelta
from hashlib import sha256

import pytest
import zxingcpp
from PIL import Image

from tests.factories import DEMO, NOON, document, make_campaign
from wxbackend import jobs
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.binding import campaign_binding, canonical_json
from wxbackend.campaigns.models import Box, Campaign, Prize, RulesVersion, Source, Subject
from wxbackend.campaigns.packing import boxes_sha256
from wxbackend.extensions import db
from wxbackend.jobs.models import Job
from wxbackend.keys import unseal
from wxbackend.problems import Invalid

EARLY = NOON - timedelta(days=3)


@pytest.fixture
def other(any_app):
    return make_campaign(slug="futian-2022-other")   # noise


@pytest.fixture
def app(app):
    make_campaign(slug="futian-2022-other")
    return app


def faults(doc) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        campaigns.load_document(doc, "test", EARLY)
    db.session.rollback()
    return {e["pointer"]: e["detail"] for e in refused.value.facts["errors"]}


@pytest.mark.parametrize("mode", ["hosted", "external"])
def test_the_reference_documents_become_campaigns(other, mode):
    campaign = make_campaign(mode)
    db.session.expire_all()
    doc = document(mode)
    assert (campaign.slug, campaign.mode, campaign.is_hosted) == (doc["slug"], mode, mode == "hosted")
    assert [s.key for s in campaign.subjects] == [s["key"] for s in doc["subjects"]]
    assert [s.code for s in campaign.sources] == [s["code"] for s in doc["sources"]]
    assert [(p.tier, p.count, p.value_fen) for p in campaign.prizes] == [(p["tier"], p["count"],
                                                                          p["value_yuan"] * 100) for p in doc["prizes"]]
    assert [g["grade"] for g in campaign.subjects[0].grades] == ["优", "良", "中", "差"]
    assert campaign.content["greeting"] == doc["content"]["greeting"]
    assert campaigns.by_slug(campaign.slug) is campaign and campaigns.published(campaign.slug) is campaign


def test_both_demo_files_load_as_they_stand(app):
    runner = app.test_cli_runner()
    for name in ("reference-campaign.yaml", "external-campaign.yaml"):
        result = runner.invoke(args=["campaigns", "load", str(DEMO / name)])
        assert result.exit_code == 0, result.output
        assert "http://127.0.0.1:8000/c/futian-2021-" in result.output
    assert {c.is_published for c in campaigns.all_campaigns()} == {True}


def test_instants_in_yaml_need_no_quotes(app, tmp_path):
    """YAML makes a date of 2022-01-04T10:00:00+08:00 by itself."""
    file = tmp_path / "campaign.yaml"
    text = (DEMO / "reference-campaign.yaml").read_text(encoding="utf-8").replace("live_demo: true", """window:
  opens_at: 2022-01-04T10:00:00+08:00
  closes_at: 2022-01-08T09:00:00+08:00
  evidence_until: 2022-01-09 09:00:00 +08:00
  freeze_at: "2022-01-11T18:00:00+08:00"
entropy: [{source: ssq, issue: "2022005"}]""")
    file.write_text(text, encoding="utf-8")
    app.extensions["clock"].fixed = EARLY
    result = app.test_cli_runner().invoke(args=["campaigns", "load", str(file)])
    assert result.exit_code == 0, result.output
    campaign = campaigns.by_slug("futian-2021-reform")
    assert [i.isoformat() for i in (campaign.opens_at, campaign.evidence_until)] == ["2022-01-04T02:00:00+00:00",
                                                                                     "2022-01-09T01:00:00+00:00"]


def test_a_file_with_faults_is_told_where(app, tmp_path):
    file = tmp_path / "campaign.yaml"
    file.write_text("slug: Not A Slug\nprizes: [{tier: box, name: 盲盒, count: 0}]\n", encoding="utf-8")
    result = app.test_cli_runner().invoke(args=["campaigns", "load", str(file)])
    assert result.exit_code == 1 and "#/slug" in result.output and "#/prizes/0/count" in result.output and "Traceback" not in result.output
    file.write_text("a: [1,", encoding="utf-8")
    broken = app.test_cli_runner().invoke(args=["campaigns", "load", str(file)])
    assert broken.exit_code == 1 and "Traceback" not in broken.output
    assert len(campaigns.all_campaigns()) == 1


@pytest.mark.parametrize(("changes", "pointer"), [
    ({"slug": "Futian 2021"}, "#/slug"), ({"slug": "a"}, "#/slug"), ({"title": ""}, "#/title"), ({"title": "长" * 81}, "#/title"),
    ({"zone": "Mars/Olympus"}, "#/zone"), ({"zone": "../../etc/passwd"}, "#/zone"),
    ({"quota": "hour"}, "#/quota"),
    ({"window": {"closes_at": "2022-01-03T09:00:00+08:00"}}, "#/window/closes_at"),
    ({"window": {"closes_at": "2022-01-08T09:00:00"}}, "#/window/closes_at"), ({"window": {"freeze_at": "later"}}, "#/window/freeze_at"),
    ({"window": None}, "#/window"), ({"entropy": []}, "#/entropy"), ({"entropy": [{"source": "dice", "issue": "1"}]}, "#/entropy/0/source"),
    ({"entropy": [{"source": "ssq", "issue": "../1"}]}, "#/entropy/0/issue"),
    ({"prizes": [{"tier": "box", "name": "盲盒", "count": 30, "value_yuan": 50_001}]}, "#/prizes/0/value_yuan"),
    ({"prizes": [{"tier": "box", "name": "盲盒", "count": "30"}]}, "#/prizes/0/count"),
    ({"prizes": [{"tier": "box", "name": "a", "count": 1}, {"tier": "box", "name": "b", "count": 1}]}, "#/prizes"),
    ({"prizes": []}, "#/prizes"), ({"subjects": []}, "#/subjects"), ({"sources": [{"code": "Poster", "name": "海报"}]}, "#/sources/0/code"),
    ({"subjects": [{"key": "a", "title": "t", "grades": [{"grade": "好", "label": "好"}, {"grade": "优", "label": "很好"}]}]},
     "#/subjects/0/grades/0/grade"),
    ({"content": {"greeting": ""}}, "#/content/greeting"), ({"content": {"external_url": "javascript:alert(1)"}}, "#/content/external_url"),
    ({"content": {"account": {"name": "a", "mascot": "b", "seal": "两字"}}}, "#/content/account/seal"),
    ({"alternates": -1}, "#/alternates"), ({"boxes": {"per_box": 0, "stock": {}}}, "#/boxes/per_box"), ({"surprise": 1}, "#/surprise"),
])
def test_a_fault_is_pointed_at(app, changes, pointer):
    assert pointer in faults(document(**changes))


def test_a_vote_is_held_here_or_elsewhere(app):
    assert "#/mode" in faults(document() | {"mode": "both"})


def test_all_faults_are_told_together(app):
    assert {"#/slug", "#/title", "#/mode"} <= faults({"slug": "?"}).keys()


@pytest.mark.parametrize("nothing", [None, [], "text", 5, {}])
def test_what_is_no_document_is_refused(app, nothing):
    assert "#/slug" in faults(nothing)


@pytest.mark.parametrize(("stock", "said"),
                         [({"雨伞": 31, "背包": 59}, "雨伞有31件"), ({"雨伞": 30}, "一共要90件，库存是30件"), ({}, "库存是0件")])
def test_a_stock_that_does_not_fit_is_told_in_pieces(app, stock, said):
    with pytest.raises(campaigns.CannotPublish, match=said):
        campaigns.load_document(document(boxes=None) | {"boxes": {"per_box": 3, "stock": stock}}, "test", EARLY)


def test_a_draft_is_replaced_whole(other):
    first = make_campaign(publish=False)
    number, key = first.id, first.ticket_key
    second = campaigns.load_document(document(title="改过的标题", sources=[{"code": "poster", "name": "海报"}],
                                              boxes={"per_box": 1, "stock": {"雨伞": 30}}),
                                     "test", EARLY)
    db.session.commit()
    db.session.expire_all()
    assert (second.id, second.title, second.ticket_key, [s.code for s in second.sources]) == (number, "改过的标题", key, ["poster"])
    assert [json.loads(unseal("box", b.items_sealed)) for b in second.boxes] == [["雨伞"]] * 30
    for model, count in ((Campaign, 2), (Subject, 2), (Source, 7), (Prize, 2), (Box, 60)):
        assert db.session.query(model).count() == count, model


def test_a_draft_that_cannot_be_packed_leaves_the_old_one(other):
    make_campaign(publish=False)
    with pytest.raises(campaigns.CannotPublish):
        campaigns.load_document(document(title="坏的", boxes={"stock": {"雨伞": 1}}), "test", EARLY)
    db.session.rollback()
    assert campaigns.by_slug("futian-2021-reform").title == document()["title"] and db.session.query(Box).count() == 60


def test_a_draft_is_nothing_to_citizens(app):
    make_campaign(publish=False)
    with pytest.raises(campaigns.NoSuchCampaign):
        campaigns.published("futian-2021-reform")
    assert [c.slug for c in campaigns.running(NOON)] == ["futian-2022-other"]
    assert not campaigns.by_slug("futian-2021-reform").is_open(NOON)


def test_published_is_published(other):
    campaign = make_campaign()
    with pytest.raises(campaigns.AlreadyPublished):
        campaigns.publish(campaign, "test", NOON)
    with pytest.raises(campaigns.AlreadyPublished):
        campaigns.load_document(document(title="另一个"), "test", NOON)
    db.session.rollback()
    assert db.session.query(RulesVersion).count() == 2


def test_two_managers_publish_once(make_app, server_url):
    app = make_app(database_url=server_url)
    with app.app_context():
        make_campaign(publish=False)
        db.session.remove()
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def press() -> None:
        with app.app_context():
            campaign = campaigns.by_slug("futian-2021-reform")
            gate.wait()
            try:
                campaigns.publish(campaign, "test", NOON)
                db.session.commit()
                outcomes.append("done")
            except campaigns.AlreadyPublished:
                db.session.rollback()
                outcomes.append("refused")
            db.session.remove()

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]


def test_the_rules_and_their_hash_can_be_recomputed_by_anybody(other):
    campaign = make_campaign()
    version = campaign.rules
    rules = json.loads(version.canonical)
    assert canonical_json(rules).decode() == version.canonical
    unbound = {key: value for key, value in rules.items() if key != "campaign"}
    assert version.sha256 == sha256(canonical_json(unbound)).hexdigest()
    assert rules["campaign"] == f"{campaign.slug}@{version.sha256}" == campaign_binding(campaign.slug, rules)
    assert (rules["closes_at"], rules["freeze_at"]) == ("2022-01-08T09:00:00+08:00", "2022-01-11T18:00:00+08:00")
    salt = unseal("box-salt", version.box_salt_sealed)
    assert rules["boxes_sha256"] == boxes_sha256(campaigns.packing_list(campaign, salt))


def test_the_rules_keep_the_boxes_shut(other):
    campaign = make_campaign()
    assert not any(kind in campaign.rules.canonical for kind in ("渔夫帽", "雨伞", "背包"))
    assert all("雨伞" not in box.items_sealed for box in campaign.boxes)


def test_two_equal_campaigns_have_boxes_nobody_can_compare(app):
    hashes = {json.loads(make_campaign(slug=f"futian-2022-{n}").rules.canonical)["boxes_sha256"] for n in range(2)}
    assert len(hashes) == 2


def test_the_boxes_use_the_stock_to_the_piece(other):
    campaign, stock = make_campaign(), document()["boxes"]["stock"]
    packed = [json.loads(unseal("box", box.items_sealed)) for box in campaign.boxes]
    assert [box.number for box in campaign.boxes] == [f"{n:02d}" for n in range(1, 31)]
    assert {kind: sum(kind in items for items in packed) for kind in stock} == stock
    assert all(len(items) == len(set(items)) == 3 for items in packed)


def test_each_sources_code_leads_to_the_campaign_by_its_channel(make_app):
    app = make_app(public_url="https://vote.example")
    with app.app_context():
        campaign = make_campaign()
        for source in campaign.sources:
            picture = Image.open(io.BytesIO(base64.b64decode(source.qr_png or "")))
            assert picture.width == picture.height >= 430   # what an article wants
            (code,) = zxingcpp.read_barcodes(picture.convert("L"))
            assert code.text == f"https://vote.example/c/futian-2021-reform?s={source.code}" == campaigns.entry_url(campaign, source.code)


def test_publishing_puts_the_freeze_in_line(other):
    campaign = make_campaign()
    job = db.session.query(Job).filter(Job.payload.contains(campaign.slug), Job.kind == "draws.freeze").one()
    assert job.run_at == campaign.freeze_at
    jobs.run_due(campaign.freeze_at - timedelta(seconds=1))
    assert job.done_at is None


def test_campaigns_run_from_opening_until_the_last_evidence(app):
    campaign = make_campaign()
    for at, expected in ((campaign.opens_at - timedelta(seconds=1), 0), (campaign.opens_at, 2), (campaign.closes_at, 2),
                         (campaign.evidence_until, 0)):
        assert len(campaigns.running(at)) == expected


def test_a_subject_is_found_by_its_key_or_is_the_first(app):
    two = [{"key": "a", "title": "甲"}, {"key": "b", "title": "乙"}]
    campaign = make_campaign(subjects=two)
    assert [campaigns.subject_of(campaign, key).title for key in (None, "", "a", "b")] == ["甲", "甲", "甲", "乙"]
    with pytest.raises(campaigns.NoSuchCampaign):
        campaigns.subject_of(campaign, "c")


def test_a_campaign_as_anybody_may_read_it(site):
    answer = site.client.get(site.api(""))
    assert answer.status_code == 200 and answer.json["state"] == "open" and answer.json["day"] == "2022-01-06"
    assert answer.json["closes_at"].startswith("2022-01-08T01:00:00")
    rules = answer.json["rules"]
    assert campaign_binding(site.slug, rules) == rules["campaign"] and answer.json["rules_sha256"] == rules["campaign"].partition("@")[2]
    assert not {"ticket_key_sealed", "boxes", "qr_png"} & set(answer.json) and "sealed" not in answer.text
    assert site.client.get("/api/v1/campaigns/futian-2022-nothing").status_code == 404
