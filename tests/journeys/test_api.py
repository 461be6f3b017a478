"""From QR code to prize through the public interfaces, on each database."""

from __future__ import annotations

import base64
import io
import json
import re
from datetime import timedelta

import openpyxl
import requests
import yaml
import zxingcpp
from PIL import Image

from tests.factories import NOON, PASSWORD, document, make_staff
from tests.journeys.conftest import ANSWER, World

SLUG, EXTERNAL = "futian-2021-reform", "futian-2021-streets"
NUMBERS = {"numbers": [{"source": "ssq", "issue": "2022005", "groups": [[3, 8, 15, 21, 27, 33], [6]]}],
           "evidence_url": "https://example.org/bulletin"}


def screenshot_of(page: str) -> bytes:
    """A phone-like picture that holds the receipt's QR as the success page showed it."""
    png = base64.b64decode(re.search(r'class="qr" src="data:image/png;base64,([^"]+)"', page)[1])
    picture = Image.new("RGB", (1080, 2340), "#eef3f0")
    picture.paste(Image.open(io.BytesIO(png)).convert("RGB").resize((600, 600), Image.Resampling.NEAREST), (240, 300))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=60)
    return out.getvalue()


def vote_on_the_page(world: World, person: dict, grade: str = "优") -> str:
    """Scan, be logged in, choose, type, submit; the success page's HTML."""
    phone = world.phone(person)
    page = phone.get(f"{world.url}/c/{SLUG}?s=article", timeout=20)
    assert page.ok and "您来评一评" in page.text and "code=" not in page.url
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    done = phone.post(f"{world.url}/c/{SLUG}", data=hidden | {"grade": grade, "captcha_answer": ANSWER}, timeout=20)
    assert done.ok and "/receipts/" in done.url, done.text[:500]
    return done.text


