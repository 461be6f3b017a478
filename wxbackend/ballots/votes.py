"""The nouns of casting: what a voter asks for, what may be refused, what comes of it. Nothing here asks a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from wxbackend import captcha
from wxbackend.ballots import rules
from wxbackend.ballots.receipts import Receipt
from wxbackend.campaigns.models import Campaign, Subject
from wxbackend.campaigns.rules import Grade
from wxbackend.problems import Problem, Unavailable


class CampaignNotOpen(Problem):
    status, type, title = 409, "campaign-not-open", "还没开始投票。"


class CampaignClosed(Problem):
    status, type, title = 409, "campaign-closed", "投票已经截止，谢谢您这几天来评议。"


class NotHosted(Problem):
    status, type, title = 409, "vote-held-elsewhere", "这个活动的票投在别处。"
    hint = "投完把截图发到公众号的聊天里就好。"


class GradeNotOffered(Problem):
    status, type, title = 422, "grade-not-offered", "请从页面上的等级里选一个。"


class AlreadyVoted(Problem):
    """Carries that day's receipt, so that a lost answer is found again."""

    status, type, title = 409, "already-voted", "今天已经投过啦，明天0点后再来。"

    def __init__(self, receipt: Receipt):
        self.receipt = receipt
        super().__init__(receipt_code=receipt.code, receipt_url=receipt.url, day=receipt.day.isoformat())


class DatabaseLost(Unavailable):
    """The vote could not be kept though its captcha is spent; the edge adds a fresh one."""

    status, type = 503, "vote-not-kept"


class TooManyAtOnce(Unavailable):
    """More votes wait than could be kept in time: said at once, with nothing spent, rather than after a long wait."""

    status, type, title = 503, "too-many-at-once", "这会儿投票的人特别多，还没轮到您。"
    hint = "您的选择和验证码都还在，过几秒再点一次“提交”。"


@dataclass(frozen=True)
class Ask:
    """A vote as it came in at `at`, its voter not looked at yet."""

    campaign: Campaign
    subject: Subject
    grade: str
    captcha_id: str
    answer: str
    at: datetime
    source_code: str = ""

    @cached_property
    def spent(self) -> str:
        """By which the ballot remembers its captcha, so that the same request again is known as such."""
        return captcha.mac_of(self.captcha_id)

    @cached_property
    def day(self) -> date:
        return self.campaign.day(self.at)

    @cached_property
    def key(self) -> str:
        return quota_key(self.campaign, self.subject)


@dataclass(frozen=True, slots=True)
class Vote:
    """An admitted vote on its way into the box; `receipt_id` is ours, made before the insert.

    `cast_at` where it is not its batch's; `about` spares a look for campaign and subject afterwards, and is safe in another thread;
    `flag` stands in Redis while it is on its way.
    """

    campaign_id: int
    subject_id: int
    quota_key: str
    person_id: int
    day: date
    grade: Grade
    captcha_hash: str
    source_code: str
    door: str
    degraded: bool = False
    cast_at: datetime | None = None
    about: tuple[Campaign, Subject] | None = field(default=None, compare=False)
    flag: str = ""
    receipt_id: str = field(default_factory=rules.new_receipt_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    receipt: Receipt
    is_new: bool


def check_open(campaign: Campaign, at: datetime) -> None:
    """Raises NotHosted, CampaignNotOpen, CampaignClosed: opens_at <= at < closes_at."""
    if not campaign.is_hosted:
        raise NotHosted()
    if not campaign.is_published or at < campaign.opens_at:
        raise CampaignNotOpen(hint=f"{campaign.say(campaign.opens_at)}再来，我等您。", opens_at=campaign.opens_at.isoformat())
    if not campaign.is_open(at):
        raise CampaignClosed(closes_at=campaign.closes_at.isoformat())


def chosen(subject: Subject, grade: str) -> Grade:
    """Raises GradeNotOffered."""
    found = next((g for g in Grade if g.value == grade and subject.offers(g)), None)
    if found is None:
        raise GradeNotOffered()
    return found


def quota_key(campaign: Campaign, subject: Subject) -> str:
    """What the daily vote is counted against: the subject, or the whole campaign."""
    return f"s{subject.id}" if campaign.quota == "subject" else f"c{campaign.id}"


def known_source(campaign: Campaign, code: str) -> str:
    return code if any(s.code == code for s in campaign.sources) else ""
