"""The audit kit: two people, after the close; everything in it is recomputed by whoever holds it, and nothing joins a grade to a person."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.ballots.log.conftest import put_in
from tests.factories import NOON, PASSWORD, cast, enter, make_staff, make_voter, staff_bearer
from wxbackend import jobs
from wxbackend.accounts import service as accounts
from wxbackend.accounts.models import Staff
from wxbackend.audit.models import AuditEntry
from wxbackend.ballots import decisions
from wxbackend.ballots.log import kit as kits
from wxbackend.ballots.log import kit_check, kit_file
from wxbackend.ballots.log import service as log
from wxbackend.ballots.log.models import LogKit
from wxbackend.ballots.models import Ballot
from wxbackend.ballots.receipts import receipts_of
from wxbackend.extensions import db
from wxbackend.problems import Invalid
from wxbackend.submissions import service as submissions
from wxbackend.tickets import service as tickets

HELPERS = ("阿美", "老陈", "路人")
GRADES = {"阿美": "优", "老陈": "良", "路人": "差"}


@pytest.fixture
def closed(campaign):
    """A campaign after its close: votes, tickets, a merge, a quarantine, a ticket taken back."""
    for name, grade in GRADES.items():
        voter = make_voter(name)
        cast(campaign, voter, grade)
        enter(campaign, voter, phone=f"1380000000{voter.person_id % 10}")
        submissions.tap(campaign, voter.person_id, None, NOON)
    twin = make_voter("老陈的另一个号")
    cast(campaign, twin, at=NOON + timedelta(minutes=1))
    accounts.merge(make_voter("老陈").person_id, twin.person_id, NOON, "unionid")
    tickets.revoke(tickets.of(campaign, make_voter("路人").person_id)[0], "本人退出", NOON)
    put_in(campaign, 40, first_person=1000)
    newest = db.session.scalars(select(Ballot.id).order_by(Ballot.id.desc()).limit(4)).all()
    decisions.quarantine(newest, "one-device", "", "system:test", NOON)
    db.session.commit()
    log.keep_up(campaign, campaign.closes_at + timedelta(minutes=6))
    return campaign


@pytest.fixture
def pair(app, closed) -> tuple[Staff, Staff]:
    app.extensions["clock"].fixed = closed.closes_at + timedelta(hours=1)
    return make_staff("xiaoli", "manager", "小李"), make_staff("laolin", "auditor", "老林")


def code_of(campaign, name: str) -> str:
    receipt = receipts_of(campaign, make_voter(name).person_id)[0]
    return f"{receipt.receipt_id}:{log.own(receipt).opening}"


def made(campaign, pair, codes=()) -> tuple[LogKit, str]:
    at = campaign.closes_at + timedelta(hours=1)
    kit = kits.ask(campaign, "区纪委抽查", list(codes), pair[0], at)
    kit, passphrase = kits.approve(kit.id, pair[1], at)
    db.session.commit()
    jobs.run_due(at)
    return kits.by_id(kit.id), passphrase


def opened(kit: LogKit, passphrase: str) -> list[dict]:
    with open(kits.path_of(kit), "rb") as file:
        return list(kit_file.read(file, passphrase))


def test_a_kit_is_whole_and_counts_what_the_tally_counts(closed, pair):
    kit, passphrase = made(closed, pair, [code_of(closed, name) for name in HELPERS])
    found = kit_check.check(opened(kit, passphrase))
    assert found.faults == [] and kit.state == "made" and kit.key_sealed == ""
    assert found.totals()["culture-network"] == {"优": 10, "良": 10, "中": 9, "差": 10} and len(found.opened) == 44
    assert found.totals()["culture-network"] == {grade: votes for (_, _, grade), votes in log.count(closed).items()}
    lines = {name: log.own(receipts_of(closed, make_voter(name).person_id)[0]).seq for name in HELPERS}
    receipts = {name: code_of(closed, name).partition(":")[0] for name in HELPERS}
    assert found.named == [f"receipt {receipts[name]}: line {lines[name]}, culture-network={GRADES[name]}" for name in HELPERS]


def test_grades_come_without_persons_and_tickets_without_ballots(closed, pair):
    kit, passphrase = made(closed, pair)
    entries = opened(kit, passphrase)
    grades = json.dumps([e for e in entries if "ballot" in e], ensure_ascii=False)
    holders = [e for e in entries if "ticket" in e]
    persons = [make_voter(name) for name in HELPERS]
    receipts = list(db.session.scalars(select(Ballot.receipt_id)))
    assert {tuple(sorted(e)) for e in entries if "ballot" in e} == {("ballot", "grades", "salt")}
    assert not [p for p in persons if p.person_key in grades or p.identity.openid in grades] and not [r for r in receipts if r in grades]
    told = json.dumps(holders, ensure_ascii=False)
    assert len(holders) == 2 and not [r for r in receipts if r in told] and not re.search("优|良|差|seq|line|1380000000", told)
    openids = {identity["openid"] for holder in holders for identity in holder["identities"]}
    assert make_voter("阿美").identity.openid in openids and make_voter("路人").identity.openid not in openids, "her ticket was taken back"


@pytest.mark.parametrize("name, change, said", [
    ("ballot", lambda e: e.update(grades="another=" + e["grades"].rpartition("=")[2]), "salt and grade are not those it was entered with"),
    ("ballot", lambda e: e.update(salt="00" * 32), "salt and grade are not those it was entered with"),
    ("ballot", lambda e: e.clear(), "its grade is not opened"),
    ("line", lambda e: e.update(line=e["line"] + "0"), "its root is not that of"),
    ("line", lambda e: e.clear(), "lines are not all there"),
    ("head", lambda e: e["head"].update(signature="00" * 64), "its signature does not hold"),
    ("head", lambda e: e["head"].update(body="{"), "is not canonical JSON"),
    ("k_campaign", lambda e: e.update(k_campaign="00" * 32), "is not what the key makes of its person and day"),
    ("ticket", lambda e: e.update(granted_to="somebody"), "is not what the key makes of its person and day"),
    ("ticket", lambda e: e.update(person="somebody"), "its person's tag is another"),
    ("ticket", lambda e: e.clear(), "counts, and nobody holds it"),
    ("named", lambda e: e.update(seq=1), "is not its own"),
])
def test_whatever_is_changed_in_a_kit_is_named(closed, pair, name, change, said):
    kit, passphrase = made(closed, pair, [code_of(closed, "阿美")])
    entries = opened(kit, passphrase)
    place = [n for n, entry in enumerate(entries) if name in entry][-1]
    change(entries[place])
    faults = kit_check.check([entry for entry in entries if entry]).faults
    assert [fault for fault in faults if said in fault], faults


def test_only_another_one_approves_and_only_once(closed, pair):
    at = closed.closes_at + timedelta(hours=1)
    manager, auditor = pair
    kit = kits.ask(closed, "抽查", [], manager, at)
    with pytest.raises(kits.OwnKit):
        kits.approve(kit.id, manager, at)
    with pytest.raises(kits.NotAnApprover):
        kits.approve(kit.id, make_staff("xiaozhou", "reviewer", "小周"), at)
    kits.approve(kit.id, auditor, at)
    with pytest.raises(kits.AlreadyApproved):
        kits.approve(kit.id, make_staff("zhou", "manager", "周敏"), at)
    with pytest.raises(kits.NotMade):
        kits.fetch(kit.id, manager, at)
    with pytest.raises(kits.NoSuchKit):
        kits.approve(99, auditor, at)


def test_there_is_none_before_the_close(campaign, app):
    log.keep_up(campaign, NOON)
    with pytest.raises(kits.TooEarly):
        kits.ask(campaign, "抽查", [], make_staff(), NOON)


def test_a_screenshot_of_somebodys_receipt_names_nobody(closed, pair):
    """The receipt stands on every screenshot the staff see; the code only its voter has."""
    receipt = receipts_of(closed, make_voter("阿美").person_id)[0]
    another = f"{'A' * 16}:{log.own(receipt).opening}"
    for code in (receipt.receipt_id, receipt.token, f"{receipt.receipt_id}:{'0' * 64}", another, "", "x:y"):
        with pytest.raises(Invalid):
            kits.ask(closed, "抽查", [code], pair[0], NOON)


def test_every_step_is_on_record_and_the_passphrase_nowhere(closed, pair):
    kit, passphrase = made(closed, pair)
    kits.fetch(kit.id, pair[0], NOON)
    db.session.commit()
    verbs = [verb for verb in db.session.scalars(select(AuditEntry.verb).order_by(AuditEntry.id)) if verb.startswith("kit.")]
    assert verbs == ["kit.asked", "kit.approved", "kit.made", "kit.fetched"]
    everything = " ".join(db.session.scalars(select(AuditEntry.facts))) + kits.path_of(kit).read_bytes().hex()
    assert passphrase not in everything and passphrase.encode().hex() not in everything
    assert kits.path_of(kit).stat().st_mode & 0o077 == 0


def sealed(count: int = 50_000) -> tuple[bytes, str, list[dict]]:
    entries = [{"line": f"{n} " + "优" * (n % 60)} for n in range(count)]
    out, passphrase = io.BytesIO(), kit_file.new_passphrase()
    kit_file.write(out, kit_file.lock_for(passphrase, bytes(16)), entries)
    return out.getvalue(), passphrase, entries


def test_a_file_of_several_pieces_opens_with_its_passphrase_however_it_is_typed(monkeypatch):
    monkeypatch.setattr(kit_file, "PIECE_BYTES", 1 << 14)
    raw, passphrase, entries = sealed()
    assert list(kit_file.read(io.BytesIO(raw), passphrase.lower().replace("-", " "))) == entries
    assert re.fullmatch(r"([0-9A-Z]{4}-){5}[0-9A-Z]{4}", passphrase)


def test_an_empty_kit_opens_too():
    out = io.BytesIO()
    kit_file.write(out, kit_file.lock_for("x", bytes(16)), [])
    assert list(kit_file.read(io.BytesIO(out.getvalue()), "x")) == []


def test_a_file_that_is_not_whole_is_refused(monkeypatch):
    monkeypatch.setattr(kit_file, "PIECE_BYTES", 1 << 14)
    raw, passphrase, _ = sealed()
    first = 24 + 4 + int.from_bytes(raw[24:28], "big")
    spoiled = {"cut at a piece": raw[:first], "cut in a piece": raw[:-5], "a piece taken out": raw[:24] + raw[first:],
               "one bit": raw[:-1] + bytes([raw[-1] ^ 1]), "another salt": raw[:10] + b"x" + raw[11:], "no kit": b"PK" + raw,
               "nothing": b"", "a head alone": raw[:24], "more behind it": raw + b"1234"}
    for how, other in spoiled.items():
        with pytest.raises(kit_file.CannotOpen):
            list(kit_file.read(io.BytesIO(other), passphrase))
            pytest.fail(how)
    with pytest.raises(kit_file.CannotOpen, match="passphrase"):
        list(kit_file.read(io.BytesIO(raw), kit_file.new_passphrase()))


def test_killed_while_it_is_made_the_next_try_makes_it(closed, pair, monkeypatch):
    at = closed.closes_at + timedelta(hours=1)
    kit = kits.ask(closed, "抽查", [], pair[0], at)
    _, passphrase = kits.approve(kit.id, pair[1], at)
    db.session.commit()
    with monkeypatch.context() as patched:
        patched.setattr(kits, "_holders", lambda *_: 1 / 0)
        jobs.run_due(at)
    assert kits.by_id(kit.id).state == "approved" and list(kits.path_of(kit).parent.iterdir()) == []
    jobs.run_due(at + timedelta(minutes=5))
    assert kit_check.check(opened(kits.by_id(kit.id), passphrase)).faults == []


def test_the_commands_open_and_check_it_without_our_keys(closed, pair, app, tmp_path):
    kit, passphrase = made(closed, pair, [code_of(closed, "老陈")])
    path = str(kits.path_of(kit))
    run = app.test_cli_runner().invoke(args=["log", "kit-check", path, "--passphrase", passphrase])
    assert run.exit_code == 0 and "the kit verifies" in run.output and "culture-network=良" in run.output
    assert log.latest(closed).mark in run.output
    dump = app.test_cli_runner().invoke(args=["log", "kit-open", path], input=passphrase + "\n")
    assert dump.exit_code == 0 and '"k_campaign"' in dump.output
    assert app.test_cli_runner().invoke(args=["log", "kit-check", path, "--passphrase", "x"]).exit_code == 1
    other = tmp_path / "other.wxkit"
    entries = opened(kit, passphrase)
    entries[[n for n, e in enumerate(entries) if "ballot" in e][0]]["grades"] = "culture-network=优良"
    with open(other, "wb") as out:
        kit_file.write(out, kit_file.lock_for(passphrase, bytes(16)), entries)
    run = app.test_cli_runner().invoke(args=["log", "kit-check", str(other), "--passphrase", passphrase])
    assert run.exit_code == 1 and "salt and grade are not" in run.output


def test_the_api_does_what_the_desk_does(closed, pair, client):
    manager, auditor = (staff_bearer(one) for one in pair)
    base = f"/api/v1/staff/campaigns/{closed.slug}/kits"
    asked = client.post(base, json={"why": "抽查", "codes": [code_of(closed, "阿美")]}, headers=manager)
    assert asked.status_code == 201 and asked.json["state"] == "asked" and asked.json["named"] == 1
    number = asked.json["id"]
    assert client.post(f"/api/v1/staff/kits/{number}/approval", headers=manager).json["type"] == "/problems/kit-own"
    told = client.post(f"/api/v1/staff/kits/{number}/approval", headers=auditor)
    assert told.status_code == 200 and told.json["kit"]["approved_by"] == "老林"
    jobs.run_due(closed.closes_at + timedelta(hours=2))
    file = client.get(f"/api/v1/staff/kits/{number}/file", headers=manager)
    assert file.headers["Cache-Control"] == "no-store" and "attachment" in file.headers["Content-Disposition"]
    entries = list(kit_file.read(io.BytesIO(file.data), told.json["passphrase"]))
    assert kit_check.check(entries).faults == []
    assert "passphrase" not in client.get(base, headers=manager).text and client.get(base).status_code == 401


def logged_in(app, username: str):
    client = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/admin/login").text)[1]
    client.post("/admin/login", data={"username": username, "password": PASSWORD, "csrf_token": token})
    return client


def sent(client, page: str, path: str, **fields):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)[1]
    return client.post(path, data=fields | {"csrf_token": token})


def test_at_the_desk_one_asks_another_approves_and_the_passphrase_stands_there_once(closed, pair, app):
    desk = f"/admin/campaigns/{closed.slug}/kit"
    xiaoli, laolin = logged_in(app, "xiaoli"), logged_in(app, "laolin")
    wrong = sent(xiaoli, desk, f"/admin/campaigns/{closed.slug}/kits", why="抽查", codes="AAAA")
    assert wrong.status_code == 422 and "第1个核验码对不上" in wrong.text
    assert sent(xiaoli, desk, f"/admin/campaigns/{closed.slug}/kits", why="区纪委抽查", codes=code_of(closed, "阿美")).status_code == 302
    assert "自己申请的，不能自己批" in xiaoli.get(desk).text
    number = db.session.scalar(select(LogKit.id))
    told = sent(laolin, desk, f"/admin/kits/{number}/approval")
    passphrase = re.search(r"data-passphrase>([^<]+)<", told.text)[1]
    assert passphrase not in laolin.get(desk).text
    jobs.run_due(closed.closes_at + timedelta(hours=2))
    assert "下载" in xiaoli.get(desk).text
    entries = list(kit_file.read(io.BytesIO(xiaoli.get(f"/admin/kits/{number}/file").data), passphrase))
    assert kit_check.check(entries).faults == []
    page = laolin.get("/admin/log?what=kit").text
    assert "申请了“" in page and "批准了“" in page and "下载了“" in page and "—号" not in page