def test_the_reference_campaign_from_code_to_prize(world: World, tmp_path):
    world.at(NOON - timedelta(days=3))
    load_both_campaigns(world, tmp_path)
    with world.app.app_context():
        make_staff("zhoumin", "manager", "周敏"), make_staff("hejing", "auditor", "何静"), make_staff("linxiao", "reviewer", "林晓")
    amei, chen, stranger = world.person("阿美"), world.person("老陈"), world.person("路人")

    # 1–2: the QR leads in, OAuth is silent, the vote leaves a receipt without a grade
    world.at(NOON)
    page = vote_on_the_page(world, amei, "良")
    code = re.search(r'class="code"[^>]*>([0-9A-Z]{4}-[0-9A-Z]{4})<', page)[1]
    assert "第3天" in page and "1月6日（周四）" in page and "良" not in page

    # 3: the same day again, after midnight, at the close
    mini = world.mini(chen)
    assert mini.vote(SLUG).status_code == 201
    again = mini.vote(SLUG, "差")
    assert again.status_code == 409 and again.json()["type"] == "/problems/already-voted"
    assert again.json()["receipt_code"] == mini("GET", "/me/receipts").json()[0]["receipt_code"]
    world.at(NOON.replace(hour=0) + timedelta(days=1))
    assert mini.vote(SLUG).status_code == 201
    page_of_friday = vote_on_the_page(world, amei)

    # 4: screenshot and name to the chat; the job reads it; the ticket is told
    world.at(world.now() + timedelta(minutes=5))
    world.sim("send", person=amei["id"], image_base64=base64.b64encode(screenshot_of(page)).decode())
    assert "姓名和手机号" in world.heard(amei)[-1]
    world.sim("send", person=amei["id"], text="张三 13800000000")
    assert "正在看" in world.heard(amei)[-1]
    world.work()
    assert "1月6日（周四）这天算上了，您现在有1天" in world.heard(amei)[-1]
    world.sim("send", person=amei["id"], image_base64=base64.b64encode(screenshot_of(page_of_friday)).decode())
    world.work()
    assert "2个签号" in world.heard(amei)[-1]

    # somebody else's screenshot, and one that nobody can read, go to the staff
    vote_on_the_page(world, stranger)
    world.sim("send", person=stranger["id"], image_base64=base64.b64encode(screenshot_of(page)).decode())
    world.sim("send", person=stranger["id"], text="王五 13800000002")
    world.work()
    assert "不是您本人" in world.heard(stranger)[-1]

    # 5: the queue, and the campaign whose vote is elsewhere
    reviewer = world.staff("linxiao", PASSWORD)
    foreign = reviewer("GET", f"/staff/campaigns/{SLUG}/submissions").json()
    assert [s["reading"] for s in foreign] == ["foreign-receipt"] and foreign[0]["phone"] == "138****0002"
    rejected = reviewer("POST", f"/staff/submissions/{foreign[0]['id']}/decision", json={"decision": "reject", "reason": "not-yours"})
    assert rejected.json()["state"] == "rejected"
    outsider = world.person("外投者")
    world.sim("send", person=outsider["id"], image_base64=base64.b64encode(plain_picture()).decode())
    world.sim("send", person=outsider["id"], text="赵六 13800000003")
    world.work()
    waiting = reviewer("GET", f"/staff/campaigns/{EXTERNAL}/submissions").json()
    assert [(s["reading"], s["day"]) for s in waiting] == [("external", "2022-01-07")]
    assert reviewer("POST", f"/staff/submissions/{waiting[0]['id']}/decision", json={"decision": "approve"}).json()["state"] == "approved"

    # entering by one tap is the equal path
    entry = {"name": "陈伯", "phone": "13800000001", "age_band": "18+", "consents": ["draw", "show-name"]}
    entered = mini("POST", f"/campaigns/{SLUG}/entries", json=entry)
    assert entered.status_code == 201 and entered.json()["state"] == "approved"

    # a few more, since the grades of fewer than ten ballots are not told
    for n in range(5):
        assert world.mini(world.person(f"邻居{n}")).vote(SLUG, "中").status_code == 201

    # closed at 09:00 sharp
    campaign = mini("GET", f"/campaigns/{SLUG}").json()
    world.at(NOON.replace(day=8, hour=9))
    closed = mini.vote(SLUG, captcha_id="x")
    assert (closed.status_code, closed.json()["type"]) == (409, "/problems/campaign-closed")
    assert campaign["closes_at"].startswith("2022-01-08T01:00:00")

    # 6: freeze by the worker, numbers by two people, one draw
    world.at(NOON.replace(day=11, hour=18))
    world.work()
    manager, auditor = world.staff("zhoumin", PASSWORD), world.staff("hejing", PASSWORD)
    frozen = manager("GET", f"/draws/{SLUG}-1").json()
    assert len(frozen["entrants"]) == 3 and "winners" not in frozen.get("result", {})
    world.at(NOON.replace(day=11, hour=21, minute=30))
    assert manager("POST", f"/staff/draws/{SLUG}-1/numbers", json=NUMBERS).json()["outcome"] == "sealed"
    assert manager("POST", f"/staff/draws/{SLUG}-1/numbers", json=NUMBERS).status_code == 409
    assert auditor("POST", f"/staff/draws/{SLUG}-1/numbers", json=NUMBERS).json()["outcome"] == "drawn"
    transcript = requests.get(f"{world.url}/api/v1/draws/{SLUG}-1", timeout=20)
    assert transcript.json()["result"]["persons"] == 2 and len(transcript.json()["result"]["winners"]) == 2
    file = tmp_path / "transcript.json"
    file.write_bytes(transcript.content)
    assert world.cli("draws", "verify", str(file)).exit_code == 0
    tampered = json.loads(transcript.content)
    tampered["result"]["winners"][0]["box"] = "31"
    file.write_text(json.dumps(tampered))
    assert world.cli("draws", "verify", str(file)).exit_code == 1

    # 7: what is public is masked; the staff's list is whole; the recount agrees
    shown = requests.get(f"{world.url}/w/{SLUG}-1", timeout=20).text
    assert "陈*" in shown and "138****0000" in shown and not re.search(r"\d{11}", re.sub(r"[0-9a-f]{16,}", "", shown))
    book = openpyxl.load_workbook(io.BytesIO(manager("GET", f"/staff/draws/{SLUG}-1/winners.xlsx").content))
    cells = {str(cell.value) for row in book.active.iter_rows() for cell in row}
    assert {"张三", "13800000000", "陈伯", "13800000001"} <= cells
    assert world.cli("ballots", "recount", SLUG).exit_code == 0
    counted = requests.get(f"{world.url}/api/v1/campaigns/{SLUG}/results", timeout=20).json()
    assert counted["ballots"] == 10 and counted["subjects"][0]["counts"] == {"优": 4, "良": 1, "中": 5, "差": 0}
    mine = mini("GET", "/me/tickets").json()
    assert [t["day"] for t in mine] == ["2022-01-07"] and code


def load_both_campaigns(world: World, folder) -> None:
    for mode in ("hosted", "external"):
        file = folder / f"{mode}.yaml"
        file.write_text(yaml.safe_dump(document(mode), allow_unicode=True), encoding="utf-8")
        result = world.cli("campaigns", "load", str(file))
        assert result.exit_code == 0, result.output
    page = requests.get(f"{world.url}/api/v1/campaigns/{SLUG}", timeout=20).json()
    assert len(page["rules_sha256"]) == 64 and page["state"] == "coming"
    with world.app.app_context():
        from wxbackend.campaigns import service as campaigns
        source = campaigns.by_slug(SLUG).sources[0]
        png = base64.b64decode(source.qr_png)
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    assert [f.text for f in found] == [f"{world.url}/c/{SLUG}?s=article"]


def plain_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (400, 800), "#cfe8da").save(out, "PNG")
    return out.getvalue()
