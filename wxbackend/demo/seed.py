"""Fills the demo: both campaigns, a few hundred citizens over the days since the opening, a queue for the staff."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import yaml
from PIL import Image, ImageDraw

from config.settings import ROOT
from wxbackend.accounts import service as accounts
from wxbackend.accounts.service import Voter
from wxbackend.ballots import receipts
from wxbackend.ballots import service as ballots
from wxbackend.campaigns import service as campaigns
from wxbackend.campaigns.models import Campaign
from wxbackend.campaigns.rules import Grade
from wxbackend.demo.people import GRADES, Citizen, crowd
from wxbackend.extensions import db, settings
from wxbackend.submissions import service as submissions
from wxbackend.wechat import WxUser

VOTERS, BATCH, SEED = 320, 64, 2022
BUSY_HOURS = [8, 9, 12, 12, 13, 18, 19, 19, 20, 20, 21, 22]
Say = Callable[[str], None]


def fill(at: datetime, say: Say) -> Campaign:
    """Everything a newcomer finds; commits as it goes. `say` gets a line of progress now and then."""
    chance = random.Random(SEED)
    hosted, external = (_load(name, at) for name in ("reference-campaign.yaml", "external-campaign.yaml"))
    say(f"two campaigns published, open until {hosted.say(hosted.closes_at)}")
    people = crowd(VOTERS, chance)
    known = {c.number: WxUser(settings.account_appid, c.openid, "u" + c.openid[1:]) for c in people}
    voters = {number: Voter.of(accounts.login(user, hosted.opens_at)) for number, user in known.items()}
    db.session.commit()
    for day_start in days_of(hosted, at):
        count = _one_day(hosted, people, voters, day_start, at, chance)
        say(f"{hosted.day(day_start):%Y-%m-%d}: {count} ballots")
    _queue(hosted, external, people, voters, at, chance)
    say("screenshots wait for the staff")
    return hosted


def _load(name: str, at: datetime) -> Campaign:
    document = yaml.safe_load((ROOT / "config" / "demo" / name).read_text(encoding="utf-8"))
    campaign = campaigns.load_document(document, "demo", at)
    campaigns.publish(campaign, "demo", campaign.opens_at - timedelta(hours=2))   # rules come before the first vote
    db.session.commit()
    return campaign


def days_of(campaign: Campaign, at: datetime) -> Iterator[datetime]:
    """Local midnights of the days from the opening to `at`."""
    zone = ZoneInfo(campaign.zone)
    day = campaign.day(campaign.opens_at)
    while day <= campaign.day(at):
        yield datetime.combine(day, time(), zone)
        day += timedelta(days=1)


def _one_day(campaign: Campaign, people: list[Citizen], voters: dict[int, Voter], start: datetime, at: datetime,
             chance: random.Random) -> int:
    """Votes of one day in batches, then the taps of those who take part."""
    today = []
    for citizen in people:
        moment = start + timedelta(hours=chance.choice(BUSY_HOURS), seconds=chance.randrange(3600))
        if chance.random() < citizen.diligence and campaign.opens_at <= moment < min(at, campaign.closes_at):
            today.append((moment, citizen))
    today.sort(key=lambda pair: pair[0])
    for n in range(0, len(today), BATCH):
        batch = today[n:n + BATCH]
        ballots.cast_many([_vote(campaign, voters[c.number], c, moment, chance) for moment, c in batch], batch[-1][0])
        for moment, citizen in batch:
            _take_part(campaign, voters[citizen.number], citizen, moment)
        db.session.commit()
    return len(today)


def _vote(campaign: Campaign, voter: Voter, citizen: Citizen, moment: datetime, chance: random.Random) -> ballots.Vote:
    subject = campaign.subjects[0]
    spent = hashlib.sha256(f"demo|{citizen.number}|{campaign.day(moment)}".encode()).hexdigest()
    return ballots.Vote(campaign.id, subject.id, ballots.quota_key(campaign, subject), voter.person_id, campaign.day(moment),
                        Grade(chance.choice(GRADES)), spent, citizen.source, "h5")


def _take_part(campaign: Campaign, voter: Voter, citizen: Citizen, moment: datetime) -> None:
    if not citizen.enters:
        return
    if submissions.entrant(campaign, voter.person_id) is None:
        consents = ("draw", "show-name") if citizen.number % 3 else ("draw",)
        submissions.enter(campaign, voter.person_id, submissions.EntryForm(citizen.name, citizen.phone, "18+", None, consents), moment)
    submissions.tap(campaign, voter.person_id, None, moment)


def _queue(hosted: Campaign, external: Campaign, people: list[Citizen], voters: dict[int, Voter], at: datetime,
           chance: random.Random) -> None:
    """Scribbled screenshots of our own page, and screenshots of somebody else's, sent within the last hours."""
    scribblers = [c for c in people if not c.enters][:6]
    for n, citizen in enumerate(scribblers + people[-9:]):
        campaign = hosted if citizen in scribblers else external
        voter = voters[citizen.number]
        moment = max(campaign.opens_at, at - timedelta(minutes=17 * (n + 1)))
        receipt = next(iter(receipts.receipts_of(hosted, voter.person_id)), None)
        if campaign is hosted and receipt is None:
            continue
        raw = picture(receipt.url if receipt and campaign is hosted else "", receipt.code if receipt and campaign is hosted else "", chance)
        submissions.receive_upload(campaign, voter, raw, submissions.EntryForm(citizen.name, citizen.phone), moment)
        db.session.commit()


def picture(url: str, code: str, chance: random.Random) -> bytes:
    """A phone-like screenshot: our receipt under a red scribble, or somebody else's page with a tick."""
    image = Image.new("RGB", (780, 1688), "#eef3f0")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((60, 300, 720, 1120), 32, "white")
    if url:
        import qrcode

        code_image = qrcode.make(url, border=4, box_size=10).convert("RGB").resize((480, 480))
        image.paste(code_image, (150, 360))
        draw.text((260, 880), code, "#1a1d1f", font_size=48)
        for _ in range(4):
            x, y = chance.randrange(140, 220), chance.randrange(350, 430)
            draw.ellipse((x, y, x + chance.randrange(380, 470), y + chance.randrange(360, 460)), outline="#d4281e", width=26)
    else:
        draw.ellipse((310, 420, 470, 580), "#067a44")
        draw.line((345, 500, 382, 540, 440, 465), "white", 18, joint="curve")
        draw.text((300, 660), f"No. {chance.randrange(10**6):06d}", "#1a1d1f", font_size=44)
        for n in range(5):
            draw.rounded_rectangle((130, 760 + n * 60, 130 + chance.randrange(300, 500), 784 + n * 60), 12, "#dfe4e1")
    draw.text((60, 60), f"{chance.randrange(7, 23)}:{chance.randrange(60):02d}", "#1a1d1f", font_size=40)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
